//! PNG: one bit per pixel, greyscale. Must never hold a time stamp: the same symbol is always the same bytes.

use png::{BitDepth, ColorType, Encoder, PixelDimensions, Unit};

use super::{Layout, Options};

pub(super) fn draw(layout: &Layout<'_>, options: &Options) -> Vec<u8> {
    let scale = options.module_px;
    let (width, height) = (layout.width * scale, layout.height * scale);
    let stride = width.div_ceil(8) as usize;
    let mut pixels = Vec::with_capacity(stride * height as usize);
    for y in 0..layout.height {
        // In a one-bit greyscale picture 1 is white.
        let mut line = vec![0xFF; stride];
        for x in (0..width).filter(|x| layout.dark(x / scale, y)) {
            line[(x / 8) as usize] &= !(0x80 >> (x % 8));
        }
        for _ in 0..scale {
            pixels.extend_from_slice(&line);
        }
    }
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, width, height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    if let Some(dpi) = options.dpi {
        // Pixels per metre: dpi / 0.0254, rounded.
        let per_metre = u32::try_from((u64::from(dpi) * 10_000 + 127) / 254).unwrap_or(u32::MAX);
        encoder.set_pixel_dims(Some(PixelDimensions { xppu: per_metre, yppu: per_metre, unit: Unit::Meter }));
    }
    let mut writer = encoder.write_header().expect("writing to memory");
    writer.write_image_data(&pixels).expect("writing to memory");
    writer.finish().expect("writing to memory");
    out
}

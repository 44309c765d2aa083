//! Reading QR codes from PNG and JPEG pictures.
//!
//! Pictures come from strangers: size is checked from the header, before any pixel is unpacked, so a small file that
//! claims a huge picture is refused instead of filling memory. Must never panic on any bytes. Linear codes are read
//! by tills' scanners, not here.

use std::fmt;
use std::io::Cursor;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// What a reader is willing to unpack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file in bytes.
    pub max_bytes: usize,
    /// Most pixels, width times height. Unpacking and looking takes some twelve bytes for each.
    pub max_pixels: u64,
}

impl Default for Limits {
    /// 8 MiB and 16.8 million pixels: a photograph from a phone.
    fn default() -> Self {
        Self { max_bytes: 8 << 20, max_pixels: 1 << 24 }
    }
}

/// Why nothing was read, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadError {
    /// More bytes or pixels than [`Limits`] allow.
    TooLarge,
    /// Neither PNG nor JPEG.
    NotAnImage,
    /// Begins as a PNG or JPEG and cannot be unpacked.
    Damaged,
    /// A picture without a QR code.
    NoCode,
    /// There is a QR code, but it is too damaged or not text.
    Unreadable,
}

impl ReadError {
    /// Stable code for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "image_too_large",
            Self::NotAnImage => "image_unknown",
            Self::Damaged => "image_damaged",
            Self::NoCode => "image_no_code",
            Self::Unreadable => "image_unreadable",
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the picture is too large",
            Self::NotAnImage => "neither a PNG nor a JPEG picture",
            Self::Damaged => "the picture is damaged",
            Self::NoCode => "no QR code in the picture",
            Self::Unreadable => "the QR code in the picture cannot be read",
        })
    }
}

impl std::error::Error for ReadError {}

/// Larger pictures are halved until they have no more pixels than this: searching costs up to 0.14 µs a pixel.
const SEARCHED_PIXELS: usize = 1 << 22;

/// Eight bits of brightness per pixel, rows from the top.
struct Grey {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// The texts of all QR codes in a picture, in the order found; at least one.
///
/// Looks up to three times: as it is, in pure black and white, and at half size (which removes the noise of a large
/// photograph); the first look that reads every code it sees wins, else the one that read most.
pub fn qr_texts(image: &[u8], limits: &Limits) -> Result<Vec<String>, ReadError> {
    let mut grey = unpack(image, limits)?;
    while grey.pixels.len() > SEARCHED_PIXELS
        && let Some(half) = grey.halved()
    {
        grey = half;
    }
    let looks: [fn(&Grey) -> Option<Grey>; 2] = [|grey| Some(grey.black_and_white()), Grey::halved];
    let (mut best, mut seen) = look(&grey);
    for variant in looks {
        if !best.is_empty() && best.len() == seen {
            break;
        }
        let Some(variant) = variant(&grey) else { continue };
        let (texts, found) = look(&variant);
        if texts.len() > best.len() {
            best = texts;
            seen = found;
        } else if best.is_empty() {
            seen = seen.max(found);
        }
    }
    match (best.is_empty(), seen) {
        (false, _) => Ok(best),
        (true, 0) => Err(ReadError::NoCode),
        (true, _) => Err(ReadError::Unreadable),
    }
}

/// What can be read, and how many codes were seen. The library is given strangers' pictures; should one make it panic,
/// that picture holds no code and the process goes on.
fn look(grey: &Grey) -> (Vec<String>, usize) {
    std::panic::catch_unwind(|| search(grey)).unwrap_or_default()
}

fn search(grey: &Grey) -> (Vec<String>, usize) {
    let mut quirc = quircs::Quirc::default();
    let mut seen = 0;
    let mut texts = Vec::new();
    for code in quirc.identify(grey.width, grey.height, &grey.pixels) {
        seen += 1;
        let data = code.ok().and_then(|code| code.decode().ok());
        texts.extend(data.and_then(|data| String::from_utf8(data.payload).ok()));
    }
    (texts, seen)
}

impl Grey {
    /// Everything up to the threshold that separates the brightnesses best (Otsu 1979) black, the rest white.
    fn black_and_white(&self) -> Self {
        let mut histogram = [0u64; 256];
        for pixel in &self.pixels {
            histogram[usize::from(*pixel)] += 1;
        }
        let count = self.pixels.len() as u64;
        let total: u64 = (0u64..).zip(histogram).map(|(level, n)| level * n).sum();
        let (mut below, mut sum_below, mut best, mut threshold) = (0u64, 0u64, 0u128, 0u8);
        for (level, n) in (0u8..=255).zip(histogram) {
            below += n;
            sum_below += u64::from(level) * n;
            let above = count - below;
            if below == 0 || above == 0 {
                continue;
            }
            // Between-class variance times a constant: (Σ·n₀ − Σ₀·n)² / (n₀·n₁).
            let apart =
                (u128::from(total) * u128::from(below)).abs_diff(u128::from(sum_below) * u128::from(count));
            let variance = (apart / u128::from(count)).pow(2) / (u128::from(below) * u128::from(above));
            if variance > best {
                (best, threshold) = (variance, level);
            }
        }
        let pixels = self.pixels.iter().map(|p| if *p <= threshold { 0 } else { 255 }).collect();
        Self { width: self.width, height: self.height, pixels }
    }

    /// Two by two pixels averaged to one; `None` for a picture too small to lose detail.
    fn halved(&self) -> Option<Self> {
        let (width, height) = (self.width / 2, self.height / 2);
        if width.min(height) < 60 {
            return None;
        }
        let at = |x: usize, y: usize| u16::from(self.pixels[y * self.width + x]);
        let mean = |x: usize, y: usize| (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) / 4;
        let pixels = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x * 2, y * 2)))
            .map(|(x, y)| u8::try_from(mean(x, y)).unwrap_or(u8::MAX))
            .collect();
        Some(Self { width, height, pixels })
    }
}

fn unpack(image: &[u8], limits: &Limits) -> Result<Grey, ReadError> {
    if image.len() > limits.max_bytes {
        return Err(ReadError::TooLarge);
    }
    if image.starts_with(b"\x89PNG\r\n\x1a\n") {
        unpack_png(image, limits)
    } else if image.starts_with(b"\xFF\xD8\xFF") {
        unpack_jpeg(image, limits)
    } else {
        Err(ReadError::NotAnImage)
    }
}

fn check_size(width: usize, height: usize, limits: &Limits) -> Result<(), ReadError> {
    let pixels = (width as u64).checked_mul(height as u64).ok_or(ReadError::TooLarge)?;
    if pixels > limits.max_pixels { Err(ReadError::TooLarge) } else { Ok(()) }
}

fn unpack_png(image: &[u8], limits: &Limits) -> Result<Grey, ReadError> {
    // What the decoder may allocate besides the picture itself: a few rows and small chunks.
    let spare = png::Limits { bytes: 16 << 20 };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(image), spare);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(|_| ReadError::Damaged)?;
    let (width, height) = (header.width as usize, header.height as usize);
    check_size(width, height, limits)?;
    let mut reader = decoder.read_info().map_err(|_| ReadError::Damaged)?;
    let size = reader.output_buffer_size().ok_or(ReadError::TooLarge)?;
    let mut samples = vec![0; size];
    let frame = reader.next_frame(&mut samples).map_err(|_| ReadError::Damaged)?;
    samples.truncate(frame.buffer_size());
    let pixels = match frame.color_type {
        png::ColorType::Grayscale => samples,
        png::ColorType::GrayscaleAlpha => samples.chunks_exact(2).map(|p| over_white(p[0], p[1])).collect(),
        png::ColorType::Rgb => samples.chunks_exact(3).map(|p| luma(p[0], p[1], p[2])).collect(),
        png::ColorType::Rgba => {
            samples.chunks_exact(4).map(|p| over_white(luma(p[0], p[1], p[2]), p[3])).collect()
        }
        png::ColorType::Indexed => return Err(ReadError::Damaged),
    };
    grey(width, height, pixels)
}

fn unpack_jpeg(image: &[u8], limits: &Limits) -> Result<Grey, ReadError> {
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(image), options);
    decoder.decode_headers().map_err(|_| ReadError::Damaged)?;
    let (width, height) = decoder.dimensions().ok_or(ReadError::Damaged)?;
    check_size(width, height, limits)?;
    let pixels = decoder.decode().map_err(|_| ReadError::Damaged)?;
    grey(width, height, pixels)
}

/// A decoder that delivers another number of pixels than it announced is not believed.
fn grey(width: usize, height: usize, pixels: Vec<u8>) -> Result<Grey, ReadError> {
    if width == 0 || height == 0 || pixels.len() != width * height {
        return Err(ReadError::Damaged);
    }
    Ok(Grey { width, height, pixels })
}

/// Brightness with the weights of ITU-R BT.601 in 256ths.
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let sum = 77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue);
    u8::try_from(sum >> 8).unwrap_or(u8::MAX)
}

/// Transparent pixels show the white paper below.
fn over_white(grey: u8, alpha: u8) -> u8 {
    let blended = u32::from(grey) * u32::from(alpha) + 255 * (255 - u32::from(alpha));
    u8::try_from(blended / 255).unwrap_or(u8::MAX)
}

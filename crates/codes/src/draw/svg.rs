//! SVG: one path of horizontal runs. Must never hold text, so nothing can be injected through what is encoded.

use std::fmt::Write as _;

use super::{Layout, Options};

pub(super) fn draw(layout: &Layout<'_>, options: &Options) -> String {
    let (width, height) = (layout.width, layout.height);
    let size = |modules: u32| match options.dpi {
        None => (modules * options.module_px).to_string(),
        Some(dpi) => {
            // Thousandths of a millimetre, rounded: pixels / dpi × 25.4 mm.
            let um = (u64::from(modules * options.module_px) * 25_400 + u64::from(dpi) / 2) / u64::from(dpi);
            format!("{}.{:03}mm", um / 1000, um % 1000)
        }
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{width}v{height}H0z\"/><path d=\"",
        size(width),
        size(height),
    );
    for (row, modules) in (0u32..).zip(&layout.symbol.rows) {
        let y = layout.quiet_y + row * layout.row_height;
        let mut x = layout.quiet_x;
        for run in modules.chunk_by(|a, b| a == b) {
            let length = u32::try_from(run.len()).unwrap_or(u32::MAX);
            if run[0] {
                let tall = layout.row_height;
                write!(svg, "M{x} {y}h{length}v{tall}h-{length}z").expect("writing to a string");
            }
            x += length;
        }
    }
    svg.push_str("\"/></svg>\n");
    svg
}

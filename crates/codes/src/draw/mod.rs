//! Drawing codes: QR and Code 128 to SVG, PNG and terminal text.
//!
//! A symbol is made once ([`qr`], [`code128`]) and then drawn in any form. Must never draw without the quiet zone the
//! reader needs unless told so, and never scale by anything but whole modules.

mod code128;
mod raster;
mod svg;
mod terminal;

use std::fmt;

pub use qrcodegen::QrCodeEcc as ErrorCorrection;
use qrcodegen::{DataTooLong, QrCode, QrSegment, Version};

/// Why nothing was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrawError {
    /// The text does not fit a QR code of version 40 at this level of error correction.
    TooLong,
    /// Code 128 here carries printable ASCII, at least one character and at most 80.
    NotCode128,
    /// The picture would have more than [`MAX_SIDE_PX`] pixels on a side, or modules of no pixels.
    Size,
}

impl DrawError {
    /// Stable code for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "draw_too_long",
            Self::NotCode128 => "draw_not_code128",
            Self::Size => "draw_size",
        }
    }
}

impl fmt::Display for DrawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the text does not fit a QR code",
            Self::NotCode128 => "a Code 128 symbol holds 1 to 80 printable ASCII characters",
            Self::Size => "the picture would be too large, or its modules empty",
        })
    }
}

impl std::error::Error for DrawError {}

/// Largest side of a picture in pixels: about a metre at 300 dpi.
pub const MAX_SIDE_PX: u32 = 12_000;

/// How a symbol is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Pixels per module (the smallest bar or square).
    pub module_px: u32,
    /// White modules around the symbol. `None`: what the standard asks, 4 for QR (ISO/IEC 18004 section 9.1), 10 on
    /// the left and right of Code 128 (ISO/IEC 15417 section 4.2).
    pub quiet_zone: Option<u32>,
    /// Height of the bars of a linear code, in modules.
    pub bar_height: u32,
    /// Dots per inch, so that print has a physical size: PNG gets a `pHYs` chunk, SVG a size in millimetres.
    pub dpi: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { module_px: 8, quiet_zone: None, bar_height: 60, dpi: None }
    }
}

/// A symbol as rows of modules; `true` is dark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Modules across.
    width: u32,
    rows: Vec<Vec<bool>>,
    linear: bool,
}

/// A symbol with its margins, sizes checked.
struct Layout<'a> {
    symbol: &'a Symbol,
    quiet_x: u32,
    quiet_y: u32,
    /// Modules across and down, margins included.
    width: u32,
    height: u32,
    /// Height in modules of each row of the symbol.
    row_height: u32,
}

/// A QR code of UTF-8 text (ISO/IEC 18004, model 2). Digits are packed as digits; error correction is raised above
/// `level` where that costs no larger symbol.
pub fn qr(text: &str, level: ErrorCorrection) -> Result<Symbol, DrawError> {
    let segments = QrSegment::make_segments(text);
    let code = QrCode::encode_segments_advanced(&segments, level, Version::MIN, Version::MAX, None, true)
        .map_err(|_: DataTooLong| DrawError::TooLong)?;
    let side = code.size();
    let rows = (0..side).map(|y| (0..side).map(|x| code.get_module(x, y)).collect()).collect();
    Ok(Symbol { width: side.unsigned_abs(), rows, linear: false })
}

/// A Code 128 symbol (ISO/IEC 15417); pairs of digits are packed in code set C, so a payment code takes 134 modules.
pub fn code128(text: &str) -> Result<Symbol, DrawError> {
    let row = code128::modules(text)?;
    let width = u32::try_from(row.len()).map_err(|_| DrawError::Size)?;
    Ok(Symbol { width, rows: vec![row], linear: true })
}

impl Symbol {
    /// Modules across, without quiet zone.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Whether the module at column `x` of row `y` is dark, for drawings that are not made here; beyond the
    /// symbol nothing is.
    pub fn is_dark(&self, x: u32, y: u32) -> bool {
        self.rows.get(y as usize).and_then(|row| row.get(x as usize)).is_some_and(|dark| *dark)
    }

    /// A scalable drawing, one path, black on white.
    pub fn to_svg(&self, options: &Options) -> Result<String, DrawError> {
        Ok(svg::draw(&self.layout(options)?, options))
    }

    /// A picture of one bit per pixel.
    pub fn to_png(&self, options: &Options) -> Result<Vec<u8>, DrawError> {
        Ok(raster::draw(&self.layout(options)?, options))
    }

    /// Text for a terminal: half blocks, light on the terminal's dark ground or, with `dark_on_light`, the other way.
    /// A linear code gets `options.bar_height` halved lines; `module_px` and `dpi` mean nothing here.
    pub fn to_terminal(&self, options: &Options, dark_on_light: bool) -> Result<String, DrawError> {
        let options = Options { module_px: 1, ..*options };
        Ok(terminal::draw(&self.layout(&options)?, dark_on_light))
    }

    fn layout(&self, options: &Options) -> Result<Layout<'_>, DrawError> {
        let quiet_x = options.quiet_zone.unwrap_or(if self.linear { 10 } else { 4 });
        let quiet_y = options.quiet_zone.unwrap_or(if self.linear { 2 } else { 4 });
        let row_height = if self.linear { options.bar_height } else { 1 };
        let rows = u32::try_from(self.rows.len()).map_err(|_| DrawError::Size)?;
        let with_margin = |modules: u32, quiet: u32| {
            quiet.checked_mul(2)?.checked_add(modules).filter(|m| *m <= MAX_SIDE_PX)
        };
        let width = with_margin(self.width, quiet_x).ok_or(DrawError::Size)?;
        let height =
            rows.checked_mul(row_height).and_then(|h| with_margin(h, quiet_y)).ok_or(DrawError::Size)?;
        let side = width.max(height).checked_mul(options.module_px).ok_or(DrawError::Size)?;
        if side == 0 || side > MAX_SIDE_PX || row_height == 0 || options.dpi == Some(0) {
            return Err(DrawError::Size);
        }
        Ok(Layout { symbol: self, quiet_x, quiet_y, width, height, row_height })
    }
}

impl Layout<'_> {
    /// Whether the module at a place of the whole drawing is dark.
    fn dark(&self, x: u32, y: u32) -> bool {
        let (Some(x), Some(y)) = (x.checked_sub(self.quiet_x), y.checked_sub(self.quiet_y)) else {
            return false;
        };
        self.symbol
            .rows
            .get((y / self.row_height) as usize)
            .and_then(|row| row.get(x as usize))
            .is_some_and(|dark| *dark)
    }
}

//! A page as PDF 1.5 (ISO 32000-1), written by hand: one content stream, two fonts.
//!
//! Text outside ASCII is set in STSong-Light through the predefined CMap `UniGB-UTF16-H` (ISO 32000-1
//! table 118, character collection Adobe-GB1), so that every reader shows Chinese with a font of its
//! own and text can be searched and copied. All lengths are whole dots of 1/300 inch: the page's matrix
//! turns them into points. Must never embed anything fetched, or let a text become markup.

use std::fmt::Write as _;

use codes::draw::Symbol;

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// A page that is being drawn; `y` counts downwards from its top.
#[derive(Debug)]
pub struct Page {
    w: u32,
    h: u32,
    content: String,
}

impl Page {
    /// An empty page of this size.
    pub fn new(w: u32, h: u32) -> Page {
        Page { w, h, content: String::from("0.24 0 0 0.24 0 0 cm\n") }
    }

    /// A filled rectangle, its upper left corner at (`x`, `y`).
    pub fn rect(&mut self, (x, y): (u32, u32), (w, h): (u32, u32), colour: Colour) {
        let bottom = self.h - y - h;
        let _ = writeln!(self.content, "{} rg {x} {bottom} {w} {h} re f", rgb(colour)); // infallible
    }

    /// One line of text that begins at `x` and stands on `y`; `size` is its em.
    pub fn text(&mut self, (x, y): (u32, u32), size: u32, text: &str, colour: Colour) {
        let out = &mut self.content;
        let _ = writeln!(out, "BT {} rg 1 0 0 1 {x} {} Tm", rgb(colour), self.h - y); // infallible, as below
        let chars: Vec<char> = text.chars().collect();
        for run in chars.chunk_by(|a, b| is_latin(*a) == is_latin(*b)) {
            let text: String = run.iter().collect();
            if is_latin(run[0]) {
                let _ = writeln!(out, "/L {size} Tf <{}> Tj", kernel::hex(text.as_bytes()));
            } else {
                let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
                let _ = writeln!(out, "/C {size} Tf <{}> Tj", kernel::hex(&bytes));
            }
        }
        out.push_str("ET\n");
    }

    /// A QR code, its upper left module at (`x`, `y`), `module` dots each.
    pub fn code(&mut self, (x, y): (u32, u32), module: u32, symbol: &Symbol) {
        self.content.push_str("0 g\n");
        for row in 0..symbol.width() {
            // One rectangle per run of dark modules: no hairline between neighbours.
            let mut column = 0;
            while column < symbol.width() {
                let dark = (column..symbol.width()).take_while(|c| symbol.is_dark(*c, row)).count();
                let run = u32::try_from(dark).unwrap_or(0);
                if run > 0 {
                    let (left, bottom) = (x + column * module, self.h - y - (row + 1) * module);
                    let _ = writeln!(self.content, "{left} {bottom} {} {module} re", run * module); // infallible
                }
                column += run.max(1);
            }
        }
        self.content.push_str("f\n");
    }

    /// The file with this one page.
    pub fn file(self) -> Vec<u8> {
        let Page { w, h, content } = self;
        let points = |dots: u32| format!("{}.{:02}", dots * 24 / 100, dots * 24 % 100);
        let objects = [
            "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
            "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
            format!(
                "<</Type/Page/Parent 2 0 R/MediaBox[0 0 {} {}]/Contents 4 0 R/Resources<</Font<</L 5 0 R/C 6 0 R>>>>>>",
                points(w),
                points(h)
            ),
            format!("<</Length {}>>\nstream\n{content}endstream", content.len()),
            "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
            "<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UTF16-H/DescendantFonts[7 0 R]>>"
                .to_owned(),
            "<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/DW 1000/FontDescriptor 8 0 R\
             /CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 4>>>>"
                .to_owned(),
            "<</Type/FontDescriptor/FontName/STSong-Light/Flags 6/FontBBox[-25 -254 1000 880]/ItalicAngle 0\
             /Ascent 880/Descent -120/CapHeight 880/StemV 93>>"
                .to_owned(),
        ];
        file(&objects)
    }
}

/// Header, objects, cross-reference table, trailer (ISO 32000-1 section 7.5).
fn file(objects: &[String]) -> Vec<u8> {
    // Four bytes above 127 in a comment tell transfer programs that the file is binary.
    let mut out = b"%PDF-1.5\n%\xe4\xb8\x80\xe7\n".to_vec();
    let mut places = Vec::with_capacity(objects.len());
    for (number, object) in (1..).zip(objects) {
        places.push(out.len());
        out.extend_from_slice(format!("{number} 0 obj\n{object}\nendobj\n").as_bytes());
    }
    let (start, size) = (out.len(), objects.len() + 1);
    out.extend_from_slice(format!("xref\n0 {size}\n0000000000 65535 f \n").as_bytes());
    for place in places {
        out.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes());
    }
    let trailer = format!("trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n");
    out.extend_from_slice(trailer.as_bytes());
    out
}

/// The operands of `rg`: three parts of one, in thousandths.
fn rgb(Colour(r, g, b): Colour) -> String {
    let part = |v: u8| {
        let thousandths = u32::from(v) * 1000 / 255;
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    };
    format!("{} {} {}", part(r), part(g), part(b))
}

/// Advance widths of Helvetica for U+0020 to U+007E, in thousandths of an em (Adobe's metrics of the
/// standard fourteen fonts).
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Whether a character is set in Helvetica; all others are full-width.
pub fn is_latin(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// Width of a text in thousandths of its em.
pub fn ems(text: &str) -> u32 {
    text.chars()
        .map(|c| match (c as usize).checked_sub(0x20).and_then(|i| HELVETICA.get(i)) {
            Some(width) if is_latin(c) => u32::from(*width),
            _ => 1000,
        })
        .sum()
}

/// The greatest size up to `max` at which the text is no wider than `width`.
pub fn fit_size(text: &str, width: u32, max: u32) -> u32 {
    (width * 1000 / ems(text).max(1)).clamp(1, max)
}

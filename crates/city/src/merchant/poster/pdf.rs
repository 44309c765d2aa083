//! The poster as PDF 1.5 (ISO 32000-1), written by hand: one page, one content stream, two fonts.
//!
//! Text outside ASCII is set in STSong-Light through the predefined CMap `UniGB-UTF16-H` (ISO 32000-1
//! table 118, character collection Adobe-GB1), so that every reader shows Chinese with a font of its
//! own and text can be searched and copied. All lengths are integers: the page's matrix turns dots of
//! 1/300 inch into points.

use std::fmt::Write as _;

use super::{Colour, Item, Paper, ems, is_latin};

pub(super) fn draw(items: &[Item<'_>], paper: Paper) -> Vec<u8> {
    let (w, h) = paper.dots();
    let mut content = String::from("0.24 0 0 0.24 0 0 cm\n");
    for item in items {
        write(&mut content, item, h).expect("writing to a string");
    }
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

/// Writes an item; PDF counts `y` upwards from the foot of the page of height `page`.
fn write(out: &mut String, item: &Item<'_>, page: u32) -> std::fmt::Result {
    match item {
        Item::Rect { x, y, w, h, colour } => {
            writeln!(out, "{} rg {x} {} {w} {h} re f", rgb(*colour), page - y - h)
        }
        Item::Text { x, y, size, text, colour } => {
            let left = x - ems(text) * size / 2000;
            writeln!(out, "BT {} rg 1 0 0 1 {left} {} Tm", rgb(*colour), page - y)?;
            let chars: Vec<char> = text.chars().collect();
            for run in chars.chunk_by(|a, b| is_latin(*a) == is_latin(*b)) {
                let text: String = run.iter().collect();
                if is_latin(run[0]) {
                    let bytes = kernel::hex(text.as_bytes());
                    writeln!(out, "/L {size} Tf <{bytes}> Tj")?;
                } else {
                    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
                    writeln!(out, "/C {size} Tf <{}> Tj", kernel::hex(&bytes))?;
                }
            }
            writeln!(out, "ET")
        }
        Item::Code { x, y, module, symbol } => {
            out.push_str("0 g\n");
            for row in 0..symbol.width() {
                // One rectangle per run of dark modules: no hairline between neighbours.
                let mut column = 0;
                while column < symbol.width() {
                    let dark = (column..symbol.width()).take_while(|c| symbol.is_dark(*c, row)).count();
                    let run = u32::try_from(dark).unwrap_or(0);
                    if run > 0 {
                        let bottom = page - y - (row + 1) * module;
                        writeln!(out, "{} {bottom} {} {module} re", x + column * module, run * module)?;
                    }
                    column += run.max(1);
                }
            }
            writeln!(out, "f")
        }
    }
}

/// The operands of `rg`: three parts of one, in thousandths.
fn rgb(Colour(r, g, b): Colour) -> String {
    let part = |v: u8| {
        let thousandths = u32::from(v) * 1000 / 255;
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    };
    format!("{} {} {}", part(r), part(g), part(b))
}

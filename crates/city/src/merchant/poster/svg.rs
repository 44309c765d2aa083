//! The poster as SVG. Must never write a name without escaping it.

use std::fmt::Write as _;

use super::{Item, Paper};
use crate::pdf::Colour;

/// The reader's own Chinese sans serif, whichever it has.
const FONTS: &str = "Helvetica, Arial, 'PingFang SC', 'Noto Sans CJK SC', 'Source Han Sans SC', 'Microsoft YaHei', sans-serif";

pub(super) fn draw(items: &[Item<'_>], paper: Paper) -> String {
    let ((w, h), (mm_w, mm_h)) = (paper.dots(), paper.mm());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{mm_w}mm\" height=\"{mm_h}mm\" viewBox=\"0 0 {w} {h}\" \
         font-family=\"{FONTS}\" text-anchor=\"middle\">\n"
    );
    for item in items {
        write(&mut svg, item).expect("writing to a string");
    }
    svg.push_str("</svg>\n");
    svg
}

fn write(svg: &mut String, item: &Item<'_>) -> std::fmt::Result {
    match item {
        Item::Rect { x, y, w, h, colour } => {
            writeln!(svg, "<path fill=\"{}\" d=\"M{x} {y}h{w}v{h}H{x}z\"/>", hex(*colour))
        }
        Item::Text { x, y, size, text, colour } => {
            let (fill, text) = (hex(*colour), escape(text));
            writeln!(svg, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{fill}\">{text}</text>")
        }
        Item::Code { x, y, module, symbol } => {
            svg.push_str("<path shape-rendering=\"crispEdges\" d=\"");
            for row in 0..symbol.width() {
                for column in (0..symbol.width()).filter(|column| symbol.is_dark(*column, row)) {
                    let (left, top) = (x + column * module, y + row * module);
                    write!(svg, "M{left} {top}h{module}v{module}h-{module}z")?;
                }
            }
            svg.push_str("\"/>\n");
            Ok(())
        }
    }
}

fn hex(Colour(r, g, b): Colour) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
        out
    })
}

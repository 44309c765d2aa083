//! The poster as PDF.

use super::{Item, Paper};
use crate::pdf::{Page, ems};

pub(super) fn draw(items: &[Item<'_>], paper: Paper) -> Vec<u8> {
    let (w, h) = paper.dots();
    let mut page = Page::new(w, h);
    for item in items {
        match item {
            Item::Rect { x, y, w, h, colour } => page.rect((*x, *y), (*w, *h), *colour),
            Item::Text { x, y, size, text, colour } => {
                page.text((x - ems(text) * size / 2000, *y), *size, text, *colour);
            }
            Item::Code { x, y, module, symbol } => page.code((*x, *y), *module, symbol),
        }
    }
    page.file()
}

//! The poster of a shop: its name and its static merchant QR, as SVG and as PDF, laid out in whole
//! dots of a 300 dpi printer so that no module of the code is blurred.
//!
//! Both forms draw the same list of items. Must never do: embed anything fetched, or let a shop's
//! name become markup.

mod pdf;
mod svg;

use codes::draw::{ErrorCorrection, Symbol, qr};
use codes::mpm::{self, ShopFace};

use super::{MerchantError, Shop};
use crate::Settings;
use crate::pdf::{Colour, ems, fit_size, is_latin};

/// Paper sizes of ISO 216.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Paper {
    /// 148 × 210 mm, for a wall.
    A5,
    /// 105 × 148 mm, for a counter.
    #[default]
    A6,
}

impl Paper {
    /// Width and height in millimetres.
    pub const fn mm(self) -> (u32, u32) {
        match self {
            Paper::A5 => (148, 210),
            Paper::A6 => (105, 148),
        }
    }

    /// Width and height in dots of 1/300 inch.
    pub const fn dots(self) -> (u32, u32) {
        let (w, h) = self.mm();
        (w * 3_000 / 254, h * 3_000 / 254)
    }
}

/// A poster, ready to be drawn on either paper.
#[derive(Clone, Debug)]
pub struct Poster {
    payload: String,
    symbol: Symbol,
    name: String,
    footer: String,
}

const BAND: Colour = Colour(0x00, 0x5b, 0xac);
const INK: Colour = Colour(0x11, 0x18, 0x27);
const FAINT: Colour = Colour(0x6b, 0x72, 0x80);
const WHITE: Colour = Colour(0xff, 0xff, 0xff);

/// Something on the paper; lengths in dots, `y` downwards from the top.
#[derive(Debug)]
enum Item<'a> {
    /// A filled rectangle.
    Rect { x: u32, y: u32, w: u32, h: u32, colour: Colour },
    /// One line of text, centred on `x`, standing on `y`; `size` is its em.
    Text { x: u32, y: u32, size: u32, text: &'a str, colour: Colour },
    /// The code, its upper left module at (`x`, `y`), `module` dots each.
    Code { x: u32, y: u32, module: u32, symbol: &'a Symbol },
}

impl Poster {
    /// The poster of a shop.
    pub fn new(shop: &Shop, settings: &Settings) -> Result<Poster, MerchantError> {
        let payload = payload_static(shop, settings)?;
        // Posters get scratched and stained: a quarter of the code may be lost.
        let symbol = qr(&payload, ErrorCorrection::Quartile).map_err(|_| MerchantError::Malformed("name"))?;
        let footer = format!("一码 Yima  {}  {}", shop.city, shop.id);
        Ok(Poster { payload, symbol, name: shop.name.clone(), footer })
    }

    /// What the code says (EMV QRCPS, merchant-presented).
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// As SVG, sized in millimetres.
    pub fn svg(&self, paper: Paper) -> String {
        svg::draw(&self.items(paper), paper)
    }

    /// As PDF 1.5. Text is in the standard fonts Helvetica and STSong-Light, which every reader has or
    /// replaces, so nothing is embedded.
    pub fn pdf(&self, paper: Paper) -> Vec<u8> {
        pdf::draw(&self.items(paper), paper)
    }

    fn items(&self, paper: Paper) -> Vec<Item<'_>> {
        let (w, h) = paper.dots();
        let centre = w / 2;
        let band = h * 17 / 100;
        let mut items = vec![
            Item::Rect { x: 0, y: 0, w, h, colour: WHITE },
            Item::Rect { x: 0, y: 0, w, h: band, colour: BAND },
            Item::Text { x: centre, y: band * 58 / 100, size: w / 9, text: "扫码付款", colour: WHITE },
            Item::Text { x: centre, y: band * 84 / 100, size: w / 22, text: "Scan to pay", colour: WHITE },
        ];
        // The code: the largest whole number of dots per module within seven tenths of the width.
        let modules = self.symbol.width();
        let module = (w * 70 / 100 / modules).max(1);
        let side = module * modules;
        let (x, y) = ((w - side) / 2, h * 38 / 100);
        items.push(Item::Code { x, y, module, symbol: &self.symbol });
        let (lines, size) = fit(&self.name, w * 88 / 100, w / 11);
        // The lines share the room between the band and the quiet zone of the code (4 modules).
        let room = y - 4 * module - band;
        let height = size * if lines.len() > 1 { 215 } else { 100 } / 100;
        let mut baseline = band + (room - height.min(room)) / 2 + size * 85 / 100;
        for line in lines {
            items.push(Item::Text { x: centre, y: baseline, size, text: line, colour: INK });
            baseline += size * 115 / 100;
        }
        let size = fit_size(&self.footer, w * 90 / 100, w / 32);
        items.push(Item::Text { x: centre, y: h - size, size, text: &self.footer, colour: FAINT });
        items
    }
}

/// Gives `make` the shop as its codes present it, static and dynamic.
pub fn with_face<T>(shop: &Shop, settings: &Settings, make: impl FnOnce(&ShopFace<'_>) -> T) -> T {
    make(&ShopFace {
        merchant: &shop.id.to_string(),
        name: &shop.name,
        latin_name: None,
        city: &shop.city,
        latin_city: Some(&settings.city_name),
        category_code: &shop.mcc,
        currency: &format!("{:03}", settings.currency.numeric()),
        country: &settings.country,
    })
}

/// The text of a shop's static code.
pub fn payload_static(shop: &Shop, settings: &Settings) -> Result<String, MerchantError> {
    // What a shop is opened with was checked; only a name with characters no code carries is left.
    let code = with_face(shop, settings, mpm::merchant_static).and_then(|code| code.encode());
    code.map_err(|_| MerchantError::Malformed("name"))
}

/// Sets a name in one line, or in two where one would be too small; answers with the size.
fn fit(text: &str, width: u32, max: u32) -> (Vec<&str>, u32) {
    let one = fit_size(text, width, max);
    if one * 10 >= max * 6 {
        return (vec![text], one);
    }
    // Not within a Latin word; then the cut whose wider side is narrowest.
    let mut before = ' ';
    let mut cuts = Vec::new();
    for (at, c) in text.char_indices() {
        let in_word = |c: char| is_latin(c) && c != ' ';
        let wider = ems(text[..at].trim_end()).max(ems(text[at..].trim_start()));
        cuts.push((in_word(before) && in_word(c), wider, at));
        before = c;
    }
    let cut = cuts.into_iter().skip(1).min().map_or(text.len(), |(_, _, at)| at);
    let (first, second) = (text[..cut].trim_end(), text[cut..].trim_start());
    let size = fit_size(first, width, max).min(fit_size(second, width, max));
    (vec![first, second], size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paper_is_iso_216_at_300_dpi() {
        assert_eq!(Paper::A6.dots(), (1240, 1748));
        assert_eq!(Paper::A5.dots(), (1748, 2480));
    }

    #[test]
    fn names_fit_in_one_line_or_two() {
        for (name, lines, size) in [
            ("西湖面馆", vec!["西湖面馆"], 100),
            ("A", vec!["A"], 100),
            ("西湖区文三路一品香包子铺", vec!["西湖区文三路一品香包子铺"], 83),
            (
                "杭州市西湖区北山街道栖霞岭社区老街坊便民综合服务超市",
                vec!["杭州市西湖区北山街道栖霞岭", "社区老街坊便民综合服务超市"],
                76,
            ),
            (
                "The Very Old and Very Good Noodle House of West Lake",
                vec!["The Very Old and Very Good", "Noodle House of West Lake"],
                77,
            ),
        ] {
            let (got, at) = fit(name, 1000, 100);
            assert_eq!((got.clone(), at), (lines, size), "{name}");
            assert!(got.iter().all(|line| ems(line) * at <= 1_000_000), "{name} is too wide");
        }
    }
}

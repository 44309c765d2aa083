//! Terminal text: two modules per character cell with half blocks. Must never emit escape sequences, so the output can
//! be piped and pasted.

use super::Layout;

pub(super) fn draw(layout: &Layout<'_>, dark_on_light: bool) -> String {
    let mut out = String::new();
    for y in (0..layout.height).step_by(2) {
        for x in 0..layout.width {
            // An odd last line has nothing below it: the terminal's own ground.
            let ink = |y: u32| y < layout.height && layout.dark(x, y) == dark_on_light;
            out.push(match (ink(y), ink(y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        out.push('\n');
    }
    out
}

//! The poster is printed with real programs and read back with a real reader: `pdftoppm` and
//! `pdftotext` (poppler-utils, with poppler-data and a Chinese font) and `zbarimg` (zbar-tools).

use std::path::Path;
use std::process::Command;

use city::merchant::poster::{Paper, Poster};
use city::merchant::{self, OpenShop};
use codes::mpm;

use crate::common::Town;
use crate::request;

/// Output of a program, or `None` where it is not installed and need not be.
fn run(program: &str, args: &[&str]) -> Option<Vec<u8>> {
    let Ok(output) = Command::new(program).args(args).output() else {
        let needed = ["CI", "YIMA_REQUIRE_TOOLS"].iter().any(|v| std::env::var_os(v).is_some());
        assert!(!needed, "{program} is not installed");
        println!("skipped: {program} not installed");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {errors}");
    Some(output.stdout)
}

async fn poster(town: &Town, name: &str) -> Poster {
    let request = OpenShop { name: name.to_owned(), ..request("s-1") };
    let shop = merchant::open(&town.city, &town.operator, request).await.expect("opened");
    Poster::new(&shop, &town.city.settings).expect("a poster")
}

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().expect("UTF-8").to_owned()
}

#[tokio::test]
async fn the_code_names_the_shop() {
    let town = Town::new().await;
    let poster = poster(&town, "西湖面馆").await;
    let code = mpm::decode(poster.payload()).expect("EMV QRCPS");
    let reference = mpm::yima_reference(&code).expect("one of ours");
    assert_eq!((reference.merchant, reference.trade), (merchant::id_of("s-1").to_string(), None));
    assert_eq!((code.display_name(), code.display_city()), ("西湖面馆", "杭州"));
    assert_eq!((code.currency.as_str(), code.category_code.as_str(), code.amount), ("156", "5812", None));
}

#[tokio::test]
async fn pdf_prints_at_300_dpi_and_reads_back() {
    let town = Town::new().await;
    let dir = town.dir.path();
    let poster = poster(&town, "西湖面馆 West Lake & Noodles (总店)").await;
    for (paper, name, size) in [(Paper::A6, "a6", "1240 1748"), (Paper::A5, "a5", "1748 2480")] {
        let (pdf, picture) = (path(dir, &format!("{name}.pdf")), path(dir, name));
        std::fs::write(&pdf, poster.pdf(paper)).expect("written");
        let Some(_) = run("pdftoppm", &["-r", "300", "-singlefile", &pdf, &picture]) else { return };
        let ppm = std::fs::read(format!("{picture}.ppm")).expect("a picture");
        let head = String::from_utf8_lossy(&ppm[..40]).into_owned();
        assert_eq!(head.lines().nth(1), Some(size), "{name} in dots of a 300 dpi printer");
        let Some(read) = run("zbarimg", &["-q", "--raw", &format!("{picture}.ppm")]) else { return };
        assert_eq!(String::from_utf8_lossy(&read).trim_end(), poster.payload(), "{name}");
        // The name is text, not only ink: it can be searched and copied.
        let Some(text) = run("pdftotext", &["-enc", "UTF-8", &pdf, "-"]) else { return };
        let text = String::from_utf8_lossy(&text).replace('\n', " ");
        for wanted in ["西湖面馆", "West Lake & Noodles", "总店", "扫码付款", "mch_"] {
            assert!(text.contains(wanted), "{wanted} is not in {text:?}");
        }
    }
}

#[tokio::test]
async fn svg_escapes_the_name_and_reads_back() {
    let town = Town::new().await;
    let poster = poster(&town, "<b>A&B</b>").await;
    let svg = poster.svg(Paper::A6);
    assert!(svg.contains("&lt;b&gt;A&amp;B&lt;/b&gt;") && !svg.contains("<b>"), "{svg}");
    assert!(svg.contains("width=\"105mm\" height=\"148mm\" viewBox=\"0 0 1240 1748\""));
    // Drawn here dot by dot from the SVG's own squares, so that no SVG program is needed.
    let path_at = svg.find("crispEdges\" d=\"").expect("the code") + 15;
    let squares = svg[path_at..].split('"').next().expect("a path");
    let (w, h) = Paper::A6.dots();
    let mut dots = vec![255u8; (w * h) as usize];
    for square in squares.split_inclusive('z') {
        let numbers: Vec<u32> = square
            .split(|c: char| !c.is_ascii_digit())
            .filter(|n| !n.is_empty())
            .map(|n| n.parse().expect("a number"))
            .collect();
        let [x, y, side, ..] = numbers[..] else { panic!("{square}") };
        for row in y..y + side {
            let start = (row * w + x) as usize;
            dots[start..start + side as usize].fill(0);
        }
    }
    let file = path(town.dir.path(), "svg.pgm");
    let mut pgm = format!("P5\n{w} {h}\n255\n").into_bytes();
    pgm.extend(dots);
    std::fs::write(&file, pgm).expect("written");
    let Some(read) = run("zbarimg", &["-q", "--raw", &file]) else { return };
    assert_eq!(String::from_utf8_lossy(&read).trim_end(), poster.payload());
}

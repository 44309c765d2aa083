//! What we draw, others read (`zbarimg`, an independent program), and so do we; what is no code is refused.

use std::io::Write as _;
use std::process::Command;

use codes::draw::{DrawError, ErrorCorrection, Options, Symbol, code128, qr};
use codes::payment_code::{DeviceSecret, generate};
use codes::read::{Limits, ReadError, qr_texts};

const CHINESE: &str = "00020101021229300012D156000000000510A93FO3230Q31280012D15600000001030812345678520441115802CN5914BEST \
                       TRANSPORT6007BEIJING64200002ZH0104最佳运输0202北京540523.7253031565502016233030412340603***0708A\
                       60086670902ME91320016A0112233449988770708123456786304A13A";

fn payment_code() -> String {
    generate(&DeviceSecret::new([7; 32]), 1_795_420_800).to_string()
}

fn texts() -> Vec<String> {
    let long = "0123456789abcdef".repeat(30);
    let mut texts: Vec<String> =
        ["1", "HELLO WORLD", "https://example.org/?a=1&b=2", CHINESE, "一码：乘车、缴费、办事"]
            .map(str::to_owned)
            .into();
    texts.extend([payment_code(), long]);
    texts
}

/// `zbarimg`'s reading of a PNG, one text per code; `None` where it is not installed.
///
/// Missing where the environment demands the tools (`CI`, `YIMA_REQUIRE_TOOLS`) is a failure.
fn zbar(png: &[u8], symbology: &str) -> Option<Vec<String>> {
    let mut file = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
    file.write_all(png).unwrap();
    let output = Command::new("zbarimg")
        .args(["--quiet", "--raw", "-Sdisable", &format!("-S{symbology}.enable")])
        .arg(file.path())
        .output();
    match output {
        Ok(output) => Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()),
        Err(error) => {
            let demanded = ["CI", "YIMA_REQUIRE_TOOLS"].iter().any(|v| std::env::var_os(v).is_some());
            assert!(!demanded, "zbarimg is demanded: {error}");
            println!("skipped: zbarimg not installed");
            None
        }
    }
}

fn picture(symbol: &Symbol) -> Vec<u8> {
    symbol.to_png(&Options::default()).unwrap()
}

#[test]
fn drawn_qr_is_read_by_zbar_and_by_us() {
    use ErrorCorrection::{High, Low, Medium, Quartile};
    for text in texts() {
        for level in [Low, Medium, Quartile, High] {
            let png = picture(&qr(&text, level).unwrap());
            assert_eq!(qr_texts(&png, &Limits::default()), Ok(vec![text.clone()]), "{text} at {level:?}");
            if let Some(read) = zbar(&png, "qrcode") {
                assert_eq!(read, [text.as_str()], "{level:?}");
            }
        }
    }
}

#[test]
fn drawn_code_128_is_read_by_zbar() {
    let texts = [
        payment_code(),
        "812345678901234567".into(),
        "12345".into(),
        "7".into(),
        "Yima-42/1234567 ~".into(),
        "00".into(),
        "A1".into(),
        "99999999999999999999".into(),
        (' '..='~').skip(1).take(79).collect(),
    ];
    for text in texts {
        for module_px in [2, 3, 8] {
            let png = code128(&text).unwrap().to_png(&Options { module_px, ..Options::default() }).unwrap();
            if let Some(read) = zbar(&png, "code128") {
                assert_eq!(read, [text.as_str()], "at {module_px} px");
            }
        }
    }
}

/// Grey pixels of one of our own pictures, by an independent path: the terminal drawing.
fn pixels(symbol: &Symbol, scale: usize) -> (usize, usize, Vec<u8>) {
    let text = symbol.to_terminal(&Options::default(), true).unwrap();
    let mut rows: Vec<Vec<u8>> = Vec::new();
    for line in text.lines() {
        let half = |ink: &[char]| -> Vec<u8> {
            line.chars()
                .flat_map(|c| std::iter::repeat_n(if ink.contains(&c) { 20 } else { 235 }, scale))
                .collect()
        };
        for ink in [['█', '▀'], ['█', '▄']] {
            let row = half(&ink);
            rows.extend(std::iter::repeat_n(row, scale));
        }
    }
    (rows[0].len(), rows.len(), rows.concat())
}

fn jpeg(
    width: usize,
    height: usize,
    samples: &[u8],
    colour: jpeg_encoder::ColorType,
    quality: u8,
) -> Vec<u8> {
    let mut out = Vec::new();
    jpeg_encoder::Encoder::new(&mut out, quality)
        .encode(samples, u16::try_from(width).unwrap(), u16::try_from(height).unwrap(), colour)
        .unwrap();
    out
}

#[test]
fn qr_from_jpeg_grey_and_colour() {
    for text in texts() {
        let (width, height, grey) = pixels(&qr(&text, ErrorCorrection::Medium).unwrap(), 5);
        for quality in [95, 60, 30] {
            let picture = jpeg(width, height, &grey, jpeg_encoder::ColorType::Luma, quality);
            assert_eq!(qr_texts(&picture, &Limits::default()), Ok(vec![text.clone()]), "grey, {quality}");
            let rgb: Vec<u8> = grey.iter().flat_map(|g| [*g, g / 2, 255 - g / 4]).collect();
            let picture = jpeg(width, height, &rgb, jpeg_encoder::ColorType::Rgb, quality);
            assert_eq!(qr_texts(&picture, &Limits::default()), Ok(vec![text.clone()]), "colour, {quality}");
        }
    }
}

/// A PNG of 8-bit samples.
fn png_of(width: usize, height: usize, samples: &[u8], colour: png::ColorType) -> Vec<u8> {
    let mut out = Vec::new();
    let (width, height) = (u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    if colour == png::ColorType::Indexed {
        encoder.set_palette((0..=255).flat_map(|g| [g, g, g]).collect::<Vec<u8>>());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    out
}

#[test]
fn qr_from_png_of_every_colour_type() {
    let text = payment_code();
    let (width, height, grey) = pixels(&qr(&text, ErrorCorrection::Medium).unwrap(), 4);
    let cases: Vec<(png::ColorType, Vec<u8>)> = vec![
        (png::ColorType::Grayscale, grey.clone()),
        (png::ColorType::Indexed, grey.clone()),
        (png::ColorType::GrayscaleAlpha, grey.iter().flat_map(|g| [0, 255 - g]).collect()),
        (png::ColorType::Rgb, grey.iter().flat_map(|g| [*g, *g, 255]).collect()),
        (png::ColorType::Rgba, grey.iter().flat_map(|g| [0, 0, 0, 255 - g]).collect()),
    ];
    for (colour, samples) in cases {
        let picture = png_of(width, height, &samples, colour);
        assert_eq!(qr_texts(&picture, &Limits::default()), Ok(vec![text.clone()]), "{colour:?}");
    }
}

#[test]
fn several_codes_in_one_picture_are_all_read() {
    let wanted = [payment_code(), CHINESE.to_owned()];
    let drawn = wanted.clone().map(|text| pixels(&qr(&text, ErrorCorrection::Medium).unwrap(), 4));
    let height = drawn.iter().map(|d| d.1).max().unwrap();
    let width: usize = drawn.iter().map(|d| d.0).sum();
    let mut samples = Vec::with_capacity(width * height);
    for y in 0..height {
        for (w, h, grey) in &drawn {
            samples.extend((0..*w).map(|x| if y < *h { grey[y * w + x] } else { 235 }));
        }
    }
    let mut read =
        qr_texts(&png_of(width, height, &samples, png::ColorType::Grayscale), &Limits::default()).unwrap();
    read.sort_by_key(String::len);
    assert_eq!(read, wanted);
}

#[test]
fn refusals_of_the_reader() {
    let sound = picture(&qr("1", ErrorCorrection::Low).unwrap());
    let blank = png_of(64, 64, &[255; 64 * 64], png::ColorType::Grayscale);
    let grey_jpeg = jpeg(64, 64, &[255; 64 * 64], jpeg_encoder::ColorType::Luma, 80);
    let bomb = bomb(50_000, 50_000);
    let mut torn = qr("scratched", ErrorCorrection::Low).map(|s| pixels(&s, 4)).unwrap();
    // The finder patterns stay, the data in the lower right is painted over.
    for y in torn.1 / 2 - 8..torn.1 - 16 {
        for x in torn.0 / 2 - 8..torn.0 - 16 {
            torn.2[y * torn.0 + x] = 20;
        }
    }
    let torn = png_of(torn.0, torn.1, &torn.2, png::ColorType::Grayscale);
    let limits = Limits::default();
    let cases: &[(&str, &[u8], Limits, ReadError)] = &[
        ("nothing", b"", limits, ReadError::NotAnImage),
        ("text", b"<svg/>", limits, ReadError::NotAnImage),
        ("gif", b"GIF89a..........", limits, ReadError::NotAnImage),
        ("png cut off", &sound[..sound.len() / 2], limits, ReadError::Damaged),
        ("png head only", &sound[..8], limits, ReadError::Damaged),
        ("jpeg head only", b"\xFF\xD8\xFF\xE0", limits, ReadError::Damaged),
        ("white png", &blank, limits, ReadError::NoCode),
        ("white jpeg", &grey_jpeg, limits, ReadError::NoCode),
        ("scratched", &torn, limits, ReadError::Unreadable),
        ("small file, huge picture", &bomb, limits, ReadError::TooLarge),
        ("huge jpeg", &huge_jpeg(&grey_jpeg), limits, ReadError::TooLarge),
        ("many pixels", &blank, Limits { max_pixels: 64 * 64 - 1, ..limits }, ReadError::TooLarge),
        ("many bytes", &sound, Limits { max_bytes: sound.len() - 1, ..limits }, ReadError::TooLarge),
    ];
    for (what, bytes, limits, want) in cases {
        assert_eq!(qr_texts(bytes, limits), Err(*want), "{what}");
    }
}

/// A well-formed PNG header of a picture whose pixels would fill gigabytes.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    drop(encoder.write_header().unwrap());
    out
}

/// The same JPEG with its frame header claiming 65,535 × 65,535 pixels.
fn huge_jpeg(jpeg: &[u8]) -> Vec<u8> {
    let at = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).expect("a baseline frame header");
    let mut huge = jpeg.to_vec();
    huge[at + 5..at + 9].fill(0xFF);
    huge
}

#[test]
fn damaged_bytes_never_panic() {
    let (width, height, grey) = pixels(&qr(&payment_code(), ErrorCorrection::Medium).unwrap(), 3);
    let sound = [
        png_of(width, height, &grey, png::ColorType::Grayscale),
        jpeg(width, height, &grey, jpeg_encoder::ColorType::Luma, 80),
    ];
    let limits = Limits { max_pixels: 1 << 18, ..Limits::default() };
    let mut state = 0x9E37_79B9u32;
    for original in &sound {
        for _ in 0..400 {
            let mut bytes = original.clone();
            for _ in 0..4 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = state as usize % bytes.len();
                bytes[at] = state.to_be_bytes()[0];
            }
            let _ = qr_texts(&bytes, &limits);
        }
    }
}

#[test]
fn svg_is_the_same_picture() {
    let symbol = qr(CHINESE, ErrorCorrection::Medium).unwrap();
    let svg = symbol.to_svg(&Options { dpi: Some(300), ..Options::default() }).unwrap();
    // Paint the path's rectangles by hand and compare with the terminal drawing, module by module.
    let (width, height, grey) = pixels(&symbol, 1);
    let mut painted = vec![235u8; width * height];
    let path = svg.split("d=\"").nth(2).unwrap().split('"').next().unwrap();
    for run in path.split_terminator('z') {
        let (place, rest) = run.strip_prefix('M').unwrap().split_once('h').unwrap();
        let (x, y) = place.split_once(' ').unwrap();
        let length: usize = rest.split('v').next().unwrap().parse().unwrap();
        let start = y.parse::<usize>().unwrap() * width + x.parse::<usize>().unwrap();
        painted[start..start + length].fill(20);
    }
    assert_eq!(painted[..width * (width)], grey[..width * width]);
    let side = symbol.width() + 8;
    assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")), "{svg}");
    // Eight pixels of 1/300 inch per module, in thousandths of a millimetre.
    let um = (side * 8 * 25_400 + 150) / 300;
    assert!(svg.contains(&format!("width=\"{}.{:03}mm\"", um / 1000, um % 1000)), "{svg}");
    let plain = symbol.to_svg(&Options::default()).unwrap();
    assert!(plain.contains(&format!("width=\"{}\"", side * 8)));
}

#[test]
fn png_carries_the_dpi() {
    let symbol = qr("1", ErrorCorrection::Medium).unwrap();
    let read = |png: &[u8]| {
        let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let dims = reader.info().pixel_dims.map(|d| (d.xppu, d.yppu, d.unit == png::Unit::Meter));
        (reader.info().width, dims)
    };
    let options = Options { module_px: 10, quiet_zone: Some(1), dpi: Some(300), ..Options::default() };
    let (width, dims) = read(&symbol.to_png(&options).unwrap());
    assert_eq!(width, 230, "(21 + 2) modules of ten pixels");
    assert_eq!(dims, Some((11_811, 11_811, true)));
    assert_eq!(read(&symbol.to_png(&Options::default()).unwrap()), ((21 + 8) * 8, None));
}

#[test]
fn refusals_of_drawing() {
    let symbol = qr("1", ErrorCorrection::Medium).unwrap();
    let base = Options::default();
    let cases = [
        Options { module_px: 0, ..base },
        Options { module_px: u32::MAX, ..base },
        Options { quiet_zone: Some(u32::MAX), ..base },
        Options { module_px: 600, ..base },
        Options { dpi: Some(0), ..base },
    ];
    for options in cases {
        assert_eq!(symbol.to_png(&options), Err(DrawError::Size), "{options:?}");
        assert_eq!(symbol.to_svg(&options), Err(DrawError::Size), "{options:?}");
    }
    let flat = Options { bar_height: 0, ..base };
    assert_eq!(code128("12").unwrap().to_png(&flat), Err(DrawError::Size));
    assert_eq!(qr(&"x".repeat(3000), ErrorCorrection::Low), Err(DrawError::TooLong));
    assert_eq!(code128("一码"), Err(DrawError::NotCode128));
    assert_eq!(code128(""), Err(DrawError::NotCode128));
}

#[test]
fn terminal_drawing_both_ways() {
    let symbol = code128("12").unwrap();
    let options = Options { bar_height: 2, quiet_zone: Some(2), ..Options::default() };
    let dark = symbol.to_terminal(&options, true).unwrap();
    let light = symbol.to_terminal(&options, false).unwrap();
    let lines: Vec<&str> = dark.lines().collect();
    assert_eq!(lines.len(), 3, "quiet zone, bars, quiet zone");
    assert!(lines[0].chars().all(|c| c == ' ') && lines[0].chars().count() == 46 + 4);
    let inverted: String = dark
        .chars()
        .map(|c| match c {
            '█' => ' ',
            ' ' => '█',
            other => other,
        })
        .collect();
    assert_eq!(light, inverted);
}

#[test]
fn a_turned_and_noisy_code_is_read() {
    let text = payment_code();
    let (width, height, grey) = pixels(&qr(&text, ErrorCorrection::Medium).unwrap(), 6);
    // Turned by the angle of the 3-4-5 triangle, which integers can do exactly, with noise of 30 levels.
    let side = width * 3 / 2;
    let mut noise = 1u32;
    let mut turned = Vec::with_capacity(side * side);
    let centre = |pixels: usize| i64::try_from(pixels / 2).unwrap();
    for y in 0..i64::try_from(side).unwrap() {
        for x in 0..i64::try_from(side).unwrap() {
            let (dx, dy) = (x - centre(side), y - centre(side));
            let (u, v) = ((4 * dx + 3 * dy) / 5 + centre(width), (4 * dy - 3 * dx) / 5 + centre(height));
            let inside =
                usize::try_from(u).ok().zip(usize::try_from(v).ok()).filter(|p| p.0 < width && p.1 < height);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let level = inside.map_or(235, |(u, v)| grey[v * width + u]);
            turned.push(level.saturating_sub(u8::try_from((noise >> 24) % 30).unwrap()));
        }
    }
    let picture = png_of(side, side, &turned, png::ColorType::Grayscale);
    assert_eq!(qr_texts(&picture, &Limits::default()), Ok(vec![text.clone()]));
    let picture = jpeg(side, side, &turned, jpeg_encoder::ColorType::Luma, 70);
    assert_eq!(qr_texts(&picture, &Limits::default()), Ok(vec![text]));
}

#[test]
fn a_large_picture_is_read() {
    let text = "0123456789abcdef".repeat(30);
    let options = Options { module_px: 40, ..Options::default() };
    let symbol = qr(&text, ErrorCorrection::Low).unwrap();
    let side = u64::from((symbol.width() + 8) * 40);
    assert!(side * side > 1 << 22, "{side}: larger than what is searched at full size");
    let limits = Limits { max_pixels: side * side, ..Limits::default() };
    assert_eq!(qr_texts(&symbol.to_png(&options).unwrap(), &limits), Ok(vec![text]));
}

/// Pictures made to keep a reader busy: noise, a wall of finder patterns, their stripes, all black.
#[test]
fn hostile_pictures_are_refused_in_bounded_time() {
    type Paint = fn(usize, usize, &mut u32) -> bool;
    let paints: [(&str, Paint); 5] = [
        ("noise", |_, _, state| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *state & 0x8000_0000 == 0
        }),
        ("finder patterns", |x, y, _| {
            let ring = (x % 9).abs_diff(3).max((y % 9).abs_diff(3));
            ring <= 1 || ring == 3
        }),
        ("stripes", |x, _, _| [0, 2, 3, 4, 6].contains(&(x % 8))),
        ("chequers", |x, y, _| (x + y) % 2 == 0),
        ("black", |_, _, _| true),
    ];
    let side = 1500;
    for (what, paint) in paints {
        let mut state = 1;
        let dark = |at: usize| if paint(at % side, at / side, &mut state) { 0 } else { 255 };
        let samples: Vec<u8> = (0..side * side).map(dark).collect();
        let picture = png_of(side, side, &samples, png::ColorType::Grayscale);
        let start = std::time::Instant::now();
        let read = qr_texts(&picture, &Limits::default());
        assert!(matches!(read, Err(ReadError::NoCode | ReadError::Unreadable)), "{what}: {read:?}");
        // Unoptimised builds take under two seconds; a search that is quadratic in patterns takes minutes.
        assert!(start.elapsed().as_secs() < 20, "{what} took {:?}", start.elapsed());
    }
}

//! ISO 8583: what is written is read again, what is damaged is refused by place, and the codes are the standard's.

use channel::iso8583::mac::MacKey;
use channel::iso8583::{Class, FieldPack, Form, Framing, LengthForm, Message};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

fn pack(text: &str) -> FieldPack {
    toml::from_str::<FieldPack>(text).expect("TOML").prove().expect("a pack")
}

/// Fields of every class and form, in the way of an ASCII network (`pos` false) and of one with BCD.
fn every(bcd: bool) -> FieldPack {
    let (digits, bitmap, form) = if bcd { ("bcd", "binary", "bcd") } else { ("ascii", "hex", "ascii") };
    pack(&format!(
        r#"
mti = "{digits}"
bitmap = "{bitmap}"
[field]
2 = {{ name = "PAN", class = "n", length = 19, prefix = 2, prefix_form = "{digits}", form = "{form}", pad = "right" }}
3 = {{ name = "Processing code", class = "n", length = 6, form = "{form}" }}
22 = {{ name = "Entry mode", class = "n", length = 3, form = "{form}" }}
28 = {{ name = "Fee", class = "xn", length = 9 }}
35 = {{ name = "Track 2", class = "z", length = 37, prefix = 2, prefix_form = "{digits}", form = "{form}" }}
37 = {{ name = "Retrieval reference", class = "an", length = 12 }}
43 = {{ name = "Name", class = "ans", length = 40, prefix = 2, prefix_form = "{digits}", form = "gb18030" }}
48 = {{ name = "Additional data", class = "ans", length = 999, prefix = 3, prefix_form = "{digits}" }}
70 = {{ name = "Network management code", class = "n", length = 3, form = "{form}" }}
128 = {{ name = "MAC", class = "b", length = 8 }}
"#
    ))
}

fn sample() -> Message {
    Message::new("0200")
        .with(2, "6222020200000000001")
        .with(3, "190000")
        .with(22, "021")
        .with(28, "D00000100")
        .with(35, "6222020200000000001=2512")
        .with(37, "AB1234567890")
        .with(43, "杭州供电")
        .with(48, "01 account|02 bill")
        .with(70, "301")
        .with(128, "0011223344556677")
}

#[test]
fn a_message_of_every_class_is_read_as_it_was_written() {
    for bcd in [false, true] {
        let pack = every(bcd);
        let bytes = pack.encode(&sample()).unwrap();
        assert_eq!(pack.decode(&bytes), Ok(sample()), "bcd: {bcd}");
        for cut in 0..bytes.len() {
            let refused = pack.decode(&bytes[..cut]).unwrap_err();
            assert!(refused.why.contains("middle") || refused.why.contains("digits"), "{cut}: {refused}");
        }
        let longer = [&bytes[..], b"0"].concat();
        assert_eq!(pack.decode(&longer).unwrap_err().to_string(), "end: bytes after the last field");
    }
}

#[test]
fn the_bytes_are_those_of_the_standard() {
    let ascii = every(false).encode(&Message::new("0800").with(3, "000000").with(70, "001")).unwrap();
    assert_eq!(String::from_utf8(ascii).unwrap(), "0800A0000000000000000400000000000000000000001");
    let bcd = every(true).encode(&Message::new("0200").with(2, "12345").with(22, "021")).unwrap();
    let wanted = [2, 0, 0x40, 0, 4, 0, 0, 0, 0, 0, 0x05, 0x12, 0x34, 0x50, 0x00, 0x21];
    assert_eq!(bcd, wanted);
}

#[test]
fn what_the_pack_does_not_allow_is_refused_by_field() {
    let plain = Message::new("0200");
    for (message, why) in [
        (Message::new("02"), "mti: four digits"),
        (plain.clone().with(1, "0"), "field 1: a field's number is 2 to 128"),
        (plain.clone().with(4, "1"), "field 4: the pack has no such field"),
        (plain.clone().with(3, "12345"), "field 3: not of its fixed length"),
        (plain.clone().with(3, "12345X"), "field 3: digits only"),
        (plain.clone().with(2, "1".repeat(20)), "field 2: longer than it may be"),
        (plain.clone().with(28, "X00000100"), "field 28: C or D, then digits"),
        (plain.clone().with(37, "AB-234567890"), "field 37: letters, digits and spaces only"),
        (plain.clone().with(43, "a\nb"), "field 43: printable characters only"),
        (plain.clone().with(48, "電"), "field 48: printable ASCII only"),
        (plain.clone().with(35, "12A"), "field 35: digits and = only"),
        (plain.clone().with(128, "001122334455667"), "field 128: upper-case hexadecimal of whole bytes"),
    ] {
        assert_eq!(every(false).encode(&message).unwrap_err().to_string(), why);
    }
    for (bytes, why) in [
        (&b"02X0"[..], "mti: four digits"),
        (b"0200zzzzzzzzzzzzzzzz", "bitmap: 16 hexadecimal digits"),
        (b"02001000000000000000", "field 4: the pack has no such field"),
        (b"020040000000000000002X1", "field 2: its length is no number"),
        (b"0200400000000000000020", "field 2: longer than it may be"),
    ] {
        assert_eq!(every(false).decode(bytes).unwrap_err().to_string(), why);
    }
    // An odd number of digits, filled up with something.
    let filled = [2, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x17];
    assert_eq!(
        every(true).decode(&filled).unwrap_err().to_string(),
        "field 2: the half byte that fills it up is not 0"
    );
}

#[test]
fn a_pack_that_makes_no_sense_is_refused() {
    for (field, why) in [
        (r#"1 = { name = "x", class = "n", length = 1 }"#, "field 1: a field's number is 2 to 128"),
        (r#"02 = { name = "x", class = "n", length = 1 }"#, "field 02: a field's number is 2 to 128"),
        (
            r#"65 = { name = "x", class = "n", length = 1 }"#,
            "field 65: is a bitmap of the third kind, which nobody uses",
        ),
        (r#"2 = { name = "x", class = "n", length = 0 }"#, "field 2: the length does not fit its prefix"),
        (
            r#"2 = { name = "x", class = "n", length = 100, prefix = 2 }"#,
            "field 2: the length does not fit its prefix",
        ),
        (
            r#"2 = { name = "x", class = "n", length = 10, prefix = 5 }"#,
            "field 2: a length has 1 to 4 digits",
        ),
        (
            r#"2 = { name = "x", class = "an", length = 10, form = "bcd" }"#,
            "field 2: only n and z are written in BCD",
        ),
        (
            r#"2 = { name = "x", class = "b", length = 8, form = "ascii" }"#,
            "field 2: binary is the form of class b, and its only one",
        ),
        (
            r#"2 = { name = "x", class = "n", length = 8, form = "gb18030" }"#,
            "field 2: only ans is written in GB 18030",
        ),
    ] {
        let read: FieldPack = toml::from_str(&format!("[field]\n{field}")).expect("TOML");
        assert_eq!(read.prove().unwrap_err().to_string(), why);
    }
}

#[test]
fn requests_know_their_answers() {
    for (request, answer) in [
        ("0200", Some("0210")),
        ("0201", Some("0210")),
        ("0420", Some("0430")),
        ("0421", Some("0430")),
        ("0800", Some("0810")),
        ("0210", None),
        ("02", None),
    ] {
        assert_eq!(Message::new(request).response_type().as_deref(), answer, "{request}");
    }
}

#[test]
fn frames_are_cut_out_of_a_stream_that_arrives_in_pieces() {
    for (length, counts, header) in [
        (LengthForm::Binary2, false, ""),
        (LengthForm::Binary2, true, "6000030000"),
        (LengthForm::Binary4, true, ""),
        (LengthForm::Ascii4, false, "6000030000602200000000"),
    ] {
        let framing = Framing { length, length_counts_itself: counts, header: header.to_owned() };
        framing.prove().unwrap();
        let stream = [framing.wrap(b"one").unwrap(), framing.wrap(&[9; 300]).unwrap()].concat();
        let (mut arrived, mut found) = (Vec::new(), Vec::new());
        for byte in stream {
            arrived.push(byte);
            found.extend(framing.unwrap(&mut arrived).unwrap());
        }
        assert_eq!(found, [b"one".to_vec(), vec![9; 300]], "{framing:?}");
        assert!(arrived.is_empty());
    }
    let ascii = Framing { length: LengthForm::Ascii4, length_counts_itself: true, header: "60".to_owned() };
    for (stream, why) in
        [(&b"00x5"[..], "frame: its length is no number"), (b"0003", "frame: a length that no message has")]
    {
        assert_eq!(ascii.unwrap(&mut stream.to_vec()).unwrap_err().to_string(), why);
    }
    let headed =
        Framing { length: LengthForm::Binary2, length_counts_itself: false, header: "600003".to_owned() };
    assert_eq!(
        headed.unwrap(&mut vec![0, 1, 0x60]).unwrap_err().to_string(),
        "frame: shorter than its header"
    );
    assert_eq!(headed.unwrap(&mut vec![0, 0]), Ok(Some(Vec::new())), "keeps a line open");
    assert_eq!(headed.wrap(&[0; 9_997]).unwrap_err().to_string(), "frame: longer than 9,999 bytes");
    for header in ["6", "zz"] {
        let framing = Framing { header: header.to_owned(), ..ascii.clone() };
        assert_eq!(framing.prove().unwrap_err().to_string(), "header: hexadecimal of at most 100 bytes");
    }
}

/// ISO/IEC 9797-1, annex B: algorithm 3 with padding method 1.
#[test]
fn codes_are_those_of_the_standard() {
    let key =
        [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10];
    let key = MacKey::new(&key);
    for (message, code) in [
        (&b"Now is the time for all "[..], [0xA1, 0xC7, 0x2E, 0x74, 0xEA, 0x3F, 0xA9, 0xB6]),
        (b"Now is the time for it", [0x2E, 0x2B, 0x14, 0x28, 0xCC, 0x78, 0x25, 0x4F]),
    ] {
        assert_eq!(key.code(message), code);
        assert!(key.verify(message, &code));
        assert!(!key.verify(b"Now is the time for all!", &code) && !key.verify(message, &code[..7]));
    }
}

fn value(pack: &FieldPack, number: u8) -> BoxedStrategy<String> {
    let field = pack.field(number).unwrap();
    let most = usize::from(field.length);
    let least = if field.prefix.is_some() { 0 } else { most };
    let of =
        |class: &str| proptest::string::string_regex(&format!("{class}{{{least},{most}}}")).unwrap().boxed();
    match (field.class, field.form()) {
        (Class::N, _) => of("[0-9]"),
        (Class::Z, _) => of("[0-9=]"),
        (Class::An, _) => of("[A-Za-z0-9 ]"),
        (Class::Ans, Form::Gb18030) => "[ -~一-龥]{0,10}".boxed(),
        (Class::Ans, _) => of("[ -~]"),
        (Class::Xn, _) => "[CD][0-9]{8}".boxed(),
        (Class::B, _) => "[0-9A-F]{16}".boxed(),
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read(bcd: bool, chosen in proptest::collection::btree_set(0usize..10, 0..10), seed: u64) {
        let pack = every(bcd);
        let numbers: Vec<u8> = pack.fields().map(|(number, _)| number).collect();
        let mut runner = proptest::test_runner::TestRunner::new_with_rng(
            ProptestConfig::default(),
            proptest::test_runner::TestRng::from_seed(
                proptest::test_runner::RngAlgorithm::ChaCha,
                &std::array::from_fn::<u8, 32, _>(|i| seed.to_be_bytes()[i % 8]),
            ),
        );
        let mut message = Message::new("0200");
        for at in chosen {
            let tree = value(&pack, numbers[at]).new_tree(&mut runner).unwrap();
            message = message.with(numbers[at], tree.current());
        }
        let bytes = pack.encode(&message).unwrap();
        prop_assert_eq!(pack.decode(&bytes), Ok(message));
    }

    #[test]
    fn damaged_bytes_are_refused_or_mean_what_they_say(bcd: bool, at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let pack = every(bcd);
        let mut bytes = pack.encode(&sample()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(bytes.len() * 4) + 1);
        if let Ok(message) = pack.decode(&bytes) {
            let written = pack.encode(&message).unwrap();
            prop_assert_eq!(pack.decode(&written), Ok(message));
        }
    }
}

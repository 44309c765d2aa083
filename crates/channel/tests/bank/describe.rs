//! What a pack says of a line: what is shipped makes sense, and every mistake is told by its key.

use channel::Meaning;
use channel::bank::spec::{BASES, DEFAULT_CODES, Hours, Spec, base};
use kernel::UtcOffset;

use super::fixture::{ASCII, BCD, spec};

#[test]
fn the_base_packs_have_every_field_of_the_standard() {
    for (name, _) in BASES {
        let pack = base(name).unwrap().prove().unwrap();
        let numbers: Vec<u8> = pack.fields().map(|(number, _)| number).collect();
        let wanted: Vec<u8> = (2..=128).filter(|n| *n != 65).collect();
        assert_eq!(numbers, wanted, "{name}");
        // ISO 8583:1987, 4.3: lengths that no network may change.
        for (number, length) in [(3, 6), (4, 12), (7, 10), (11, 6), (37, 12), (39, 2), (70, 3), (90, 42)] {
            assert_eq!(pack.field(number).unwrap().length, length, "{name}: {number}");
        }
    }
    assert!(base("2003").is_none());
}

#[test]
fn two_banks_that_differ_in_everything_are_described() {
    for text in [ASCII, BCD] {
        spec(text).prove().unwrap();
    }
}

#[test]
fn a_mistake_is_told_by_its_key() {
    let with_pack = "pack = { field = {} }\nbase = \"1987-ascii\"";
    for (from, to, key, why) in [
        (r#"length = "ascii4""#, "length = \"ascii4\"\nheader = \"6\"", "framing.header", "hexadecimal"),
        (r#"base = "1987-ascii""#, r#"base = "1993""#, "base", "one of 1987-ascii, 1987-bcd"),
        (r#"base = "1987-ascii""#, with_pack, "base", "either this or pack"),
        (r#"base = "1987-ascii""#, "", "base", "either this or pack"),
        (
            r#"base = "1987-ascii""#,
            "base = \"1987-ascii\"\nutc_offset_minutes = 1200",
            "utc_offset_minutes",
            "18",
        ),
        (r#"acquirer = "1020""#, r#"acquirer = "10A""#, "acquirer", "digits"),
        (r#"acquirer = "1020""#, r#"acquirer = "123456789012""#, "acquirer", "1 to 11"),
        (r#"acquirer = "1020""#, "acquirer = \"1020\"\ncurrency = \"CNY\"", "currency", "three digits"),
        (r#"acquirer = "1020""#, "acquirer = \"1020\"\nat_once = 0", "at_once", "1 to 10000"),
        (r#"terminal = "YIMA0001""#, r#"terminal = "Y""#, "field.41", "not of its fixed length"),
        ("field = 64", "field = 63", "mac.field", "64 or 128"),
        (r#"secret = "bank-mac""#, r#"secret = "Bank MAC""#, "mac.secret", "name of a secret"),
        (r#"code = "190000""#, r#"code = "19""#, "pay.code", "six digits"),
        (r#"code = "380000""#, r#"code = "190000""#, "inquire.code", "another question"),
        (r#"code = "380000""#, "code = \"380000\"\nmti = \"0420\"", "inquire.mti", "0100, 0200 or 0220"),
        (r#""26" = "#, r#""026" = "#, "query.codes.026", "two characters"),
        (r#""26" = "already_paid""#, r#""00" = "refused""#, "query.codes", "no code means ok"),
        ("[content.48]", "[reverse]\nrepeats = 11\n[content.48]", "reverse.repeats", "at most 10"),
        ("[content.48]", "[content.11]", "content.11", "free"),
        ("[content.48]", "[content.200]", "content.200", "free"),
        ("[content.48]", "[content.43]", "content.43", "length varies"),
        ("[content.48]", "[content.100]", "content.100", "class ans"),
        (r#""bill_no", "period"]"#, r#""bill_no", "bill_no"]"#, "content.48", "somewhere else"),
        (r#""bill_no", "period"]"#, r#""period"]"#, "content", "BillNo stands nowhere"),
        (r#", 02 = "reference""#, "", "content", "Reference stands nowhere"),
        (r#"delimiter = "|""#, r#"delimiter = "a""#, "content.48", "visible sign"),
        ("tag = 2", "tag = 5", "content.61", "1 to 4"),
        ("01 = \"payment\"", "1 = \"payment\"", "content.61", "length that is said"),
        ("field = 62", "field = 48", "debts.field", "other content"),
        ("field = 62", "field = 39", "debts.each", "free"),
        (r#"between = ";""#, r#"between = "|""#, "debts.between", "other than the delimiter"),
        (r#"between = ";""#, "", "debts.between", "other than the delimiter"),
        (r#"["bill_no", "amount", "#, r#"["amount", "#, "debts.each", "bill_no and amount"),
        (r#"["bill_no", "amount", "#, r#"["bill_no", "amount", "amount", "#, "debts.each", "twice"),
        ("[content.48]", "[times]\nanswer_ms = 1\n[content.48]", "times.answer_ms", "10 to 600000"),
        ("[content.48]", "[hours]\nfrom = \"8:00\"\nto = \"20:00\"\n[content.48]", "hours.from", "HH:MM"),
        ("[content.48]", "[hours]\nfrom = \"08:00\"\nto = \"08:00\"\n[content.48]", "hours.to", "leave"),
        (
            "[content.48]",
            "[field]\n61 = { name = \"x\", class = \"ans\", length = 20, prefix = 2 }\n[content.48]",
            "field.61",
            "longer",
        ),
        (
            "[content.48]",
            "[field]\n3 = { name = \"x\", class = \"n\", length = 0 }\n[content.48]",
            "field.3",
            "prefix",
        ),
        (
            "[content.48]",
            "[field]\n64 = { name = \"x\", class = \"b\", length = 4 }\n[content.48]",
            "field.64",
            "8 long",
        ),
    ] {
        let text = ASCII.replacen(from, to, 1);
        assert_ne!(text, ASCII, "{from}");
        let refused = spec(&text).prove().expect_err(&text);
        assert!(refused.key == key && refused.why.contains(why), "{to}: {refused:?}");
    }
    // What stands beside a query, and only there.
    let without = ASCII.replace("[query]\ncode = \"310000\"\n", "");
    assert_eq!(spec(&without).prove().unwrap_err().key, "debts");
    let doubly = BCD.replace("unit = \"yuan\"", "unit = \"yuan\"\nbetween = \";\"");
    assert_eq!(spec(&doubly).prove().unwrap_err().key, "debts.between");
    // Unknown keys are no mistake of ours to guess at.
    assert!(toml::from_str::<Spec>(&format!("colour = 1\n{ASCII}")).is_err());
}

#[test]
fn response_codes_mean_what_the_pack_says_before_what_is_usual() {
    let spec = spec(BCD);
    let none = std::collections::BTreeMap::new();
    for (code, meaning) in DEFAULT_CODES {
        assert_eq!(spec.meaning(&none, code), Some(*meaning));
    }
    assert_eq!(spec.meaning(&spec.inquire.codes, "77"), Some(Meaning::Unknown));
    assert_eq!(spec.meaning(&none, "77"), None);
    assert_eq!(super::fixture::spec(ASCII).meaning(&none, "09"), Some(Meaning::Busy));
}

#[test]
fn hours_end_before_their_last_minute_and_may_pass_midnight() {
    for (from, to, time, open) in [
        ("08:00", "20:00", "2026-03-01T00:00:00Z", true),
        ("08:00", "20:00", "2026-02-28T23:59:59Z", false),
        ("08:00", "20:00", "2026-03-01T12:00:00Z", false),
        ("22:30", "06:00", "2026-03-01T14:30:00Z", true),
        ("22:30", "06:00", "2026-03-01T21:59:00Z", true),
        ("22:30", "06:00", "2026-03-01T22:00:00Z", false),
    ] {
        let hours = Hours { from: from.to_owned(), to: to.to_owned() };
        assert_eq!(hours.hold(time.parse().unwrap(), UtcOffset::CHINA), open, "{from} {to} {time}");
    }
}

//! Layouts both ways: what is written is read back, GB 18030 counted in bytes.

use city::bill::layout::{Column, Field, Layout, LineFault, TooWide};

fn layout(text: &str) -> Layout {
    toml::from_str(text).unwrap()
}

const FIXED: &str = "shape = 'fixed'\nencoding = 'gb18030'\namount = 'fen'\nline_end = 'crlf'\n\
    columns = [{ field = 'account_no', width = 6 }, { field = 'holder', width = 8 }, { field = 'amount', width = 7 }]";
const BARS: &str = "shape = 'delimited'\ndelimiter = '|'\nencoding = 'gb18030'\namount = 'yuan'\n\
    date = 'YYYY/MM/DD'\nperiod = 'YYYY-MM'\n\
    columns = [{ field = 'account_no' }, { field = 'holder' }, { field = 'amount' }]";

fn write(layout: &Layout, holder: &str, minor: i64) -> Result<Vec<u8>, TooWide> {
    let mut out = Vec::new();
    layout.write(&mut out, &layout.columns, |field| match field {
        Field::AccountNo => "A1".to_owned(),
        Field::Holder => holder.to_owned(),
        Field::Amount => layout.amount_text(minor),
        _ => String::new(),
    })?;
    Ok(out)
}

fn read(layout: &Layout, line: &[u8]) -> Result<Vec<String>, LineFault> {
    let mut fields = Vec::new();
    layout.read(&layout.columns, line, |_, text| {
        fields.push(text.to_owned());
        Ok(())
    })?;
    Ok(fields)
}

#[test]
fn fixed_width_counts_the_bytes_of_gb18030() {
    let layout = layout(FIXED);
    for (holder, kept) in
        [("王小明", "王小明"), ("王小明明", "王小明明"), ("王小明明明", "王小明明"), ("㐀a", "㐀a")]
    {
        let line = write(&layout, holder, 1250).unwrap();
        assert_eq!(line.len(), 6 + 8 + 7 + 2, "{holder}");
        assert!(line.ends_with(b"0001250\r\n"));
        let fields = read(&layout, line.strip_suffix(b"\r\n").unwrap()).unwrap();
        assert_eq!(fields, ["A1", kept, "0001250"]);
    }
    // 王 is CD F5 in GB 18030 (GB 18030-2005 table of the two-byte part, row CD).
    assert_eq!(write(&layout, "王", 1).unwrap(), b"A1    \xcd\xf5      0000001\r\n");
    assert_eq!(write(&layout, "王", 12_345_678), Err(TooWide(Field::Amount)));
    assert_eq!(read(&layout, b"A1"), Err(LineFault::Columns));
    // A width that cuts a character in two.
    assert_eq!(read(&layout, b"A1   \xcd\xf5       0000001"), Err(LineFault::Encoding(Field::AccountNo)));
}

#[test]
fn a_character_that_holds_the_delimiters_byte_is_no_delimiter() {
    let layout = layout(BARS);
    // 泑 is 9B 7C: its second byte is a bar.
    let line = write(&layout, "泑", 1250).unwrap();
    assert_eq!(line.split(|b| *b == b'|').count(), 4, "two delimiters and one inside the character");
    assert_eq!(read(&layout, line.strip_suffix(b"\n").unwrap()).unwrap(), ["A1", "泑", "12.50"]);
    // A delimiter inside a value never shifts the columns.
    let line = write(&layout, "a|b", 5).unwrap();
    assert_eq!(read(&layout, line.strip_suffix(b"\n").unwrap()).unwrap(), ["A1", "a b", "0.05"]);
}

#[test]
fn values_are_read_as_they_are_written_and_no_other_way() {
    let (fen, yuan) = (layout(FIXED), layout(BARS));
    for (text, in_fen, in_yuan) in [
        ("1250", Some(1250), Some(125_000)),
        ("0001250", Some(1250), Some(125_000)),
        ("12.50", None, Some(1250)),
        ("12.5", None, Some(1250)),
        ("12.505", None, None),
        ("-1", None, None),
        ("+1", None, None),
        ("1,250", None, None),
        ("1e3", None, None),
        ("", None, None),
        ("99999999999999999999", None, None),
    ] {
        assert_eq!(fen.read_amount(text), in_fen, "{text}");
        assert_eq!(yuan.read_amount(text), in_yuan, "{text}");
    }
    let date = kernel::Date::new(2026, 3, 1).unwrap();
    assert_eq!((fen.date_text(date), yuan.date_text(date)), ("20260301".into(), "2026/03/01".into()));
    for (text, compact, slashed) in [
        ("20260301", Some(date), None),
        ("2026/03/01", None, Some(date)),
        ("2026-03-01", None, None),
        ("20260230", None, None),
        ("2026/3/1", None, None),
        ("２０260301", None, None),
    ] {
        assert_eq!(fen.read_date(text), compact, "{text}");
        assert_eq!(yuan.read_date(text), slashed, "{text}");
    }
    for (text, compact, dashed) in [
        ("202603", Some(202_603), None),
        ("2026-03", None, Some(202_603)),
        ("202613", None, None),
        ("2026-00", None, None),
        ("189912", None, None),
        ("20263", None, None),
    ] {
        assert_eq!(fen.read_period(text), compact, "{text}");
        assert_eq!(yuan.read_period(text), dashed, "{text}");
    }
    assert_eq!((fen.period_text(202_603), yuan.period_text(202_603)), ("202603".into(), "2026-03".into()));
}

#[test]
fn totals_are_recognised_by_their_tag_alone() {
    let totals = "\n[totals]\nat = 'last'\ntag = 'T'\n";
    let fixed = layout(&format!(
        "{FIXED}{totals}columns = [{{ field = 'tag', width = 3 }}, {{ field = 'count', width = 4 }}, {{ field = 'sum', width = 6 }}]"
    ));
    let bars = layout(&format!(
        "{BARS}{totals}columns = [{{ field = 'tag' }}, {{ field = 'count' }}, {{ field = 'sum' }}]"
    ));
    assert!(fixed.is_last_totals(b"T  0002001250"));
    assert!(!fixed.is_last_totals(b"T1 0002001250"));
    assert_eq!(fixed.read_totals(b"T  0002001250"), Ok((2, 1250)));
    assert!(bars.is_last_totals(b"T|2|12.50"));
    assert!(!bars.is_last_totals(b"T2|2|12.50"));
    assert_eq!(bars.read_totals(b"T|2|12.50"), Ok((2, 1250)));
    assert_eq!(bars.read_totals(b"T|x|12.50"), Err(LineFault::Malformed(Field::Count)));
    let one: Column = Column { field: Field::Amount, width: None };
    assert_eq!(read(&Layout { columns: vec![one], ..bars }, b"1|2"), Err(LineFault::Columns));
}

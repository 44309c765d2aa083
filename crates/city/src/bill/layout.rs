//! How a biller's files are laid out, and one line of them at a time: bytes to fields and back. Pure.
//!
//! Delimited lines are decoded, then split (a GB18030 character may hold the delimiter's byte).
//! Fixed-width lines are split by BYTES, then each field is decoded: that is how banks count GB18030.
//! There is no quoting: a delimiter inside a field is a wrong number of columns. Numbers are written
//! right-aligned and zero-filled, text left-aligned and space-filled; both are read without the fill.

use std::borrow::Cow;
use std::fmt;

use encoding_rs::GB18030;
use kernel::{Currency, Date, Money};
use serde::Deserialize;

use super::pack::PackError;

/// The longest line, in bytes.
pub const LINE_MAX: usize = 4096;

/// The layout of one kind of file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Delimited or fixed width.
    pub shape: Shape,
    /// `delimited` only: one ASCII character between columns.
    pub delimiter: Option<char>,
    /// How text becomes bytes.
    pub encoding: Encoding,
    /// How amounts are written.
    pub amount: AmountUnit,
    /// How dates are written.
    #[serde(default)]
    pub date: DateFormat,
    /// How months are written.
    #[serde(default)]
    pub period: PeriodFormat,
    /// How lines end when written; both ends are read.
    #[serde(default)]
    pub line_end: LineEnd,
    /// Lines before the first record: written as they stand, skipped by number when read.
    #[serde(default)]
    pub header: Vec<String>,
    /// The line with number and sum of the records, if the file has one.
    pub totals: Option<Totals>,
    /// The columns of a record, in order.
    pub columns: Vec<Column>,
}

/// Delimited or fixed width.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Columns stand between delimiters.
    Delimited,
    /// Columns have widths in bytes.
    Fixed,
}

/// How text becomes bytes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, without a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// GB 18030.
    #[serde(rename = "gb18030")]
    Gb18030,
}

/// How amounts are written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AmountUnit {
    /// `12.50`
    Yuan,
    /// `1250`
    Fen,
}

/// How dates are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum DateFormat {
    /// `20260301`
    #[default]
    #[serde(rename = "YYYYMMDD")]
    Compact,
    /// `2026-03-01`
    #[serde(rename = "YYYY-MM-DD")]
    Dashed,
    /// `2026/03/01`
    #[serde(rename = "YYYY/MM/DD")]
    Slashed,
}

/// How months are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum PeriodFormat {
    /// `202603`
    #[default]
    #[serde(rename = "YYYYMM")]
    Compact,
    /// `2026-03`
    #[serde(rename = "YYYY-MM")]
    Dashed,
}

/// How lines end.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// `\n`
    #[default]
    Lf,
    /// `\r\n`
    Crlf,
}

/// The totals line.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Right after the header, or the last line.
    pub at: At,
    /// What the column `tag` holds; a last line is recognised by it.
    pub tag: String,
    /// Its columns, in order; the first is `tag`.
    pub columns: Vec<Column>,
}

/// Where the totals line stands.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// Right after the header.
    First,
    /// The last line.
    Last,
}

/// A column.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What it holds.
    pub field: Field,
    /// `fixed` only: its width in bytes.
    pub width: Option<usize>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The account number at the biller.
    AccountNo,
    /// The biller's number of the bill, unique within the account.
    BillNo,
    /// The name on the account.
    Holder,
    /// The month billed.
    Period,
    /// The amount of the bill, or of the payment.
    Amount,
    /// The last day without a late fee.
    Due,
    /// Our id of the payment, `pay_…` (30 characters).
    Reference,
    /// The local day of the payment.
    PaidOn,
    /// The late fee within the amount paid.
    LateFee,
    /// The collection fee of this payment.
    Fee,
    /// The amount less the fee kept out of the payout.
    Net,
    /// Totals line: its tag.
    Tag,
    /// Totals line: number of records.
    Count,
    /// Totals line: sum of the records' amounts.
    Sum,
    /// Read past; written empty.
    Ignore,
}

impl Field {
    /// The name in packs and in row errors.
    pub fn name(self) -> &'static str {
        match self {
            Field::AccountNo => "account_no",
            Field::BillNo => "bill_no",
            Field::Holder => "holder",
            Field::Period => "period",
            Field::Amount => "amount",
            Field::Due => "due",
            Field::Reference => "reference",
            Field::PaidOn => "paid_on",
            Field::LateFee => "late_fee",
            Field::Fee => "fee",
            Field::Net => "net",
            Field::Tag => "tag",
            Field::Count => "count",
            Field::Sum => "sum",
            Field::Ignore => "ignore",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Field::Amount | Field::LateFee | Field::Fee | Field::Net | Field::Count | Field::Sum)
    }
}

/// Why a line or field cannot be read. The name is the reason code in import errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// Not as many columns, or not as many bytes, as the layout says.
    Columns,
    /// The bytes are no text in the file's encoding.
    Encoding(Field),
    /// A control character inside a field.
    Control(Field),
    /// Not written as the layout says.
    Malformed(Field),
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineFault::Columns => f.write_str("the columns do not match the layout"),
            LineFault::Encoding(field) => write!(f, "{} is not in the file's encoding", field.name()),
            LineFault::Control(field) => write!(f, "{} holds a control character", field.name()),
            LineFault::Malformed(field) => write!(f, "{} is not written as the layout says", field.name()),
        }
    }
}

/// A value that does not fit its column when written; holds the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooWide(pub Field);

impl Layout {
    /// Splits a line (without its end) into fields, without their fill, in order of the columns.
    pub fn read<'l>(
        &self,
        columns: &[Column],
        line: &'l [u8],
        mut each: impl FnMut(Field, &str) -> Result<(), LineFault>,
    ) -> Result<(), LineFault> {
        let mut take = |field: Field, text: &str| {
            if field == Field::Ignore {
                return Ok(());
            }
            if text.bytes().any(|b| b.is_ascii_control()) {
                return Err(LineFault::Control(field));
            }
            each(field, text.trim_matches(' '))
        };
        if let Some(delimiter) = self.separator() {
            let text = self.decode(line).ok_or(LineFault::Columns)?;
            // Count first: a shifted row must not be half understood.
            if text.split(delimiter).count() != columns.len() {
                return Err(LineFault::Columns);
            }
            return columns.iter().zip(text.split(delimiter)).try_for_each(|(c, cell)| take(c.field, cell));
        }
        let width = |c: &Column| c.width.unwrap_or(0);
        if line.len() != columns.iter().map(width).sum::<usize>() {
            return Err(LineFault::Columns);
        }
        let mut rest: &'l [u8] = line;
        columns.iter().try_for_each(|c| {
            let (cell, after) = rest.split_at(width(c));
            rest = after;
            let text = self.decode(cell).ok_or(LineFault::Encoding(c.field))?;
            take(c.field, &text)
        })
    }

    /// What stands between columns, where something does.
    fn separator(&self) -> Option<char> {
        self.delimiter.filter(|_| self.shape == Shape::Delimited)
    }

    /// The bytes as text, or `None` if they are none in this encoding.
    pub fn decode<'l>(&self, bytes: &'l [u8]) -> Option<Cow<'l, str>> {
        match self.encoding {
            Encoding::Utf8 => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Encoding::Gb18030 => GB18030.decode_without_bom_handling_and_without_replacement(bytes),
        }
    }

    /// How many lines stand before the records: the header, and the totals where they come first.
    pub fn preamble(&self) -> usize {
        let first_totals = self.totals.as_ref().is_some_and(|totals| totals.at == At::First);
        self.header.len() + usize::from(first_totals)
    }

    /// The records of a file that is in memory, each with the number of its line, from 1.
    pub fn records<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (usize, &'a [u8])> {
        let lines = bytes.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let lines = lines.enumerate().skip(self.preamble()).map(|(at, line)| (at + 1, line));
        lines.filter(|(_, line)| !line.is_empty() && !self.is_last_totals(line))
    }

    /// Whether the line is the totals line at the end of the file.
    pub fn is_last_totals(&self, line: &[u8]) -> bool {
        let Some(totals) = self.totals.as_ref().filter(|t| t.at == At::Last) else { return false };
        let Some(rest) = line.strip_prefix(totals.tag.as_bytes()) else { return false };
        if let Some(delimiter) = self.separator() {
            return rest.first() == Some(&(delimiter as u8));
        }
        let width = totals.columns.first().and_then(|c| c.width).unwrap_or(0);
        let fill = width.saturating_sub(totals.tag.len());
        rest.get(..fill).is_some_and(|fill| fill.iter().all(|b| *b == b' '))
    }

    /// Number and sum out of the totals line.
    pub fn read_totals(&self, line: &[u8]) -> Result<(u64, i64), LineFault> {
        let Some(totals) = &self.totals else { return Err(LineFault::Columns) };
        let (mut count, mut sum) = (0, 0);
        self.read(&totals.columns, line, |field, text| {
            let wrong = LineFault::Malformed(field);
            match field {
                Field::Tag if text != totals.tag => return Err(wrong),
                Field::Count => count = digits(text).and_then(|t| t.parse().ok()).ok_or(wrong)?,
                Field::Sum => sum = self.read_amount(text).ok_or(wrong)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok((count, sum))
    }

    /// An amount in minor units; no sign, no grouping.
    pub fn read_amount(&self, text: &str) -> Option<i64> {
        if text.starts_with('-') {
            return None;
        }
        match self.amount {
            AmountUnit::Yuan => Money::parse_amount(text, Currency::CNY).ok().map(|m| m.minor),
            AmountUnit::Fen => digits(text)?.parse().ok(),
        }
    }

    /// A date.
    pub fn read_date(&self, text: &str) -> Option<Date> {
        let (separator, length) = match self.date {
            DateFormat::Compact => (None, 8),
            DateFormat::Dashed => (Some(b'-'), 10),
            DateFormat::Slashed => (Some(b'/'), 10),
        };
        let b = text.as_bytes();
        if b.len() != length || separator.is_some_and(|s| b[4] != s || b[7] != s) {
            return None;
        }
        let (month, day) = if separator.is_some() { (5..7, 8..10) } else { (4..6, 6..8) };
        let part = |range: std::ops::Range<usize>| digits(text.get(range)?)?.parse::<i16>().ok();
        let short = |range| part(range).and_then(|n| i8::try_from(n).ok());
        Date::new(part(0..4)?, short(month)?, short(day)?).ok()
    }

    /// A month as `YYYYMM`.
    pub fn read_period(&self, text: &str) -> Option<u32> {
        let joined = match self.period {
            PeriodFormat::Compact => Cow::Borrowed(text),
            PeriodFormat::Dashed => {
                let (year, month) = text.split_once('-')?;
                Cow::Owned(format!("{year}{month}"))
            }
        };
        let n: u32 = digits(&joined).filter(|t| t.len() == 6)?.parse().ok()?;
        ((1..=12).contains(&(n % 100)) && n >= 190_001).then_some(n)
    }

    /// An amount as this layout writes it.
    pub fn amount_text(&self, minor: i64) -> String {
        match self.amount {
            AmountUnit::Yuan => Money::fen(minor).amount(),
            AmountUnit::Fen => minor.to_string(),
        }
    }

    /// A date as this layout writes it.
    pub fn date_text(&self, date: Date) -> String {
        let (y, m, d) = (date.year(), date.month(), date.day());
        match self.date {
            DateFormat::Compact => format!("{y:04}{m:02}{d:02}"),
            DateFormat::Dashed => format!("{y:04}-{m:02}-{d:02}"),
            DateFormat::Slashed => format!("{y:04}/{m:02}/{d:02}"),
        }
    }

    /// A month (`YYYYMM`) as this layout writes it.
    pub fn period_text(&self, period: u32) -> String {
        match self.period {
            PeriodFormat::Compact => format!("{period:06}"),
            PeriodFormat::Dashed => format!("{:04}-{:02}", period / 100, period % 100),
        }
    }

    /// Appends a line of `columns`, `value` giving each field's text, with its end. Text too wide for
    /// its column is cut at a character; a number too wide is an error.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        columns: &[Column],
        value: impl Fn(Field) -> String,
    ) -> Result<(), TooWide> {
        for (i, column) in columns.iter().enumerate() {
            let text = value(column.field);
            if let Some(delimiter) = self.separator() {
                if i > 0 {
                    out.push(delimiter as u8);
                }
                out.extend_from_slice(&self.encode(&text.replace(delimiter, " ")));
            } else {
                self.write_fixed(out, *column, &text)?;
            }
        }
        self.end_line(out);
        Ok(())
    }

    /// Appends a line as it stands, with its end.
    pub fn write_line(&self, out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(&self.encode(text));
        self.end_line(out);
    }

    fn end_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.line_end == LineEnd::Crlf { b"\r\n" } else { b"\n" });
    }

    fn write_fixed(&self, out: &mut Vec<u8>, column: Column, text: &str) -> Result<(), TooWide> {
        let width = column.width.unwrap_or(0);
        let mut text = text;
        let mut bytes = self.encode(text);
        while bytes.len() > width {
            if column.field != Field::Holder {
                return Err(TooWide(column.field));
            }
            text = &text[..text.char_indices().next_back().map_or(0, |(at, _)| at)];
            bytes = self.encode(text);
        }
        let fill = width - bytes.len();
        if column.field.is_number() {
            out.extend(std::iter::repeat_n(b'0', fill));
            out.extend_from_slice(&bytes);
        } else {
            out.extend_from_slice(&bytes);
            out.extend(std::iter::repeat_n(b' ', fill));
        }
        Ok(())
    }

    fn encode<'t>(&self, text: &'t str) -> Cow<'t, [u8]> {
        match self.encoding {
            Encoding::Utf8 => Cow::Borrowed(text.as_bytes()),
            Encoding::Gb18030 => GB18030.encode(text).0, // every Unicode character has a place in it
        }
    }

    /// Whether the layout makes sense; `key` is its place in the pack.
    pub(super) fn validate(&self, key: &str) -> Result<(), PackError> {
        let invalid = |sub: &str, why: &str| Err(PackError::invalid(&format!("{key}.{sub}"), why));
        match (self.shape, self.delimiter) {
            (Shape::Delimited, None) => return invalid("delimiter", "a delimited file has one"),
            (Shape::Delimited, Some(d)) if d != '\t' && (!d.is_ascii_graphic() || d.is_alphanumeric()) => {
                return invalid("delimiter", "one ASCII character that is no letter or digit");
            }
            (Shape::Delimited, Some('.' | '-' | '/')) => {
                return invalid("delimiter", "it stands in amounts and dates");
            }
            (Shape::Fixed, Some(_)) => return invalid("delimiter", "a fixed-width file has none"),
            _ => {}
        }
        self.validate_columns(&format!("{key}.columns"), &self.columns)?;
        let totals_only = |c: &&Column| matches!(c.field, Field::Tag | Field::Count | Field::Sum);
        if let Some(column) = self.columns.iter().find(totals_only) {
            return invalid("columns", &format!("{} belongs into totals", column.field.name()));
        }
        let Some(totals) = &self.totals else { return Ok(()) };
        self.validate_columns(&format!("{key}.totals.columns"), &totals.columns)?;
        if totals.tag.is_empty() || !totals.tag.bytes().all(|b| b.is_ascii_graphic()) {
            return invalid("totals.tag", "ASCII without spaces");
        }
        if totals.columns.first().map(|c| c.field) != Some(Field::Tag) {
            return invalid("totals.columns", "the first is tag");
        }
        for wanted in [Field::Count, Field::Sum] {
            if !totals.columns.iter().any(|c| c.field == wanted) {
                return invalid("totals.columns", &format!("{} is missing", wanted.name()));
            }
        }
        Ok(())
    }

    fn validate_columns(&self, key: &str, columns: &[Column]) -> Result<(), PackError> {
        let invalid = |why: String| Err(PackError::invalid(key, &why));
        if columns.is_empty() || columns.len() > 40 {
            return invalid("1 to 40 columns".into());
        }
        for (i, column) in columns.iter().enumerate() {
            let name = column.field.name();
            if column.field != Field::Ignore && columns[..i].iter().any(|c| c.field == column.field) {
                return invalid(format!("{name} stands there twice"));
            }
            match (self.shape, column.width) {
                (Shape::Delimited, Some(_)) => return invalid(format!("{name}: no width when delimited")),
                (Shape::Fixed, None) => return invalid(format!("{name}: needs a width in bytes")),
                (Shape::Fixed, Some(w)) if !(1..=256).contains(&w) => {
                    return invalid(format!("{name}: a width of 1 to 256 bytes"));
                }
                (Shape::Fixed, Some(w)) if column.field == Field::Reference && w < 30 => {
                    return invalid("reference: a payment id has 30 characters".into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The text if it is digits only.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

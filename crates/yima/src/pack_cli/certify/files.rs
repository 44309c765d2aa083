//! The cases of bills that come by file: files written a second time in another way than the product writes and reads
//! them, whole and spoilt in every manner.

use channel::Debt;
use city::Refusal;
use city::bill::account::Check;
use city::bill::layout::{
    AmountUnit, At, Column, DateFormat, Encoding, Field, Layout, LineEnd, PeriodFormat, Shape,
};
use city::bill::pack::{AmountRule, Spec};
use city::bill::{self, BillError, Import, PayBill, PayState, Standing};
use encoding_rs::GB18030;
use kernel::Date;

use super::stage::{Done, Ended, Stage, ensure, skip};
use super::{accounts, naive};

/// A bill that is handed over.
#[derive(Clone, Debug)]
pub struct Row {
    pub account_no: String,
    pub bill_no: String,
    pub holder: String,
    pub period: u32,
    pub amount: i64,
    pub due: Date,
}

fn encode(layout: &Layout, text: &str) -> Vec<u8> {
    match layout.encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Gb18030 => GB18030.encode(text).0.into_owned(),
    }
}

/// An amount as a layout has it.
pub fn money(layout: &Layout, minor: i64) -> String {
    match layout.amount {
        AmountUnit::Fen => minor.to_string(),
        AmountUnit::Yuan => format!("{}.{:02}", minor / 100, minor % 100),
    }
}

/// A day as a layout has it.
pub fn date(layout: &Layout, day: Date) -> String {
    let text = day.to_string();
    match layout.date {
        DateFormat::Compact => text.replace('-', ""),
        DateFormat::Dashed => text,
        DateFormat::Slashed => text.replace('-', "/"),
    }
}

/// A month as a layout has it.
pub fn month(layout: &Layout, period: u32) -> String {
    match layout.period {
        PeriodFormat::Compact => format!("{period:06}"),
        PeriodFormat::Dashed => format!("{:04}-{:02}", period / 100, period % 100),
    }
}

fn is_number(field: Field) -> bool {
    matches!(field, Field::Amount | Field::LateFee | Field::Fee | Field::Net | Field::Count | Field::Sum)
}

/// One line, without its end.
pub fn line(layout: &Layout, columns: &[Column], value: impl Fn(Field) -> String) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let text = value(column.field);
        if layout.shape == Shape::Delimited {
            if at > 0 {
                out.extend(layout.delimiter.map(|d| d as u8));
            }
            out.extend(encode(layout, &text));
            continue;
        }
        let width = column.width.unwrap_or(0);
        let mut text = text;
        while encode(layout, &text).len() > width {
            text.pop();
        }
        let bytes = encode(layout, &text);
        let fill = width - bytes.len();
        if is_number(column.field) {
            out.extend(std::iter::repeat_n(b'0', fill));
            out.extend(bytes);
        } else {
            out.extend(bytes);
            out.extend(std::iter::repeat_n(b' ', fill));
        }
    }
    out
}

/// A file in pieces, to be spoilt.
#[derive(Clone, Debug)]
pub struct Pieces {
    header: Vec<Vec<u8>>,
    first: Option<Vec<u8>>,
    pub records: Vec<Vec<u8>>,
    last: Option<Vec<u8>>,
    end: &'static [u8],
}

impl Pieces {
    /// Of these records.
    pub fn new(layout: &Layout, records: Vec<Vec<u8>>, sum: i64) -> Pieces {
        let mut made = Pieces {
            header: layout.header.iter().map(|text| encode(layout, text)).collect(),
            first: None,
            records,
            last: None,
            end: if layout.line_end == LineEnd::Crlf { b"\r\n" } else { b"\n" },
        };
        made.total(layout, made.records.len(), sum);
        made
    }

    fn total(&mut self, layout: &Layout, count: usize, sum: i64) {
        let Some(totals) = &layout.totals else { return };
        let text = line(layout, &totals.columns, |field| match field {
            Field::Tag => totals.tag.clone(),
            Field::Count => count.to_string(),
            Field::Sum => money(layout, sum),
            _ => String::new(),
        });
        match totals.at {
            At::First => self.first = Some(text),
            At::Last => self.last = Some(text),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let lines = self.header.iter().chain(&self.first).chain(&self.records).chain(&self.last);
        lines.flat_map(|line| line.iter().chain(self.end).copied()).collect()
    }
}

fn record(layout: &Layout, row: &Row) -> Vec<u8> {
    line(layout, &layout.columns, |field| match field {
        Field::AccountNo => row.account_no.clone(),
        Field::BillNo => row.bill_no.clone(),
        Field::Holder => row.holder.clone(),
        Field::Period => month(layout, row.period),
        Field::Amount => money(layout, row.amount),
        Field::Due => date(layout, row.due),
        _ => String::new(),
    })
}

fn file(layout: &Layout, rows: &[Row]) -> Pieces {
    let records = rows.iter().map(|row| record(layout, row)).collect();
    Pieces::new(layout, records, rows.iter().map(|row| row.amount).sum())
}

/// The greatest amount that every file of a pack has room for with a late fee on it, and that nobody minds.
pub fn amount_max(spec: &Spec) -> i64 {
    let layouts = [spec.bills.file.as_ref(), Some(&spec.settlement.file), spec.settlement.returned.as_ref()];
    let widths = layouts.into_iter().flatten().filter(|l| l.shape == Shape::Fixed).flat_map(|layout| {
        let of = |c: &&Column| c.field == Field::Amount;
        let digits =
            |width: usize| if layout.amount == AmountUnit::Yuan { width.saturating_sub(1) } else { width };
        layout.columns.iter().filter(of).map(move |c| digits(c.width.unwrap_or(0)))
    });
    let digits = u32::try_from(widths.min().unwrap_or(9)).unwrap_or(9).clamp(1, 9);
    (10i64.pow(digits) / 3).clamp(1, 90_000)
}

fn layout(stage: &Stage) -> Result<Layout, Ended> {
    let layout = stage.pack.spec.bills.file.clone();
    layout.ok_or_else(|| Ended::NotApplicable("bills do not come by file".to_owned()))
}

/// A new bill, due in a while.
fn row(stage: &mut Stage) -> Row {
    let n = stage.fresh();
    let day = stage.today();
    let period = u32::try_from(day.year()).unwrap_or(2026) * 100 + u32::try_from(day.month()).unwrap_or(1);
    let most = amount_max(&stage.pack.spec);
    Row {
        account_no: stage.account(n),
        bill_no: format!("C{n}"),
        holder: "王小明".to_owned(),
        period,
        amount: (123 + i64::try_from(n).unwrap_or(0) * 1_373) % most + 1,
        due: Date::new(day.year() + 1, 1, 20).unwrap_or(day),
    }
}

async fn import(stage: &Stage, bytes: &[u8]) -> Result<Import, BillError> {
    let path = stage.dir.join(format!("{}.bills", stage.pack.spec.id));
    std::fs::write(&path, bytes).map_err(|e| city::Fault::File(e.to_string()))?;
    bill::import_path(&stage.city, stage.pack.biller, &path, "bills", |_| {}).await
}

/// Hands a debt over by file, where a biller that is asked about payments hands its bills over.
pub async fn hand_over(stage: &mut Stage, account: &str, debt: &Debt) -> Done {
    let layout = layout(stage)?;
    let row = Row {
        account_no: account.to_owned(),
        bill_no: debt.bill_no.clone(),
        holder: debt.holder.clone(),
        period: debt.period,
        amount: debt.amount_minor,
        due: debt.due.unwrap_or(stage.today()),
    };
    let import = import(stage, &file(&layout, &[row]).bytes()).await?;
    ensure(import.added == 1, || "a bill was not taken in".to_owned())
}

macro_rules! case {
    ($stage:ident, $name:expr, $done:expr) => {{
        $stage.begin(&[]).await;
        let done = $done.await;
        $stage.end($name, done, &[]).await;
    }};
}

/// Every case of bill files; `paying` where no one is asked about payments.
pub async fn run(stage: &mut Stage, paying: bool) {
    case!(stage, "good_file", good(stage));
    case!(stage, "account_rule", account_rule(stage));
    case!(stage, "account_check_digit", check_digit(stage));
    case!(stage, "wrong_amount_in_file", wrong_amount(stage));
    case!(stage, "wrong_count", wrong_count(stage));
    case!(stage, "wrong_sum", wrong_sum(stage));
    case!(stage, "bad_trailer", bad_trailer(stage));
    case!(stage, "missing_trailer", missing_trailer(stage));
    case!(stage, "truncated", truncated(stage));
    case!(stage, "bad_encoding", bad_encoding(stage));
    case!(stage, "empty_file", empty(stage));
    case!(stage, "duplicate_row", duplicate_row(stage));
    case!(stage, "duplicate_file", duplicate_file(stage));
    case!(stage, "changed_bill", changed(stage));
    case!(stage, "late_fee", late_fee(stage, paying));
    if paying {
        case!(stage, "happy_path", happy(stage));
        case!(stage, "two_at_once", at_once(stage));
        case!(stage, "amount_rule", amount_rule(stage));
        case!(stage, "quote_expired", expired(stage));
    }
}

async fn good(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    let rows: Vec<Row> = (0..20).map(|_| row(stage)).collect();
    let import = import(stage, &file(&layout, &rows).bytes()).await?;
    ensure((import.added, import.refused) == (20, 0), || {
        format!("of 20 bills {} were taken in, {} refused", import.added, import.refused)
    })?;
    let has = |field| layout.columns.iter().any(|c| c.field == field);
    for row in &rows {
        let views = bill::fetch(&stage.city, stage.pack.biller, &row.account_no).await?;
        let view = views.iter().find(|view| view.bill.bill_no == row.bill_no);
        let bill = view
            .map(|view| &view.bill)
            .ok_or_else(|| Ended::Failed(format!("{} is not there", row.bill_no)))?;
        ensure(bill.amount_minor == row.amount, || {
            format!("{} fen read as {}", row.amount, bill.amount_minor)
        })?;
        ensure(!has(Field::Period) || bill.period == row.period, || {
            format!("month read as {}", bill.period)
        })?;
        let due = match stage.pack.spec.bills.due_days_after_period {
            None => Some(row.due),
            Some(days) => naive::due_after(row.period, days),
        };
        ensure(Some(bill.due) == due, || format!("due on {} and not {due:?}", bill.due))?;
        ensure(!has(Field::Holder) || row.holder.starts_with(&bill.holder), || bill.holder.clone())?;
    }
    Ok(())
}

/// The examples and counter-examples, and 400 numbers by chance, by two readings of the rule.
pub async fn account_rule(stage: &mut Stage) -> Done {
    let rule = &stage.pack.spec.account;
    for (number, wanted) in
        rule.examples.iter().map(|n| (n, true)).chain(rule.counter_examples.iter().map(|n| (n, false)))
    {
        ensure(naive::is_account(rule, number) == wanted, || format!("{number} is read otherwise"))?;
    }
    let rng = kernel::SeededRng::new(5);
    for _ in 0..400 {
        let number = accounts::shaped(rule, &rng);
        ensure(naive::is_account(rule, &number) == rule.check(&number).is_ok(), || {
            format!("two readings of the rule differ about {number}")
        })?;
    }
    for number in &rule.counter_examples {
        let answer = bill::fetch(&stage.city, stage.pack.biller, number).await;
        let told = answer.as_ref().err().map(Refusal::code);
        ensure(matches!(told, Some("account_shape" | "account_check_digit")), || {
            format!("of {number} a resident was told {told:?}")
        })?;
    }
    Ok(())
}

/// The reason of the one refused row of an import.
async fn one_refused(stage: &Stage, import: &Import, good: u64) -> Result<String, Ended> {
    ensure((import.added, import.refused) == (good, 1), || {
        format!("{} taken in, {} refused", import.added, import.refused)
    })?;
    let errors = bill::row_errors(&stage.city, import.id, 0, 10).await?;
    Ok(errors.first().map(|error| error.code.clone()).unwrap_or_default())
}

async fn check_digit(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    if stage.pack.spec.account.check == Check::None {
        return skip("numbers have no check digit");
    }
    let mut rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    let wrong = accounts::mistyped(&stage.pack.spec.account, &rows[1].account_no);
    let Some(wrong) = wrong else { return skip("no number of this shape is wrong") };
    rows[1].account_no = wrong;
    let import = import(stage, &file(&layout, &rows).bytes()).await?;
    let code = one_refused(stage, &import, 2).await?;
    ensure(code == "account_check_digit", || code)
}

async fn wrong_amount(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    let mut rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    rows[1].amount = 0;
    let zero = import(stage, &file(&layout, &rows).bytes()).await?;
    let code = one_refused(stage, &zero, 2).await?;
    ensure(code == "amount_out_of_range", || format!("of nothing: {code}"))?;
    let rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    let mut pieces = file(&layout, &rows);
    pieces.records[1] = line(&layout, &layout.columns, |field| match field {
        Field::AccountNo => rows[1].account_no.clone(),
        Field::BillNo => rows[1].bill_no.clone(),
        Field::Period => month(&layout, rows[1].period),
        Field::Due => date(&layout, rows[1].due),
        Field::Amount => "-1".to_owned(),
        _ => String::new(),
    });
    let minus = import(stage, &pieces.bytes()).await?;
    let code = one_refused(stage, &minus, 2).await?;
    ensure(code == "malformed", || format!("of less than nothing: {code}"))
}

/// A file that must be refused whole for this reason, and leave nothing behind.
async fn refused_whole(stage: &mut Stage, rows: &[Row], bytes: &[u8], reasons: &[&str]) -> Done {
    let answer = import(stage, bytes).await;
    let told = answer.as_ref().err().map(Refusal::code);
    ensure(told.is_some_and(|told| reasons.contains(&told)), || {
        format!("it was told {told:?}, not {reasons:?}")
    })?;
    for row in rows {
        let there = match bill::fetch(&stage.city, stage.pack.biller, &row.account_no).await {
            Ok(views) => views.iter().any(|view| view.bill.bill_no == row.bill_no),
            Err(_) => false,
        };
        ensure(!there, || format!("{} was taken in all the same", row.bill_no))?;
    }
    Ok(())
}

async fn wrong_count(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    if layout.totals.is_none() {
        return skip("files have no totals");
    }
    let rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    let mut pieces = file(&layout, &rows);
    pieces.total(&layout, 4, rows.iter().map(|row| row.amount).sum());
    refused_whole(stage, &rows, &pieces.bytes(), &["file_count_differs"]).await
}

async fn wrong_sum(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    if layout.totals.is_none() {
        return skip("files have no totals");
    }
    let rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    let mut pieces = file(&layout, &rows);
    pieces.total(&layout, 3, rows.iter().map(|row| row.amount).sum::<i64>() - 1);
    refused_whole(stage, &rows, &pieces.bytes(), &["file_sum_differs"]).await
}

async fn bad_trailer(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    let Some(totals) = layout.totals.clone() else { return skip("files have no totals") };
    let rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    let mut pieces = file(&layout, &rows);
    let spoilt = line(&layout, &totals.columns, |field| match field {
        Field::Tag => totals.tag.clone(),
        Field::Count => "x".to_owned(),
        Field::Sum => "1".to_owned(),
        _ => String::new(),
    });
    match totals.at {
        At::First => pieces.first = Some(spoilt),
        At::Last => pieces.last = Some(spoilt),
    }
    refused_whole(stage, &rows, &pieces.bytes(), &["file_totals_malformed"]).await
}

async fn missing_trailer(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    if layout.totals.is_none() {
        return skip("files have no totals");
    }
    let rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    let mut pieces = file(&layout, &rows);
    (pieces.first, pieces.last) = (None, None);
    let reasons = ["file_totals_missing", "file_totals_malformed", "file_count_differs"];
    refused_whole(stage, &rows, &pieces.bytes(), &reasons).await
}

async fn truncated(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    let rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    let mut pieces = file(&layout, &rows);
    // In the middle of the second record: what comes after is lost.
    let first = encode(&layout, &rows[1].account_no).len().min(pieces.records[1].len() - 1).max(1);
    pieces.records.truncate(2);
    pieces.records[1].truncate(first);
    pieces.last = None;
    let mut bytes = pieces.bytes();
    bytes.truncate(bytes.len() - pieces.end.len());
    if layout.totals.is_some() {
        // The cut may lie in the middle of a character.
        let reasons = ["file_totals_missing", "file_count_differs", "file_encoding"];
        return refused_whole(stage, &rows, &bytes, &reasons).await;
    }
    let import = match import(stage, &bytes).await {
        Err(why) if why.code() == "file_encoding" => return Ok(()),
        import => import?,
    };
    let code = one_refused(stage, &import, 1).await?;
    ensure(code == "columns", || code)
}

async fn bad_encoding(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    let rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    let mut pieces = file(&layout, &rows);
    // No text in either encoding has this byte.
    pieces.records[2][0] = 0xFF;
    refused_whole(stage, &rows, &pieces.bytes(), &["file_encoding"]).await
}

async fn empty(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    if layout.totals.is_some() {
        let none = file(&layout, &[]);
        let import = import(stage, &none.bytes()).await?;
        return ensure(import.records == 0 && import.finished_at.is_some(), || {
            "no bills were some".to_owned()
        });
    }
    refused_whole(stage, &[], &file(&layout, &[]).bytes(), &["file_empty"]).await
}

async fn duplicate_row(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    let one = row(stage);
    let import = import(stage, &file(&layout, &[one.clone(), one.clone()]).bytes()).await?;
    ensure((import.added, import.unchanged, import.refused) == (1, 1, 0), || {
        format!("{} new, {} the same, {} refused", import.added, import.unchanged, import.refused)
    })
}

async fn duplicate_file(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    let rows: Vec<Row> = (0..3).map(|_| row(stage)).collect();
    let bytes = file(&layout, &rows).bytes();
    let (first, again) = (import(stage, &bytes).await?, import(stage, &bytes).await?);
    ensure(first.id == again.id && again.added == 3, || "the same file was another import".to_owned())?;
    let views = bill::fetch(&stage.city, stage.pack.biller, &rows[0].account_no).await?;
    let same = views.iter().filter(|view| view.bill.bill_no == rows[0].bill_no).count();
    ensure(same == 1, || format!("the bill is there {same} times"))
}

async fn changed(stage: &mut Stage) -> Done {
    let layout = layout(stage)?;
    let one = row(stage);
    let import_of = |rows: &[Row]| file(&layout, rows).bytes();
    import(stage, &import_of(std::slice::from_ref(&one))).await?;
    let other = Row { amount: one.amount + 1, ..one.clone() };
    let second = import(stage, &import_of(&[other])).await?;
    let code = one_refused(stage, &second, 0).await?;
    ensure(code == "bill_differs", || code)?;
    let views = bill::fetch(&stage.city, stage.pack.biller, &one.account_no).await?;
    let kept = views.iter().find(|view| view.bill.bill_no == one.bill_no).map(|view| view.bill.amount_minor);
    ensure(kept == Some(one.amount), || format!("{kept:?} and not {}", one.amount))
}

/// Bills that were due some days ago, priced a second time, and paid where no one is asked.
async fn late_fee(stage: &mut Stage, paying: bool) -> Done {
    let layout = layout(stage)?;
    let rule = stage.pack.spec.late_fee.clone();
    let mut rows = Vec::new();
    let mut due = stage.today();
    for days in [0, 1, 1, 3, 5, 11, 30, 90] {
        for _ in 0..days {
            due = due.yesterday().unwrap_or(due);
        }
        let one = row(stage);
        let period =
            u32::try_from(due.year()).unwrap_or(2026) * 100 + u32::try_from(due.month()).unwrap_or(1);
        rows.push(Row { period, due, ..one });
    }
    let import = import(stage, &file(&layout, &rows).bytes()).await?;
    ensure(import.added == rows.len() as u64, || "the bills were not taken in".to_owned())?;
    for (at, row) in rows.iter().enumerate() {
        let views = bill::fetch(&stage.city, stage.pack.biller, &row.account_no).await?;
        let view = views.iter().find(|view| view.bill.bill_no == row.bill_no);
        let view = view.ok_or_else(|| Ended::Failed("the bill is not shown".to_owned()))?;
        let wanted = naive::late_fee(&rule, row.amount, view.bill.due, stage.today());
        ensure(view.quote.late_fee_minor == wanted, || {
            format!(
                "{} fen due on {}: {} and not {wanted}",
                row.amount, view.bill.due, view.quote.late_fee_minor
            )
        })?;
        if paying && at % 2 == 1 {
            let wish = stage.wish(&row.account_no, &row.bill_no).await?;
            let paid = stage.pay(&wish).await?;
            ensure(paid.settled.late_fee_minor == wanted, || {
                format!("{} paid", paid.settled.late_fee_minor)
            })?;
            ensure(paid.settled.amount_minor == row.amount + wanted, || "the sum differs".to_owned())?;
        }
    }
    if rule.is_empty() { skip("lateness costs nothing: no fee was charged") } else { Ok(()) }
}

async fn one_bill(stage: &mut Stage) -> Result<(Row, PayBill), Ended> {
    let layout = layout(stage)?;
    let one = row(stage);
    import(stage, &file(&layout, std::slice::from_ref(&one)).bytes()).await?;
    let wish = stage.wish(&one.account_no, &one.bill_no).await?;
    Ok((one, wish))
}

async fn happy(stage: &mut Stage) -> Done {
    let (row, wish) = one_bill(stage).await?;
    let paid = stage.pay(&wish).await?;
    ensure(paid.state == PayState::Settled && !paid.repeated, || "it was not settled".to_owned())?;
    ensure(paid.settled.amount_minor == row.amount, || format!("{} paid", paid.settled.amount_minor))?;
    let again = stage.pay(&wish).await?;
    ensure(again.repeated && again.settled.payment == paid.settled.payment, || {
        "it was paid twice".to_owned()
    })?;
    let views = bill::fetch(&stage.city, stage.pack.biller, &row.account_no).await?;
    let view = views.iter().find(|view| view.bill.bill_no == row.bill_no);
    let settled = view.is_some_and(|view| matches!(view.standing, Standing::Settled(_)));
    ensure(settled, || "the bill is still open".to_owned())
}

async fn at_once(stage: &mut Stage) -> Done {
    let (_, wish) = one_bill(stage).await?;
    let other = PayBill { request_id: Some("other".to_owned()), ..wish.clone() };
    let (one, two) = tokio::join!(
        bill::pay(&stage.city, &stage.payers[0], wish),
        bill::pay(&stage.city, &stage.payers[1], other)
    );
    match (one, two) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => {
            stage.note(&won).await?;
            ensure(["bill_claimed", "bill_already_settled"].contains(&lost.code()), || lost.code().to_owned())
        }
        (one, two) => Err(Ended::Failed(format!("{one:?} and {two:?}"))),
    }
}

/// Amounts that a rule does not take for what is due.
pub fn refused_amounts(spec: &Spec, due: i64) -> Vec<i64> {
    let (below, above): (&[i64], &[i64]) = (&[due - 1], &[due + 1]);
    let more = match spec.bills.amount_rule {
        AmountRule::Exact => [below, above].concat(),
        AmountRule::UpTo => above.to_vec(),
        AmountRule::AtLeast => below.to_vec(),
        AmountRule::Any => Vec::new(),
    };
    [0, -1].into_iter().chain(more).collect()
}

async fn amount_rule(stage: &mut Stage) -> Done {
    let (row, wish) = one_bill(stage).await?;
    for wrong in refused_amounts(&stage.pack.spec, row.amount) {
        let answer = stage.pay(&PayBill { amount_minor: Some(wrong), ..wish.clone() }).await;
        let told = answer.as_ref().err().map(Refusal::code);
        ensure(told == Some("amount_unacceptable"), || format!("{wrong} for {}: {answer:?}", row.amount))?;
    }
    let other = match stage.pack.spec.bills.amount_rule {
        AmountRule::Exact => row.amount,
        AmountRule::UpTo => (row.amount - 1).max(1),
        AmountRule::AtLeast | AmountRule::Any => row.amount + 1,
    };
    let paid = stage.pay(&PayBill { amount_minor: Some(other), ..wish }).await?;
    ensure(paid.settled.amount_minor == other, || format!("{} paid for {other}", paid.settled.amount_minor))
}

async fn expired(stage: &mut Stage) -> Done {
    let (row, wish) = one_bill(stage).await?;
    stage.pass(u64::from(stage.pack.spec.bills.quote_valid_s) + 1);
    let answer = stage.pay(&wish).await;
    let told = answer.as_ref().err().map(Refusal::code);
    ensure(told == Some("quote_expired"), || format!("{answer:?}"))?;
    let wish = stage.wish(&row.account_no, &row.bill_no).await?;
    stage.pay(&wish).await?;
    Ok(())
}

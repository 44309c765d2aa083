//! `yima pack docs`: a pack as a page for the people who build the biller's side.

use std::fmt::Write as _;
use std::path::PathBuf;

use channel::direct::counterpart::example_answer;
use channel::direct::question::{self, Facts};
use channel::direct::spec::{Auth, Call, Spec as Direct};
use channel::secrets::Held;
use channel::{Debt, Meaning, Payment};
use city::bill::Pack;
use city::bill::calendar::Calendar;
use city::bill::layout::{At, Column, Field, Layout, Shape};
use city::bill::pack::Method;
use kernel::{Timestamp, UtcOffset};

use crate::config::Fail;

/// The options of `yima pack docs`.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// The pack.
    pack: PathBuf,
}

pub fn run(options: &Options) -> Result<(), Fail> {
    let text = std::fs::read_to_string(&options.pack)
        .map_err(|e| Fail::new(format!("{}: {e}", options.pack.display())))?;
    print!("{}", page(&Pack::parse(&text)?)?);
    Ok(())
}

/// What the examples show.
struct Sample {
    payment: Payment,
    debt: Debt,
    at: Timestamp,
}

fn page(pack: &Pack) -> Result<String, Fail> {
    let spec = &pack.spec;
    let at: Timestamp = "2026-03-02T01:30:00Z".parse()?;
    let account_no = spec.account.examples.first().cloned().unwrap_or_default();
    let debt = Debt {
        bill_no: "B202602001".to_owned(),
        amount_minor: 15_230,
        due: Some("2026-03-25".parse()?),
        period: 202_602,
        holder: "王小明".to_owned(),
    };
    let payment = Payment {
        id: "pay_01h2xcejqtf2nbrexx3vqjhp41".to_owned(),
        institution: String::new(),
        account_no,
        bill_no: debt.bill_no.clone(),
        period: debt.period,
        amount_minor: debt.amount_minor,
        at,
    };
    let sample = Sample { payment, debt, at };
    let mut out = format!("# {} / {}\n\n", spec.name.zh, spec.name.en);
    writeln!(
        out,
        "Pack `{}`, {}, region {}. Version {}.\n",
        spec.id,
        spec.category.name(),
        spec.region,
        &pack.hash[..12]
    )?;
    let label = spec.account.label.clone().unwrap_or_else(|| spec.category.account_label());
    writeln!(out, "## Account numbers ({} / {})\n", label.zh, label.en)?;
    writeln!(out, "Pattern `{}`: `#` a digit, `@` a letter, `*` either.\n", spec.account.pattern)?;
    writeln!(out, "- accepted: `{}`", spec.account.examples.join("`, `"))?;
    writeln!(out, "- refused: `{}`\n", spec.account.counter_examples.join("`, `"))?;
    if let Some(file) = &spec.bills.file {
        writeln!(out, "## Bill files, from the biller\n")?;
        layout(&mut out, file, &sample)?;
    }
    for channel in &spec.channels {
        writeln!(out, "## Channel `{}` ({})\n", channel.name, channel.way().name())?;
        if let Some(bank) = &channel.bank {
            writeln!(out, "By the line `{}` to a bank, as institution `{}`.\n", bank.line, bank.institution)?;
        }
        if let Some(by) = &channel.provider {
            writeln!(out, "By the provider `{}`, as institution `{}`.\n", by.connection, by.institution)?;
        }
        if let Some(direct) = &channel.direct {
            calls(&mut out, direct, &sample)?;
        }
    }
    let terms = &spec.settlement;
    writeln!(out, "## Settlement\n")?;
    let method = match terms.method {
        Method::Net => "kept out of the payout",
        Method::Gross => "invoiced; the payout is whole",
    };
    let days = match terms.calendar {
        Calendar::Natural => "days",
        Calendar::Workdays => "workdays",
    };
    writeln!(
        out,
        "Paid out {} {days} after the payment. Fee: {} basis points, {method}.\n",
        terms.days, terms.fee_bps
    )?;
    writeln!(out, "### The day's file, to the biller\n")?;
    layout(&mut out, &terms.file, &sample)?;
    writeln!(out, "### The file that the biller returns\n")?;
    layout(&mut out, pack.returned(), &sample)?;
    Ok(out)
}

/// A layout: its columns, and a file of one line.
fn layout(out: &mut String, layout: &Layout, sample: &Sample) -> Result<(), Fail> {
    let fixed = layout.shape == Shape::Fixed;
    let shape = match layout.delimiter {
        Some(delimiter) if !fixed => format!("columns between `{delimiter}`"),
        _ => "fixed width in bytes".to_owned(),
    };
    writeln!(out, "{:?}, {shape}, amounts in {:?}.\n", layout.encoding, layout.amount)?;
    writeln!(out, "| column | field |{}", if fixed { " bytes |" } else { "" })?;
    writeln!(out, "|---|---|{}", if fixed { "---|" } else { "" })?;
    for (at, column) in layout.columns.iter().enumerate() {
        let width = column.width.map_or_else(String::new, |width| format!(" {width} |"));
        writeln!(out, "| {} | `{}` |{width}", at + 1, column.field.name())?;
    }
    let mut file = Vec::new();
    for line in &layout.header {
        layout.write_line(&mut file, line);
    }
    let mut write = |columns: &[Column]| {
        let value = |field| match field {
            Field::AccountNo => sample.payment.account_no.clone(),
            Field::BillNo => "B1".to_owned(),
            Field::Holder => sample.debt.holder.clone(),
            Field::Period => layout.period_text(sample.debt.period),
            Field::Amount | Field::Net | Field::Sum => layout.amount_text(sample.debt.amount_minor),
            Field::Due => sample.debt.due.map_or_else(String::new, |due| layout.date_text(due)),
            Field::Reference => sample.payment.id.clone(),
            Field::PaidOn => layout.date_text(sample.at.date(UtcOffset::CHINA)),
            Field::LateFee | Field::Fee => layout.amount_text(0),
            Field::Tag => layout.totals.as_ref().map_or_else(String::new, |totals| totals.tag.clone()),
            Field::Count => "1".to_owned(),
            Field::Ignore => String::new(),
        };
        layout
            .write(&mut file, columns, value)
            .map_err(|wide| Fail::new(format!("{} does not fit its column", wide.0.name())))
    };
    let totals = |at: At| layout.totals.as_ref().filter(|totals| totals.at == at);
    if let Some(first) = totals(At::First) {
        write(&first.columns)?;
    }
    write(&layout.columns)?;
    if let Some(last) = totals(At::Last) {
        write(&last.columns)?;
    }
    let shown = layout.decode(&file).ok_or_else(|| Fail::new("the example is not in its encoding"))?;
    writeln!(out, "\n```text\n{}```\n", shown.replace('\r', ""))?;
    Ok(())
}

/// The calls of a channel, each with a request and the answer that says yes.
fn calls(out: &mut String, direct: &Direct, sample: &Sample) -> Result<(), Fail> {
    writeln!(out, "| code | meaning |\n|---|---|")?;
    for (code, meaning) in &direct.codes {
        writeln!(out, "| `{code}` | {meaning:?} |")?;
    }
    let signed = match &direct.auth {
        Auth::None => "Requests are not signed.".to_owned(),
        Auth::Basic { .. } => "Requests have HTTP basic authentication.".to_owned(),
        Auth::HmacSha256 { header, text, .. } => {
            format!("`{header}` is the HMAC-SHA-256 of `{text}`, in hexadecimal.")
        }
        Auth::RsaSha256 { header, text, .. } => {
            format!("`{header}` is the RSA signature (PKCS#1 v1.5, SHA-256) of `{text}`, in base64.")
        }
    };
    writeln!(out, "\n{signed} A code that is not listed is taken for silence: the outcome is asked for.\n")?;
    let asked = [
        ("query", direct.query.as_ref()),
        ("pay", Some(&direct.pay)),
        ("inquire", Some(&direct.inquire)),
        ("reverse", Some(&direct.reverse)),
        ("refund", direct.refund.as_ref()),
        ("probe", direct.probe.as_ref()),
    ];
    let unsigned = Direct { auth: Auth::None, ..direct.clone() };
    for (name, call) in asked {
        let Some(call) = call else { continue };
        writeln!(out, "### {name}\n\n```http\n{}```\n", request(&unsigned, call, sample)?)?;
        let debts = if name == "query" { std::slice::from_ref(&sample.debt) } else { &[] };
        if let Some(answer) = example_answer(direct, call, Meaning::Ok, debts) {
            writeln!(out, "Answer:\n\n```\n{answer}\n```\n")?;
        }
    }
    Ok(())
}

fn request(direct: &Direct, call: &Call, sample: &Sample) -> Result<String, Fail> {
    let facts = Facts {
        payment: &sample.payment,
        reason: "R-1",
        now: sample.at,
        offset: UtcOffset::CHINA,
        nonce: "0123456789abcdef0123456789abcdef",
    };
    let made = question::request(direct, call, &facts, &Held::default())
        .map_err(|why| Fail::new(why.to_string()))?;
    let mut text = format!("{} {} HTTP/1.1\n", made.method, made.path);
    for (name, value) in &made.headers {
        writeln!(text, "{name}: {value}")?;
    }
    if !made.body.is_empty() {
        writeln!(text, "\n{}", made.body.trim_end())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_pack_has_a_page() {
        for pack in city::bill::shipped_packs() {
            let page = page(pack).unwrap_or_else(|why| panic!("{}: {why}", pack.spec.id));
            for part in ["## Account numbers", "## Settlement", &pack.spec.name.zh] {
                assert!(page.contains(part), "{}: {part}", pack.spec.id);
            }
            for channel in &pack.spec.channels {
                let asked = channel.direct.is_some();
                assert_eq!(page.contains("### pay"), asked, "{}", pack.spec.id);
            }
        }
    }
}

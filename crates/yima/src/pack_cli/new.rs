//! `yima pack new`: a pack to begin with. It is right as it is printed; what is the author's to change is marked.

use city::bill::{Category, Pack};

use crate::config::Fail;

/// The options of `yima pack new`.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// The pack's own name: 3 to 40 of a-z, 0-9 and -.
    #[arg(long)]
    id: String,
    /// What the biller is called, in Chinese.
    #[arg(long)]
    name_zh: String,
    /// What the biller is called, in English.
    #[arg(long)]
    name_en: String,
    /// What it bills: power, water, gas, …
    #[arg(long)]
    category: String,
    /// Where: six digits of GB/T 2260.
    #[arg(long)]
    region: String,
    /// How it is reached.
    #[arg(long, value_enum)]
    way: Way,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It hands over files.
    File,
    /// It is asked itself, over HTTP.
    Direct,
    /// A bank that carries it is asked.
    Bank,
    /// A service provider that has it is asked.
    Provider,
}

pub fn run(options: &Options) -> Result<(), Fail> {
    print!("{}", text(options)?);
    Ok(())
}

/// The pack, proved.
fn text(options: &Options) -> Result<String, Fail> {
    let category: Category = serde_json::from_value(serde_json::Value::from(options.category.as_str()))
        .map_err(|why| Fail::new(format!("category: {why}")))?;
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut made = format!(
        "#:schema ./schema.json\n\
         # (`yima pack schema > schema.json` beside it: editors then complete the keys.)\n\
         # A biller's pack. Change what is marked with CHANGE; `yima pack check` proves it,\n\
         # docs/reference/packs.md explains every key.\n\
         id = {}\ncategory = {}\nregion = {}\n\n[name]\nzh = {}\nen = {}\n\n",
        quoted(&options.id),
        quoted(category.name()),
        quoted(&options.region),
        quoted(&options.name_zh),
        quoted(&options.name_en),
    );
    made.push_str(ACCOUNT);
    made.push_str(match options.way {
        Way::File => FILE,
        Way::Direct => DIRECT,
        Way::Bank => BANK,
        Way::Provider => PROVIDER,
    });
    made.push_str(SETTLEMENT);
    Pack::parse(&made)?;
    Ok(made)
}

const ACCOUNT: &str = r#"# CHANGE: one character per position: # a digit, @ a letter, * either, anything else itself.
[account]
pattern = "1#########"
# CHANGE: how the last digit follows from the others: none, luhn, mod11_2, mod97_10 or weighted.
check = "none"
# CHANGE: real numbers that must be accepted, and wrong ones that must be refused.
examples = ["1234567890"]
counter_examples = ["123456789"]

"#;

const FILE: &str = r#"[bills]
source = "file"
# CHANGE: exact (what is due), up_to, at_least or any.
amount_rule = "exact"

# CHANGE: how the biller writes its bill files. This reads
#   1234567890|B-1|王小明|202603|152.30|2026-04-25
#   TOTAL|1|152.30
[bills.file]
shape = "delimited"
delimiter = "|"
encoding = "utf-8"
amount = "yuan"
date = "YYYY-MM-DD"
columns = [
    { field = "account_no" },
    { field = "bill_no" },
    { field = "holder" },
    { field = "period" },
    { field = "amount" },
    { field = "due" },
]

[bills.file.totals]
at = "last"
tag = "TOTAL"
columns = [{ field = "tag" }, { field = "count" }, { field = "sum" }]

"#;

const DIRECT: &str = r#"[bills]
source = "live"
# CHANGE: exact (what is due), up_to, at_least or any.
amount_rule = "exact"

# Where the biller is stands in the server's configuration: [door."ID/main"].
[[channels]]
name = "main"
timeout_s = 8

# CHANGE: what the biller's result codes mean. One that is not here is silence: the outcome is asked for.
[channels.direct]
format = "json"
code = "code"
codes = { "0" = "ok", "1" = "duplicate", "2" = "unknown", "3" = "account_unknown", "4" = "nothing_due", "5" = "amount_differs", "6" = "already_paid", "9" = "refused" }
headers = { "x-time" = "{timestamp_ms}" }

# CHANGE: how a request proves who sent it; the secret's file stands in the configuration.
[channels.direct.auth]
kind = "hmac-sha256"
secret = "key"
header = "x-sign"
text = "{method}&{path}&{timestamp_ms}&{body}"

# CHANGE: the five questions, as the biller wants them put.
[channels.direct.query]
method = "GET"
path = "/debts/{account_no}"

[channels.direct.query.debts]
at = "bills"
bill_no = "no"
amount = "amount"
unit = "yuan"
due = "due"
period = "month"
holder = "name"

[channels.direct.pay]
path = "/payments"
body = '{"id":"{payment}","account":"{account_no}","bill":"{bill_no}","amount":"{amount.yuan}"}'

[channels.direct.inquire]
method = "GET"
path = "/payments/{payment}"

[channels.direct.reverse]
path = "/reversals"
body = '{"id":"{payment}","account":"{account_no}","bill":"{bill_no}","amount":"{amount.yuan}"}'

[channels.direct.refund]
path = "/refunds"
body = '{"id":"{payment}","refund":"{reason}","amount":"{amount.yuan}"}'

"#;

const BANK: &str = r#"[bills]
source = "live"
# CHANGE: exact (what is due), up_to, at_least or any.
amount_rule = "exact"

# CHANGE: the bank's line as the server's configuration names it, [line.NAME], and the bank's number of the biller.
[[channels]]
name = "bank"

[channels.bank]
line = "bank"
institution = "0000001"

"#;

const PROVIDER: &str = r#"[bills]
source = "live"
# CHANGE: exact (what is due), up_to, at_least or any.
amount_rule = "exact"

# CHANGE: the connection as the server's configuration names it, [provider.NAME], and the provider's number of the biller.
[[channels]]
name = "provider"

[channels.provider]
connection = "provider"
institution = "0000001"

"#;

const SETTLEMENT: &str = r#"# CHANGE: net (less the fee) or gross; the fee in basis points; paid out so many days after the payment.
[settlement]
method = "net"
fee_bps = 10
days = 1
calendar = "workdays"

# CHANGE: the file that the biller gets for each day, and returns.
[settlement.file]
shape = "delimited"
delimiter = "|"
encoding = "utf-8"
amount = "yuan"
date = "YYYY-MM-DD"
columns = [
    { field = "reference" },
    { field = "account_no" },
    { field = "bill_no" },
    { field = "amount" },
    { field = "late_fee" },
    { field = "fee" },
    { field = "net" },
    { field = "paid_on" },
]

[settlement.file.totals]
at = "last"
tag = "TOTAL"
columns = [{ field = "tag" }, { field = "count" }, { field = "sum" }]
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn options(way: Way) -> Options {
        Options {
            id: "xx-power".to_owned(),
            name_zh: "某地\"供电\"".to_owned(),
            name_en: "Some Power".to_owned(),
            category: "power".to_owned(),
            region: "330100".to_owned(),
            way,
        }
    }

    #[test]
    fn what_is_printed_is_a_pack_for_every_way() {
        for way in [Way::File, Way::Direct, Way::Bank, Way::Provider] {
            let made = text(&options(way)).unwrap_or_else(|why| panic!("{way:?}: {why}"));
            assert!(made.starts_with("#:schema ") && made.contains("# CHANGE"), "{way:?}");
            let pack = Pack::parse(&made).unwrap();
            assert_eq!(pack.spec.name.zh, "某地\"供电\"");
            assert_eq!(pack.spec.channels.is_empty(), way == Way::File);
        }
    }

    #[test]
    fn a_value_that_makes_no_sense_is_told_by_its_key() {
        let wrong = Options { category: "steam".to_owned(), ..options(Way::File) };
        assert!(text(&wrong).unwrap_err().to_string().starts_with("category: unknown variant `steam`"));
        let wrong = Options { region: "3301".to_owned(), ..options(Way::File) };
        assert!(text(&wrong).unwrap_err().to_string().starts_with("region: "));
    }
}

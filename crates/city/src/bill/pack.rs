//! A biller pack: one TOML file that says all there is to know of a biller. Pure.
//!
//! Must never accept a pack that could misread a bill: unknown keys are refused, and the account
//! rule is proved on its own examples. The reference is `docs/reference/packs.md`.

use std::fmt;

use channel::iso20022::Party;
use kernel::Date;
use kernel::ids::BillerId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::account::AccountRule;
use super::calendar::Calendar;
use super::fee;
use super::layout::{Field, Layout};
use super::route::spec::{self as channels, Channel};

/// A biller, as its pack describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Derived from the pack's own `id`: the same on every node, forever.
    pub biller: BillerId,
    /// SHA-256 of the text, in hexadecimal: the version of its rules.
    pub hash: String,
    /// What the text says.
    pub spec: Spec,
    /// The text itself.
    pub text: String,
}

/// The keys of a pack.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Unique, never changed: `hz-power`.
    pub id: String,
    /// What people call the biller.
    pub name: Name,
    /// What it bills.
    pub category: Category,
    /// Where, six digits of GB/T 2260.
    pub region: String,
    /// What the city of that region is called.
    pub city: Option<Name>,
    /// It takes no new payments; what was paid stays as it is.
    #[serde(default)]
    pub closed: bool,
    /// What an account number looks like.
    pub account: AccountRule,
    /// How bills come and what may be paid.
    pub bills: Bills,
    /// What lateness costs, by version; nothing when there is none.
    #[serde(default, deserialize_with = "fee::versions")]
    pub late_fee: Vec<LateFee>,
    /// The ways to it, where it is asked; see [`super::route`].
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// When a cut account is ordered to be restored.
    #[serde(default)]
    pub supply: super::restore::Terms,
    /// What files are called that are exchanged through a folder; see [`super::exchange`].
    pub exchange: Option<super::exchange::rules::Exchange>,
    /// How the biller gets the money.
    pub settlement: Settlement,
}

/// The name in two languages.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Chinese.
    #[schema(example = "杭州供电")]
    pub zh: String,
    /// English.
    #[schema(example = "Hangzhou Power")]
    pub en: String,
}

/// What a biller bills.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Electricity.
    Power,
    /// Water.
    Water,
    /// Gas.
    Gas,
    /// Broadband and fixed line.
    Broadband,
    /// Mobile telephone.
    Mobile,
    /// Fines for traffic offences.
    TrafficFine,
    /// District heating.
    Heating,
    /// Property management.
    Property,
    /// Taxes.
    Tax,
    /// Cable and internet television.
    Tv,
    /// School and kindergarten fees.
    Tuition,
    /// Contributions to social insurance.
    SocialInsurance,
    /// Parking.
    Parking,
    /// Hospitals.
    Hospital,
    /// Anything else.
    Other,
}

impl Category {
    /// The name in packs and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Category::Power => "power",
            Category::Water => "water",
            Category::Gas => "gas",
            Category::Broadband => "broadband",
            Category::Mobile => "mobile",
            Category::TrafficFine => "traffic_fine",
            Category::Heating => "heating",
            Category::Property => "property",
            Category::Tax => "tax",
            Category::Tv => "tv",
            Category::Tuition => "tuition",
            Category::SocialInsurance => "social_insurance",
            Category::Parking => "parking",
            Category::Hospital => "hospital",
            Category::Other => "other",
        }
    }
}

impl Category {
    /// What an account number is called on the paper of most such billers.
    pub fn account_label(self) -> Name {
        let (zh, en) = match self {
            Category::Broadband => ("宽带账号", "Broadband account"),
            Category::Mobile => ("手机号码", "Mobile number"),
            Category::TrafficFine => ("决定书编号", "Decision number"),
            Category::Tax => ("税单号", "Tax bill number"),
            Category::Tv => ("智能卡号", "Smart card number"),
            Category::Tuition => ("学号", "Student number"),
            Category::SocialInsurance => ("缴费登记号", "Contributor number"),
            Category::Parking => ("停车单号", "Parking ticket number"),
            Category::Hospital => ("就诊卡号", "Patient card number"),
            Category::Power
            | Category::Water
            | Category::Gas
            | Category::Heating
            | Category::Property
            | Category::Other => ("户号", "Account number"),
        };
        Name { zh: zh.to_owned(), en: en.to_owned() }
    }
}

/// How bills come and what may be paid.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Bills {
    /// Where they come from.
    pub source: Source,
    /// What amounts are taken.
    pub amount_rule: AmountRule,
    /// Files and debts without a due date: due so many days after the end of the month billed.
    pub due_days_after_period: Option<u32>,
    /// How long a quote stands, in seconds.
    #[serde(default = "default_quote_s")]
    pub quote_valid_s: u32,
    /// How long a claim holds the bill at most, in seconds.
    #[serde(default = "default_claim_s")]
    pub claim_timeout_s: u32,
    /// Whether a bill may be paid in parts.
    #[serde(default)]
    pub parts: bool,
    /// The least part, minor units; [`PART_MIN_MINOR`] when absent.
    pub part_min_minor: Option<i64>,
    /// Which of an account's bills may be paid first.
    #[serde(default)]
    pub order: Order,
    /// Whether residents may pay in advance, before there is a bill.
    #[serde(default)]
    pub advance: bool,
    /// When an advance pays the account's bills.
    #[serde(default)]
    pub advance_use: AdvanceUse,
    /// The layout of bill files, where bills come by file.
    pub file: Option<Layout>,
}

/// The least part of a bill where its pack says nothing, minor units.
pub const PART_MIN_MINOR: i64 = 100;

/// Which of an account's bills may be paid first.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Whichever the payer likes.
    #[default]
    Any,
    /// None before those due before it.
    OldestFirst,
}

/// When the money held for an account pays its bills.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdvanceUse {
    /// When a resident who keeps the account, or an operator, says so.
    #[default]
    Asked,
    /// By itself, as soon as it covers one.
    Auto,
}

fn default_quote_s() -> u32 {
    900
}

fn default_claim_s() -> u32 {
    120
}

/// Where bills come from.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Files that the biller hands over.
    File,
    /// The biller is asked each time somebody wants to know.
    Live,
}

/// What amounts a payment may have. A bill takes one payment, or several where [`Bills::parts`] says so; what one payment
/// leaves open comes with the biller's next bill, what it overpays is the biller's to credit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AmountRule {
    /// What is due, to the minor unit.
    Exact,
    /// Anything up to what is due.
    UpTo,
    /// What is due or more.
    AtLeast,
    /// Anything.
    Any,
}

/// What lateness costs: a rate for each day, or an amount once.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct LateFee {
    /// In force from this day on; ever since when absent.
    #[serde(default, deserialize_with = "fee::first_day")]
    pub from: Option<Date>,
    /// Basis points of the bill's amount for each day charged.
    pub bps_per_day: Option<u32>,
    /// Minor units, once.
    pub fixed_minor: Option<i64>,
    /// Days late that cost nothing.
    #[serde(default)]
    pub grace_days: u32,
    /// The fee never exceeds so many basis points of the bill's amount.
    pub cap_bps: Option<u32>,
    /// Which days count; with `workdays` a due date on a day of rest moves to the next workday.
    #[serde(default)]
    pub calendar: Calendar,
    /// What a payment that does not cover all pays first.
    #[serde(default)]
    pub order: FeeOrder,
}

/// What a payment that does not cover all pays first.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeeOrder {
    /// The bill itself.
    #[default]
    PrincipalFirst,
    /// The late fee.
    FeeFirst,
}

/// How the biller gets the money.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// Whether the fee is kept out of the payout.
    pub method: Method,
    /// What the biller pays for collection, in basis points of each payment, rounded half up.
    pub fee_bps: u32,
    /// Paid out so many days after the day of payment.
    pub days: u32,
    /// Which days count for that.
    #[serde(default)]
    pub calendar: Calendar,
    /// Its account, where a bank is asked to pay out; by hand when absent.
    pub payout: Option<Party>,
    /// The layout of the settlement file.
    pub file: Layout,
    /// The layout of the file the biller returns; that of the settlement file when absent.
    pub returned: Option<Layout>,
}

/// Whether the fee is kept out of the payout.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Paid out less the fee.
    Net,
    /// Paid out in full, the fee is invoiced.
    Gross,
}

/// Why a text is no biller pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackError {
    /// No TOML, an unknown key, a missing key or a value of the wrong type; says which and where.
    Malformed(String),
    /// A value that makes no sense: its key and why.
    Invalid(String, String),
    /// The account rule does not do what an example says: key, example and why.
    Example(String, String, String),
}

impl PackError {
    pub(super) fn invalid(key: &str, why: &str) -> PackError {
        PackError::Invalid(key.to_owned(), why.to_owned())
    }

    pub(super) fn example(key: &str, example: &str, why: &str) -> PackError {
        PackError::Example(key.to_owned(), example.to_owned(), why.to_owned())
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            PackError::Malformed(_) => "pack_malformed",
            PackError::Invalid(..) => "pack_invalid",
            PackError::Example(..) => "pack_example",
        }
    }
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackError::Malformed(why) => write!(f, "the pack cannot be read: {why}"),
            PackError::Invalid(key, why) => write!(f, "{key}: {why}"),
            PackError::Example(key, example, why) => write!(f, "{key}: {example}: {why}"),
        }
    }
}

impl std::error::Error for PackError {}

/// Whether a text may be the id of a pack: 3 to 40 characters of a-z, 0-9 and -.
pub fn is_pack_id(text: &str) -> bool {
    let slug = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (3..=40).contains(&text.len()) && text.bytes().all(slug)
}

/// The biller whose pack has this id.
pub fn biller_of(pack_id: &str) -> BillerId {
    BillerId::derive(&[b"pack", pack_id.as_bytes()])
}

impl Pack {
    /// Reads a pack and proves it.
    pub fn parse(text: &str) -> Result<Pack, PackError> {
        let spec: Spec = toml::from_str(text).map_err(|e| malformed(text, &e))?;
        spec.validate()?;
        let hash = kernel::hex(&Sha256::digest(text.as_bytes()));
        let biller = biller_of(&spec.id);
        Ok(Pack { biller, hash, spec, text: text.to_owned() })
    }

    /// The layout of the file that the biller returns.
    pub fn returned(&self) -> &Layout {
        self.spec.settlement.returned.as_ref().unwrap_or(&self.spec.settlement.file)
    }
}

fn malformed(text: &str, error: &toml::de::Error) -> PackError {
    let line = error.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
    PackError::Malformed(format!("line {line}: {}", error.message().trim()))
}

impl Name {
    /// Whether people can read both as a name; `key` is where they stand in the pack.
    pub(super) fn validate(&self, key: &str) -> Result<(), PackError> {
        for (language, name) in [("zh", &self.zh), ("en", &self.en)] {
            let length = name.chars().count();
            if !(1..=60).contains(&length) || name.trim() != name || name.chars().any(char::is_control) {
                let why = "1 to 60 characters without outer spaces";
                return Err(PackError::invalid(&format!("{key}.{language}"), why));
            }
        }
        Ok(())
    }
}

impl Spec {
    fn validate(&self) -> Result<(), PackError> {
        let invalid = |key: &str, why: &str| Err(PackError::invalid(key, why));
        if !is_pack_id(&self.id) {
            return invalid("id", "3 to 40 characters of a-z, 0-9 and -");
        }
        self.name.validate("name")?;
        if let Some(city) = &self.city {
            city.validate("city")?;
        }
        if crate::region::place(&self.region).is_none() {
            return invalid("region", "six digits of GB/T 2260, such as 330100");
        }
        self.account.validate()?;
        self.bills.validate()?;
        channels::validate(&self.channels, self.bills.source == Source::Live)?;
        fee::validate(&self.late_fee)?;
        self.supply.validate()?;
        if let Some(exchange) = &self.exchange {
            exchange.validate(self.bills.source)?;
        }
        self.settlement.validate()
    }
}

impl Bills {
    fn validate(&self) -> Result<(), PackError> {
        let invalid = |key: &str, why: &str| Err(PackError::invalid(key, why));
        if !(60..=86_400).contains(&self.quote_valid_s) {
            return invalid("bills.quote_valid_s", "60 to 86400");
        }
        if !(30..=86_400).contains(&self.claim_timeout_s) {
            return invalid("bills.claim_timeout_s", "30 to 86400");
        }
        self.validate_parts()?;
        let file = match (&self.file, self.source) {
            (Some(file), Source::File) => file,
            (None, Source::Live) => return self.validate_live(),
            (None, Source::File) => return invalid("bills.file", "needed where bills come by file"),
            (Some(_), Source::Live) => {
                return invalid("bills.file", "has no meaning where the biller is asked");
            }
        };
        file.validate("bills.file")?;
        require(file, "bills.file.columns", &[Field::AccountNo, Field::BillNo, Field::Amount])?;
        let has = |field| file.columns.iter().any(|c| c.field == field);
        match (has(Field::Due), self.due_days_after_period) {
            (true, Some(_)) => invalid("bills.due_days_after_period", "the file has a due date already"),
            (false, None) => invalid("bills.due_days_after_period", "needed where the file has no due date"),
            (false, Some(_)) if !has(Field::Period) => {
                invalid("bills.due_days_after_period", "needs the column period")
            }
            (false, Some(days)) if days > 366 => invalid("bills.due_days_after_period", "0 to 366"),
            _ => only(
                file,
                "bills.file.columns",
                &[Field::AccountNo, Field::BillNo, Field::Holder, Field::Period, Field::Amount, Field::Due],
            ),
        }
    }
}

impl Bills {
    fn validate_parts(&self) -> Result<(), PackError> {
        let invalid = |key: &str, why: &str| Err(PackError::invalid(key, why));
        match (self.parts, self.part_min_minor) {
            (true, _) if self.amount_rule != AmountRule::UpTo => {
                invalid("bills.parts", "needs amount_rule = \"up_to\"")
            }
            // One that is asked tells itself what a payment has left.
            (true, _) if self.source == Source::Live => invalid("bills.parts", "needs source = \"file\""),
            (false, Some(_)) => invalid("bills.part_min_minor", "has no meaning without parts"),
            (true, Some(least)) if !(1..=10_000_000).contains(&least) => {
                invalid("bills.part_min_minor", "1 to 10000000 minor units")
            }
            _ => Ok(()),
        }
    }

    fn validate_live(&self) -> Result<(), PackError> {
        match self.due_days_after_period {
            Some(days) if days > 366 => Err(PackError::invalid("bills.due_days_after_period", "0 to 366")),
            _ => Ok(()),
        }
    }
}

impl LateFee {
    pub(super) fn validate(&self, of: &str) -> Result<(), PackError> {
        let invalid = |key: &str, why: &str| {
            let key = if key.is_empty() { of.to_owned() } else { format!("{of}.{key}") };
            Err(PackError::invalid(&key, why))
        };
        match (self.bps_per_day, self.fixed_minor) {
            (Some(bps), None) if !(1..=1_000).contains(&bps) => {
                invalid("bps_per_day", "1 to 1000 basis points")
            }
            (None, Some(fixed)) if !(1..=10_000_000).contains(&fixed) => {
                invalid("fixed_minor", "1 to 10000000 minor units")
            }
            (Some(_), Some(_)) | (None, None) => invalid("", "either bps_per_day or fixed_minor"),
            _ if self.grace_days > 366 => invalid("grace_days", "0 to 366"),
            _ if self.cap_bps.is_some_and(|c| !(1..=100_000).contains(&c)) => {
                invalid("cap_bps", "1 to 100000 basis points")
            }
            _ => Ok(()),
        }
    }
}

impl Settlement {
    fn validate(&self) -> Result<(), PackError> {
        if self.fee_bps > 1_000 {
            return Err(PackError::invalid("settlement.fee_bps", "0 to 1000 basis points"));
        }
        if self.days > 30 {
            return Err(PackError::invalid("settlement.days", "0 to 30"));
        }
        if let Some(Err((key, why))) = self.payout.as_ref().map(Party::validate) {
            return Err(PackError::invalid(&format!("settlement.payout.{key}"), why));
        }
        self.file.validate("settlement.file")?;
        require(&self.file, "settlement.file.columns", &[Field::Reference, Field::Amount])?;
        let refuse_due =
            |layout: &Layout, key: &str| match layout.columns.iter().find(|c| c.field == Field::Due) {
                Some(_) => Err(PackError::invalid(key, "due has no meaning here")),
                None => Ok(()),
            };
        refuse_due(&self.file, "settlement.file.columns")?;
        let Some(returned) = &self.returned else { return Ok(()) };
        returned.validate("settlement.returned")?;
        refuse_due(returned, "settlement.returned.columns")?;
        require(returned, "settlement.returned.columns", &[Field::Reference, Field::Amount])
    }
}

fn require(layout: &Layout, key: &str, fields: &[Field]) -> Result<(), PackError> {
    match fields.iter().find(|f| !layout.columns.iter().any(|c| c.field == **f)) {
        Some(missing) => Err(PackError::invalid(key, &format!("{} is missing", missing.name()))),
        None => Ok(()),
    }
}

fn only(layout: &Layout, key: &str, fields: &[Field]) -> Result<(), PackError> {
    let known = |field: Field| field == Field::Ignore || fields.contains(&field);
    match layout.columns.iter().find(|c| !known(c.field)) {
        Some(other) => Err(PackError::invalid(key, &format!("{} has no meaning here", other.field.name()))),
        None => Ok(()),
    }
}

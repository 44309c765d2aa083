//! What a pack says of the ways to its biller.

use channel::direct::spec::Spec as Direct;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::pack::PackError;

/// A way to a biller.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Unique within the pack, never changed: claims name it. 1 to 40 of a-z, 0-9 and -.
    pub name: String,
    /// What it costs to send a payment this way, minor units.
    #[serde(default)]
    pub cost_minor: i64,
    /// And so many basis points of it.
    #[serde(default)]
    pub cost_bps: u32,
    /// When somebody is there, in the city's time: `["08:00-12:00", "13:30-22:00"]`; always when empty.
    #[serde(default)]
    pub hours: Vec<Hours>,
    /// How long one question may take, in seconds.
    #[serde(default = "default_timeout_s")]
    pub timeout_s: u32,
    /// How many questions a second the biller bears; as many as come when absent.
    pub rate_per_s: Option<u32>,
    /// The biller itself is asked over HTTP.
    pub direct: Option<Direct>,
    /// A bank that carries the biller is asked.
    pub bank: Option<Bank>,
    /// A service provider that many billers are behind is asked over HTTP.
    pub provider: Option<Provider>,
}

/// The biller as a service provider has it, beside many others.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The name that this installation gives the connection: 1 to 40 of a-z, 0-9 and -.
    pub connection: String,
    /// The provider's number of the biller.
    pub institution: String,
}

/// The biller as a bank carries it, beside many others.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Bank {
    /// The name that this installation gives the bank's line: 1 to 40 of a-z, 0-9 and -.
    pub line: String,
    /// The bank's number of the biller.
    pub institution: String,
}

fn default_timeout_s() -> u32 {
    8
}

/// Of which kind a way is.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By files.
    File,
    /// The biller itself, over HTTP.
    Direct,
    /// A bank, by ISO 8583.
    Bank,
    /// A service provider, over HTTP.
    Provider,
}

impl Way {
    /// The name in figures and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Way::File => "file",
            Way::Direct => "direct",
            Way::Bank => "bank",
            Way::Provider => "provider",
        }
    }
}

/// A part of a day: from a minute on, to before another. Past midnight where the second is not the greater.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Hours {
    from: u32,
    to: u32,
}

impl TryFrom<String> for Hours {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Hours, Self::Error> {
        const WHY: &str = "hours are written 08:00-22:00";
        let minute = |text: &str| -> Option<u32> {
            let (hour, minute) = text.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
            let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60 || hour == 24 && minute == 0).then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once('-').ok_or(WHY)?;
        let hours = Hours { from: minute(from).ok_or(WHY)?, to: minute(to).ok_or(WHY)? };
        if hours.from == hours.to { Err(WHY) } else { Ok(hours) }
    }
}

impl Hours {
    /// Whether a minute of the day lies within.
    pub fn contains(self, minute: u32) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl Channel {
    /// Of which kind it is.
    pub fn way(&self) -> Way {
        match (&self.bank, &self.provider) {
            (Some(_), _) => Way::Bank,
            (None, Some(_)) => Way::Provider,
            (None, None) => Way::Direct,
        }
    }

    /// The biller's number at whoever is asked; empty where that is the biller itself.
    pub fn institution(&self) -> &str {
        let by_provider = self.provider.as_ref().map(|provider| &provider.institution);
        self.bank.as_ref().map(|bank| &bank.institution).or(by_provider).map_or("", |text| text)
    }

    /// Whether it can be asked what is owed. Of a bank or a provider only its own description says.
    pub fn has_query(&self) -> bool {
        self.direct.as_ref().is_none_or(|direct| direct.query.is_some())
    }

    /// The number that claims carry: from the name, so that it stays whatever else the pack gets.
    pub fn number(&self) -> u32 {
        let derived = kernel::derive_u128("channel", &[self.name.as_bytes()]);
        u32::try_from(derived >> 96).unwrap_or(u32::MAX).max(1)
    }

    pub(in super::super) fn validate(&self, key: &str) -> Result<(), PackError> {
        let invalid = |field: &str, why: &str| Err(PackError::invalid(&format!("{key}.{field}"), why));
        let slug = |text: &str| {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            (1..=40).contains(&text.len()) && text.bytes().all(allowed)
        };
        if !slug(&self.name) {
            return invalid("name", "1 to 40 characters of a-z, 0-9 and -");
        }
        if !(0..=100_000).contains(&self.cost_minor) {
            return invalid("cost_minor", "0 to 100000 minor units");
        }
        if self.cost_bps > 1_000 {
            return invalid("cost_bps", "0 to 1000 basis points");
        }
        if !(1..=60).contains(&self.timeout_s) {
            return invalid("timeout_s", "1 to 60");
        }
        if self.rate_per_s.is_some_and(|rate| !(1..=100_000).contains(&rate)) {
            return invalid("rate_per_s", "1 to 100000");
        }
        let carried = |kind: &str, name: &str, institution: &str| {
            if !slug(name) {
                return invalid(kind, "1 to 40 characters of a-z, 0-9 and -");
            }
            let visible = institution.bytes().all(|b| b.is_ascii_alphanumeric());
            if (1..=32).contains(&institution.len()) && visible {
                return Ok(());
            }
            let key = kind.split_once('.').map_or(kind, |(way, _)| way);
            invalid(&format!("{key}.institution"), "1 to 32 letters and digits")
        };
        match (&self.direct, &self.bank, &self.provider) {
            (Some(direct), None, None) => {
                let proved = direct.prove();
                proved.map_err(|why| PackError::Invalid(format!("{key}.direct.{}", why.key), why.why))
            }
            (None, Some(bank), None) => carried("bank.line", &bank.line, &bank.institution),
            (None, None, Some(provider)) => {
                carried("provider.connection", &provider.connection, &provider.institution)
            }
            _ => Err(PackError::invalid(key, "one of `direct`, `bank` and `provider`")),
        }
    }
}

/// Proves the ways of a pack together.
pub(in super::super) fn validate(channels: &[Channel], live: bool) -> Result<(), PackError> {
    if channels.len() > 8 {
        return Err(PackError::invalid("channels", "at most 8"));
    }
    for (at, channel) in channels.iter().enumerate() {
        let key = format!("channels.{at}");
        channel.validate(&key)?;
        let same = |other: &Channel| other.name == channel.name || other.number() == channel.number();
        if channels[..at].iter().any(same) {
            return Err(PackError::invalid(&format!("{key}.name"), "another channel has it"));
        }
    }
    if live && !channels.iter().any(Channel::has_query) {
        return Err(PackError::invalid("channels", "bills.source = \"live\" needs a channel with a query"));
    }
    Ok(())
}

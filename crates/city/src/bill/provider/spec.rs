//! What a provider's file says of its interface.

use channel::direct::spec::{Invalid, Spec as Direct};
use serde::Deserialize;

/// A connection to a service provider.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// How long one question may take, in seconds.
    #[serde(default = "default_timeout_s")]
    pub timeout_s: u32,
    /// How it is asked; the institution stands in every question about an account or a payment.
    pub direct: Direct,
}

fn default_timeout_s() -> u32 {
    8
}

impl Connection {
    /// Reads the description of a connection and proves it: the key and why, where it makes no sense.
    pub fn parse(text: &str) -> Result<Connection, Invalid> {
        let invalid = |key: &str, why: &str| Invalid { key: key.to_owned(), why: why.to_owned() };
        let read: Connection =
            toml::from_str(text).map_err(|why| invalid("the file", why.to_string().trim_end()))?;
        if !(1..=60).contains(&read.timeout_s) {
            return Err(invalid("timeout_s", "1 to 60"));
        }
        let direct = &read.direct;
        direct.prove().map_err(|why| Invalid { key: format!("direct.{}", why.key), ..why })?;
        let asked = [("query", direct.query.as_ref()), ("pay", Some(&direct.pay))];
        for (name, call) in asked {
            let Some(call) = call else { continue };
            let texts = call.headers.values().chain(direct.headers.values()).chain([&call.path, &call.body]);
            if !texts.into_iter().any(|text| text.contains("{institution}")) {
                return Err(invalid(&format!("direct.{name}"), "does not say {institution}"));
            }
        }
        Ok(read)
    }
}

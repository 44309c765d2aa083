//! What the server is configured with, and where from: a flag wins over an environment variable
//! (`YIMA_…`), which wins over the file (`--config`, TOML), which wins over the default.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use channel::iso20022::Party;
use city::bill::certificate::Required;
use city::bill::exchange::Folders;
use city::bill::provider::Providers;
use city::bill::route::{Doors, Lines};
use city::identity::passkey::rules::RelyingParty;
use kernel::{Currency, UtcOffset};
use serde::Deserialize;

use crate::doors::{self, Door, Exchange, Line, Provider};

/// One sentence about why a command did not do its work.
#[derive(Debug)]
pub struct Fail(String);

impl Fail {
    /// With this sentence.
    pub fn new(why: impl Into<String>) -> Fail {
        Fail(why.into())
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Fail {
    fn from(e: E) -> Fail {
        Fail(e.to_string())
    }
}

/// The settings as flags; each has its environment variable and its key in the file.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Flags {
    /// A TOML file with the same settings.
    #[arg(long, env = "YIMA_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8888]
    #[arg(long, env = "YIMA_ADDR")]
    pub addr: Option<SocketAddr>,
    /// Directory of the embedded engines and of the server's own files [default: data/city]
    #[arg(long, env = "YIMA_DATA")]
    pub data: Option<PathBuf>,
    /// The ledger: embedded:DIR or tigerbeetle:CLUSTER@IP:PORT,… [default: embedded:DATA/ledger]
    #[arg(long, env = "YIMA_LEDGER")]
    pub ledger: Option<String>,
    /// The database: sqlite:FILE or postgres://… [default: sqlite:DATA/yima.db]
    #[arg(long, env = "YIMA_DATABASE")]
    pub database: Option<String>,
    /// Where one-time codes go: console or file:PATH [default: console]
    #[arg(long, env = "YIMA_SENDER")]
    pub sender: Option<String>,
    /// Up to this amount (minor units) a payment needs no PIN [default: 100000]
    #[arg(long, env = "YIMA_NO_PIN_LIMIT")]
    pub no_pin_limit: Option<i64>,
    /// A deposit, withdrawal or pay-out above this amount (minor units) waits for a second operator [default: 5000000]
    #[arg(long, env = "YIMA_FOUR_EYES_LIMIT")]
    pub four_eyes_limit: Option<i64>,
    /// ISO 4217 code of the city's one currency; it cannot be changed later [default: CNY]
    #[arg(long, env = "YIMA_CURRENCY")]
    pub currency: Option<String>,
    /// Where days begin and end: distance from UTC, +HH:MM or -HH:MM [default: +08:00]
    #[arg(long, env = "YIMA_UTC_OFFSET", allow_hyphen_values = true)]
    pub utc_offset: Option<String>,
    /// ISO 3166-1 code printed into shops' codes [default: CN]
    #[arg(long, env = "YIMA_COUNTRY")]
    pub country: Option<String>,
    /// Latin name of the city printed into shops' codes, at most 15 characters [default: HANGZHOU]
    #[arg(long, env = "YIMA_CITY_NAME")]
    pub city_name: Option<String>,
    /// Address of the proxy in front, whose x-forwarded-for is believed [default: none]
    #[arg(long, env = "YIMA_TRUSTED_PROXY")]
    pub trusted_proxy: Option<IpAddr>,
    /// Where residents reach the server: https://NAME, or http://localhost:PORT; passkeys are bound to it
    /// [default: http://localhost:PORT of --addr]
    #[arg(long, env = "YIMA_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Requests a second for each signed-in caller or address; 0 for no limit [default: 200]
    #[arg(long, env = "YIMA_RATE_LIMIT")]
    pub rate_limit: Option<u32>,
    /// Seconds after which a request is given up [default: 30]
    #[arg(long, env = "YIMA_TIMEOUT")]
    pub timeout_s: Option<u64>,
    /// Log as: text or json [default: text]
    #[arg(long, env = "YIMA_LOG_FORMAT")]
    pub log_format: Option<String>,
    /// Log from this level on: error, warn, info, debug [default: info]
    #[arg(long, env = "YIMA_LOG")]
    pub log: Option<String>,
    /// Let webhooks go to addresses of this machine and of private networks: true or false [default: false]
    #[arg(long, env = "YIMA_WEBHOOK_PRIVATE")]
    pub webhook_private: Option<bool>,
}

/// The same settings as keys of the file.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
struct File {
    addr: Option<SocketAddr>,
    data: Option<PathBuf>,
    ledger: Option<String>,
    database: Option<String>,
    sender: Option<String>,
    no_pin_limit: Option<i64>,
    four_eyes_limit: Option<i64>,
    currency: Option<String>,
    utc_offset: Option<String>,
    country: Option<String>,
    city_name: Option<String>,
    trusted_proxy: Option<IpAddr>,
    public_url: Option<String>,
    rate_limit: Option<u32>,
    timeout_s: Option<u64>,
    log_format: Option<String>,
    log: Option<String>,
    webhook_private: Option<bool>,
    payer: Option<Party>,
    #[serde(default)]
    door: BTreeMap<String, Door>,
    #[serde(default)]
    line: BTreeMap<String, Line>,
    #[serde(default)]
    provider: BTreeMap<String, Provider>,
    #[serde(default)]
    exchange: BTreeMap<String, Exchange>,
    require_certificate: Option<bool>,
    #[serde(default)]
    certifier_keys: Vec<String>,
}

/// Where one-time codes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// To standard output.
    Console,
    /// Appended to this file.
    File(PathBuf),
}

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub addr: SocketAddr,
    /// The server's own files.
    pub data: PathBuf,
    /// Where the ledger is kept.
    pub ledger: ledger::Address,
    /// Address of the database.
    pub database: String,
    /// Where one-time codes go.
    pub sender: Sender,
    /// Minor units.
    pub no_pin_limit: i64,
    /// Minor units.
    pub four_eyes_limit: i64,
    /// The city's one currency.
    pub currency: Currency,
    /// Where days begin and end.
    pub offset: UtcOffset,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Latin, at most 15 characters.
    pub city_name: String,
    /// Whose `x-forwarded-for` is believed.
    pub trusted_proxy: Option<IpAddr>,
    /// The site that residents see.
    pub relying_party: RelyingParty,
    /// Requests a second for each caller; 0 for no limit.
    pub rate_limit: u32,
    /// Seconds.
    pub timeout_s: u64,
    /// Whether logs are JSON.
    pub log_json: bool,
    /// From which level on.
    pub log: tracing::Level,
    /// Whether webhooks may go to private addresses.
    pub webhook_private: bool,
    /// Where billers that are asked are; from the file only.
    pub doors: Doors,
    /// Lines to banks that carry billers; from the file only.
    pub lines: Lines,
    /// Service providers that many billers are behind; from the file only.
    pub providers: Providers,
    /// Folders that files are exchanged through with billers; from the file only.
    pub exchange: Folders,
    /// Whether packs of billers that are asked go live with a certificate only; from the file only.
    pub certificates: Option<Required>,
    /// The account that billers are paid out from; from the file only.
    pub payer: Option<Party>,
}

impl Flags {
    /// Reads the file if there is one and settles every value.
    pub fn load(&self) -> Result<Config, Fail> {
        let file = match &self.config {
            Some(path) => read_file(path)?,
            None => File::default(),
        };
        let beside = self.config.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
        let (doors, lines) = (doors::read(file.door, beside)?, doors::read_lines(file.line, beside)?);
        let providers = doors::read_providers(file.provider, beside)?;
        let exchange = doors::read_exchanges(file.exchange, beside)?;
        let data = self.data.clone().or(file.data).unwrap_or_else(|| PathBuf::from("data/city"));
        let require = file.require_certificate.unwrap_or(false);
        if require && file.certifier_keys.is_empty() {
            return Err(Fail::new("require_certificate: certifier_keys is wanted, the keys that count"));
        }
        let (dir, keys) = (data.join("certificates"), file.certifier_keys);
        let certificates = require.then_some(Required { dir, keys });
        let ledger = match self.ledger.as_ref().or(file.ledger.as_ref()) {
            None => ledger::Address::Embedded(data.join("ledger")),
            Some(address) => address.parse()?,
        };
        let database = self.database.clone().or(file.database);
        let database = database.unwrap_or_else(|| format!("sqlite:{}", data.join("yima.db").display()));
        let sender = self.sender.clone().or(file.sender).unwrap_or_else(|| "console".to_owned());
        let sender = match sender.split_once(':') {
            None if sender == "console" => Sender::Console,
            Some(("file", path)) => Sender::File(PathBuf::from(path)),
            _ => return Err(Fail::new(format!("sender `{sender}`: console or file:PATH is wanted"))),
        };
        let format = self.log_format.clone().or(file.log_format).unwrap_or_else(|| "text".to_owned());
        let log = self.log.clone().or(file.log).unwrap_or_else(|| "info".to_owned());
        let currency = self.currency.clone().or(file.currency).unwrap_or_else(|| "CNY".to_owned());
        let offset = self.utc_offset.clone().or(file.utc_offset).unwrap_or_else(|| "+08:00".to_owned());
        let country = self.country.clone().or(file.country).unwrap_or_else(|| "CN".to_owned());
        if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Fail::new(format!("country `{country}`: two capital letters are wanted")));
        }
        let city_name = self.city_name.clone().or(file.city_name).unwrap_or_else(|| "HANGZHOU".to_owned());
        if !(1..=15).contains(&city_name.len())
            || !city_name.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        {
            return Err(Fail::new(format!("city name `{city_name}`: 1 to 15 Latin characters are wanted")));
        }
        let four_eyes_limit = self.four_eyes_limit.or(file.four_eyes_limit).unwrap_or(5_000_000);
        if four_eyes_limit < 0 {
            return Err(Fail::new(format!("four-eyes limit `{four_eyes_limit}`: 0 or more is wanted")));
        }
        let addr = self.addr.or(file.addr).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8888)));
        let public_url = self.public_url.clone().or(file.public_url);
        let public_url = public_url.unwrap_or_else(|| format!("http://localhost:{}", addr.port()));
        let relying_party = RelyingParty::new(&public_url).ok_or_else(|| {
            Fail::new(format!("public URL `{public_url}`: https://NAME or http://localhost:PORT is wanted"))
        })?;
        if let Some(Err((key, why))) = file.payer.as_ref().map(Party::validate) {
            return Err(Fail::new(format!("payer.{key}: {why}")));
        }
        Ok(Config {
            payer: file.payer,
            currency: currency.parse().map_err(|e| Fail::new(format!("currency `{currency}`: {e}")))?,
            offset: parse_offset(&offset).ok_or_else(|| {
                Fail::new(format!("UTC offset `{offset}`: a distance like +08:00 is wanted"))
            })?,
            country,
            city_name,
            trusted_proxy: self.trusted_proxy.or(file.trusted_proxy),
            relying_party,
            addr,
            data,
            ledger,
            database,
            sender,
            four_eyes_limit,
            no_pin_limit: self.no_pin_limit.or(file.no_pin_limit).unwrap_or(100_000),
            rate_limit: self.rate_limit.or(file.rate_limit).unwrap_or(200),
            timeout_s: self.timeout_s.or(file.timeout_s).unwrap_or(30),
            log_json: match format.as_str() {
                "text" => false,
                "json" => true,
                _ => return Err(Fail::new(format!("log format `{format}`: text or json is wanted"))),
            },
            log: log
                .parse()
                .map_err(|_| Fail::new(format!("log level `{log}`: error, warn, info or debug is wanted")))?,
            webhook_private: self.webhook_private.or(file.webhook_private).unwrap_or(false),
            doors,
            lines,
            providers,
            exchange,
            certificates,
        })
    }
}

/// Reads `+08:00`.
fn parse_offset(text: &str) -> Option<UtcOffset> {
    let (sign, rest) =
        text.strip_prefix('+').map(|r| (1, r)).or_else(|| text.strip_prefix('-').map(|r| (-1, r)))?;
    let (hours, minutes) = rest.split_once(':')?;
    let two =
        |s: &str| s.parse::<i32>().ok().filter(|_| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit()));
    let (hours, minutes) = (two(hours)?, two(minutes).filter(|m| *m < 60)?);
    UtcOffset::from_seconds(sign * (hours * 3600 + minutes * 60))
}

fn read_file(path: &Path) -> Result<File, Fail> {
    let text = std::fs::read_to_string(path).map_err(|e| Fail::new(format!("{}: {e}", path.display())))?;
    toml::from_str(&text).map_err(|e| Fail::new(format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("yima.toml");
        std::fs::write(&path, "addr = \"127.0.0.1:1\"\nrate_limit = 7\nsender = \"file:/tmp/m\"\n").unwrap();
        let flags = Flags { config: Some(path.clone()), rate_limit: Some(9), ..Flags::default() };
        let config = flags.load().unwrap();
        assert_eq!((config.addr.port(), config.rate_limit, config.timeout_s), (1, 9, 30));
        assert_eq!(config.sender, Sender::File(PathBuf::from("/tmp/m")));
        assert_eq!(config.database, "sqlite:data/city/yima.db");
        assert_eq!(config.relying_party.origin(), "http://localhost:1", "the port of the address");
        assert_eq!(config.ledger.to_string(), "embedded:data/city/ledger");
        let cluster = "tigerbeetle:7@10.0.0.1:3000,10.0.0.2:3000";
        let flags = Flags { ledger: Some(cluster.to_owned()), ..flags };
        assert_eq!(flags.load().unwrap().ledger.to_string(), cluster);

        assert_eq!(parse_offset("-03:30"), UtcOffset::from_seconds(-12_600));
        for (text, wanted) in [
            ("adr = 1", "unknown field"),
            ("ledger = \"tape:1\"", "embedded:DIR"),
            ("ledger = \"tigerbeetle:3000\"", "tigerbeetle:CLUSTER@"),
            ("sender = \"pigeon\"", "console or file"),
            ("log = \"loud\"", "error, warn"),
            ("log_format = \"xml\"", "text or json"),
            ("currency = \"XXX\"", "currency `XXX`"),
            ("utc_offset = \"8\"", "+08:00"),
            ("utc_offset = \"+19:00\"", "+08:00"),
            ("country = \"cn\"", "two capital letters"),
            ("public_url = \"http://pay.example\"", "https://NAME"),
            ("public_url = \"http://127.0.0.1:8888\"", "http://localhost:PORT"),
            ("city_name = \"杭州\"", "Latin"),
            ("four_eyes_limit = -1", "0 or more"),
            ("require_certificate = true", "certifier_keys"),
            ("[exchange.\"A B\"]", "id of a pack"),
            ("[exchange.hz-power]\nquiet_s = 7200", "0 to 3600"),
            ("[door.power]\nurl = \"http://a\"", "pack/channel"),
            ("[door.\"a/b\"]\nurl = \"ftp://a\"", "https://HOST/"),
            ("[door.\"a/b\"]\nurl = \"http://a\"\nsecrets = { k = \"none\" }", "none: No such file"),
            ("[provider.a]\nurl = \"ftp://a\"\nspec = \"none\"", "https://HOST/"),
            ("[provider.a]\nurl = \"http://a\"\nspec = \"none\"", "none: No such file"),
            ("[door.\"a/b\"]\nurl = \"http://a\"\nkey = \"none\"", "go together"),
        ] {
            std::fs::write(&path, text).unwrap();
            let flags = Flags { config: Some(path.clone()), ..Flags::default() };
            assert!(flags.load().unwrap_err().to_string().contains(wanted), "{text}");
        }
        let missing = Flags { config: Some(dir.path().join("none.toml")), ..Flags::default() };
        assert!(missing.load().unwrap_err().to_string().contains("none.toml"));
    }
}

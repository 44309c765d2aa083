//! The doors of this installation: where the billers that are asked are, and what proves us to them. Part of the
//! configuration file only: `[door."pack/channel"]` for billers over HTTP, `[line.NAME]` for banks that carry billers,
//! `[provider.NAME]` for service providers that have them, `[exchange.PACK]` for folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use channel::bank::spec::Spec;
use channel::secrets::Held;
use channel::tls::Tls;
use city::bill::exchange::{Folder, Folders};
use city::bill::pack::is_pack_id;
use city::bill::provider::{Connection, ProviderSetting, Providers};
use city::bill::route::{DoorSetting, Doors, LineSetting, Lines};
use serde::Deserialize;

use crate::config::Fail;

/// One door. Paths are relative to the configuration file.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// `https://host:port/path`.
    url: String,
    /// Files that hold the secrets, by the names that the pack has.
    #[serde(default)]
    secrets: BTreeMap<String, PathBuf>,
    /// Roots trusted besides the system's, PEM.
    ca: Option<PathBuf>,
    /// Our own certificate chain, PEM; goes with `key`.
    certificate: Option<PathBuf>,
    /// Our own private key, PEM.
    key: Option<PathBuf>,
}

/// A line to a bank: `[line.NAME]`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// `host:port`.
    address: String,
    /// The file that describes how the bank writes.
    spec: PathBuf,
    /// Files that hold the secrets, by the names that the description has.
    #[serde(default)]
    secrets: BTreeMap<String, PathBuf>,
}

/// Reads what the lines name.
pub fn read_lines(lines: BTreeMap<String, Line>, beside: &Path) -> Result<Lines, Fail> {
    lines.into_iter().map(|(name, line)| Ok((name.clone(), line.read(&name, beside)?))).collect()
}

impl Line {
    fn read(self, name: &str, beside: &Path) -> Result<LineSetting, Fail> {
        let wrong = |why: String| Fail::new(format!("line \"{name}\": {why}"));
        let path = beside.join(&self.spec);
        let text = std::fs::read_to_string(&path).map_err(|e| wrong(format!("{}: {e}", path.display())))?;
        let spec: Spec = toml::from_str(&text).map_err(|e| wrong(format!("{}: {e}", path.display())))?;
        let dialect = spec.prove().map_err(|e| wrong(format!("{}: {}: {}", path.display(), e.key, e.why)))?;
        let secrets = secrets(&self.secrets, beside).map_err(wrong)?;
        Ok(LineSetting { address: self.address, dialect: Arc::new(dialect), secrets })
    }
}

/// The secrets of these files. Editors end a file with a line break; no secret does.
pub fn secrets(files: &BTreeMap<String, PathBuf>, beside: &Path) -> Result<Held, String> {
    let mut held = Held::default();
    for (name, path) in files {
        let path = beside.join(path);
        let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        held = held.with(name, bytes.trim_ascii_end());
    }
    Ok(held)
}

/// Reads what the doors name. `beside` is the directory of the configuration file.
pub fn read(doors: BTreeMap<String, Door>, beside: &Path) -> Result<Doors, Fail> {
    doors.into_iter().map(|(name, door)| Ok((name.clone(), door.read(&name, beside)?))).collect()
}

/// A service provider: `[provider.NAME]`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The file that describes its interface.
    spec: PathBuf,
    /// As of a door.
    url: String,
    #[serde(default)]
    secrets: BTreeMap<String, PathBuf>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// Reads what the providers name.
pub fn read_providers(providers: BTreeMap<String, Provider>, beside: &Path) -> Result<Providers, Fail> {
    let read = |(name, provider): (String, Provider)| {
        let wrong = |why: String| Fail::new(format!("provider \"{name}\": {why}"));
        let Provider { spec, url, secrets, ca, certificate, key } = provider;
        let DoorSetting { url, secrets, tls } =
            Door { url, secrets, ca, certificate, key }.open(beside).map_err(wrong)?;
        let path = beside.join(spec);
        let named = |why: String| wrong(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|e| named(e.to_string()))?;
        let connection =
            Connection::parse(&text).map_err(|invalid| named(format!("{}: {}", invalid.key, invalid.why)))?;
        Ok((name.clone(), ProviderSetting { url, connection: Arc::new(connection), secrets, tls }))
    };
    providers.into_iter().map(read).collect()
}

impl Door {
    fn read(self, name: &str, beside: &Path) -> Result<DoorSetting, Fail> {
        let wrong = |why: String| Fail::new(format!("door \"{name}\": {why}"));
        if !name.split_once('/').is_some_and(|(pack, way)| !pack.is_empty() && !way.is_empty()) {
            return Err(wrong("a door is called pack/channel".to_owned()));
        }
        self.open(beside).map_err(wrong)
    }

    fn open(self, beside: &Path) -> Result<DoorSetting, String> {
        let file = |path: &PathBuf| {
            let path = beside.join(path);
            std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))
        };
        let text = |path: &PathBuf| {
            String::from_utf8(file(path)?).map_err(|_| format!("{}: no PEM", path.display()))
        };
        let url: url::Url = self.url.parse().map_err(|e| format!("url `{}`: {e}", self.url))?;
        if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
            return Err(format!("url `{}`: https://HOST/ is wanted", self.url));
        }
        let secrets = secrets(&self.secrets, beside)?;
        let identity = match (&self.certificate, &self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((text(certificate)?, text(key)?)),
            _ => return Err("certificate and key go together".to_owned()),
        };
        let ca = self.ca.as_ref().map(file).transpose()?;
        let tls = Tls::read(ca.as_deref(), identity).map_err(|why| why.to_string())?;
        Ok(DoorSetting { url, secrets, tls })
    }
}

/// The folder that files are exchanged through with a biller: `[exchange.PACK]`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Relative to the configuration file; `exchange/PACK` of the server's own files when absent.
    directory: Option<PathBuf>,
    /// A file is whole when it has not changed for so many seconds.
    quiet_s: Option<u64>,
    /// Whether files that were taken in are kept.
    keep: Option<bool>,
}

/// Reads what the folders name.
pub fn read_exchanges(exchanges: BTreeMap<String, Exchange>, beside: &Path) -> Result<Folders, Fail> {
    let read = |(pack, exchange): (String, Exchange)| {
        let wrong = |why: &str| Fail::new(format!("exchange \"{pack}\": {why}"));
        let usual = Folder::default();
        let quiet = exchange.quiet_s.map_or(usual.quiet, Duration::from_secs);
        if !is_pack_id(&pack) {
            return Err(wrong("the id of a pack is wanted"));
        }
        if quiet > Duration::from_hours(1) {
            return Err(wrong("quiet_s: 0 to 3600 is wanted"));
        }
        let directory = exchange.directory.map(|directory| beside.join(directory));
        Ok((pack, Folder { directory, quiet, keep: exchange.keep.unwrap_or(usual.keep) }))
    };
    exchanges.into_iter().map(read).collect()
}

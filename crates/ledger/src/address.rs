//! Where a ledger is kept, as people write it: `embedded:DIR` or `tigerbeetle:CLUSTER@ADDRESSES`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use kernel::Clock;

use crate::cluster::{Cluster, ClusterOptions, ConnectError};
use crate::embedded::{Embedded, OpenError};
use crate::engine::Ledger;
use crate::journal::Recovery;

/// Where a ledger is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// In a directory of this machine, by the embedded engine.
    Embedded(PathBuf),
    /// By a TigerBeetle cluster.
    Cluster {
        /// The number that the cluster was formatted with.
        cluster: u128,
        /// `IP:PORT` of each replica, in the order the replicas have, separated by commas.
        addresses: String,
    },
}

/// A text that is no address; holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError(String);

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ledger `{}`: an address of the form embedded:DIR or tigerbeetle:CLUSTER@IP:PORT,… is wanted",
            self.0
        )
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let bad = || AddressError(text.to_owned());
        match text.split_once(':') {
            Some(("embedded", dir)) if !dir.is_empty() => Ok(Address::Embedded(PathBuf::from(dir))),
            Some(("tigerbeetle", rest)) => {
                let (cluster, addresses) = rest.split_once('@').ok_or_else(bad)?;
                if cluster.is_empty() || !cluster.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(bad());
                }
                let one = |a: &str| !a.is_empty() && !a.contains(char::is_whitespace);
                if !addresses.split(',').all(one) {
                    return Err(bad());
                }
                let cluster = cluster.parse().map_err(|_| bad())?;
                Ok(Address::Cluster { cluster, addresses: addresses.to_owned() })
            }
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Embedded(dir) => write!(f, "embedded:{}", dir.display()),
            Address::Cluster { cluster, addresses } => write!(f, "tigerbeetle:{cluster}@{addresses}"),
        }
    }
}

/// Why the ledger at an address cannot be used.
#[derive(Debug)]
pub enum AddressOpenError {
    /// The embedded engine.
    Embedded(OpenError),
    /// The cluster.
    Cluster(ConnectError),
}

impl fmt::Display for AddressOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressOpenError::Embedded(e) => e.fmt(f),
            AddressOpenError::Cluster(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for AddressOpenError {}

/// An engine that was opened by its address.
#[derive(Debug, Clone)]
pub enum Opened {
    /// The embedded engine.
    Embedded(Arc<Embedded>),
    /// The cluster.
    Cluster(Arc<Cluster>),
}

impl Address {
    /// Opens the engine. Also answers what an embedded one found in its journal. `clock` is the embedded
    /// engine's; a cluster has its own.
    pub async fn open(&self, clock: Arc<dyn Clock>) -> Result<(Opened, Option<Recovery>), AddressOpenError> {
        match self {
            Address::Embedded(dir) => {
                let (engine, recovery) = Embedded::open(dir, clock).map_err(AddressOpenError::Embedded)?;
                Ok((Opened::Embedded(Arc::new(engine)), Some(recovery)))
            }
            Address::Cluster { cluster, addresses } => {
                let engine = Cluster::connect(*cluster, addresses, ClusterOptions::default()).await;
                Ok((Opened::Cluster(Arc::new(engine.map_err(AddressOpenError::Cluster)?)), None))
            }
        }
    }
}

impl Opened {
    /// The engine as everybody uses it.
    pub fn ledger(&self) -> Ledger {
        match self {
            Opened::Embedded(engine) => engine.clone(),
            Opened::Cluster(engine) => engine.clone(),
        }
    }

    /// Closes the engine, whoever else still holds it. An embedded one finishes what is queued; it blocks
    /// a thread of the runtime's meanwhile, not the caller's.
    pub async fn close(self) {
        match self {
            Opened::Embedded(engine) => {
                // It fails only where closing panicked, which leaves nothing to close.
                let _ = tokio::task::spawn_blocking(move || engine.close()).await;
            }
            Opened::Cluster(engine) => engine.close().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in
            ["embedded:data/ledger", "embedded:/a:b", "tigerbeetle:0@127.0.0.1:3000", "tigerbeetle:7@1,2,3"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let most = format!("tigerbeetle:{}@3000", u128::MAX);
        let address = Address::Cluster { cluster: u128::MAX, addresses: "3000".into() };
        assert_eq!(most.parse(), Ok(address));
        for text in [
            "",
            "tape:1",
            "embedded",
            "embedded:",
            "tigerbeetle:",
            "tigerbeetle:0",
            "tigerbeetle:@3000",
            "tigerbeetle:0@",
            "tigerbeetle:0@a,,b",
            "tigerbeetle:+1@3000",
            "tigerbeetle:-1@3000",
            "tigerbeetle:0@ 3000",
            "tigerbeetle:340282366920938463463374607431768211456@3000",
        ] {
            let refused = text.parse::<Address>().unwrap_err().to_string();
            assert!(refused.contains("embedded:DIR") && refused.contains(text), "{text}: {refused}");
        }
    }
}

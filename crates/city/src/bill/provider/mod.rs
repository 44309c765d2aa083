//! Service providers: one connection over HTTP, many institutions behind it. What a connection is like stands in a file
//! of its own, named by this installation's configuration; a pack says only which connection, and under which number the
//! provider knows the biller ([`super::route::spec::Provider`]). Where the connection has a catalogue, the packs of its institutions are
//! made from it once a day ([`sync`]); an institution that is gone takes no new payments and is never deleted.

pub mod spec;
mod store;
mod sync;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use channel::direct::{HttpDoor, Setting};
use channel::secrets::Held;
use channel::tls::Tls;
use url::Url;

pub use self::spec::Connection;
pub(super) use self::sync::run;
pub use self::sync::{ProviderView, SyncReport, providers, sync};
use crate::City;

/// Where a provider is, how it is asked, and what proves us to it.
#[derive(Clone, Debug)]
pub struct ProviderSetting {
    /// Scheme, host and port; a path before every path.
    pub url: Url,
    /// The description of its interface, proved.
    pub connection: Arc<Connection>,
    /// By the names that the description has.
    pub secrets: Held,
    /// For `https`.
    pub tls: Tls,
}

/// The providers of this installation, by name. Each has any number of billers.
pub type Providers = BTreeMap<String, ProviderSetting>;

/// The connections, open.
pub(super) type OpenProviders = BTreeMap<String, Arc<HttpDoor>>;

/// Opens the connections; nothing is connected before the first question.
pub(super) fn open(city: &City) -> OpenProviders {
    let mut open = OpenProviders::new();
    for (name, provider) in &city.settings.providers {
        let setting = Setting {
            base: provider.url.clone(),
            tls: provider.tls.clone(),
            secrets: Arc::new(provider.secrets.clone()),
            institution: String::new(),
            timeout: Duration::from_secs(provider.connection.timeout_s.into()).min(city.settings.patience),
            retries: 1,
            offset: city.settings.offset,
            clock: city.clock.clone(),
            rng: city.rng.clone(),
        };
        match HttpDoor::new(provider.connection.direct.clone(), setting) {
            Ok(door) => drop(open.insert(name.clone(), Arc::new(door))),
            Err(why) => tracing::error!(provider = name, %why, "a provider's door does not open"),
        }
    }
    open
}

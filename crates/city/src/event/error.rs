//! What the event slice refuses, in order of precedence.

use std::fmt;

use ledger::EngineError;
use store::StoreError;

use super::rules::UrlRefused;
use crate::identity::IdentityError;
use crate::{Fault, Refusal};

/// A refusal of the event slice. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventError {
    /// The key does not reach so far.
    Identity(IdentityError),
    /// As many listen to this shop's live events as may.
    ListenersMax,
    /// The URL is no place for webhooks.
    Url(UrlRefused),
    /// No event type of this name.
    TypeUnknown(String),
    /// The shop has as many endpoints as it may.
    EndpointsMax,
    /// The shop has no such endpoint.
    EndpointUnknown,
    /// The endpoint is disabled: enable it first.
    EndpointDisabled,
    /// The endpoint was never sent such an event.
    DeliveryUnknown,
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventError::Identity(e) => e.fmt(f),
            EventError::ListenersMax => {
                write!(f, "no more than {} listen to a shop at once", super::LISTENERS_MAX)
            }
            EventError::Url(UrlRefused::Malformed) => f.write_str(
                "the URL begins https:// or http://, has at most 2048 characters and no user, password or fragment",
            ),
            EventError::Url(UrlRefused::Private) => {
                f.write_str("the URL names a private network, and this city sends no webhooks there")
            }
            EventError::TypeUnknown(name) => write!(f, "no event type {name:?}"),
            EventError::EndpointsMax => {
                write!(f, "a shop has no more than {} endpoints", super::ENDPOINTS_MAX)
            }
            EventError::EndpointUnknown => f.write_str("the shop has no such endpoint"),
            EventError::EndpointDisabled => f.write_str("the endpoint is disabled; enable it first"),
            EventError::DeliveryUnknown => f.write_str("the endpoint was never sent such an event"),
            EventError::Fault(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for EventError {}

impl Refusal for EventError {
    fn code(&self) -> &'static str {
        match self {
            EventError::Identity(e) => e.code(),
            EventError::ListenersMax => "listeners_max",
            EventError::Url(UrlRefused::Malformed) => "webhook_url_malformed",
            EventError::Url(UrlRefused::Private) => "webhook_url_private",
            EventError::TypeUnknown(_) => "event_type_unknown",
            EventError::EndpointsMax => "endpoints_max",
            EventError::EndpointUnknown => "endpoint_unknown",
            EventError::EndpointDisabled => "endpoint_disabled",
            EventError::DeliveryUnknown => "delivery_unknown",
            EventError::Fault(e) => e.code(),
        }
    }
    fn status(&self) -> u16 {
        match self {
            EventError::Identity(e) => e.status(),
            EventError::ListenersMax => 429,
            EventError::Url(_) | EventError::TypeUnknown(_) => 422,
            EventError::EndpointsMax | EventError::EndpointDisabled => 409,
            EventError::EndpointUnknown | EventError::DeliveryUnknown => 404,
            EventError::Fault(e) => e.status(),
        }
    }
}

impl From<IdentityError> for EventError {
    fn from(e: IdentityError) -> EventError {
        EventError::Identity(e)
    }
}

impl From<Fault> for EventError {
    fn from(e: Fault) -> EventError {
        EventError::Fault(e)
    }
}

impl From<StoreError> for EventError {
    fn from(e: StoreError) -> EventError {
        EventError::Fault(e.into())
    }
}

impl From<EngineError> for EventError {
    fn from(e: EngineError) -> EventError {
        EventError::Fault(e.into())
    }
}

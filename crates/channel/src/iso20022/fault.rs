//! Why a message is refused, as one enum with stable codes.

use std::fmt;

/// Why a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No XML, or XML that is not accepted here (a document type, an unknown entity, too deep).
    Syntax(&'static str),
    /// The root's namespace is not that of the message; holds it.
    Namespace(String),
    /// An element is missing; its path.
    Missing(&'static str),
    /// An element's content cannot be what the message says; its path.
    Malformed(&'static str),
    /// No amount of the currency; holds the text.
    Amount(String),
    /// An amount in another currency; holds it.
    Currency(String),
    /// The number of transactions is not what the message says.
    Count,
    /// A sum is not what the message says, or goes beyond all bounds.
    Sum,
    /// Two transactions have one identification; holds it.
    Duplicate(String),
    /// The opening balance and the entries do not come to the closing balance.
    Balance,
}

impl Fault {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::Syntax(_) => "message_syntax",
            Fault::Namespace(_) => "message_namespace",
            Fault::Missing(_) => "message_missing",
            Fault::Malformed(_) => "message_malformed",
            Fault::Amount(_) => "message_amount",
            Fault::Currency(_) => "message_currency",
            Fault::Count => "message_count_differs",
            Fault::Sum => "message_sum_differs",
            Fault::Duplicate(_) => "message_duplicate",
            Fault::Balance => "message_balance_differs",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Syntax(why) => write!(f, "the message cannot be read: {why}"),
            Fault::Namespace(name) => write!(f, "not a message of this kind: {name}"),
            Fault::Missing(path) => write!(f, "{path} is missing"),
            Fault::Malformed(path) => write!(f, "{path} is malformed"),
            Fault::Amount(text) => write!(f, "{text} is no amount of the currency"),
            Fault::Currency(code) => write!(f, "an amount in another currency: {code}"),
            Fault::Count => f.write_str("the number of transactions is not what the message says"),
            Fault::Sum => f.write_str("the sum of the transactions is not what the message says"),
            Fault::Duplicate(id) => write!(f, "{id} stands in the message twice"),
            Fault::Balance => {
                f.write_str("the opening balance and the entries do not come to the closing balance")
            }
        }
    }
}

impl std::error::Error for Fault {}

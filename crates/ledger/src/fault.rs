//! What keeps the engine from going on.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::posting::Contradiction;

/// A failure below the rules: of the operating system, of the bytes on disk, or of the engine itself.
#[derive(Debug)]
pub enum Fault {
    /// The operating system refused.
    Io(PathBuf, io::Error),
    /// Bytes on disk are not what was written.
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A record does not follow from the ones before it.
    Contradiction(Contradiction),
}

impl Fault {
    /// Names the file of an error of the operating system. For `map_err`.
    pub fn io(file: &Path) -> impl FnOnce(io::Error) -> Fault {
        let file = file.to_owned();
        |e| Fault::Io(file, e)
    }

    /// Whether there is no room on the disk, which passes when somebody makes some.
    pub fn is_no_space(&self) -> bool {
        matches!(self, Fault::Io(_, e) if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Io(file, e) => write!(f, "{}: {e}", file.display()),
            Fault::Damaged { file, offset, reason } => {
                write!(f, "{} is damaged at byte {offset}: {reason}", file.display())
            }
            Fault::Contradiction(c) => c.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Contradiction> for Fault {
    fn from(c: Contradiction) -> Self {
        Fault::Contradiction(c)
    }
}

impl From<&'static str> for Fault {
    fn from(reason: &'static str) -> Self {
        Fault::Contradiction(Contradiction(reason))
    }
}

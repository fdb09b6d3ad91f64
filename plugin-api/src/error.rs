//! What can go wrong in a plugin, and how it is told to the recorder.

use crate::sys;

/// Failure of a plugin's call, or of a host call it made.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// An option is wrong. The recorder shows the message at that place of the configuration.
    Option {
        /// JSON pointer into the options, such as `/fields/2/type`; empty for the options as a whole.
        path: String,
        /// What is wrong and what is accepted.
        message: String,
    },
    /// The device, the network or the operating system failed.
    Io(String),
    /// An argument of a host call was wrong; the recorder logged which.
    Invalid(&'static str),
    /// The source is not running (not yet started, or already stopped).
    NotRunning,
    /// A limit of the recorder was reached.
    Limit(&'static str),
    /// The host answered with a status this SDK does not know.
    Unknown(sys::Status),
}

impl Error {
    /// An option is wrong: `path` is a JSON pointer into the options.
    pub fn option(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Option { path: path.into(), message: message.into() }
    }

    /// The device, the network or the operating system failed.
    pub fn io(message: impl std::fmt::Display) -> Self {
        Self::Io(message.to_string())
    }

    pub(crate) fn status(&self) -> sys::Status {
        match self {
            Self::Option { .. } => sys::ECONFIG,
            Self::Io(_) => sys::EIO,
            Self::Invalid(_) => sys::EINVAL,
            Self::NotRunning => sys::ESTATE,
            Self::Limit(_) => sys::ENOMEM,
            Self::Unknown(status) => *status,
        }
    }

    /// The answer of a host call `what` as a result.
    pub(crate) fn check(status: sys::Status, what: &'static str) -> Result<(), Self> {
        match status {
            s if s >= sys::OK => Ok(()),
            sys::EINVAL => Err(Self::Invalid(what)),
            sys::ESTATE => Err(Self::NotRunning),
            sys::ENOMEM => Err(Self::Limit(what)),
            other => Err(Self::Unknown(other)),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Option { path, message } if path.is_empty() => write!(f, "{message}"),
            Self::Option { path, message } => write!(f, "option {path}: {message}"),
            Self::Io(message) => write!(f, "{message}"),
            Self::Invalid(what) => write!(f, "{what}: the recorder refused an argument (see its log)"),
            Self::NotRunning => write!(f, "the source is not running"),
            Self::Limit(what) => write!(f, "{what}: a limit of the recorder was reached"),
            Self::Unknown(status) => write!(f, "the recorder answered with status {status}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

//! Failures of a command, and how they are shown.

use std::fmt::Display;

use crate::config::ConfigError;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is wrong: exit code 2.
    Config(Box<ConfigError>),
    /// It was used wrongly: exit code 2.
    Usage(ReadableError),
    /// It failed: exit code 1.
    Other(ReadableError),
}

/// What is wrong, and what to do about it.
#[derive(Debug)]
pub struct ReadableError {
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
}

impl Failure {
    /// It failed.
    pub fn other(message: impl Display, help: impl Display) -> Self {
        Self::Other(ReadableError { message: message.to_string(), help: help.to_string() })
    }

    /// It was used wrongly.
    pub fn usage(message: impl Display, help: impl Display) -> Self {
        Self::Usage(ReadableError { message: message.to_string(), help: help.to_string() })
    }

    /// The exit code it leads to.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Usage(_) => 2,
            Self::Other(_) => 1,
        }
    }

    /// The failure as text for the terminal.
    pub fn render(&self) -> String {
        match self {
            Self::Config(error) => {
                let term = console::Term::stderr();
                let width = if term.is_term() { usize::from(term.size().1).clamp(60, 120) } else { 100 };
                error.render(console::colors_enabled_stderr(), width)
            }
            Self::Usage(error) | Self::Other(error) => {
                let sign = console::style("error:").for_stderr().red().bold();
                let help = match error.help.as_str() {
                    "" => String::new(),
                    help => format!("\n{} {help}", console::style(" help:").for_stderr().cyan()),
                };
                format!("{sign} {}{help}", error.message)
            }
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        // Some errors name their cause themselves: it is not said twice.
        let mut message = String::new();
        for cause in error.chain().map(ToString::to_string) {
            if message.is_empty() {
                message = cause;
            } else if !message.contains(&cause) {
                message = format!("{message}: {cause}");
            }
        }
        Self::other(message, "")
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::other(error, "")
    }
}

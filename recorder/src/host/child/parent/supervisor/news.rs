//! What a child says of itself, and not of its source.

use crate::host::ConfigProblem;
use crate::host::child::frame::{Creation, FromChild};
use crate::host::child::parent::{Facts, Made};

/// What a child says of itself.
#[derive(Debug)]
pub enum News {
    /// Who it is, and what it speaks.
    Hello(u32, Facts),
    /// Its plugin cannot be used.
    CannotLoad(String),
    /// What `create` answered.
    Made(Made),
    /// `start` has returned: why it failed, if it did.
    Started(Option<String>),
    /// The instance is gone: what went wrong with that.
    Stopped(Option<String>),
}

impl News {
    /// What a frame says of that; `None`: it is about the source.
    pub fn of(said: &FromChild<'_>) -> Option<Self> {
        let owned = |text: &Option<&str>| text.map(str::to_owned);
        Some(match said {
            FromChild::Hello(hello) => Self::Hello(
                hello.protocol,
                Facts {
                    id: hello.id.to_owned(),
                    version: hello.version.to_owned(),
                    // The child made it from one.
                    schema: hello.schema.and_then(|schema| serde_json::from_str(schema).ok()),
                },
            ),
            FromChild::CannotLoad(why) => Self::CannotLoad((*why).to_owned()),
            FromChild::Created(Creation::Ready) => Self::Made(Made::Ready),
            FromChild::Created(Creation::Failed(why)) => Self::Made(Made::Failed((*why).to_owned())),
            FromChild::Created(Creation::BadOptions(problems)) => {
                let problem = |&(path, message): &(&str, &str)| ConfigProblem {
                    path: path.to_owned(),
                    message: message.to_owned(),
                };
                Self::Made(Made::BadOptions(problems.iter().map(problem).collect()))
            }
            FromChild::Started(failure) => Self::Started(owned(failure)),
            FromChild::Stopped(failure) => Self::Stopped(owned(failure)),
            _ => return None,
        })
    }
}

impl Made {
    /// Why not, in words.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Ready => String::new(),
            Self::BadOptions(problems) => {
                problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect::<Vec<_>>().join("; ")
            }
            Self::Failed(why) => why.clone(),
        }
    }
}

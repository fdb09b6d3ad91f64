//! The lines of the protocol: what a command says, and how an answer is written.

use super::lines::{LINE_MAX_BYTES, Line};
use super::naming::Naming;
use crate::config::Secret;
use lockstep_plugin_lsl::predicate_fault;

/// All commands, for `help` and for the mend of errors.
const COMMANDS: &str = "start, stop, status, update, select all, select none, select PREDICATE, \
                        filename {root:..}{template:..}{task:..}{run:..}{participant:..}{session:..}\
                        {acquisition:..}{modality:..}, token SECRET, help";

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin a recording.
    Start,
    /// End it.
    Stop,
    /// Look anew at what is on the network, and would be recorded.
    Update,
    /// How it goes, as JSON.
    Status,
    /// What can be sent.
    Help,
    /// Record every stream of LSL.
    SelectAll,
    /// Record no stream of LSL but those of the configuration.
    SelectNone,
    /// Record the streams of LSL of which this predicate is true, too.
    Select(String),
    /// Name the next recording.
    Filename(Naming),
    /// Show that one may give commands.
    Token(Secret),
}

/// An answer: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It was done, and this is what happened.
    Done(String),
    /// It was not done: what is wrong, and how to mend it.
    Failed(String),
}

impl Reply {
    /// The line, with its end. Whatever stands in the text, it is one line.
    pub fn line(&self) -> String {
        let (token, text) = match self {
            Self::Done(text) => ("OK", text),
            Self::Failed(text) => ("ERROR", text),
        };
        let words: Vec<&str> =
            text.split(char::is_control).map(str::trim).filter(|w| !w.is_empty()).collect();
        format!("{token} {}\n", words.join(" "))
    }

    /// What `help` is answered.
    pub fn help() -> Self {
        Self::Done(format!("commands, one a line: {COMMANDS}"))
    }
}

/// What a line says.
///
/// # Errors
/// What is wrong with it, and how to mend it.
pub fn parse(line: Line) -> Result<Command, String> {
    let text = match line {
        Line::Text(text) => text,
        Line::TooLong => {
            return Err(format!("a line is {LINE_MAX_BYTES} bytes long at the most: send a shorter one"));
        }
        Line::NotText => return Err("the line is not UTF-8: send text".to_owned()),
        Line::CutOff => {
            return Err("the connection ended within a line: end each command with \\n".to_owned());
        }
    };
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let alone = |command: Command| match rest {
        "" => Ok(command),
        _ => Err(format!("`{word}` stands alone: leave out {rest:?}")),
    };
    match word.to_ascii_lowercase().as_str() {
        "start" => alone(Command::Start),
        "stop" => alone(Command::Stop),
        "update" => alone(Command::Update),
        "status" => alone(Command::Status),
        "help" => alone(Command::Help),
        "select" => select(rest),
        "token" => Ok(Command::Token(Secret::new(rest))),
        "filename" => Naming::parse(rest).map(Command::Filename),
        "" => Err(format!("an empty line: the commands are {COMMANDS}")),
        _ => Err(format!("{word:?} is no command: the commands are {COMMANDS}")),
    }
}

fn select(what: &str) -> Result<Command, String> {
    match what.to_ascii_lowercase().as_str() {
        "" => {
            Err("select what? `select all`, `select none`, or a predicate as `select type='EEG'`".to_owned())
        }
        "all" => Ok(Command::SelectAll),
        "none" => Ok(Command::SelectNone),
        _ => match predicate_fault(what) {
            Some(fault) => Err(format!("the predicate {what:?} cannot be right: {fault}")),
            None => Ok(Command::Select(what.to_owned())),
        },
    }
}

/// Whether a line is a web browser's. One may be sent by a page of anybody's, to a port of this machine, with
/// commands in what follows: nothing of it is obeyed.
pub fn is_of_a_browser(line: &Line) -> bool {
    match line {
        Line::Text(text) => text.contains(" HTTP/1.") || text.contains(" HTTP/2"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<Command, String> {
        parse(Line::Text(text.to_owned()))
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(parsed("start"), Ok(Command::Start));
        assert_eq!(parsed("  STOP "), Ok(Command::Stop));
        assert_eq!(parsed("update"), Ok(Command::Update));
        assert_eq!(parsed("status"), Ok(Command::Status));
        assert_eq!(parsed("help"), Ok(Command::Help));
        assert_eq!(parsed("select all"), Ok(Command::SelectAll));
        assert_eq!(parsed("select\tNone"), Ok(Command::SelectNone));
        assert_eq!(
            parsed("select  type='EEG' and name='a b'"),
            Ok(Command::Select("type='EEG' and name='a b'".into()))
        );
        assert!(matches!(parsed("filename {root:/data}{task:Hold}"), Ok(Command::Filename(_))));
    }

    #[test]
    fn what_is_no_command_is_told_what_is() {
        for (text, piece) in [
            ("", "the commands are start, stop"),
            ("strat", "\"strat\" is no command"),
            ("start now", "stands alone"),
            ("select", "select what?"),
            ("select type='EEG", "cannot be right"),
            ("filename", "nothing to set"),
            ("filename {block:1}", "not known"),
        ] {
            let fault = parsed(text).expect_err(text);
            assert!(fault.contains(piece), "{text}: {fault}");
        }
        for line in [Line::TooLong, Line::NotText, Line::CutOff] {
            assert!(parse(line).is_err());
        }
    }

    #[test]
    fn an_answer_is_one_line_and_begins_with_ok_or_error() {
        assert_eq!(Reply::Done("a\nb\r\n\tc".into()).line(), "OK a b c\n");
        assert_eq!(Reply::Failed("no\u{85}\u{0}".into()).line(), "ERROR no\n");
        assert!(Reply::help().line().contains("select PREDICATE"));
    }

    #[test]
    fn requests_of_browsers_are_known() {
        for line in ["GET / HTTP/1.1", "POST /start HTTP/1.0", "PRI * HTTP/2.0"] {
            assert!(is_of_a_browser(&Line::Text(line.to_owned())), "{line}");
        }
        assert!(!is_of_a_browser(&Line::Text("start".to_owned())));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_sent_is_answered_in_one_line(
            text in prop_oneof![any::<String>(), "(select|filename|start|stop) [a-z{}:'\"()\\[\\]]{0,12}"]
        ) {
            let reply = match parsed(&text) {
                Ok(command) => Reply::Done(format!("{command:?}")),
                Err(fault) => Reply::Failed(fault),
            };
            let line = reply.line();
            prop_assert!(line.ends_with('\n') && line.lines().count() == 1, "{line:?}");
            prop_assert!(!line.trim_end_matches('\n').contains(char::is_control), "{line:?}");
        }
    }
}

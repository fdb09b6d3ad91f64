//! What `update` asks the network: which streams of LSL there are. It takes a second, on a thread of its own, so that
//! neither a recording nor another command waits for it.

use std::future::pending;
use std::io;
use std::time::Duration;

use lockstep_plugin_lsl::{Listed, Seen, seen};
use serde::Serialize;
use tokio::sync::{oneshot, watch};

use super::board::Board;
use super::desk::{Desk, Outlook};
use super::protocol::Reply;
use super::server::Job;

/// How long it is listened for answers.
const LISTEN: Duration = Duration::from_secs(1);
/// Most streams that an answer names, and that `status` shows.
const NAMED_MAX: usize = 20;
const SHOWN_MAX: usize = 512;
/// Longest text of a stream in an answer, and in `status`, in characters: peers may call themselves anything.
const NAMED_CHARS: usize = 60;
const SHOWN_CHARS: usize = 1000;

/// A stream that was there at the last `update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Present {
    /// Name.
    pub name: String,
    /// Content type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of its machine.
    pub host: String,
    /// What identifies the device across restarts; may be empty.
    pub source_id: String,
}

impl From<&Listed> for Present {
    fn from(stream: &Listed) -> Self {
        let text = |text: &str| cut(text, SHOWN_CHARS);
        Self {
            name: text(&stream.name),
            kind: text(&stream.kind),
            host: text(&stream.hostname),
            source_id: text(&stream.source_id),
        }
    }
}

/// Asks the network, one question at a time.
#[derive(Debug, Default)]
pub struct Network {
    asking: Option<Asking>,
    /// They came while a question was on its way, which says nothing of what has appeared since.
    waiting: Vec<Job>,
}

#[derive(Debug)]
struct Asking {
    answer: oneshot::Receiver<io::Result<Seen>>,
    jobs: Vec<Job>,
    /// What the answer says besides.
    besides: String,
}

impl Network {
    /// Ask it for `job`, which is answered later.
    pub fn update(&mut self, job: Job, desk: &Desk<'_>, recording: bool) {
        self.waiting.push(job);
        self.begin(desk, recording);
    }

    /// What it says; never, while nothing is asked. Dropping the future loses nothing.
    pub async fn heard(&mut self) -> io::Result<Seen> {
        match &mut self.asking {
            Some(asking) => (&mut asking.answer).await.unwrap_or_else(|_| {
                Err(io::Error::other("the thread that asks has ended: please report this"))
            }),
            None => pending().await,
        }
    }

    /// Pass on what was [heard](Self::heard), and ask for those who came since.
    pub fn pass_on(
        &mut self,
        heard: io::Result<Seen>,
        board: &watch::Sender<Board>,
        desk: &Desk<'_>,
        recording: bool,
    ) {
        let Some(asking) = self.asking.take() else { return };
        let reply = match heard {
            Ok(seen) => {
                let present = seen.streams.iter().take(SHOWN_MAX).map(|(stream, _)| stream.into()).collect();
                board.send_modify(|board| board.network = Some(present));
                Reply::Done(format!("{}; {}", tell(&seen), asking.besides))
            }
            Err(error) => Reply::Failed(format!(
                "the network cannot be asked: {error}: check the network of this machine; {}",
                asking.besides
            )),
        };
        asking.jobs.into_iter().for_each(|job| job.answer(reply.clone()));
        self.begin(desk, recording);
    }

    fn begin(&mut self, desk: &Desk<'_>, recording: bool) {
        if self.asking.is_some() || self.waiting.is_empty() {
            return;
        }
        let jobs = std::mem::take(&mut self.waiting);
        match desk.outlook(recording).and_then(ask) {
            Ok((answer, besides)) => self.asking = Some(Asking { answer, jobs, besides }),
            Err(why) => jobs.into_iter().for_each(|job| job.answer(Reply::Failed(why.clone()))),
        }
    }
}

fn ask(outlook: Outlook) -> Result<(oneshot::Receiver<io::Result<Seen>>, String), String> {
    let (heard, answer) = oneshot::channel();
    let Outlook { streams, text } = outlook;
    let thread = std::thread::Builder::new().name("lockstep-network".to_owned());
    let spawned = thread.spawn(move || drop(heard.send(seen(&streams, LISTEN))));
    spawned.map_err(|error| format!("there is no thread to ask the network: {error}"))?;
    Ok((answer, text))
}

/// What is on the network, and what of it is selected, in words.
fn tell(seen: &Seen) -> String {
    let all: Vec<&Listed> = seen.streams.iter().map(|(stream, _)| stream).collect();
    let selected: Vec<&Listed> =
        seen.streams.iter().filter(|(_, selected)| *selected).map(|(stream, _)| stream).collect();
    let s = if all.len() == 1 { "" } else { "s" };
    let mut text = format!("{} LSL stream{s} on the network", all.len());
    if !all.is_empty() {
        text += &format!(": {}", named(&all));
        text += &match selected.len() {
            0 => "; none of them is selected".to_owned(),
            n if n == all.len() => "; selected: all".to_owned(),
            n => format!("; selected: {n}: {}", named(&selected)),
        };
    }
    if seen.unasked > 0 {
        text += &format!(", and maybe more: {} predicates are too many to ask for now", seen.unasked);
    }
    text
}

fn named(streams: &[&Listed]) -> String {
    let names = streams.iter().take(NAMED_MAX);
    let mut names: Vec<String> = names
        .map(|stream| format!("{} ({})", cut(&stream.name, NAMED_CHARS), cut(&stream.hostname, NAMED_CHARS)))
        .collect();
    if streams.len() > NAMED_MAX {
        names.push(format!("and {} more", streams.len() - NAMED_MAX));
    }
    names.join(", ")
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str) -> Listed {
        Listed {
            name: name.to_owned(),
            kind: "EEG".to_owned(),
            channel_count: 8,
            format: "float32",
            nominal_rate_hz: 250.0,
            hostname: "amp-pc".to_owned(),
            source_id: "cap-1".to_owned(),
            uid: "u".to_owned(),
            address: None,
            exchanges: Vec::new(),
        }
    }

    fn told(streams: &[(&str, bool)], unasked: usize) -> String {
        let streams = streams.iter().map(|(name, selected)| (stream(name), *selected)).collect();
        tell(&Seen { streams, unasked })
    }

    #[test]
    fn an_answer_names_what_is_there_and_what_of_it_is_selected() {
        assert_eq!(told(&[], 0), "0 LSL streams on the network");
        assert_eq!(
            told(&[("a", false)], 0),
            "1 LSL stream on the network: a (amp-pc); none of them is selected"
        );
        assert_eq!(
            told(&[("a", true), ("b", true)], 0),
            "2 LSL streams on the network: a (amp-pc), b (amp-pc); selected: all"
        );
        assert_eq!(
            told(&[("a", true), ("b", false)], 3),
            "2 LSL streams on the network: a (amp-pc), b (amp-pc); selected: 1: a (amp-pc), and maybe more: \
             3 predicates are too many to ask for now"
        );
    }

    #[test]
    fn however_many_and_long_names_there_are_it_is_bounded() {
        let long = "ö".repeat(100_000);
        let many: Vec<(&str, bool)> = (0..10_000).map(|n| (long.as_str(), n > 0)).collect();
        let text = told(&many, 0);
        assert!(text.len() < 10_000 && text.contains("and 9980 more"), "{text}");
        let present = Present::from(&stream(&long));
        assert_eq!(present.name.chars().count(), SHOWN_CHARS + 3);
    }
}

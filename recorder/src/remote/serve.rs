//! One recording after the other, as they are asked for.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;

use serde_json::json;
use tokio::sync::watch;

use super::board::{Activity, Board, BoardWatcher, Ended};
use super::desk::{Desk, Ready};
use super::gate::Refusals;
use super::network::Network;
use super::protocol::{Command, Reply};
use super::server::{Job, Server};
use super::token;
use crate::config::{Loaded, Secret};
use crate::display::{Display, Screen, announce};
use crate::host::PluginSearch;
use crate::recording::caution::cautions;
use crate::recording::notice::Level;
use crate::recording::session::Session;
use crate::recording::stops::{StopRequest, Stops};
use crate::recording::verdict::{Outcome, Verdict};

/// Why no commands can be taken.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nobody can connect.
    #[error("cannot take commands on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refuses something else.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The server has ended by itself.
    #[error("remote control has ended by itself: please report this")]
    Ended,
}

/// Wait for commands at `address` and obey them, of those who say the `token` where there is one, until the system says to end, or with `stop_on_stdin`
/// standard input does. A recording that is going on is ended first. What became of each recording.
///
/// # Errors
/// [`ServeError`].
pub fn serve(
    base: &Loaded,
    search: &PluginSearch,
    address: SocketAddr,
    token: Option<Secret>,
    json: bool,
    stop_on_stdin: bool,
) -> Result<Vec<Outcome>, ServeError> {
    let unable = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(unable)?;
    let address = listener.local_addr().map_err(unable)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut desk = Desk::new(base, search);
    let board = watch::Sender::new(Board {
        state: Activity::Idle,
        address,
        sources: base.config.source.iter().map(|s| s.name.clone()).collect(),
        selected: desk.selection().clone(),
        filename: desk.naming().clone(),
        network: None,
        refused: 0,
        recording: None,
        last: None,
    });
    runtime.block_on(async {
        // Listened for before anything is begun, so that no signal kills a recording half-way.
        let mut stops = Stops::new(stop_on_stdin)?;
        let mut server = Server::start(listener, board.subscribe(), token)?;
        let mut refusals = server.refused();
        let operator = Operator { json, address };
        for text in cautions(search) {
            operator.tell("warning", &text);
        }
        if let Some(path) = token::open_file(base) {
            let text = format!("every user of this machine may read the token in {}", path.display());
            operator.tell("warning", &text);
        }
        if !lockstep_platform::is_loopback(address.ip()) {
            operator
                .tell("warning", "what is sent to this address, the token too, can be read on the network");
        }
        let mut network = Network::default();
        let mut outcomes = Vec::new();
        let result = loop {
            operator.idle();
            match wait(&mut desk, &mut server, &board, &mut stops, &mut network, &mut refusals, &operator)
                .await
            {
                Next::End => break Ok(outcomes),
                Next::Broken => break Err(ServeError::Ended),
                Next::Record(job) => {
                    let turn = Turn {
                        server: &mut server,
                        board: &board,
                        stops: &mut stops,
                        network: &mut network,
                        refusals: &mut refusals,
                        operator: &operator,
                    };
                    outcomes.extend(turn.record(&mut desk, job).await);
                    stops.forget_the_last_recording();
                }
            }
        };
        server.finish();
        result
    })
}

/// What is said to whoever sits at this machine.
struct Operator {
    json: bool,
    address: SocketAddr,
}

impl Operator {
    fn idle(&self) {
        let address = self.address;
        let text = format!("remote control: waiting for commands on {address} (Ctrl-C ends)");
        announce(self.json, "remote", &json!({"state": "idle", "address": address}), &text);
    }

    fn tell(&self, what: &str, text: &str) {
        announce(self.json, "remote", &json!({what: text}), &format!("remote control: {what}: {text}"));
    }
}

/// What comes after waiting.
enum Next {
    /// A recording.
    Record(Job),
    /// The end.
    End,
    /// The end, for no commands come any more.
    Broken,
}

/// Obey what needs no recording, until one is to be made.
async fn wait(
    desk: &mut Desk<'_>,
    server: &mut Server,
    board: &watch::Sender<Board>,
    stops: &mut Stops,
    network: &mut Network,
    refusals: &mut Refusals,
    operator: &Operator,
) -> Next {
    while !stops.is_ending() {
        let job = tokio::select! {
            // Nothing is being recorded: only the end of the program means something.
            _ = stops.next() => continue,
            heard = network.heard() => {
                network.pass_on(heard, board, desk, false);
                continue;
            }
            (count, text) = refusals.heard() => {
                board.send_modify(|board| board.refused = count);
                operator.tell("warning", &text);
                continue;
            }
            job = server.next() => job,
        };
        let Some(mut job) = job else { return Next::Broken };
        match std::mem::replace(&mut job.command, Command::Help) {
            Command::Start => return Next::Record(job),
            Command::Stop => {
                let last = board.borrow().last.as_ref().map(Ended::describe);
                let last = last.map_or_else(String::new, |last| format!("; the last recording: {last}"));
                job.answer(Reply::Failed(format!("nothing is being recorded: send `start` first{last}")));
            }
            Command::Update => network.update(job, desk, false),
            command => obey(desk, board, job, command, false),
        }
    }
    Next::End
}

fn obey(desk: &mut Desk<'_>, board: &watch::Sender<Board>, job: Job, command: Command, recording: bool) {
    let reply = match desk.allows(&command, job.from) {
        Ok(()) => desk.obey(command, recording),
        Err(text) => Reply::Failed(text),
    };
    board.send_modify(|board| {
        board.selected = desk.selection().clone();
        board.filename = desk.naming().clone();
    });
    job.answer(reply);
}

/// What a recording needs besides the desk.
struct Turn<'a> {
    server: &'a mut Server,
    board: &'a watch::Sender<Board>,
    stops: &'a mut Stops,
    network: &'a mut Network,
    refusals: &'a mut Refusals,
    operator: &'a Operator,
}

impl Turn<'_> {
    /// Make the recording that `job` asks for; what became of it, unless it could not be started.
    async fn record(self, desk: &mut Desk<'_>, job: Job) -> Option<Outcome> {
        let refused = |job: Job, why: String| {
            self.operator.tell("refused", &why);
            job.answer(Reply::Failed(why));
        };
        let Ready { prepared, config, path } = match desk.ready() {
            Ok(ready) => ready,
            Err(why) => {
                refused(job, why);
                return None;
            }
        };
        let notices = prepared.shared.notices.clone();
        let mut screen = match Screen::start(Display::choose(self.operator.json), prepared.notices.clone()) {
            Ok(screen) => screen,
            Err(error) => {
                refused(job, format!("there is no thread for the screen: {error}"));
                return None;
            }
        };
        let session = match Session::start(prepared, &config, &path) {
            Ok(session) => session,
            Err(error) => {
                refused(job, format!("{error}: check the folder, its permissions and the disk"));
                return None;
            }
        };
        notices.send(Level::Info, "", format!("remote control: start, from {}", job.from));
        let asker = self.stops.asker();
        let mut looks = self.board.subscribe();
        let (mut starting, mut stopping) = (Some(job), Vec::new());
        let verdict = {
            let mut watcher = BoardWatcher { screen: &mut screen, board: self.board };
            let mut running = pin!(session.run(self.stops, &mut watcher));
            loop {
                tokio::select! {
                    verdict = &mut running => break verdict,
                    Ok(()) = looks.changed() => {
                        if let Some(text) = begun(&looks.borrow_and_update())
                            && let Some(job) = starting.take()
                        {
                            job.answer(Reply::Done(text));
                        }
                    }
                    heard = self.network.heard() => self.network.pass_on(heard, self.board, desk, true),
                    (count, text) = self.refusals.heard() => {
                        self.board.send_modify(|board| board.refused = count);
                        notices.send(Level::Warning, "", format!("remote control: {text}"));
                    }
                    Some(mut job) = self.server.next() => {
                        match std::mem::replace(&mut job.command, Command::Help) {
                            Command::Start => job.answer(Reply::Failed(format!(
                                "{} is being recorded already: send `stop` first", path.display()
                            ))),
                            Command::Stop => {
                                // A second one waits for the same end. It must not be taken for impatience.
                                if stopping.is_empty() {
                                    asker.ask(StopRequest::Recording(format!("remote control: stop, from {}", job.from)));
                                }
                                stopping.push(job);
                            }
                            Command::Update => self.network.update(job, desk, true),
                            command => {
                                notices.send(Level::Debug, "", format!("remote control: {command:?}, from {}", job.from));
                                obey(desk, self.board, job, command, true);
                            }
                        }
                    }
                }
            }
        };
        let ended = Ended::new(&verdict, &path);
        self.board.send_modify(|board| {
            board.state = Activity::Idle;
            board.recording = None;
            board.last = Some(ended.clone());
        });
        if let Some(job) = starting {
            job.answer(late(&verdict, &ended));
        }
        for job in stopping {
            let text = ended.describe();
            job.answer(if ended.outcome == Outcome::Failed {
                Reply::Failed(text)
            } else {
                Reply::Done(text)
            });
        }
        screen.finish(&verdict);
        Some(verdict.outcome)
    }
}

/// What `start` is answered, when it has begun.
fn begun(board: &Board) -> Option<String> {
    let status = board.recording.as_ref().filter(|_| board.state == Activity::Recording)?;
    let without = match status.missing.as_slice() {
        [] => String::new(),
        missing => format!(", without {}", missing.join(", ")),
    };
    let path = status.file.path.display();
    Some(format!("started {path} ({} of {} streams on disk{without})", status.on_disk, status.required))
}

/// What `start` is answered when the end came before that was seen.
fn late(verdict: &Verdict, ended: &Ended) -> Reply {
    let text = ended.describe();
    if verdict.outcome == Outcome::Failed {
        Reply::Failed(format!("the recording did not begin: {text}"))
    } else {
        Reply::Done(format!("started, and has ended already: {text}"))
    }
}

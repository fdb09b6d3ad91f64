//! The network's side of remote control, on a thread of its own: it takes connections, cuts what comes into
//! commands, and writes the answers, each connection in the order of its commands. Everything in it is
//! bounded, so that no client can hold up another, or the recording.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::board::Board;
use super::gate::{Gate, Pass, Refusals};
use super::lines::{Line, Lines};
use super::protocol::{Command, Reply, is_of_a_browser, parse};
use crate::config::Secret;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 32;
/// Commands of one connection that wait for their answers; then no more are read from it.
const UNANSWERED_MAX: usize = 16;
/// Commands of all connections that wait for the recorder.
const JOBS_MAX: usize = 32;
/// From one command of a connection, and from one read, to the next: a flood costs the recorder little.
const PACE: Duration = Duration::from_millis(5);
/// A client that does not take its answer for so long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// At the end, answers are still written for so long.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Before a client without the token is told so: guessing takes long.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);
/// After the system refused a connection.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// A command that waits for its answer.
#[derive(Debug)]
pub struct Job {
    /// What to do.
    pub command: Command,
    /// Who wants it.
    pub from: SocketAddr,
    reply: oneshot::Sender<Reply>,
}

impl Job {
    /// Answer it. A client that has gone is no failure.
    pub fn answer(self, reply: Reply) {
        drop(self.reply.send(reply));
    }
}

/// The running server.
#[derive(Debug)]
pub struct Server {
    jobs: mpsc::Receiver<Job>,
    refused: Refusals,
    /// Dropped, it ends the thread.
    end: watch::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Take commands from `listener`, of those who say the `token` where there is one; `status` and `help` are
    /// answered without asking anyone.
    ///
    /// # Errors
    /// When no thread can be had, or the system does not let it listen.
    pub fn start(
        listener: TcpListener,
        board: watch::Receiver<Board>,
        token: Option<Secret>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, jobs_out) = mpsc::channel(JOBS_MAX);
        let (end, ended) = watch::channel(());
        let (gate, refused) = Gate::new(token);
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let thread = std::thread::Builder::new().name("lockstep-remote".to_owned()).spawn(move || {
            runtime.block_on(accept(listener, Client { jobs, board, ended, gate }));
            // Tasks that are left are of clients that do not take their last words.
            runtime.shutdown_background();
        })?;
        Ok(Self { jobs: jobs_out, refused, end, thread })
    }

    /// The next command; `None` when there will be none any more. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<Job> {
        self.jobs.recv().await
    }

    /// Who was refused for want of the token.
    pub fn refused(&self) -> Refusals {
        self.refused.clone()
    }

    /// End all connections, after the answers that are still to be written.
    pub fn finish(self) {
        let Self { jobs, end, thread, .. } = self;
        drop((jobs, end));
        // A thread that has panicked has said so itself.
        drop(thread.join());
    }
}

/// What every connection needs.
#[derive(Debug, Clone)]
struct Client {
    jobs: mpsc::Sender<Job>,
    board: watch::Receiver<Board>,
    ended: watch::Receiver<()>,
    gate: Gate,
}

async fn accept(listener: tokio::net::TcpListener, client: Client) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut ended = client.ended.clone();
    loop {
        tokio::select! {
            _ = ended.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Err(_) => sleep(REFUSED_PAUSE).await,
                Ok((stream, from)) => match Arc::clone(&room).try_acquire_owned() {
                    Err(_) => turn_away(&stream),
                    Ok(place) => {
                        let client = client.clone();
                        connections.spawn(async move {
                            converse(stream, from, client).await;
                            drop(place);
                        });
                    }
                },
            },
        }
    }
    drop(client);
    // What is left after that is cut off.
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(LAST_WORDS, all).await;
}

/// Say that there is no room, if the socket takes it at once.
fn turn_away(stream: &TcpStream) {
    let text = format!("there are {CONNECTIONS_MAX} connections already: close one of them");
    let _ = stream.try_write(Reply::Failed(text).line().as_bytes());
}

/// An answer that is to be written when its turn comes.
enum Turn {
    /// It is known already.
    Known(Reply),
    /// How it goes when the turn comes.
    Status,
    /// The recorder will give it.
    Awaited(oneshot::Receiver<Reply>),
}

async fn converse(stream: TcpStream, from: SocketAddr, client: Client) {
    // Answers are small and waited for. Without it they are only later.
    drop(stream.set_nodelay(true));
    let (read, write) = stream.into_split();
    let (turns, turns_out) = mpsc::channel(UNANSWERED_MAX);
    let board = client.board.clone();
    let mut listening = pin!(listen(read, from, client, turns));
    let mut answering = pin!(answer(write, board, turns_out));
    tokio::select! {
        () = &mut listening => {
            answering.await;
        }
        reads = &mut answering => if let Reads::NoMore = reads {
            // It was a script that closes its end without reading: what it has sent is obeyed all the same.
            listening.await;
        },
    }
}

/// Whether a client takes its answers.
enum Reads {
    /// It took all of them.
    All,
    /// It has closed its end.
    NoMore,
    /// It holds the connection and does not read.
    Stuck,
}

/// Read commands until the client has no more, or the recorder ends.
async fn listen(mut read: OwnedReadHalf, from: SocketAddr, mut client: Client, turns: mpsc::Sender<Turn>) {
    let mut lines = Lines::default();
    let mut bytes = [0; 4096];
    let mut pass = client.gate.pass();
    loop {
        let read = tokio::select! {
            read = read.read(&mut bytes) => read.unwrap_or(0),
            _ = client.ended.changed() => return,
            // Who may not give commands must not keep the place of one who may.
            () = pass.overdue() => return,
        };
        if read == 0 {
            break;
        }
        sleep(PACE).await;
        for line in lines.feed(&bytes[..read]) {
            if is_of_a_browser(&line) {
                let text = "this is no web server: connect by TCP and send lines, as `help`".to_owned();
                let _ = turns.send(Turn::Known(Reply::Failed(text))).await;
                return;
            }
            if !take(line, from, &client, &turns, &mut pass).await {
                return;
            }
            sleep(PACE).await;
        }
    }
    if let Some(line) = lines.end() {
        take(line, from, &client, &turns, &mut pass).await;
    }
}

/// See to a line; whether there is any use in a next one.
async fn take(
    line: Line,
    from: SocketAddr,
    client: &Client,
    turns: &mpsc::Sender<Turn>,
    pass: &mut Pass,
) -> bool {
    let command = parse(line);
    match pass.show(command.as_ref().ok(), from) {
        Some(Ok(text)) => return turns.send(Turn::Known(Reply::Done(text.to_owned()))).await.is_ok(),
        Some(Err(text)) => {
            sleep(REFUSAL_PAUSE).await;
            drop(turns.send(Turn::Known(Reply::Failed(text.to_owned()))).await);
            return false;
        }
        None => {}
    }
    let turn = match command {
        Err(fault) => Turn::Known(Reply::Failed(fault)),
        Ok(Command::Help) => Turn::Known(Reply::help()),
        Ok(Command::Status) => Turn::Status,
        Ok(command) => {
            let (reply, awaited) = oneshot::channel();
            if client.jobs.send(Job { command, from, reply }).await.is_err() {
                return false;
            }
            Turn::Awaited(awaited)
        }
    };
    // A client that is not there to be answered is obeyed all the same.
    drop(turns.send(turn).await);
    true
}

/// Write the answers, one after the other.
async fn answer(
    mut write: OwnedWriteHalf,
    board: watch::Receiver<Board>,
    mut turns: mpsc::Receiver<Turn>,
) -> Reads {
    while let Some(turn) = turns.recv().await {
        let reply = match turn {
            Turn::Known(reply) => reply,
            Turn::Status => {
                let json = board.borrow().json();
                json.map_or_else(Reply::Failed, Reply::Done)
            }
            Turn::Awaited(reply) => reply
                .await
                .unwrap_or_else(|_| Reply::Failed("the recorder is ending: nothing was done".to_owned())),
        };
        let line = reply.line();
        match timeout(WRITE_TIMEOUT, write.write_all(line.as_bytes())).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Reads::NoMore,
            Err(_) => return Reads::Stuck,
        }
    }
    Reads::All
}

#[cfg(test)]
mod tests;

//! A source in a process of its own, as the recording has it: a handle of the thread that watches over it.

mod supervisor;

use std::io::{self, PipeWriter, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use parking_lot::Mutex;

pub use super::process::ChildSpec;
use crate::host::{ConfigProblem, LoadError, StopReport};
use crate::recording::driven::Driven;
use crate::recording::intake::SourceIntake;
use crate::recording::status::ChildStatus;
use supervisor::Supervisor;

/// A thread that watches answers within this, whatever its child does.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// Longest wait for the end of a child that was never started.
const END_WAIT: Duration = Duration::from_secs(1);
/// Between two looks whether it has ended.
const END_PERIOD: Duration = Duration::from_millis(1);

/// What a child says of its plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Its name.
    pub id: String,
    /// Its version.
    pub version: String,
    /// JSON Schema of its options, where there is one.
    pub schema: Option<serde_json::Value>,
}

/// What became of `create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// An instance, not yet started.
    Ready,
    /// The options are wrong.
    BadOptions(Vec<ConfigProblem>),
    /// It failed otherwise.
    Failed(String),
}

/// What the thread is asked to do.
#[derive(Debug)]
enum Command {
    Create { intake: Arc<SourceIntake>, options_json: String, probes: u32, interval_s: f64 },
    Start,
    Stop,
}

/// What it answers: each once, in this order.
#[derive(Debug)]
enum Told {
    Hello(Result<Facts, String>),
    Made(Made),
    Started(Result<(), String>),
    Stopped(StopReport),
}

/// A source in a process of its own. Dropping it ends the process.
#[derive(Debug)]
pub struct Child {
    commands: Sender<Command>,
    told: Receiver<Told>,
    wake: PipeWriter,
    status: Arc<Mutex<ChildStatus>>,
    failure: Option<String>,
    is_begun: bool,
    thread: Option<JoinHandle<()>>,
}

impl Child {
    /// Start a process that loads the plugin.
    ///
    /// # Errors
    /// Those of the system.
    pub fn spawn(spec: ChildSpec) -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        lockstep_platform::child::set_nonblocking(&woken)?;
        lockstep_platform::child::set_nonblocking(&wake)?;
        let (commands, inbox) = bounded(4);
        // Room for each there is.
        let (outbox, told) = bounded(4);
        let status = Arc::<Mutex<ChildStatus>>::default();
        let thread = std::thread::Builder::new().name(format!("source-{}", spec.name));
        let supervisor = Supervisor::new(spec, inbox, outbox, woken, Arc::clone(&status));
        // The thread itself starts the process: on Linux a child dies with the thread that started it.
        let thread = thread.spawn(move || supervisor.run())?;
        Ok(Self { commands, told, wake, status, failure: None, is_begun: false, thread: Some(thread) })
    }

    fn ask(&self, command: Command) {
        // The channel holds all there are, and a pipe that is full wakes as well.
        drop(self.commands.try_send(command));
        let _ = (&self.wake).write(&[1]);
    }

    /// What its plugin is, waited for.
    ///
    /// # Errors
    /// It cannot be loaded, or loading it ended the process.
    pub fn hello(&self) -> Result<Facts, LoadError> {
        match self.told.recv_timeout(ANSWER_WAIT) {
            Ok(Told::Hello(hello)) => hello.map_err(LoadError::InChild),
            _ => Err(LoadError::InChild("its process did not answer".to_owned())),
        }
    }

    /// Make an instance, which tells `intake` what it has to say.
    pub fn create(
        &self,
        intake: Arc<SourceIntake>,
        options_json: String,
        probes: u32,
        interval_s: f64,
    ) -> Made {
        self.ask(Command::Create { intake, options_json, probes, interval_s });
        match self.told.recv_timeout(ANSWER_WAIT) {
            Ok(Told::Made(made)) => made,
            _ => Made::Failed("its process did not answer".to_owned()),
        }
    }
}

impl Driven for Child {
    fn start(&mut self) {
        self.is_begun = true;
        self.ask(Command::Start);
    }

    fn started(&mut self) -> Option<Result<(), String>> {
        match self.told.try_recv() {
            Ok(Told::Started(answer)) => Some(answer),
            _ => None,
        }
    }

    fn stop(&mut self) {
        self.ask(Command::Stop);
    }

    fn stopped(&mut self) -> Option<StopReport> {
        loop {
            match self.told.try_recv() {
                Ok(Told::Stopped(StopReport::Clean)) => {
                    return Some(self.failure.take().map_or(StopReport::Clean, StopReport::Failed));
                }
                Err(TryRecvError::Disconnected) => {
                    let died = || "the thread that watches over its process has ended".to_owned();
                    return Some(StopReport::Failed(self.failure.take().unwrap_or_else(died)));
                }
                Ok(Told::Stopped(failed)) => return Some(failed),
                Ok(Told::Started(Err(reason))) => self.failure = Some(reason),
                Ok(_) => {}
                Err(TryRecvError::Empty) => return None,
            }
        }
    }

    fn child(&self) -> Option<ChildStatus> {
        Some(self.status.lock().clone())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stop();
        let waits = if self.is_begun { Duration::ZERO } else { END_WAIT };
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < waits {
            std::thread::sleep(END_PERIOD);
        }
        if thread.is_finished() {
            // It has ended, so this waits for nothing; a panic in it is not this thread's.
            drop(thread.join());
        }
    }
}

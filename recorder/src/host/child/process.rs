//! One child process, as its parent has it.

use std::io::{ErrorKind, PipeReader, PipeWriter, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use lockstep_platform::child::{
    Ended, enlarge, kill_group, own_program, reap, rss_bytes, set_nonblocking, signal_name, write_within,
};

use super::frame::{Frames, FromChild, FromParent};
use super::printed::Printed;

/// Room for what a child has said and nobody has read.
const PIPE_BYTES: usize = 1 << 20;
/// Bytes that are read of one child before its parent looks at something else.
const READ_AT_ONCE_BYTES: usize = 4 << 20;
/// A child that has no room for an answer for so long reads none.
const ANSWER_WAIT: Duration = Duration::from_millis(200);
/// A child that has said nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(3);

/// What a child is to be.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// The source.
    pub name: String,
    /// Its plugin.
    pub plugin: String,
    /// The plugin's library; `None`: it is built in.
    pub library: Option<PathBuf>,
    /// Memory it may use.
    pub memory_mb: u32,
}

impl ChildSpec {
    pub(super) fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_mb) << 20
    }
}

/// A child that was not reaped yet. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    pub(super) frames: PipeReader,
    pub(super) prints: PipeReader,
    commands: PipeWriter,
    buffered: Frames,
    answers: Vec<u8>,
    /// What it prints.
    pub printed: Printed,
    /// Whether it can say nothing more.
    pub is_mute: bool,
    mute_since: Option<Instant>,
    /// Whether it can print nothing more.
    pub is_blank: bool,
    /// When it was started.
    pub began: Instant,
    heard: Instant,
    /// Why it was killed.
    pub killed_for: Option<String>,
    /// Memory it used when that was last looked at.
    pub rss_bytes: u64,
    memory_bytes: u64,
    is_reaped: bool,
}

impl Process {
    /// Start one.
    pub fn spawn(spec: &ChildSpec) -> std::io::Result<Self> {
        let (their_commands, commands) = std::io::pipe()?;
        let (frames, their_frames) = std::io::pipe()?;
        let (prints, their_prints) = std::io::pipe()?;
        enlarge(&frames, PIPE_BYTES);
        for reader in [&frames, &prints] {
            set_nonblocking(reader)?;
        }
        set_nonblocking(&commands)?;
        let mut command = Command::new(own_program()?);
        command.arg0("lockstep").arg("serve-source");
        command.arg(format!("--name={}", spec.name)).arg(format!("--plugin={}", spec.plugin));
        if let Some(library) = &spec.library {
            command.arg("--library").arg(library);
        }
        command
            .arg(format!("--memory-mb={}", spec.memory_mb))
            .arg(format!("--parent={}", std::process::id()));
        command.stdin(their_commands).stdout(their_frames).stderr(their_prints);
        // Ctrl-C is for the recorder, which then tells its children.
        command.process_group(0);
        let child = command.spawn()?;
        let now = Instant::now();
        Ok(Self {
            pid: child.id(),
            frames,
            prints,
            commands,
            buffered: Frames::default(),
            answers: Vec::new(),
            printed: Printed::new(),
            is_mute: false,
            mute_since: None,
            is_blank: false,
            began: now,
            heard: now,
            killed_for: None,
            rss_bytes: 0,
            memory_bytes: spec.memory_bytes(),
            is_reaped: false,
        })
    }

    /// Say something to it.
    pub fn say(&mut self, said: &FromParent<'_>) {
        if said.encode(&mut self.answers).is_err() {
            self.kill("was given more than it can be told".to_owned());
        }
        self.send_answers();
    }

    fn send_answers(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let sent = write_within(&mut self.commands, &self.answers, ANSWER_WAIT);
        // An error means that it has ended, which is seen elsewhere.
        if sent.is_ok_and(|sent| sent < self.answers.len()) {
            self.kill("took no answer".to_owned());
        }
        self.answers.clear();
    }

    /// Read what it has said, and pass each frame to `take`, which puts answers into the buffer. Whether there may be
    /// more.
    pub fn listen(&mut self, mut take: impl FnMut(FromChild<'_>, &mut Vec<u8>)) -> bool {
        let mut read_bytes = 0;
        while !self.is_mute && read_bytes < READ_AT_ONCE_BYTES {
            match self.frames.read(self.buffered.room()) {
                Ok(0) => self.is_mute = true,
                Ok(read) => {
                    read_bytes += read;
                    self.buffered.filled(read);
                    self.heard = Instant::now();
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => self.is_mute = true,
            }
            let bad = loop {
                match self.buffered.next_frame().and_then(|frame| frame.map(FromChild::decode).transpose()) {
                    Ok(Some(said)) => take(said, &mut self.answers),
                    Ok(None) => break None,
                    Err(bad) => break Some(bad),
                }
            };
            self.send_answers();
            if let Some(bad) = bad {
                self.is_mute = true;
                self.kill(format!("said what cannot be read ({bad})"));
            }
        }
        !self.is_mute
    }

    /// Read what it has printed: each line to `tell`.
    pub fn read_prints(&mut self, tell: impl FnMut(&str)) {
        self.is_blank = self.printed.read(&mut self.prints, tell);
    }

    /// For how long it can say nothing more, at `now`.
    pub fn mute_for(&mut self, now: Instant) -> Duration {
        now.duration_since(*self.mute_since.get_or_insert(now))
    }

    /// Look whether it hangs or uses too much memory; then it is killed.
    pub fn look(&mut self) {
        if let Some(bytes) = rss_bytes(self.pid) {
            self.rss_bytes = bytes;
        }
        if self.rss_bytes > self.memory_bytes {
            let (used, limit) = (mebibytes(self.rss_bytes), mebibytes(self.memory_bytes));
            self.kill(format!("used {used} MiB of memory, more than memory_mb = {limit},"));
        } else if self.heard.elapsed() > SILENCE {
            self.kill(format!("did not answer for {} s", SILENCE.as_secs()));
        }
    }

    /// Kill it, because of what it did.
    pub fn kill(&mut self, why: String) {
        if !self.is_reaped {
            self.killed_for.get_or_insert(why);
            kill_group(self.pid);
        }
    }

    /// How it ended, when it has.
    pub fn ended(&mut self) -> Option<Ended> {
        // An error means that somebody else has reaped it, so it has ended.
        let gone = Ended { code: None, signal: None, most_bytes: 0 };
        let ended = reap(self.pid).unwrap_or(Some(gone));
        self.is_reaped |= ended.is_some();
        ended
    }

    /// In words, what became of it.
    pub fn fate(&self, ended: &Ended) -> String {
        if let Some(why) = &self.killed_for {
            return format!("its process {why} and was killed");
        }
        let how = match (ended.signal, ended.code) {
            (Some(signal), _) => format!("was killed by {}", signal_name(signal)),
            (None, Some(code)) => format!("exited with code {code}"),
            (None, None) => "has ended".to_owned(),
        };
        // Near the limit an allocation fails, which ends most programs.
        let limit = self.memory_bytes;
        let memory = if ended.most_bytes > limit - limit / 10 {
            format!(
                "; it had used {} MiB of memory, and memory_mb = {}",
                mebibytes(ended.most_bytes),
                mebibytes(limit)
            )
        } else {
            String::new()
        };
        format!("its process {how}{memory}")
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_reaped {
            return;
        }
        kill_group(self.pid);
        // The system needs a moment to end it.
        let begun = Instant::now();
        while self.ended().is_none() && begun.elapsed() < Duration::from_millis(100) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

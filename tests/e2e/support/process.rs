//! A child process: its output is gathered while it runs, and it never outlives its test.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Between two looks whether a process has ended; how exactly its end is timed.
const LOOK_PERIOD: Duration = Duration::from_millis(1);

#[derive(Debug, Default)]
struct Lines {
    so_far: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    shown: String,
    child: Child,
    stdout: Arc<Lines>,
    stderr: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Finished {
    /// The command, for messages.
    pub shown: String,
    /// Exit code; `None`: killed by a signal.
    pub code: Option<i32>,
    /// All it wrote.
    pub stdout: String,
    /// All it wrote there.
    pub stderr: String,
    /// When it was seen to have ended.
    pub at: Instant,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shown, code, stdout, stderr, .. } = self;
        write!(f, "{shown}\nexit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

impl Finished {
    /// Panic with all there is to see unless it ended with this exit code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Whether it wrote `text` to standard error. Lines that were wrapped to fit the terminal are put
    /// together again.
    pub fn says(&self, text: &str) -> bool {
        let words = self.stderr.split_whitespace().filter(|word| *word != "│");
        let unwrapped = words.collect::<Vec<_>>().join(" ");
        self.stderr.contains(text) || unwrapped.contains(text)
    }

    /// Panic unless it wrote each of `texts` to standard error.
    #[track_caller]
    pub fn expect_stderr(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.says(text), "{text:?} is not in the standard error of {self}");
        }
        self
    }
}

fn gather(input: impl Read + Send + 'static, lines: &Arc<Lines>) -> JoinHandle<()> {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        let mut input = BufReader::new(input);
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            lines.so_far.lock().unwrap_or_else(PoisonError::into_inner).0.push(text);
            lines.changed.notify_all();
        }
        lines.so_far.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        lines.changed.notify_all();
    })
}

impl Lines {
    fn text(&self) -> String {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner).0.concat()
    }
}

impl Process {
    /// Start `command`.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        Self::start_reading(command, Stdio::null())
    }

    /// The same, with this as its standard input.
    #[track_caller]
    pub fn start_reading(command: &mut Command, stdin: Stdio) -> Self {
        let shown = format!("{command:?}");
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{shown}: {e}"));
        let (stdout, stderr) = (Arc::<Lines>::default(), Arc::<Lines>::default());
        let readers = vec![
            gather(child.stdout.take().expect("it was piped"), &stdout),
            gather(child.stderr.take().expect("it was piped"), &stderr),
        ];
        Self { shown, child, stdout, stderr, readers }
    }

    /// Send it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        // It has not been waited for, so the id is still its own.
        kill(Pid::from_raw(pid), signal).unwrap_or_else(|e| panic!("{signal} to {}: {e}", self.shown));
    }

    /// Wait for a line of standard output of which `wanted` makes something.
    #[track_caller]
    pub fn wait_for_line<T>(&self, what: &str, wanted: impl FnMut(&str) -> Option<T>) -> T {
        self.wait_in(&self.stdout, what, super::PATIENCE, wanted)
    }

    #[track_caller]
    fn wait_in<T>(
        &self,
        lines: &Lines,
        what: &str,
        timeout: Duration,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + timeout;
        let mut seen = 0;
        let mut so_far = lines.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = so_far.0[seen..].iter().find_map(|line| wanted(line)) {
                return found;
            }
            seen = so_far.0.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if so_far.1 || left.is_zero() {
                let why = if so_far.1 { "its output ended" } else { "it took too long" };
                let stdout = so_far.0.concat();
                drop(so_far);
                panic!("waiting for {what}: {why}\n{}\n{stdout}\n{}", self.shown, self.stderr.text());
            }
            so_far = lines.changed.wait_timeout(so_far, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Wait for it to end; after `timeout` it is killed, and the test fails.
    #[track_caller]
    pub fn wait(mut self, timeout: Duration) -> Finished {
        let deadline = Instant::now() + timeout;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_PERIOD),
                Ok(None) => panic!(
                    "not ended after {timeout:?}: {}\n{}\n{}",
                    self.shown,
                    self.stdout.text(),
                    self.stderr.text()
                ),
                Err(e) => panic!("{}: {e}", self.shown),
            }
        };
        let at = Instant::now();
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader of output does not panic");
        }
        Finished {
            shown: std::mem::take(&mut self.shown),
            code: status.code(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            at,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

//! What asks a recording to stop: the system's signals, and whoever else holds a [`StopAsker`].

use std::io;

use lockstep_platform::StopSignals;
use tokio::sync::mpsc;

/// Requests that may wait to be seen: one is enough, for a second one changes little.
const WAITING_MAX: usize = 8;

/// A request to stop, with its reason in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopRequest {
    /// The recording that is going on ends; where recordings follow one another, the next may come.
    Recording(String),
    /// The program ends, and a recording that is going on ends before it.
    Program(String),
}

/// Asks a recording to stop, from any thread.
#[derive(Debug, Clone)]
pub struct StopAsker(mpsc::Sender<StopRequest>);

impl StopAsker {
    /// Ask. It never waits: when requests are waiting to be seen already, it is no news.
    pub fn ask(&self, request: StopRequest) {
        drop(self.0.try_send(request));
    }
}

/// Listens for all that asks a recording to stop.
#[derive(Debug)]
pub struct Stops {
    signals: StopSignals,
    asker: StopAsker,
    asked: mpsc::Receiver<StopRequest>,
    ending: bool,
}

impl Stops {
    /// Listens from now on; with `stop_on_stdin` a line or the end of standard input is a request, too.
    ///
    /// # Errors
    /// When the system refuses to deliver signals.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O enabled.
    pub fn new(stop_on_stdin: bool) -> io::Result<Self> {
        let (sender, asked) = mpsc::channel(WAITING_MAX);
        let mut signals = StopSignals::new()?;
        if stop_on_stdin {
            signals.listen_to_stdin()?;
        }
        Ok(Self { signals, asker: StopAsker(sender), asked, ending: false })
    }

    /// For whoever else may ask.
    pub fn asker(&self) -> StopAsker {
        self.asker.clone()
    }

    /// The next request, in words. Dropping the future loses none.
    pub async fn next(&mut self) -> String {
        let request = tokio::select! {
            signal = self.signals.next() => StopRequest::Program(signal.to_owned()),
            Some(request) = self.asked.recv() => request,
        };
        match request {
            StopRequest::Recording(reason) => reason,
            StopRequest::Program(reason) => {
                self.ending = true;
                reason
            }
        }
    }

    /// Whether the program was asked to end.
    pub fn is_ending(&self) -> bool {
        self.ending
    }

    /// What was asked of a recording that has ended by now is not asked of the next.
    pub fn forget_the_last_recording(&mut self) {
        while let Ok(request) = self.asked.try_recv() {
            self.ending |= matches!(request, StopRequest::Program(_));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_a_recording_leaves_the_program_and_does_not_reach_the_next_recording() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut stops = Stops::new(false).expect("signals");
            let asker = stops.asker();
            asker.ask(StopRequest::Recording("enough".to_owned()));
            asker.ask(StopRequest::Recording("enough, again".to_owned()));
            assert_eq!(stops.next().await, "enough");
            assert!(!stops.is_ending());
            stops.forget_the_last_recording();
            asker.ask(StopRequest::Program("good night".to_owned()));
            assert_eq!(stops.next().await, "good night");
            assert!(stops.is_ending());
        });
    }

    #[test]
    fn the_end_of_the_program_is_not_forgotten_and_asking_never_waits() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut stops = Stops::new(false).expect("signals");
            let asker = stops.asker();
            asker.ask(StopRequest::Program("the end".to_owned()));
            for _ in 0..100 {
                asker.ask(StopRequest::Recording("more".to_owned()));
            }
            stops.forget_the_last_recording();
            assert!(stops.is_ending());
        });
    }
}

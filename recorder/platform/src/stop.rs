//! Being asked to stop: by the user, the system, or whoever writes to standard input.

use std::io::{self, BufRead};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::signal::SystemSignals;

/// Listens for Ctrl-C, for the system's requests to end (SIGTERM, a closed terminal or console), and
/// where that was asked for, to standard input.
#[derive(Debug)]
pub struct StopSignals {
    system: SystemSignals,
    /// What standard input says, once.
    stdin: Option<UnboundedReceiver<&'static str>>,
}

impl StopSignals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system refuses to deliver signals.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O enabled.
    pub fn new() -> io::Result<Self> {
        Ok(Self { system: SystemSignals::new()?, stdin: None })
    }

    /// Take a line or the end of standard input as a request to stop, too. It is one request, however
    /// much follows, so that the end after a line is not taken for a second.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn listen_to_stdin(&mut self) -> io::Result<()> {
        let (say, said) = unbounded_channel();
        // A read of standard input cannot be stopped: the thread may be left behind.
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            // Nobody is there to be told when it has ended before.
            let _ = say.send(request_in(io::stdin().lock()));
        })?;
        self.stdin = Some(said);
        Ok(())
    }

    /// The next request to stop, in words. Dropping the future loses none.
    pub async fn next(&mut self) -> &'static str {
        let stdin = async {
            match &mut self.stdin {
                Some(said) => match said.recv().await {
                    Some(request) => request,
                    None => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            request = self.system.next() => request,
            request = stdin => request,
        }
    }
}

/// Waits for the request that a line or the end of `input` is.
fn request_in(input: impl BufRead) -> &'static str {
    for byte in input.bytes() {
        match byte {
            Ok(b'\n') => return "Enter (standard input)",
            Ok(_) => {}
            Err(_) => break,
        }
    }
    "the end of standard input"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_the_end_are_requests_and_text_is_none() {
        assert_eq!(request_in(&b"stop\n"[..]), "Enter (standard input)");
        assert_eq!(request_in(&b"\r\nmore"[..]), "Enter (standard input)");
        assert_eq!(request_in(&b"sto"[..]), "the end of standard input");
        assert_eq!(request_in(&b""[..]), "the end of standard input");
    }
}

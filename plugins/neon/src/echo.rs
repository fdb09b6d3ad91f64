//! Time Echo: the phone sends back what it is sent, and its time.
//!
//! | bytes | question | answer |
//! |---|---|---|
//! | 0..8 | `u64` milliseconds since 1970 by our clock | the same |
//! | 8..16 | | `u64` milliseconds since 1970 by the phone's clock, floored |
//!
//! Big-endian, any number of them on one TCP connection. Our milliseconds only tell which question an answer belongs
//! to; the exchange is stamped in nanoseconds.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockstep_platform::{monotonic_ns, seconds};
use lockstep_plugin_api::Exchange;

/// Bytes of an answer.
const ANSWER_BYTES: usize = 16;
/// Longest wait for the connection.
const CONNECT: Duration = Duration::from_millis(400);
/// A connection on which so many questions in a row had no answer is dead, whatever the system thinks.
const UNANSWERED: u32 = 4;
/// An answer that says a time before 2000 is none.
const EARLIEST_MS: u64 = 946_684_800_000;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Questions.
    pub asked: u64,
    /// Answers that could be used.
    pub answered: u64,
    /// Answers that came too late.
    pub late: u64,
    /// Answers to something that was not asked, or that say no time.
    pub wrong: u64,
}

/// Asks a phone for its time.
#[derive(Debug)]
pub struct Echo {
    /// Where it answers, as it said last.
    at: Arc<Mutex<Option<SocketAddr>>>,
    /// The connection, and where it leads.
    stream: Option<(SocketAddr, TcpStream)>,
    unanswered: u32,
    /// What came of an answer that is not complete.
    partial: Vec<u8>,
    last_ms: u64,
    /// What was counted.
    pub counters: Counters,
}

impl Echo {
    /// Of the phone that answers at `at`, which may change.
    pub fn new(at: Arc<Mutex<Option<SocketAddr>>>) -> Self {
        Self {
            at,
            stream: None,
            unanswered: 0,
            partial: Vec::new(),
            last_ms: 0,
            counters: Counters::default(),
        }
    }

    /// One exchange; `None`: no answer in time.
    ///
    /// # Errors
    /// The phone cannot be reached, or has ended the connection.
    pub fn exchange(&mut self, timeout: Duration) -> std::io::Result<Option<Exchange>> {
        let asked = self.ask(timeout);
        self.unanswered = if matches!(asked, Ok(Some(_))) { 0 } else { self.unanswered + 1 };
        if asked.is_err() || self.unanswered >= UNANSWERED {
            (self.stream, self.unanswered) = (None, 0);
        }
        asked
    }

    fn ask(&mut self, timeout: Duration) -> std::io::Result<Option<Exchange>> {
        let begun = Instant::now();
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let at = at.ok_or_else(|| std::io::Error::new(ErrorKind::NotFound, "the phone does not offer it"))?;
        if self.stream.as_ref().is_none_or(|(to, _)| *to != at) {
            let stream = TcpStream::connect_timeout(&at, CONNECT.min(timeout.max(Duration::from_millis(1))))?;
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(CONNECT))?;
            self.partial.clear();
            self.stream = Some((at, stream));
        }
        let Some((_, stream)) = &mut self.stream else { return Ok(None) };
        let (_, utc_ns) = lockstep_platform::monotonic_and_utc_ns();
        let now_ms = u64::try_from(utc_ns / 1_000_000).unwrap_or_default();
        // Two questions within a millisecond have to differ.
        self.last_ms = now_ms.max(self.last_ms + 1);
        let question = self.last_ms.to_be_bytes();
        let t0_ns = monotonic_ns();
        stream.write_all(&question)?;
        self.counters.asked += 1;
        let mut buffer = [0; 256];
        loop {
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            stream.set_read_timeout(Some(left))?;
            let count = match stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            let t3_ns = monotonic_ns();
            self.partial.extend_from_slice(buffer.get(..count).unwrap_or_default());
            while let Some((answer, rest)) = self.partial.split_first_chunk::<ANSWER_BYTES>() {
                let judged = judge(answer, self.last_ms);
                self.partial = rest.to_vec();
                match judged {
                    Judged::Late => self.counters.late += 1,
                    Judged::Wrong => self.counters.wrong += 1,
                    Judged::Time(device_ms) => {
                        self.counters.answered += 1;
                        let device_s = device_ms as f64 / 1e3;
                        let (t0_s, t3_s) = (seconds(t0_ns), seconds(t3_ns));
                        return Ok(Some(Exchange { t0_s, t1_s: device_s, t2_s: device_s, t3_s }));
                    }
                }
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// The phone's time, milliseconds since 1970.
    Time(u64),
    /// To an earlier question.
    Late,
    /// To none, or without a time.
    Wrong,
}

fn judge(answer: &[u8; ANSWER_BYTES], asked_ms: u64) -> Judged {
    let (question, device) = answer.split_at(8);
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    match (number(question), number(device)) {
        (echoed, device_ms) if echoed == asked_ms && device_ms > EARLIEST_MS => Judged::Time(device_ms),
        // Nothing was asked more than a minute ago that could still be answered.
        (echoed, _) if echoed < asked_ms && asked_ms - echoed < 60_000 => Judged::Late,
        _ => Judged::Wrong,
    }
}

/// An answer of sixteen bytes, to a question of the first eight after them.
pub(crate) fn fuzz(bytes: &[u8]) {
    let Some((answer, rest)) = bytes.split_first_chunk::<ANSWER_BYTES>() else { return };
    let asked_ms = rest.first_chunk().map_or(0, |asked| u64::from_be_bytes(*asked));
    if let Judged::Time(device_ms) = judge(answer, asked_ms) {
        assert!(device_ms > EARLIEST_MS && answer[..8] == asked_ms.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const DEVICE_MS: u64 = 1_700_000_000_123;

    /// A phone that answers each question as `answers` has it, in pieces.
    fn phone(answers: Vec<Vec<Vec<u8>>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.set_nodelay(true).expect("a socket");
            for pieces in answers {
                let mut question = [0; 8];
                stream.read_exact(&mut question).expect("a question");
                for piece in pieces {
                    let piece = if piece.is_empty() { question.to_vec() } else { piece };
                    stream.write_all(&piece).expect("an answer");
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        });
        at
    }

    #[test]
    fn an_answer_in_pieces_and_a_wrong_one_before_it_are_no_trouble() {
        let time = DEVICE_MS.to_be_bytes().to_vec();
        let wrong = [99u64.to_be_bytes(), DEVICE_MS.to_be_bytes()].concat();
        // An empty piece is the question.
        let at = phone(vec![vec![vec![], time[..3].to_vec(), time[3..].to_vec()], vec![wrong, vec![], time]]);
        let mut echo = Echo::new(Arc::new(Mutex::new(Some(at))));
        for _ in 0..2 {
            let exchange = echo.exchange(Duration::from_secs(5)).expect("a connection").expect("an answer");
            assert_eq!((exchange.t1_s, exchange.t2_s), (1_700_000_000.123, 1_700_000_000.123));
            assert!(exchange.t3_s > exchange.t0_s);
        }
        assert_eq!(echo.counters, Counters { asked: 2, answered: 2, late: 0, wrong: 1 });
        assert!(echo.exchange(Duration::from_millis(100)).is_err(), "it has ended the connection");
    }

    #[test]
    fn answers_are_told_apart() {
        let answer = |echoed: u64, device: u64| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&echoed.to_be_bytes());
            bytes[8..].copy_from_slice(&device.to_be_bytes());
            bytes
        };
        assert_eq!(judge(&answer(5_000, DEVICE_MS), 5_000), Judged::Time(DEVICE_MS));
        assert_eq!(judge(&answer(4_999, DEVICE_MS), 5_000), Judged::Late);
        assert_eq!(judge(&answer(5_001, DEVICE_MS), 5_000), Judged::Wrong);
        assert_eq!(judge(&answer(5_000, 0), 5_000), Judged::Wrong);
    }
}

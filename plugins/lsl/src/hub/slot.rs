//! One stream on its way to and through its connection.

use std::time::{Duration, Instant};

use lockstep_plugin_api::{Clock, Error, Exchange, Format, Host, LogLevel, RawStream};
use mio::Registry as Watch;

use crate::connection::Connection;
use crate::describe::Description;
use crate::handshake::Handshake;
use crate::recorded::Recorded;
use crate::registry::Entry;

/// Pause before the first try after a break, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// A feed that lasts this long is well.
const LASTING: Duration = Duration::from_secs(2);
/// A stream of a regular rate must send within this time.
const FIRST_SAMPLE: Duration = Duration::from_secs(3);
/// Tries that fail before it is told.
const TOLD_FAILURES: u32 = 3;

/// Where a stream's connection is.
#[derive(Debug)]
pub enum Link {
    /// To be opened.
    Idle {
        /// From then on.
        retry: Instant,
    },
    /// Open.
    Open {
        /// The connection.
        connection: Connection,
        /// What it is for.
        stage: Stage,
    },
    /// The network does not show the outlet any more.
    Gone,
}

/// What a connection is for.
pub enum Stage {
    /// The description, so far.
    Describing(Vec<u8>),
    /// A feed that is being opened.
    Opening(Box<Handshake>),
    /// A feed; the bytes of a sample that is not complete.
    Streaming(Vec<u8>),
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Describing(_) => "Describing",
            Self::Opening(_) => "Opening",
            Self::Streaming(_) => "Streaming",
        })
    }
}

/// The look at the clock of an outlet. Samples are not read before it is done, for it decides whose clock
/// their stamps are of.
#[derive(Debug)]
pub enum Look {
    /// Going on since then.
    Waiting(Instant),
    /// What was measured, as far as it is not recorded yet.
    Done(Vec<Exchange>),
}

/// A look that brought nothing by now never will: its order or its report found no room.
const LOOK_LOST: Duration = Duration::from_secs(2);

impl Look {
    /// Whether samples can be read.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// Whether waiting for it is in vain.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Waiting(since) if since.elapsed() > LOOK_LOST)
    }
}

/// One stream.
#[derive(Debug)]
pub struct Slot {
    /// Its connection.
    pub link: Link,
    /// The look at its clock.
    pub look: Look,
    /// Its description.
    pub description: Option<Description>,
    /// Its stream in the recording.
    pub recorded: Option<Recorded>,
    failures: u32,
    trouble: Option<String>,
    warned: bool,
    /// When a feed of it last ended; before, when it was found.
    ended: Instant,
}

impl Slot {
    /// A stream that was found just now.
    pub fn new() -> Self {
        Self {
            link: Link::Idle { retry: Instant::now() },
            look: Look::Waiting(Instant::now()),
            description: None,
            recorded: None,
            failures: 0,
            trouble: None,
            warned: false,
            ended: Instant::now(),
        }
    }

    /// Whether its feed is open.
    pub fn is_streaming(&self) -> bool {
        matches!(&self.link, Link::Open { stage: Stage::Streaming(_), .. })
    }

    /// How long its feed has been open.
    pub fn streams_for(&self) -> Option<Duration> {
        match &self.link {
            Link::Open { connection, stage: Stage::Streaming(_) } => Some(connection.opened.elapsed()),
            _ => None,
        }
    }

    /// How long it has had no feed.
    pub fn lost_for(&self) -> Option<Duration> {
        (!self.is_streaming()).then(|| self.ended.elapsed())
    }

    /// Whether its feed was open, and is not any more.
    pub fn is_lost(&self) -> bool {
        self.recorded.as_ref().is_some_and(Recorded::is_lost)
    }

    /// Whether its connection may have something.
    pub fn is_readable(&self) -> bool {
        matches!(&self.link, Link::Open { connection, .. } if connection.readable)
    }

    /// Connect as soon as possible.
    pub fn retry_now(&mut self) {
        if !matches!(self.link, Link::Open { .. }) {
            self.failures = 0;
            self.link = Link::Idle { retry: Instant::now() };
        }
    }

    /// Its feed has ended: connect again after the first pause, and after a longer one when feeds keep
    /// ending as soon as they are open.
    pub fn feed_ended(&mut self, lasted: Duration) {
        self.ended = Instant::now();
        if lasted > LASTING {
            (self.failures, self.warned) = (0, false);
            self.link = Link::Idle { retry: Instant::now() + RETRY.0 };
        } else {
            self.failed("its feed ends as soon as it is open");
        }
    }

    /// Nothing is to be opened for now.
    pub fn retry_later(&mut self) {
        self.link = Link::Idle { retry: Instant::now() + RETRY.1 };
    }

    /// It did not come about; try again, ever more slowly.
    pub fn failed(&mut self, why: &str) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= TOLD_FAILURES {
            self.trouble = Some(why.to_owned());
        }
        let pause = RETRY.0 * 2u32.saturating_pow(self.failures.min(8));
        self.link = Link::Idle { retry: Instant::now() + pause.min(RETRY.1) };
    }

    /// It will not be recorded.
    pub fn refused(&mut self, why: &str) {
        self.trouble = Some(why.to_owned());
        self.retry_later();
    }

    /// Something is wrong that has to be told at once. It is logged once, until all is well again.
    pub fn warn(&mut self, host: Host, label: &str, text: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            host.log(LogLevel::Warn, &format!("{label}: {text}"));
        }
        self.trouble = Some(text.to_owned());
    }

    /// All is well again.
    pub fn well(&mut self) {
        (self.failures, self.trouble, self.warned) = (0, None, false);
        self.link = Link::Idle { retry: Instant::now() };
    }

    /// Its feed is open.
    pub fn opened(&mut self) {
        self.trouble = None;
        if let Link::Open { stage, .. } = &mut self.link {
            *stage = Stage::Streaming(Vec::new());
        }
    }

    /// Its feed is open: say so when it is of a regular rate and no sample comes.
    pub fn expect_samples(&mut self, host: Host, entry: &Entry) {
        let Link::Open { connection, .. } = &self.link else { return };
        let late = connection.opened.elapsed() > FIRST_SAMPLE && entry.outlet.nominal_rate_hz > 0.0;
        let silent = self.recorded.as_ref().is_some_and(|recorded| !recorded.has_samples);
        if late && silent {
            self.warn(host, &entry.label, "its feed is open, but no sample has come");
        } else if self.warned && !silent {
            (self.trouble, self.warned) = (None, false);
        }
    }

    /// What is wrong with it, if the network still shows it.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref().filter(|_| !matches!(self.link, Link::Gone))
    }

    /// End its connection.
    pub fn close(&mut self, watch: &Watch) {
        let idle = Link::Idle { retry: Instant::now() };
        if let Link::Open { connection, .. } = std::mem::replace(&mut self.link, idle) {
            connection.close(watch);
        }
    }
}

/// Add a stream to the recording.
///
/// # Errors
/// Those of the recorder.
pub fn add_stream(
    host: Host,
    entry: &Entry,
    is_required: bool,
    header: &str,
    clock: &Clock,
) -> Result<RawStream, Error> {
    let outlet = &entry.outlet;
    // Events may be rare, and texts are always events. What nobody requires is not waited for, either; that
    // it sends nothing is told by `Slot::expect_samples`.
    let may_be_silent = !is_required || outlet.nominal_rate_hz <= 0.0 || outlet.format == Format::String;
    host.raw_stream(&outlet.name, outlet.format, outlet.channel_count)
        .label(&entry.label)
        .kind(&outlet.kind)
        .source_id(&outlet.source_id)
        .nominal_rate_hz(outlet.nominal_rate_hz)
        .clock(clock)
        .may_be_silent(may_be_silent)
        .origin_xml(header)
        .add()
}

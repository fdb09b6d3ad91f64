//! The backend of the Stream Engine. It has no threads of its own: what has come is handed out when it is asked to,
//! by callbacks on the thread that asks.

mod callbacks;
pub mod layout;

use std::ffi::c_void;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use self::callbacks::Inbox;
use crate::backend::{Backend, Item, SyncOperation, Tracker, Trouble};
use crate::options::{LayoutChoice, Options, Streams};
use crate::streams::Kind;
use crate::sys::library;
use crate::sys::stream_engine::{self as sys, Connection, Functions, Status, Stream, until_nul};

/// Pause between two looks whether something has come. The interface wants to be asked ten times a second at least.
const LOOK: Duration = Duration::from_millis(4);
/// States of the device.
const STATE_PAUSED: i32 = 2;
const STATE_FAULT: i32 = 4;

/// A tracker on the Stream Engine.
#[derive(Debug)]
pub struct StreamEngine {
    /// Closed before what its callbacks write into goes.
    connection: Connection,
    inbox: Arc<Inbox>,
    tracker: Tracker,
    /// What is wanted beside gaze.
    streams: Streams,
}

impl StreamEngine {
    /// Open the library and the tracker, and subscribe.
    ///
    /// # Errors
    /// [`Trouble`]: refused with what to do, or not connected.
    pub fn open(options: &Options) -> Result<Self, Trouble> {
        let opened = library::open(&options.library, "tobii_stream_engine").map_err(Trouble::Refused)?;
        let functions = Functions::of(opened, options.allow_legacy).map_err(Trouble::Refused)?;
        let version = functions.version;
        let licence = licence(&options.licence_file).map_err(Trouble::Refused)?;
        let opened = Connection::open(functions.clone(), &options.address, &licence);
        let (connection, address) = opened.map_err(|(status, what)| trouble(&functions, status, &what))?;
        let layout = match options.gaze_data_layout {
            LayoutChoice::V3 => layout::Choice::Decided(layout::Layout::V3),
            LayoutChoice::V4 => layout::Choice::Decided(layout::Layout::V4),
            LayoutChoice::Auto if version.major < 4 => layout::Choice::Decided(layout::Layout::V3),
            LayoutChoice::Auto => layout::Choice::Undecided,
        };
        let info = connection.device_info();
        let info = info.map_err(|status| trouble(&functions, status, "it does not say what it is"))?;
        let (serial, model, firmware) = names(&info[..], version.major);
        let mut this = Self {
            inbox: Arc::new(Inbox::new(layout)),
            tracker: Tracker {
                serial,
                model,
                firmware,
                address,
                library: format!("Stream Engine {version}"),
                frequency_hz: connection.output_frequency_hz().unwrap_or(0.0),
                ..Tracker::default()
            },
            streams: options.streams,
            connection,
        };
        this.subscribe()?;
        // What needs a licence is found out now and not in the middle of the recording.
        if let Some(operation) = this.operation()? {
            this.inbox.push(Item::TimeSync(operation));
        }
        if this.connection.state(STATE_PAUSED) == Some(true) {
            this.inbox.push(Item::Paused(true));
        }
        if let Some(text) =
            this.connection.state_text(STATE_FAULT).filter(|text| !["", "ok"].contains(&text.as_str()))
        {
            this.inbox.push(Item::Notice("tobii_fault", json!({"text": text})));
        }
        Ok(this)
    }

    fn subscribe(&mut self) -> Result<(), Trouble> {
        let user_data = Arc::as_ptr(&self.inbox).cast_mut().cast::<c_void>();
        let streams = self.streams;
        // What cannot be had beside gaze is left out; gaze is what the recording is for.
        let is_there = |status: Status| status == sys::OK || status == sys::ALREADY_SUBSCRIBED;
        // SAFETY: the inbox is what the callbacks take their user data for; it lives until the connection is closed.
        let (gaze, openness, guide, port) = unsafe {
            let subscribe = |stream, callback| self.connection.subscribe(stream, callback, user_data);
            let optional = |wanted: bool, stream, callback| wanted && is_there(subscribe(stream, callback));
            subscribe(Stream::Notifications, callbacks::notification);
            (
                subscribe(Stream::GazeData, callbacks::gaze),
                optional(streams.eye_openness, Stream::EyeOpenness, callbacks::eye_openness),
                optional(streams.positioning, Stream::PositionGuide, callbacks::position_guide),
                streams.external_signal
                    && is_there(self.connection.subscribe_sync_port(callbacks::sync_port, user_data)),
            )
        };
        if !is_there(gaze) {
            return Err(self.trouble(gaze, "its gaze data cannot be had"));
        }
        self.tracker.sends(&[
            (true, Kind::Gaze),
            (openness, Kind::EyeOpenness),
            (guide, Kind::Positioning),
            (port, Kind::ExternalSignal),
        ]);
        Ok(())
    }

    fn trouble(&self, status: Status, what: &str) -> Trouble {
        trouble(self.connection.functions(), status, what)
    }

    /// A time sync; `None`: not now, try again.
    fn operation(&mut self) -> Result<Option<SyncOperation>, Trouble> {
        match self.connection.timesync() {
            Ok(sync) => Ok(Some(SyncOperation {
                request_us: sync.system_start_us,
                device_us: sync.tracker_us,
                response_us: sync.system_end_us,
            })),
            Err(sys::OPERATION_FAILED | sys::TIMED_OUT) => Ok(None),
            Err(status) => Err(self.trouble(status, "its clock cannot be measured")),
        }
    }
}

impl Backend for StreamEngine {
    fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    fn pump(&mut self, out: &mut Vec<Item>) -> Result<(), Trouble> {
        std::thread::sleep(LOOK);
        let status = self.connection.process();
        self.inbox.take(out);
        match status {
            sys::OK | sys::TIMED_OUT => Ok(()),
            status => Err(self.trouble(status, "the connection is lost")),
        }
    }

    fn syncs_itself(&self) -> bool {
        false
    }

    fn time_sync(&mut self, _patience: Duration) -> Result<Option<SyncOperation>, Trouble> {
        // How long it takes is the library's affair.
        self.operation()
    }

    fn reconnect(&mut self) -> Result<(), Trouble> {
        match self.connection.reconnect() {
            // Subscriptions outlive it, it seems; where they do not, they are made again.
            sys::OK => self.subscribe(),
            status => Err(self.trouble(status, "it cannot be reached")),
        }
    }

    fn system_clock_us(&self) -> Option<i64> {
        self.connection.system_clock_us()
    }
}

/// What a status means for us, in the library's words.
fn trouble(functions: &Functions, status: Status, what: &str) -> Trouble {
    let text = functions.text(status);
    match status {
        // It was found out here, and has no status.
        sys::OK => Trouble::Refused(what.to_owned()),
        sys::NOT_AVAILABLE
        | sys::CONNECTION_FAILED
        | sys::CONNECTION_FAILED_DRIVER
        | sys::TIMED_OUT
        | sys::OPERATION_FAILED => Trouble::Disconnected(format!("{what}: {text}")),
        sys::FIRMWARE_UPGRADE_IN_PROGRESS => Trouble::Upgrading,
        sys::INSUFFICIENT_LICENSE | UNAUTHORIZED => Trouble::Refused(format!(
            "{what}: {text}. Gaze data and time syncs need a professional licence of Tobii's (the option \
             `licence_file`), unless the tracker is one of Tobii Pro's"
        )),
        _ => Trouble::Refused(format!(
            "{what}: {text}. Is it switched on, and does Tobii's own program see it? `address` says which is meant"
        )),
    }
}

/// Not allowed.
const UNAUTHORIZED: Status = 19;

/// Serial number, model and firmware in what a device says of itself.
fn names(info: &[u8], major: i32) -> (String, String, String) {
    let field = |at: usize, bytes: usize| until_nul(info.get(at..at + bytes).unwrap_or_default());
    // serial, model, generation, firmware, each as long.
    if major >= 3 {
        (field(0, 256), field(256, 256), field(768, 256))
    } else {
        (field(0, 128), field(128, 64), field(256, 128))
    }
}

/// The text of a licence file, which the interface takes as UTF-16 as it is.
fn licence(path: &Path) -> Result<Vec<u16>, String> {
    if path.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let bytes = std::fs::read(path);
    let bytes =
        bytes.map_err(|error| format!("the licence file {} cannot be read: {error}", path.display()))?;
    if bytes.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    let pairs = bytes.chunks(2).map(|pair| {
        u16::from_le_bytes([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)])
    });
    Ok(pairs.collect())
}

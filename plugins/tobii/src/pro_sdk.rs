//! The backend of the Pro SDK. It calls back from threads of its own, connects again by itself, and measures the
//! tracker's clock by itself; what it measures comes like all else.

mod callbacks;
pub mod layout;

use std::ffi::c_void;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use self::callbacks::Post;
use self::layout::Layout;
use crate::backend::{Backend, Item, SyncOperation, Tracker, Trouble};
use crate::options::Options;
use crate::streams::Kind;
use crate::sys::library;
use crate::sys::pro_sdk::{self as sys, Connection, Functions, Status, Stream};

/// Longest wait for something to come.
const LOOK: Duration = Duration::from_millis(50);

/// A tracker on the Pro SDK.
#[derive(Debug)]
pub struct ProSdk {
    /// Closed before what its callbacks write into goes.
    connection: Connection,
    post: Box<Post>,
    items: Receiver<Item>,
    tracker: Tracker,
}

impl ProSdk {
    /// Open the library, find the tracker, and subscribe.
    ///
    /// # Errors
    /// [`Trouble`]: refused with what to do, or not connected.
    pub fn open(options: &Options) -> Result<Self, Trouble> {
        let opened = library::open(&options.library, "tobii_research").map_err(Trouble::Refused)?;
        let functions = Functions::of(opened).map_err(Trouble::Refused)?;
        let version = functions.version;
        let connection = Connection::open(functions, &options.address);
        let connection = connection.map_err(|(status, what)| trouble(status, &what))?;
        let [address, serial, model, firmware] = connection.names();
        let layout = if version.major >= 2 { Layout::V2 } else { Layout::V1 };
        let (post, items) = Post::new(layout);
        let capabilities = connection.capabilities();
        let mut this = Self {
            tracker: Tracker {
                serial,
                model,
                firmware,
                address,
                library: format!("Pro SDK {version}"),
                frequency_hz: connection.frequency_hz().unwrap_or(0.0),
                ..Tracker::default()
            },
            connection,
            post: Box::new(post),
            items,
        };
        this.subscribe(options, capabilities)?;
        Ok(this)
    }

    fn subscribe(&mut self, options: &Options, capabilities: u32) -> Result<(), Trouble> {
        let user_data = std::ptr::from_ref::<Post>(&self.post).cast_mut().cast::<c_void>();
        let (streams, connection) = (options.streams, &mut self.connection);
        // SAFETY: the post is what the callbacks take their user data for; it is in a box, which lives until the
        // connection has unsubscribed.
        let mut subscribe = |stream, callback| unsafe { connection.subscribe(stream, callback, user_data) };
        for (stream, callback) in [
            (Stream::Notifications, callbacks::notification as sys::Callback),
            (Stream::Errors, callbacks::stream_error),
        ] {
            // Without them it is not told what goes wrong, and nothing else is missing.
            let _ = subscribe(stream, callback);
        }
        for (stream, callback, what) in [
            (Stream::TimeSync, callbacks::time_sync as sys::Callback, "its time syncs cannot be had"),
            (Stream::GazeData, callbacks::gaze, "its gaze data cannot be had"),
        ] {
            let status = subscribe(stream, callback);
            if status != sys::OK {
                return Err(trouble(status, what));
            }
        }
        let mut optional =
            |wanted: bool, stream, callback: sys::Callback| wanted && subscribe(stream, callback) == sys::OK;
        let can = |bit: u32| capabilities & bit != 0;
        let port = optional(
            streams.external_signal && can(sys::HAS_EXTERNAL_SIGNAL),
            Stream::ExternalSignal,
            callbacks::external_signal,
        );
        let openness = optional(
            streams.eye_openness && can(sys::HAS_EYE_OPENNESS),
            Stream::EyeOpenness,
            callbacks::eye_openness,
        );
        let guide = optional(streams.positioning, Stream::PositionGuide, callbacks::position_guide);
        self.tracker.sends(&[
            (true, Kind::Gaze),
            (openness, Kind::EyeOpenness),
            (guide, Kind::Positioning),
            (port, Kind::ExternalSignal),
        ]);
        Ok(())
    }
}

fn trouble(status: Status, what: &str) -> Trouble {
    match status {
        sys::OK => Trouble::Refused(what.to_owned()),
        sys::CONNECTION_FAILED => Trouble::Disconnected(what.to_owned()),
        sys::INSUFFICIENT_LICENSE => Trouble::Refused(format!(
            "{what}: a licence is missing; put it on the tracker with Tobii's own program"
        )),
        status => Trouble::Refused(format!("{what} (status {status} of the Pro SDK)")),
    }
}

impl Backend for ProSdk {
    fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    fn pump(&mut self, out: &mut Vec<Item>) -> Result<(), Trouble> {
        match self.items.recv_timeout(LOOK) {
            Ok(first) => out.push(first),
            // The sender is ours.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        out.extend(self.items.try_iter());
        out.extend(self.post.lost().map(Item::Lost));
        Ok(())
    }

    fn time_sync(&mut self) -> Option<Result<SyncOperation, Trouble>> {
        None
    }

    fn reconnect(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn system_clock_us(&self) -> Option<i64> {
        self.connection.functions().system_clock_us()
    }
}

//! What the session needs of whatever produces the data of a source: an
//! instance of a plugin, or something built in.

use std::fmt::Debug;

use super::status::ChildStatus;
use crate::host::{Instance, StopReport};

/// Something that is started and stopped with the recording. None of the calls waits.
pub trait Driven: Debug + Send {
    /// Begin. The answer comes through [`Driven::started`].
    fn start(&mut self);

    /// Whether `start` has answered, and what; each answer once.
    fn started(&mut self) -> Option<Result<(), String>>;

    /// Ask it to stop. The answer comes through [`Driven::stopped`].
    fn stop(&mut self);

    /// How it ended, when it has.
    fn stopped(&mut self) -> Option<StopReport>;

    /// Its process, where it has one of its own.
    fn child(&self) -> Option<ChildStatus> {
        None
    }
}

impl Driven for Instance {
    fn start(&mut self) {
        Instance::start(self);
    }

    fn started(&mut self) -> Option<Result<(), String>> {
        Instance::started(self)
    }

    fn stop(&mut self) {
        Instance::stop(self);
    }

    fn stopped(&mut self) -> Option<StopReport> {
        Instance::stopped(self)
    }
}

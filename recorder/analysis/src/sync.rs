//! From recorded stamps to one time axis.
//!
//! Each stream is read twice, in constant memory. The first pass ([`Synchronizer::time`]) reads only
//! the stamps: it finds which piece of its clock's map each sample belongs to, and fits the regular
//! rate. The second pass ([`Timing::blocks`]) yields the samples with their times and errors.
//!
//! The order of what is done to a stamp:
//! 1. the clock's map (or nothing, for the recorder's own clock);
//! 2. dejittering, for streams with a nominal rate;
//! 3. the header's `synchronization/offset_mean` is subtracted, as load_xdf in MATLAB does;
//! 4. optionally, stamps that do not rise are pushed up until they do.

mod blocks;
pub(crate) mod load;
mod times;
mod timing;

use lockstep_clock::compat::truncate_corrupted_offsets;
use lockstep_clock::{ClockMap, DejitterMethod, Method, fit};
use lockstep_xdf::LoadError;

use crate::Recording;
use crate::arrival::Timeline;
use crate::clocks::{Clocks, StreamClock, own_history};

pub use blocks::{SyncedBlock, SyncedBlocks};
pub use times::Times;
pub use timing::Timing;

/// What is done to the stamps.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncOptions {
    /// How clocks are mapped to host time.
    pub method: Method,
    /// How streams with a nominal rate are dejittered.
    pub dejitter: DejitterMethod,
    /// Subtract the header's `desc/synchronization/offset_mean` from the times.
    pub offset_mean: bool,
    /// Known asymmetry by name of the clock: half of (least delay to the device minus least delay back),
    /// in seconds, or any other constant that a calibration found. It is taken off every offset.
    pub asymmetry_s: Vec<(String, f64)>,
    /// Push stamps that do not rise up by the smallest step there is.
    pub strictly_increasing: bool,
    /// Do exactly what pyxdf's `load_xdf` does: each stream by its own offsets alone, those of broken
    /// outlets cut off. `method` is then [`Method::Robust`] or [`Method::None`], `dejitter` pyxdf's or
    /// none; `offset_mean`, `asymmetry_s` and `strictly_increasing` do not count.
    pub compat_pyxdf: bool,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            method: Method::default(),
            dejitter: DejitterMethod::default(),
            offset_mean: true,
            asymmetry_s: Vec::new(),
            strictly_increasing: false,
            compat_pyxdf: false,
        }
    }
}

impl SyncOptions {
    /// What `pyxdf.load_xdf(FILE, synchronize_clocks=…, dejitter_timestamps=…)` does.
    pub fn pyxdf(synchronize_clocks: bool, dejitter_timestamps: bool) -> Self {
        Self {
            method: if synchronize_clocks { Method::Robust } else { Method::None },
            dejitter: if dejitter_timestamps { DejitterMethod::Pyxdf } else { DejitterMethod::None },
            offset_mean: false,
            asymmetry_s: Vec::new(),
            strictly_increasing: false,
            compat_pyxdf: true,
        }
    }
}

/// The name of a method of dejittering, as typed.
pub const fn dejitter_name(method: DejitterMethod) -> &'static str {
    match method {
        DejitterMethod::None => "none",
        DejitterMethod::Pyxdf => "pyxdf",
        DejitterMethod::Relative => "relative",
    }
}

/// Why a recording cannot be synchronized.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The samples cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An asymmetry was given for a clock that is not in the file.
    #[error("no clock is named \"{name}\"; the recording has {known}")]
    UnknownClock {
        /// The name as given.
        name: String,
        /// The clocks there are, as a sentence's end.
        known: String,
    },
}

/// The maps of all clocks of a recording, ready to time its streams.
#[derive(Debug)]
pub struct Synchronizer<'a> {
    /// The recording.
    pub recording: &'a Recording,
    /// What is done to the stamps.
    pub options: SyncOptions,
    /// Its clocks, with what was measured of them.
    pub clocks: Clocks,
    /// The maps. Without `compat_pyxdf` those of `clocks.list`, in the same order; with it one for each
    /// stream.
    pub maps: Vec<ClockMap>,
    /// With `compat_pyxdf`: the streams that pyxdf cuts off after so many samples.
    cut: Vec<Option<u64>>,
    timeline: Timeline,
}

impl<'a> Synchronizer<'a> {
    /// Read the exchanges and fit the maps of all clocks.
    ///
    /// # Errors
    /// [`SyncError`].
    pub fn new(recording: &'a Recording, options: SyncOptions) -> Result<Self, SyncError> {
        let mut clocks = Clocks::read(recording)?;
        let streams = &recording.scan.streams;
        let mut cut = vec![None; streams.len()];
        let maps = if options.compat_pyxdf {
            let own = streams.iter().zip(&mut cut);
            own.map(|(stream, cut)| {
                let mut history = own_history(recording, stream);
                if options.method != Method::None {
                    let footer_samples = stream.footer.as_ref().map(|footer| footer.sample_count);
                    let kept =
                        truncate_corrupted_offsets(&history.offsets, stream.sample_count, footer_samples);
                    if let Some(kept) = kept {
                        history.offsets.truncate(kept.offsets);
                        *cut = Some(kept.samples);
                    }
                }
                if history.is_empty() {
                    ClockMap::identity(options.method)
                } else {
                    fit(options.method, &history)
                }
            })
            .collect()
        } else {
            for (name, asymmetry_s) in &options.asymmetry_s {
                let known = || clocks.list.iter().map(|clock| clock.name.clone()).collect::<Vec<_>>();
                let Some(at) = clocks.list.iter().position(|clock| clock.name == *name) else {
                    let known = match known() {
                        names if names.is_empty() => "no clock that was measured".to_owned(),
                        names => names.join(", "),
                    };
                    return Err(SyncError::UnknownClock { name: name.clone(), known });
                };
                clocks.list[at].history.known_asymmetry_s = Some(*asymmetry_s);
            }
            clocks.list.iter().map(|clock| fit(options.method, &clock.history)).collect()
        };
        let timeline = Timeline::of(&recording.scan);
        Ok(Self { recording, options, clocks, maps, cut, timeline })
    }

    /// The map that times a stream; `None`: its stamps are taken as they are.
    pub fn map_of(&self, stream: usize) -> Option<&ClockMap> {
        if self.options.compat_pyxdf {
            return self.maps.get(stream);
        }
        match self.clocks.of_stream.get(stream)? {
            StreamClock::Measured(clock) => self.maps.get(*clock),
            StreamClock::Host | StreamClock::Unknown => None,
        }
    }

    /// First pass over one stream: place its samples and fit its rate.
    ///
    /// `progress` is told how many samples are done, of twice those of the stream.
    ///
    /// # Errors
    /// When the file cannot be read, or has no such stream.
    pub fn time(&self, stream: usize, progress: &mut dyn FnMut(u64)) -> Result<Timing<'_>, SyncError> {
        Timing::new(self, stream, progress)
    }

    /// When the recording begins, on the synchronized axis: the time of the earliest first sample of
    /// its streams. `None` without any sample.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn start_s(&self) -> Result<Option<f64>, SyncError> {
        let mut start_s: Option<f64> = None;
        for stream in 0..self.recording.scan.streams.len() {
            if let Some(first_s) = self.time(stream, &mut |_| {})?.first_time_s {
                start_s = Some(start_s.map_or(first_s, |start_s| start_s.min(first_s)));
            }
        }
        Ok(start_s)
    }
}

//! The clocks of a recording, and this machine beside a master clock.

use lockstep_analysis::plot::{Study, measured_clocks, study, study_map};
use lockstep_analysis::{SyncError, Synchronizer};
use serde::Serialize;

/// What is known of a device clock.
#[derive(Debug, Serialize)]
pub struct ClockFacts {
    /// Its name.
    pub name: String,
    /// Id of the stream of its exchanges; `None`: the file has only offsets of it.
    pub stream_id: Option<u32>,
    /// What its numbers count from; `?`: the file does not say.
    pub domain: String,
    /// Names of the streams it stamps; none for a master clock.
    pub streams: Vec<String>,
    /// Step of its readings in seconds.
    pub resolution_s: Option<f64>,
    /// `exact` or `floor`.
    pub stamp: String,
    /// Lowest round-trip time of its exchanges.
    pub round_trip_min_s: Option<f64>,
    /// Highest round-trip time of them.
    pub round_trip_max_s: Option<f64>,
    /// What the default method makes of it.
    #[serde(flatten)]
    pub study: Study,
}

/// This machine beside its master clock.
#[derive(Debug, Serialize)]
pub struct MasterFacts {
    /// Name of the clock.
    pub clock: String,
    /// How much slower it runs than this machine's recorder clock, in parts per million.
    pub drift_ppm: Option<f64>,
    /// This machine's UTC minus the master clock, whenever the recorder told of it.
    pub host_utc: Vec<MasterInstant>,
}

/// This machine's UTC beside the master clock at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MasterInstant {
    /// When, in recorder time.
    pub recorder_time_s: f64,
    /// This machine's UTC minus the master clock, by the map of all exchanges.
    pub host_utc_minus_master_s: f64,
    /// One sigma of it.
    pub total_s: f64,
    /// It is off by no more than this.
    pub bound_s: f64,
}

/// All clocks that were measured.
pub(super) fn clock_facts(synchronizer: &Synchronizer<'_>) -> Result<Vec<ClockFacts>, SyncError> {
    let recording = synchronizer.recording;
    let streams = &recording.scan.streams;
    let clocks = measured_clocks(recording, &synchronizer.clocks)?;
    let facts = clocks.into_iter().enumerate().map(|(index, clock)| {
        let study = match synchronizer.maps.get(index) {
            Some(map) => study_map(&clock.history, map.clone()),
            None => study(&clock.history, synchronizer.options.method),
        };
        let has_exchanges = clock.companion.is_some();
        ClockFacts {
            name: clock.name,
            stream_id: clock.companion.map(|index| streams[index].id),
            domain: clock.domain.unwrap_or_else(|| "?".to_owned()),
            streams: clock.streams.iter().map(|&index| streams[index].info.name.clone()).collect(),
            resolution_s: has_exchanges.then_some(clock.history.reading.resolution_s),
            stamp: if has_exchanges { clock.history.reading.stamp.name() } else { "?" }.to_owned(),
            round_trip_min_s: study.round_trip_s.map(|trips| trips.min),
            round_trip_max_s: study.round_trip_s.map(|trips| trips.max),
            study,
        }
    });
    Ok(facts.collect())
}

/// This machine beside the first clock that stamps no stream and counts as UTC does; `told`: recorder
/// times, and this machine's UTC minus them.
pub(super) fn master_facts(clocks: &[ClockFacts], told: &[(f64, f64)]) -> Option<MasterFacts> {
    let master = clocks.iter().find(|clock| clock.streams.is_empty() && clock.domain == "unix")?;
    let map = &master.study.map;
    let instant = |&(recorder_time_s, utc_minus_recorder_s): &(f64, f64)| {
        let (master_s, at) = map.device_time_s(recorder_time_s);
        MasterInstant {
            recorder_time_s,
            host_utc_minus_master_s: utc_minus_recorder_s + (recorder_time_s - master_s),
            total_s: at.total_s,
            bound_s: at.bound_s,
        }
    };
    let host_utc = if map.pieces.is_empty() { Vec::new() } else { told.iter().map(instant).collect() };
    Some(MasterFacts { clock: master.name.clone(), drift_ppm: master.study.drift_ppm, host_utc })
}

#[cfg(test)]
mod tests {
    use lockstep_clock::{Exchange, History, Method};

    use super::*;

    #[test]
    fn the_utc_of_this_machine_is_compared_with_the_master() {
        // The master is 1000 s ahead of the recorder's clock.
        let exchanges = (0..40)
            .map(|k| {
                let t0_s = 10.0 + f64::from(k);
                Exchange { t0_s, t1_s: t0_s + 1000.0005, t2_s: t0_s + 1000.0005, t3_s: t0_s + 0.001 }
            })
            .collect();
        let history = History { exchanges, ..History::default() };
        let clock = |streams: Vec<String>| ClockFacts {
            name: "ntp".to_owned(),
            stream_id: Some(3),
            domain: "unix".to_owned(),
            streams,
            resolution_s: Some(0.0),
            stamp: "exact".to_owned(),
            round_trip_min_s: None,
            round_trip_max_s: None,
            study: study(&history, Method::Smooth),
        };
        // UTC here is 25 ms ahead of the master.
        let facts = master_facts(&[clock(Vec::new())], &[(30.0, 1000.025)]).expect("a master");
        assert!((facts.host_utc[0].host_utc_minus_master_s - 0.025).abs() < 1e-5, "{facts:?}");
        assert!(facts.host_utc[0].bound_s < 1e-3, "{facts:?}");
        assert!(master_facts(&[clock(vec!["gaze".to_owned()])], &[]).is_none(), "a device's clock");
    }
}

//! Clock and path models as JSON, for the heads of truth logs.

use serde_json::{Value, json};

use crate::clock::{ClockModel, Cycle};
use crate::network::{Direction, PathModel};

/// Every parameter of a clock.
pub(crate) fn clock(model: &ClockModel) -> Value {
    let steps: Vec<Value> =
        model.steps.iter().map(|step| json!({"at_s": step.at_s, "delta_s": step.delta_s})).collect();
    let mut described = json!({
        "offset_s": model.offset_s,
        "skew_ppm": model.skew_ppm,
        "wander_ppm": model.wander_ppm,
        "steps": steps,
        "resolution_s": model.resolution_s,
    });
    let slew = |slew: &crate::clock::ClockSlew| json!({"at_s": slew.at_s, "duration_s": slew.duration_s, "rate_ppm": slew.rate_ppm});
    let drift = &model.drift;
    let cycle = |cycle: &Cycle| json!({"amplitude_ppm": cycle.amplitude_ppm, "period_s": cycle.period_s, "phase": cycle.phase});
    let mut more = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            described[key] = value;
        }
    };
    more("slews", (!model.slews.is_empty()).then(|| model.slews.iter().map(slew).collect()));
    more("flicker_allan", (drift.flicker_allan > 0.0).then(|| json!(drift.flicker_allan)));
    more("load", drift.load.map(|load| {
        json!({"level_ppm": load.level_ppm, "mean_interval_s": load.mean_interval_s, "lag_s": load.lag_s})
    }));
    more(
        "warm_up",
        drift
            .warm_up
            .map(|warm| json!({"change_ppm": warm.change_ppm, "time_constant_s": warm.time_constant_s})),
    );
    more("room", drift.room.as_ref().map(cycle));
    more("day", drift.day.as_ref().map(cycle));
    described
}

/// Every parameter of one direction of a network.
pub(crate) fn path(model: &PathModel) -> Value {
    let mut described = json!({
        "delay_s": model.delay_s,
        "jitter_s": model.jitter_s,
        "loss": model.loss,
        "reorder": model.reorder,
        "duplicate": model.duplicate,
    });
    if let Some(link) = model.link {
        described["network"] = json!({
            "kind": link.kind.name(),
            "direction": match link.direction {
                Direction::ToDevice => "to device",
                Direction::ToHost => "to host",
            },
            "seed": link.seed,
        });
    }
    described
}

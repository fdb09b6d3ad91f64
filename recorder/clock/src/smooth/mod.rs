//! `smooth`: the clock as a smoothly wandering one, seen through exchanges whose delays only ever add.
//!
//! The method in short. Each exchange leaves an interval for theta = host minus device, because
//! neither way takes less than no time. What delays of each way are like is learnt from the recording
//! itself, with the end points of both ways taken as equal; each burst ("wave") then has a likelihood
//! over theta. An integrated random walk of the clock's frequency joins the waves; expectation
//! propagation makes one posterior of it all. How fast the frequency wanders is chosen by how well
//! each wave is foretold by the others, in windows. Steps and kinks are found by the auxiliary
//! residuals of the smoother; changes of the network path by the minimum round-trip time.

mod corridors;
mod delays;
mod engine;
mod ep;
mod events;
mod finish;
mod kalman;
mod noise;
mod paths;
mod stats;
mod symmetry;
mod waves;

use crate::{ClockMap, History, Method};

/// Waves that make the full engine worth it.
const MIN_WAVES: usize = 4;

/// Ranges of waves between cuts, the first waves of all pieces but the first.
fn pieces(cuts: &[usize], n: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
    let begins = std::iter::once(0).chain(cuts.iter().copied());
    begins.zip(cuts.iter().copied().chain([n])).filter(|(from, to)| from < to)
}

/// Estimate the map of a clock from everything that is known of it.
pub(crate) fn fit(history: &History) -> ClockMap {
    let waves = waves::Waves::new(history);
    if waves.waves.is_empty() {
        return ClockMap { method: Method::Smooth, ..crate::offsets::smooth_offsets(history) };
    }
    if waves.waves.len() < MIN_WAVES {
        return finish::few(&waves);
    }
    let mut engine = engine::Engine::new(waves);
    engine.run();
    finish::map(&engine)
}

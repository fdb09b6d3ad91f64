//! All rows, on all cores.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_clock::Method;
use lockstep_sim::study::{Case, Family, record};
use parking_lot::Mutex;
use serde::Serialize;

use super::online::{self, OnlineScore};
use super::score::{Given, Score, judge, seen};
use super::targets::{lab_recorder_target_us, target_us};

/// What to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The rows.
    pub cases: Vec<Case>,
    /// Each row is recorded with each of them.
    pub seeds: Range<u64>,
    /// Compared on the same recordings.
    pub methods: Vec<Method>,
    /// What they are given.
    pub given: Given,
    /// Judge the causal map instead.
    pub online: bool,
    /// Threads to use, at least 1.
    pub threads: usize,
}

/// How far it is: recordings judged, and all.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// One method in one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodRow {
    /// Its name.
    pub method: &'static str,
    /// Mean over the seeds.
    pub mean: Score,
    /// p95 of each seed in us, in their order.
    pub p95_us: Vec<f64>,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Name of the case.
    pub name: String,
    /// `A` or `B`.
    pub family: &'static str,
    /// Whether the minimum delays of both ways are equal.
    pub symmetric: bool,
    /// p95 in us that `smooth` should reach.
    pub target_us: Option<f64>,
    /// Every method, in the order asked for.
    pub methods: Vec<MethodRow>,
    /// The causal map, where that was asked for.
    pub online: Option<OnlineScore>,
}

impl Row {
    /// What `smooth` misses of what is asked of it, by name; empty when nothing, or when it did not run.
    pub fn misses(&self) -> Vec<&'static str> {
        let smooth = Method::Smooth.name();
        let Some(score) = self.methods.iter().find(|row| row.method == smooth).map(|row| &row.mean) else {
            return Vec::new();
        };
        let asked = [
            ("p95", self.target_us.is_none_or(|target_us| score.p95_us <= target_us)),
            ("relative", !self.symmetric || (0.90..=0.99).contains(&score.relative_coverage)),
            ("total", score.total_coverage >= 0.93),
            ("width", !self.symmetric || score.width_over_p95() <= 5.0),
            ("bound", score.bound_holds >= 1.0),
        ];
        asked.iter().filter(|(_, met)| !met).map(|(name, _)| *name).collect()
    }
}

/// What one recording gave.
struct Judged {
    case: usize,
    seed: u64,
    scores: Vec<Score>,
    online: Option<OnlineScore>,
}

/// Records and judges every row. Rows come out in the order of `settings.cases`.
pub fn run(settings: &Settings, progress: Progress<'_>) -> Vec<Row> {
    // The longest first, so that no core ends alone with one.
    let mut jobs: Vec<(usize, u64)> = (0..settings.cases.len())
        .flat_map(|case| settings.seeds.clone().map(move |seed| (case, seed)))
        .collect();
    jobs.sort_by(|a, b| {
        let length_s = |job: &(usize, u64)| settings.cases[job.0].duration_s;
        length_s(b).total_cmp(&length_s(a))
    });
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    std::thread::scope(|scope| {
        for _ in 0..settings.threads.max(1).min(jobs.len()) {
            scope.spawn(|| {
                while let Some(&(case, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged = judge_one(settings, case, seed);
                    let mut done = done.lock();
                    done.push(judged);
                    progress(done.len(), jobs.len());
                }
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_by_key(|judged| (judged.case, judged.seed));
    done.chunk_by(|a, b| a.case == b.case).map(|chunk| row(settings, chunk)).collect()
}

fn judge_one(settings: &Settings, case: usize, seed: u64) -> Judged {
    let kind = &settings.cases[case];
    let recorded = record(kind, seed);
    if settings.online {
        let online = Some(online::judge(kind, &recorded));
        return Judged { case, seed, scores: Vec::new(), online };
    }
    let seen = seen(kind, &recorded, settings.given);
    let scores = settings.methods.iter().map(|method| judge(*method, &seen, &recorded)).collect();
    Judged { case, seed, scores, online: None }
}

fn row(settings: &Settings, judged: &[Judged]) -> Row {
    let case = &settings.cases[judged.first().map_or(0, |first| first.case)];
    let methods = if settings.online { &[][..] } else { &settings.methods };
    let methods = methods
        .iter()
        .enumerate()
        .map(|(i, method)| {
            let scores: Vec<Score> = judged.iter().map(|j| j.scores[i]).collect();
            let p95_us = scores.iter().map(|score| score.p95_us).collect();
            MethodRow { method: method.name(), mean: Score::mean(&scores), p95_us }
        })
        .collect();
    let online: Vec<OnlineScore> = judged.iter().filter_map(|j| j.online).collect();
    Row {
        name: case.name(),
        family: if case.family == Family::A { "A" } else { "B" },
        symmetric: case.is_symmetric(),
        target_us: match settings.given {
            Given::Exchanges => target_us(case),
            Given::LabRecorder => lab_recorder_target_us(case),
        },
        methods,
        online: (!online.is_empty()).then(|| OnlineScore::mean(&online)),
    }
}

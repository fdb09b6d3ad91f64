//! A Kalman filter and fixed-interval smoother for a clock: offset and frequency, the frequency a random
//! walk.
//!
//! Backward pass of Rauch, Tung and Striebel, with covariances as sums of squares (nothing cancels, however
//! wide the prior), and beside it the adjoint recursion that shows how badly the model needs an impulse at
//! each knot (de Jong and Penzer, "Diagnosing shocks in time series", 1998).
//!
//! Offsets in microseconds, times in seconds, frequencies in microseconds per second: squares of sensible
//! errors are then near 1.

/// One observation of the offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Device time.
    pub x_s: f64,
    /// Offset minus a base line.
    pub z_us: f64,
    /// Variance of its error.
    pub variance_us2: f64,
}

/// What is assumed before the first observation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prior {
    /// Variance of the offset.
    pub offset_us2: f64,
    /// Variance of the frequency, in (us/s)^2.
    pub frequency: f64,
}

/// The clock at one observation, given all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Smoothed {
    /// Offset minus the base line.
    pub offset_us: f64,
    /// Its derivative, minus the base line's.
    pub frequency: f64,
    /// Variance of the offset.
    pub variance_us2: f64,
    /// Covariance of offset and frequency.
    pub covariance: f64,
    /// Variance of the frequency.
    pub frequency_variance: f64,
    /// Evidence for an impulse on offset and frequency just before this observation: chi-squared with
    /// two degrees of freedom where there was none.
    pub shock: f64,
}

/// A symmetric matrix [[a, b], [b, c]].
#[derive(Debug, Clone, Copy, Default)]
struct Sym {
    a: f64,
    b: f64,
    c: f64,
}

/// The state at one observation, before and after it was used.
#[derive(Debug, Clone, Copy)]
struct Forward {
    /// Offset and frequency, predicted.
    predicted: (f64, f64),
    p_predicted: Sym,
    /// The same, with the observation.
    filtered: (f64, f64),
    p_filtered: Sym,
    /// What the walk added since the observation before.
    q: Sym,
    innovation_us: f64,
    s_us2: f64,
    h_s: f64,
}

/// Memory that one smoothing leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    steps: Vec<Forward>,
}

/// Smooth one stretch of a clock. `points` are in order of time; `q_us` is the intensity of the frequency's
/// random walk in us^2/s^3. Without `SHOCKS` the states' shocks stay 0: they take a third of the time.
pub(super) fn smooth<const SHOCKS: bool>(
    points: &[Point],
    q_us: f64,
    prior: Prior,
    workspace: &mut Workspace,
    out: &mut Vec<Smoothed>,
) {
    forward(points, q_us, prior, &mut workspace.steps);
    out.clear();
    out.resize(points.len(), Smoothed::default());
    if SHOCKS {
        backward_with_shocks(points, &workspace.steps, out);
        return;
    }
    let mut next: Option<(&Forward, Smoothed)> = None;
    for (step, out) in workspace.steps.iter().zip(out).rev() {
        let state = back(step, next);
        *out = state;
        next = Some((step, state));
    }
}

fn backward_with_shocks(points: &[Point], steps: &[Forward], out: &mut [Smoothed]) {
    let mut next: Option<(&Forward, Smoothed)> = None;
    let (mut ra, mut rb) = (0.0, 0.0);
    let mut n = Sym::default();
    for (i, step) in steps.iter().enumerate().rev() {
        let mut state = back(step, next);
        // r = H' v/S + (I - K H)' r,  N = H' H / S + (I - K H)' N (I - K H).
        let kb = step.p_predicted.b / step.s_us2;
        let rest = points[i].variance_us2 / step.s_us2;
        ra = step.innovation_us / step.s_us2 + rest * ra - kb * rb;
        n = Sym {
            a: 1.0 / step.s_us2 + rest * rest * n.a - 2.0 * rest * kb * n.b + kb * kb * n.c,
            b: rest * n.b - kb * n.c,
            c: n.c,
        };
        let determinant = n.a * n.c - n.b * n.b;
        if determinant > 1e-12 * n.a * n.c {
            state.shock = (n.c * ra * ra - 2.0 * n.b * ra * rb + n.a * rb * rb) / determinant;
        }
        rb += step.h_s * ra;
        n = Sym {
            a: n.a,
            b: n.b + step.h_s * n.a,
            c: n.c + 2.0 * step.h_s * n.b + step.h_s * step.h_s * n.a,
        };
        out[i] = state;
        next = Some((step, state));
    }
}

fn forward(points: &[Point], q_us: f64, prior: Prior, steps: &mut Vec<Forward>) {
    steps.clear();
    steps.reserve(points.len());
    let (mut x, mut f) = (0.0, 0.0);
    let mut p = Sym { a: prior.offset_us2, b: 0.0, c: prior.frequency };
    let mut last_s = points.first().map_or(0.0, |point| point.x_s);
    for point in points {
        let h_s = (point.x_s - last_s).max(0.0);
        last_s = point.x_s;
        x += h_s * f;
        let q = Sym { a: q_us * h_s * h_s * h_s / 3.0, b: 0.5 * q_us * h_s * h_s, c: q_us * h_s };
        p = Sym { a: p.a + 2.0 * h_s * p.b + h_s * h_s * p.c + q.a, b: p.b + h_s * p.c + q.b, c: p.c + q.c };
        let innovation_us = point.z_us - x;
        let s_us2 = p.a + point.variance_us2;
        let (predicted, p_predicted) = ((x, f), p);
        let (ka, kb) = (p.a / s_us2, p.b / s_us2);
        x += ka * innovation_us;
        f += kb * innovation_us;
        // (1 - ka) as R / S: it keeps its digits when the observation is far better than the prediction.
        let rest = point.variance_us2 / s_us2;
        p = Sym { a: p.a * rest, b: p.b * rest, c: (p.c - kb * p.b).max(0.0) };
        steps.push(Forward {
            predicted,
            p_predicted,
            filtered: (x, f),
            p_filtered: p,
            q,
            innovation_us,
            s_us2,
            h_s,
        });
    }
}

/// One step of the backward pass: `next` is the observation after this one, and what was smoothed there.
fn back(step: &Forward, next: Option<(&Forward, Smoothed)>) -> Smoothed {
    let (x, f) = step.filtered;
    let p = step.p_filtered;
    let mut state = Smoothed {
        offset_us: x,
        frequency: f,
        variance_us2: p.a,
        covariance: p.b,
        frequency_variance: p.c,
        shock: 0.0,
    };
    let Some((after, smoothed)) = next else { return state };
    let (pp, q, h) = (after.p_predicted, after.q, after.h_s);
    let determinant = pp.a * pp.c - pp.b * pp.b;
    // W = Q P^-1: how much of the prediction's uncertainty the walk made.
    let (waa, wab, wba, wbb) = if determinant > 1e-15 * pp.a * pp.c {
        (
            (q.a * pp.c - q.b * pp.b) / determinant,
            (q.b * pp.a - q.a * pp.b) / determinant,
            (q.b * pp.c - q.c * pp.b) / determinant,
            (q.c * pp.a - q.b * pp.b) / determinant,
        )
    } else {
        (0.0, 0.0, 0.0, 0.0)
    };
    // The gain G = F^-1 (I - W), F^-1 = [[1, -h], [0, 1]].
    let (gaa, gab) = (1.0 - waa + h * wba, -wab - h * (1.0 - wbb));
    let (gba, gbb) = (-wba, 1.0 - wbb);
    let (dx, df) = (smoothed.offset_us - after.predicted.0, smoothed.frequency - after.predicted.1);
    state.offset_us = x + gaa * dx + gab * df;
    state.frequency = f + gba * dx + gbb * df;
    // G Ps G' + G Q G' + D P D', D = I - G F: sums of squares only.
    let s = Sym {
        a: smoothed.variance_us2 + q.a,
        b: smoothed.covariance + q.b,
        c: smoothed.frequency_variance + q.c,
    };
    let first = conjugate(s, gaa, gab, gba, gbb);
    let (daa, dab) = (1.0 - gaa, -(gaa * h + gab));
    let (dba, dbb) = (-gba, 1.0 - (gba * h + gbb));
    let second = conjugate(p, daa, dab, dba, dbb);
    state.variance_us2 = first.a + second.a;
    state.covariance = first.b + second.b;
    state.frequency_variance = first.c + second.c;
    state
}

/// M S M' for M = [[aa, ab], [ba, bb]].
fn conjugate(s: Sym, aa: f64, ab: f64, ba: f64, bb: f64) -> Sym {
    Sym {
        a: aa * aa * s.a + 2.0 * aa * ab * s.b + ab * ab * s.c,
        b: aa * ba * s.a + (aa * bb + ab * ba) * s.b + ab * bb * s.c,
        c: ba * ba * s.a + 2.0 * ba * bb * s.b + bb * bb * s.c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIOR: Prior = Prior { offset_us2: 1e8, frequency: 1e6 };

    /// Without process noise it is the least-squares line, variances included.
    #[test]
    fn a_constant_frequency_is_a_least_squares_line() {
        let xs: Vec<f64> = (0..50).map(|i| f64::from(i) * 5.0).collect();
        let noise = |i: usize| ((i * 7919) % 101) as f64 / 10.0 - 5.0;
        let points: Vec<Point> = xs
            .iter()
            .enumerate()
            .map(|(i, &x_s)| Point { x_s, z_us: 3.0 + 0.2 * x_s + noise(i), variance_us2: 9.0 })
            .collect();
        let mut got = Vec::new();
        smooth::<false>(&points, 0.0, PRIOR, &mut Workspace::default(), &mut got);
        let n = xs.len() as f64;
        let mx = xs.iter().sum::<f64>() / n;
        let mz = points.iter().map(|p| p.z_us).sum::<f64>() / n;
        let sxx = xs.iter().map(|x| (x - mx).powi(2)).sum::<f64>();
        let slope = points.iter().map(|p| (p.x_s - mx) * (p.z_us - mz)).sum::<f64>() / sxx;
        for (point, got) in points.iter().zip(&got) {
            let line = mz + slope * (point.x_s - mx);
            let variance = 9.0 * (1.0 / n + (point.x_s - mx).powi(2) / sxx);
            assert!((got.offset_us - line).abs() < 1e-3, "{} {line}", got.offset_us);
            assert!((got.frequency - slope).abs() < 1e-5);
            assert!((got.variance_us2 / variance - 1.0).abs() < 1e-4, "{} {variance}", got.variance_us2);
            assert!((got.frequency_variance * sxx / 9.0 - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn a_step_shows_as_a_shock_where_it_is() {
        let points: Vec<Point> = (0..60)
            .map(|i| Point {
                x_s: f64::from(i) * 5.0,
                z_us: if i < 30 { 0.0 } else { 100.0 } + f64::from((i * 37) % 11) - 5.0,
                variance_us2: 9.0,
            })
            .collect();
        let mut got = Vec::new();
        smooth::<true>(&points, 1e-4, PRIOR, &mut Workspace::default(), &mut got);
        let most = (1..60).max_by(|&a, &b| got[a].shock.total_cmp(&got[b].shock)).expect("60 of them");
        assert_eq!(most, 30);
        assert!(got[30].shock > 100.0);
    }
}

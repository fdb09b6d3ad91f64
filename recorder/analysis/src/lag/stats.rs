//! What is said of a list of lags, each figure with its standard error.
//!
//! Standard errors assume that lags are independent of each other. Where neighbours are alike (a beat
//! between the frames of a display and the events), the number of independent lags is taken to be
//! `n (1 - r) / (1 + r)` with the correlation `r` of neighbours, as for a first-order process.

use serde::Serialize;

/// A figure and its standard error, in the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimated {
    /// The figure.
    pub value: f64,
    /// One sigma.
    pub error: f64,
}

/// The figures of LSL's synchronization block, of lags in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Mean.
    pub offset_mean_s: Estimated,
    /// Root mean square **about the mean**: the standard deviation, which is what is left once the mean
    /// is subtracted.
    pub offset_rms_s: Estimated,
    /// Median.
    pub offset_median_s: Estimated,
    /// 95 % are greater.
    pub offset_5_centile_s: Estimated,
    /// 95 % are less.
    pub offset_95_centile_s: Estimated,
    /// Root mean square about zero.
    pub rms_about_zero_s: Estimated,
    /// Correlation of lags that follow each other.
    pub correlation: f64,
    /// How many independent lags the standard errors assume.
    pub independent: f64,
}

impl Figures {
    /// Of at least two lags.
    pub(super) fn of(lags_s: &[f64]) -> Self {
        let n = lags_s.len().max(2) as f64;
        let mean = lags_s.iter().sum::<f64>() / n;
        let moment = |power: i32| lags_s.iter().map(|lag| (lag - mean).powi(power)).sum::<f64>() / n;
        let (second, fourth) = (moment(2), moment(4));
        let sigma = (second * n / (n - 1.0)).sqrt();
        let products = lags_s.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum::<f64>();
        let correlation = if second > 0.0 { products / (n * second) } else { 0.0 };
        // Only what is no accident: two sigmas of the estimate without correlation.
        let r = if correlation > 2.0 / n.sqrt() { correlation.min(0.99) } else { 0.0 };
        let independent = (n * (1.0 - r) / (1.0 + r)).max(2.0);
        let rms = (mean * mean + second).sqrt();
        let square_sigma = {
            let squares = lags_s.iter().map(|lag| (lag * lag - rms * rms).powi(2)).sum::<f64>();
            (squares / n).sqrt()
        };
        let over = |x: f64, by: f64| if by > 0.0 { x / by } else { 0.0 };
        let mut sorted = lags_s.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Self {
            offset_mean_s: Estimated { value: mean, error: sigma / independent.sqrt() },
            offset_rms_s: Estimated {
                value: sigma,
                // Variance of a sample variance, whatever the distribution; a normal one would give
                // sigma / sqrt(2 n).
                error: over((fourth - second * second).max(0.0).sqrt(), 2.0 * sigma * independent.sqrt()),
            },
            offset_median_s: quantile(&sorted, 0.5, independent),
            offset_5_centile_s: quantile(&sorted, 0.05, independent),
            offset_95_centile_s: quantile(&sorted, 0.95, independent),
            rms_about_zero_s: Estimated {
                value: rms,
                error: over(square_sigma, 2.0 * rms * independent.sqrt()),
            },
            correlation,
            independent,
        }
    }
}

/// A quantile and its standard error: half of what lies between the quantiles at plus and minus one
/// sigma of the binomial count, which needs no density.
fn quantile(sorted: &[f64], share: f64, independent: f64) -> Estimated {
    let sigma = (share * (1.0 - share) / independent).sqrt();
    let (low, high) = ((share - sigma).max(0.0), (share + sigma).min(1.0));
    let error = match high - low {
        // At an end of few lags only one side is there: what it has is scaled up.
        there if there > 0.0 => (at(sorted, high) - at(sorted, low)) * sigma / there,
        _ => 0.0,
    };
    Estimated { value: at(sorted, share), error }
}

/// The value below which a share lies, between neighbours linearly.
fn at(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// The median; `None` of nothing.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| at(&sorted, 0.5))
}

/// Sigma by the median absolute deviation: 1.4826 of it for a normal distribution.
pub(super) fn robust_sigma(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    median(&values.iter().map(|value| (value - middle).abs()).collect::<Vec<_>>()).map(|mad| 1.4826 * mad)
}

/// How many are off the median by more than six robust sigmas.
pub(super) fn outliers(lags_s: &[f64]) -> u64 {
    let (Some(middle), Some(sigma)) = (median(lags_s), robust_sigma(lags_s)) else { return 0 };
    lags_s.iter().filter(|lag| (**lag - middle).abs() > 6.0 * sigma).count() as u64
}

/// How the lag changes over the recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Least squares slope, in seconds of lag per second: 1e-6 is 1 ppm.
    pub slope: Estimated,
    /// What it makes from the first pair to the last, in seconds.
    pub change_s: f64,
    /// From the first pair to the last, in seconds.
    pub span_s: f64,
}

impl Drift {
    /// Of lags at these times; `None` for fewer than three, and for times that are all the same.
    pub(super) fn of(times_s: &[f64], lags_s: &[f64]) -> Option<Self> {
        let n = times_s.len() as f64;
        if times_s.len() < 3 {
            return None;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
        let (time, lag) = (mean(times_s), mean(lags_s));
        let (mut tt, mut tl) = (0.0, 0.0);
        for (t, l) in times_s.iter().zip(lags_s) {
            tt += (t - time) * (t - time);
            tl += (t - time) * (l - lag);
        }
        let slope = tl / tt;
        let rest =
            times_s.iter().zip(lags_s).map(|(t, l)| (l - lag - slope * (t - time)).powi(2)).sum::<f64>();
        let error = (rest / (n - 2.0) / tt).sqrt();
        let span_s = times_s.last()? - times_s.first()?;
        slope.is_finite().then_some(Self {
            slope: Estimated { value: slope, error },
            change_s: slope * span_s,
            span_s,
        })
    }
}

/// One bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// From this lag on; the first has everything below, too.
    pub from_s: f64,
    /// To before this lag; the last has everything above, too.
    pub to_s: f64,
    /// Lags.
    pub count: u64,
}

/// At most `most` bars of equal width between the 0.5th and the 99.5th centile and a little more, in
/// round steps; what is beyond counts to the outermost.
pub(super) fn histogram(lags_s: &[f64], most: usize) -> Vec<Bin> {
    let mut sorted = lags_s.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (at(&sorted, 0.005), at(&sorted, 0.995));
    if !(high - low).is_finite() {
        return Vec::new();
    }
    // Freedman and Diaconis 1981, made a round number.
    let spread = at(&sorted, 0.75) - at(&sorted, 0.25);
    let wanted = (2.0 * spread / (sorted.len() as f64).cbrt()).max((high - low) / (most.max(2) - 1) as f64);
    let width = round_step(wanted.max(1e-9));
    let first = (low / width).floor();
    let count = (((high / width).floor() - first) as usize + 1).min(2 * most.max(2));
    let edge = |index: usize| (first + index as f64) * width;
    let mut bins: Vec<Bin> =
        (0..count).map(|i| Bin { from_s: edge(i), to_s: edge(i + 1), count: 0 }).collect();
    for lag in sorted {
        let index = ((lag / width).floor() - first).clamp(0.0, (count - 1) as f64) as usize;
        bins[index].count += 1;
    }
    bins
}

/// The next 1, 2 or 5 times a power of ten.
fn round_step(wanted: f64) -> f64 {
    let power = 10f64.powf(wanted.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= wanted * 0.999)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn figures_of_a_worked_example() {
        let figures = Figures::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(figures.offset_mean_s.value, 3.0);
        assert!((figures.offset_rms_s.value - 2.5f64.sqrt()).abs() < 1e-12, "about the mean, n - 1");
        assert!((figures.rms_about_zero_s.value - 11f64.sqrt()).abs() < 1e-12);
        assert_eq!(figures.offset_median_s.value, 3.0);
        assert!((figures.offset_5_centile_s.value - 1.2).abs() < 1e-12);
        assert!((figures.offset_95_centile_s.value - 4.8).abs() < 1e-12);
        let same = Figures::of(&[0.25; 4]);
        assert_eq!((same.offset_rms_s.value, same.offset_rms_s.error), (0.0, 0.0));
    }

    #[test]
    fn a_slope_with_its_error() {
        let times: Vec<f64> = (0..100).map(f64::from).collect();
        let lags: Vec<f64> = times.iter().map(|t| 0.02 + 1e-5 * t).collect();
        let drift = Drift::of(&times, &lags).unwrap();
        assert!((drift.slope.value - 1e-5).abs() < 1e-15 && drift.slope.error < 1e-15);
        assert!((drift.change_s - 99e-5).abs() < 1e-12);
        assert_eq!(Drift::of(&[1.0; 5], &[1.0; 5]), None);
    }

    proptest! {
        #[test]
        fn every_lag_is_in_the_histogram(lags in proptest::collection::vec(-1.0f64..1.0, 1..200)) {
            let bins = histogram(&lags, 21);
            prop_assert!(bins.len() <= 42);
            prop_assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), lags.len() as u64);
            prop_assert!(bins.windows(2).all(|pair| pair[0].to_s == pair[1].from_s));
        }
    }
}

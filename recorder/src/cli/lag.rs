//! `lockstep lag`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lockstep_analysis::lag::{
    self, Bin, BlockFor, Drift, Edge, Estimated, Lag, LagError, LagOptions, Side, Source, Threshold,
};
use lockstep_analysis::{ASYMMETRY_NOTE, Query, SyncError, Synchronizer, open};

use super::Failure;
use super::export::{Bar, SyncArgs, open_failure, seconds};
use crate::display::table::{Align, Table};
use crate::display::{format, print_err, print_out};

/// Measure how much later one stream shows an event than another: markers against a photodiode, a
/// trigger channel against a response box.
///
/// Events are the samples of an irregular stream (markers), or the edges of a channel with a nominal
/// rate. Both are put on the synchronized axis and matched one to one, whatever constant lag there is
/// within the window, with missed and extra events. The lag is AGAINST minus EVENTS. At the end stands
/// the block for the configuration: its offset_mean is subtracted from the stamps of the stream it is
/// for, so that corrected markers say when the light changed. The recording is not touched.
#[derive(Debug, Args)]
pub struct LagArgs {
    /// The recording: any XDF file, packed (.xdfz, .xdf.gz) or not
    pub file: PathBuf,
    /// The stream with the events: name=Markers, type=Markers, id=3, or just a name
    #[arg(long, value_name = "STREAM")]
    pub events: Query,
    /// The stream they are compared with
    #[arg(long, value_name = "STREAM")]
    pub against: Query,
    /// Channel of the stream they are compared with: its label, or its number from 1 on [default: 1]
    #[arg(long, value_name = "LABEL|N")]
    pub channel: Option<String>,
    /// Where an edge is, in units of the channel; auto: midway between the two levels, told apart by the
    /// 5th and the 95th centile
    /// [default: auto for streams with a nominal rate; every sample of others is an event]
    #[arg(long, value_name = "V|auto", allow_negative_numbers = true, value_parser = threshold)]
    pub threshold: Option<Threshold>,
    /// Which edges count
    #[arg(long, value_enum, default_value = "rising")]
    pub edge: EdgeArg,
    /// How far beyond the threshold a signal must go before it has crossed it, in units of the channel
    /// [default: a tenth of the step]
    #[arg(long, value_name = "V", value_parser = not_negative)]
    pub hysteresis: Option<f64>,
    /// What follows an edge sooner than this many seconds is none: for displays that flicker
    #[arg(long, value_name = "S", default_value = "0", value_parser = not_negative)]
    pub refractory_s: f64,
    /// Only events with this text; with * at the end: that begin with it
    #[arg(long = "match", value_name = "TEXT")]
    pub text: Option<String>,
    /// Channel of the events
    #[arg(long, value_name = "LABEL|N")]
    pub events_channel: Option<String>,
    /// As --threshold, for the events
    #[arg(long, value_name = "V|auto", allow_negative_numbers = true, value_parser = threshold)]
    pub events_threshold: Option<Threshold>,
    /// As --edge, for the events
    #[arg(long, value_enum, default_value = "rising")]
    pub events_edge: EdgeArg,
    /// The lag is at most this many seconds, either way
    #[arg(long, value_name = "S", default_value = "0.5", value_parser = not_negative, conflicts_with_all = ["from", "to"])]
    pub window_s: f64,
    /// The lag is at least this many seconds
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds, requires = "to")]
    pub from: Option<f64>,
    /// The lag is at most this many seconds
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds, requires = "from")]
    pub to: Option<f64>,
    /// A pair may be this far from the usual lag, in seconds [default: found from the pairs; shown]
    #[arg(long, value_name = "S", value_parser = not_negative)]
    pub tolerance_s: Option<f64>,
    /// For which stream the block is; none: subtract what both headers state and show what remains
    #[arg(long, value_enum, default_value = "events")]
    pub block: BlockArg,
    #[command(flatten)]
    pub sync: SyncArgs,
    /// As JSON, times in seconds
    #[arg(long)]
    pub json: bool,
}

/// Edges, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EdgeArg {
    /// From below to above
    Rising,
    /// From above to below
    Falling,
    /// Either
    Both,
}

/// For which stream the block is, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BlockArg {
    /// The events: corrected, they say when it was seen
    Events,
    /// The other: corrected, it agrees with the events
    Against,
    /// None: to see whether the headers are right
    None,
}

impl From<EdgeArg> for Edge {
    fn from(edge: EdgeArg) -> Self {
        match edge {
            EdgeArg::Rising => Self::Rising,
            EdgeArg::Falling => Self::Falling,
            EdgeArg::Both => Self::Both,
        }
    }
}

impl From<BlockArg> for BlockFor {
    fn from(block: BlockArg) -> Self {
        match block {
            BlockArg::Events => Self::Events,
            BlockArg::Against => Self::Against,
            BlockArg::None => Self::Neither,
        }
    }
}

fn threshold(text: &str) -> Result<Threshold, String> {
    match text {
        "auto" => Ok(Threshold::Auto),
        _ => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Threshold::At(number)),
            _ => Err("a number in units of the channel is needed, or auto".to_owned()),
        },
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("a number of at least 0 is needed, as in 0.5".to_owned()),
    }
}

impl LagArgs {
    fn options(&self) -> LagOptions {
        LagOptions {
            events: Source {
                channel: self.events_channel.clone(),
                threshold: self.events_threshold,
                edge: self.events_edge.into(),
                text: self.text.clone(),
                ..Source::new(self.events.clone())
            },
            against: Source {
                channel: self.channel.clone(),
                threshold: self.threshold,
                edge: self.edge.into(),
                hysteresis: self.hysteresis,
                refractory_s: self.refractory_s,
                ..Source::new(self.against.clone())
            },
            window_s: self.from.zip(self.to).unwrap_or((-self.window_s, self.window_s)),
            tolerance_s: self.tolerance_s,
            block_for: self.block.into(),
        }
    }
}

/// Run it.
pub fn run(args: &LagArgs) -> Result<u8, Failure> {
    let sync = args.sync.options()?;
    let bar = Bar::new();
    let recording = open(&args.file, &mut |opening| bar.opening(opening)).map_err(open_failure)?;
    let synchronizer = Synchronizer::new(&recording, sync).map_err(|e| failure(LagError::Sync(e)))?;
    let found = lag::lag(&synchronizer, &args.options(), &mut |_| {});
    bar.clear();
    let found = found.map_err(failure)?;
    if args.json {
        print_out(&serde_json::to_string(&found).map_err(anyhow::Error::from)?);
    } else {
        print_out(&render(&found));
        print_err(ASYMMETRY_NOTE);
    }
    Ok(if found.damage.is_empty() && recording.unpack_fault.is_none() { 0 } else { 3 })
}

fn failure(error: LagError) -> Failure {
    match &error {
        LagError::Sync(SyncError::UnknownClock { .. }) => Failure::usage(error, ""),
        LagError::Sync(_) => Failure::other(error, ""),
        LagError::NoMatch { .. } => Failure::other(
            error,
            "look at the counts: is the threshold right (--threshold, --edge), the text (--match), the window \
             (--window-s, --from, --to)?",
        ),
        LagError::NoEvents { .. } => Failure::other(error, ""),
        _ => Failure::usage(error, ""),
    }
}

fn render(lag: &Lag) -> String {
    let mut out = vec![side("events", &lag.events), side("against", &lag.against)];
    out.push(format!(
        "{} matched, {} missed, {} extra{}; pairs are within {} of the usual lag, {} off by more than 6 sigmas",
        format::count(lag.matched),
        format::count(lag.missed),
        format::count(lag.extra),
        match lag.not_covered {
            0 => String::new(),
            n => format!(", {} where the other stream has no samples", format::count(n)),
        },
        ms(lag.tolerance_s),
        lag.outliers,
    ));
    out.push(String::new());
    out.push(format!("The lag, {} minus {}:", lag.against.stream, lag.events.stream));
    let figures = &lag.lag;
    let mut table = Table::new(&[
        ("", Align::Left),
        ("LAG", Align::Right),
        ("± (1 SE)", Align::Right),
        ("", Align::Left),
    ]);
    let mut row = |name: &str, value: Estimated, what: &str| {
        table.row(vec![name.to_owned(), ms(value.value), ms(value.error), what.to_owned()]);
    };
    row("offset_mean", figures.offset_mean_s, "");
    row("offset_rms", figures.offset_rms_s, "root mean square about the mean");
    row("offset_median", figures.offset_median_s, "");
    row("offset_5_centile", figures.offset_5_centile_s, "95 % are greater");
    row("offset_95_centile", figures.offset_95_centile_s, "95 % are less");
    row("rms about zero", figures.rms_about_zero_s, "");
    out.extend(table.lines());
    out.push(match (lag.clock_sigma_s, lag.clock_bound_s) {
        (Some(sigma_s), Some(bound_s)) => format!(
            "clocks: ± {} in every lag alike ({}), at most {}",
            ms(sigma_s),
            if lag.one_clock { "one clock, as if paths were symmetric" } else { "usual asymmetry included" },
            ms(bound_s)
        ),
        _ => "clocks: not known how far they are off; nothing was measured of one of them".to_owned(),
    });
    out.extend(lag.drift.as_ref().map(drift));
    out.push(String::new());
    out.extend(histogram(&lag.histogram));
    if !lag.remarks.is_empty() {
        out.push(String::new());
        out.extend(lag.remarks.iter().map(|remark| format!("! {remark}")));
    }
    out.extend(lag.damage.iter().take(20).map(|damage| format!("damaged: {damage}")));
    out.push(String::new());
    out.push(block(lag));
    out.join("\n")
}

fn side(role: &str, side: &Side) -> String {
    let mut text = format!("{role}: {}, {} events", side.stream, format::count(side.events));
    if let Some(channel) = &side.channel {
        text += &format!(", channel {channel}");
    }
    if let Some(levels) = &side.levels {
        text += &format!(
            ", threshold {:.6} ± {:.6} ({}: {:.6} and {:.6})",
            levels.threshold, levels.hysteresis, levels.how, levels.low, levels.high
        );
    }
    if side.left_out > 0 {
        text += &format!(", {} left out", format::count(side.left_out));
    }
    text += &match &side.clock {
        Some(clock) => format!(", clock {clock}"),
        None if side.total_s == Some(0.0) => ", recorder's clock".to_owned(),
        None => ", clock not known".to_owned(),
    };
    if let (Some(mean_s), applied) = (side.offset_mean_s, side.offset_mean_applied) {
        let what = if applied { "subtracted" } else { "not subtracted, for the block replaces it" };
        text += &format!(", its header's offset_mean {} {what}", ms(mean_s));
    }
    text
}

fn drift(drift: &Drift) -> String {
    format!(
        "drift: {:.3} ± {:.3} ppm, {} over {:.0} s",
        1e6 * drift.slope.value,
        1e6 * drift.slope.error,
        ms(drift.change_s),
        drift.span_s
    )
}

fn histogram(bins: &[Bin]) -> Vec<String> {
    const WIDTH: u64 = 50;
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    let mut table = Table::new(&[("FROM ms", Align::Right), ("LAGS", Align::Right), ("", Align::Left)]);
    for bin in bins {
        let length = (bin.count * WIDTH).div_ceil(most);
        let bar = "#".repeat(usize::try_from(length).unwrap_or(0));
        table.row(vec![format!("{:.3}", 1e3 * bin.from_s), bin.count.to_string(), bar]);
    }
    table.lines()
}

fn block(lag: &Lag) -> String {
    let Some(block) = &lag.synchronization else {
        return "No block: what both headers state was subtracted, and the lag above is what remains."
            .to_owned();
    };
    let (events, against) = (&lag.events.stream, &lag.against.stream);
    let for_events = block.stream == *events;
    let why = if for_events {
        format!(
            "# {events} minus {against}: subtracted from its stamps, it makes them say when {against} saw it."
        )
    } else {
        format!("# {against} minus {events}: subtracted from its stamps, it makes them agree with {events}.")
    };
    let earlier = if block.offset_mean < 0.0 { "before" } else { "after" };
    let other = if for_events { against } else { events };
    format!(
        "For the configuration, in the [[source]] that records {}:\n\n{why}\n# It is stamped {} {earlier} {other}.\n{}",
        block.stream,
        ms(block.offset_mean.abs()),
        block.to_toml()
    )
}

/// Milliseconds, to the microsecond.
fn ms(seconds: f64) -> String {
    format!("{:.3} ms", 1e3 * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_read() {
        assert_eq!(threshold("auto"), Ok(Threshold::Auto));
        assert_eq!(threshold("-0.5"), Ok(Threshold::At(-0.5)));
        assert!(threshold("high").is_err());
        assert!(not_negative("-1").is_err());
        assert_eq!(ms(0.0234), "23.400 ms");
    }

    #[test]
    fn bars_are_as_long_as_the_counts() {
        let bin = |count| Bin { from_s: 0.0, to_s: 0.001, count };
        let lines = histogram(&[bin(100), bin(50), bin(1), bin(0)]);
        let bars: Vec<usize> = lines[1..].iter().map(|line| line.matches('#').count()).collect();
        assert_eq!(bars, [50, 25, 1, 0]);
    }
}

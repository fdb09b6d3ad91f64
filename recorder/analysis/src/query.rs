//! Choosing streams by what a user types.

use lockstep_xdf::{Scan, ScannedStream};

use crate::Clocks;

/// One `--stream` argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// `name=EEG`.
    Name(String),
    /// `type=Gaze`.
    Kind(String),
    /// `id=3`.
    Id(u32),
    /// `clock=phone`: all streams that this clock stamps.
    Clock(String),
    /// `EEG`: a name; failing that, a type.
    Bare(String),
}

/// Why no streams were chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The id is no number.
    #[error("`{0}`: a stream id is a whole number, as in id=3")]
    Id(String),
    /// Nothing fits.
    #[error("no stream fits `{query}`{meant}; the recording has {streams}")]
    NoneFits {
        /// As typed.
        query: String,
        /// "; did you mean ...?", or nothing.
        meant: String,
        /// All streams, as the end of a sentence.
        streams: String,
    },
}

impl std::str::FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let value = |value: &str| value.to_owned();
        match text.split_once('=') {
            Some(("name", name)) => Ok(Self::Name(value(name))),
            Some(("type", kind)) => Ok(Self::Kind(value(kind))),
            Some(("clock", name)) => Ok(Self::Clock(value(name))),
            Some(("id", id)) => id.trim().parse().map(Self::Id).map_err(|_| QueryError::Id(text.to_owned())),
            // Names of streams may have `=` in them.
            _ => Ok(Self::Bare(value(text))),
        }
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "name={name}"),
            Self::Kind(kind) => write!(f, "type={kind}"),
            Self::Id(id) => write!(f, "id={id}"),
            Self::Clock(name) => write!(f, "clock={name}"),
            Self::Bare(name) => f.write_str(name),
        }
    }
}

/// Indices in `scan.streams` of all streams that fit any of the queries, in the order of the file;
/// all streams without queries.
///
/// # Errors
/// [`QueryError::NoneFits`] for the first query that no stream fits.
pub fn select(scan: &Scan, clocks: &Clocks, queries: &[Query]) -> Result<Vec<usize>, QueryError> {
    let all = 0..scan.streams.len();
    if queries.is_empty() {
        return Ok(all.collect());
    }
    let mut chosen = vec![false; scan.streams.len()];
    for query in queries {
        let fit = fitting(scan, clocks, query);
        if fit.is_empty() {
            return Err(none_fits(scan, clocks, query));
        }
        fit.into_iter().for_each(|stream| chosen[stream] = true);
    }
    Ok(all.filter(|&stream| chosen[stream]).collect())
}

/// The streams that one query means.
fn fitting(scan: &Scan, clocks: &Clocks, query: &Query) -> Vec<usize> {
    let by = |fits: &dyn Fn(usize, &ScannedStream) -> bool| -> Vec<usize> {
        let numbered = scan.streams.iter().enumerate();
        numbered.filter(|(index, stream)| fits(*index, stream)).map(|(index, _)| index).collect()
    };
    match query {
        Query::Name(name) => by(&|_, stream| stream.info.name == *name),
        Query::Kind(kind) => by(&|_, stream| stream.info.kind == *kind),
        Query::Id(id) => by(&|_, stream| stream.id == *id),
        Query::Clock(name) => by(&|index, _| clocks.of(index).is_some_and(|clock| clock.name == *name)),
        Query::Bare(text) => {
            let named = by(&|_, stream| stream.info.name == *text);
            if named.is_empty() { by(&|_, stream| stream.info.kind == *text) } else { named }
        }
    }
}

fn none_fits(scan: &Scan, clocks: &Clocks, query: &Query) -> QueryError {
    let names = || scan.streams.iter().map(|stream| stream.info.name.as_str());
    let kinds = || scan.streams.iter().map(|stream| stream.info.kind.as_str());
    let meant = match query {
        Query::Name(name) => nearest(name, names()),
        Query::Kind(kind) => nearest(kind, kinds()),
        Query::Clock(clock) => nearest(clock, clocks.list.iter().map(|clock| clock.name.as_str())),
        Query::Bare(text) => nearest(text, names().chain(kinds())),
        Query::Id(_) => None,
    };
    let listed = scan.streams.iter().map(|stream| {
        let info = &stream.info;
        format!("\"{}\" (type {}, id {})", info.name, info.kind, stream.id)
    });
    let streams = match listed.collect::<Vec<_>>() {
        none if none.is_empty() => "no streams".to_owned(),
        streams => streams.join(", "),
    };
    let meant = meant.map_or_else(String::new, |meant| format!(", did you mean \"{meant}\"?"));
    QueryError::NoneFits { query: query.to_string(), meant, streams }
}

/// What looks most like `text`, when anything does.
fn nearest<'a>(text: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = text.to_lowercase();
    let scored = among.map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}

//! Go through the samples of a body without taking their values, to see where they end.

use std::io;

use crate::layout::{FLAG_BYTES, STAMP_BYTES, SampleLayout};
use crate::varlen::{self, Varlen};
use crate::window::Window;

/// Longest integer of variable length.
const MAX_VARLEN_BYTES: usize = 9;

/// What a walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Whole samples.
    pub(crate) samples: u64,
    /// Where the last of them ends.
    pub(crate) end: u64,
    /// Samples and their end without the last ones that are nothing but zeros: before a fault,
    /// zeros are more likely bytes that never reached the disk.
    pub(crate) solid: (u64, u64),
    /// Why the walk ended.
    pub(crate) stop: Stop,
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// All samples that were asked for were passed.
    Count,
    /// The limit cuts a sample, or lies right before one.
    Limit,
    /// No sample begins at the end.
    Bad,
}

/// Walks over at most `count` samples from `begin`, not beyond `limit`.
pub(crate) fn walk(
    window: &mut Window<'_>,
    layout: &SampleLayout,
    begin: u64,
    limit: u64,
    count: u64,
) -> io::Result<Walk> {
    let limit = limit.min(window.size());
    match layout.sample_bytes() {
        Some(values) => walk_numbers(window, values, begin, limit, count),
        None => walk_text(window, layout.channels, begin, limit, count, &mut |_, _| {}),
    }
}

fn walk_numbers(
    window: &mut Window<'_>,
    values: usize,
    begin: u64,
    limit: u64,
    count: u64,
) -> io::Result<Walk> {
    let mut walk = Walk { samples: 0, end: begin, solid: (0, begin), stop: Stop::Count };
    let most = FLAG_BYTES + STAMP_BYTES + values;
    while walk.samples < count {
        let left = usize::try_from(limit.saturating_sub(walk.end)).unwrap_or(usize::MAX);
        let bytes = window.until(walk.end, most.min(left), limit)?;
        let bytes = &bytes[..bytes.len().min(left)];
        let last_start = if bytes.len() == left { left } else { bytes.len().saturating_sub(most) };
        let mut at = 0;
        // All that can be seen without moving the window.
        while walk.samples < count && at <= last_start {
            let Some(&flag) = bytes.get(at) else {
                walk.stop = Stop::Limit;
                return Ok(walk);
            };
            if flag != 0 && flag != STAMP_BYTES as u8 {
                walk.stop = Stop::Bad;
                return Ok(walk);
            }
            let size = FLAG_BYTES + usize::from(flag) + values;
            let Some(sample) = bytes.get(at..at + size) else {
                walk.stop = Stop::Limit;
                return Ok(walk);
            };
            at += size;
            walk.end += size as u64;
            walk.samples += 1;
            if flag != 0 || sample.iter().any(|&byte| byte != 0) {
                walk.solid = (walk.samples, walk.end);
            }
        }
    }
    Ok(walk)
}

/// Walks over text samples and tells the size of every text of whole and broken samples to
/// `visit`, with its channel.
pub(crate) fn walk_text(
    window: &mut Window<'_>,
    channels: usize,
    begin: u64,
    limit: u64,
    count: u64,
    visit: &mut impl FnMut(usize, u64),
) -> io::Result<Walk> {
    let limit = limit.min(window.size());
    let mut walk = Walk { samples: 0, end: begin, solid: (0, begin), stop: Stop::Count };
    while walk.samples < count {
        let left = usize::try_from(limit.saturating_sub(walk.end)).unwrap_or(usize::MAX);
        let bytes = window.until(walk.end, FLAG_BYTES, limit)?;
        let bytes = &bytes[..bytes.len().min(left)];
        let mut at = 0;
        while walk.samples < count
            && let Ok(end) = text_sample_end(&bytes[at..], channels, visit)
        {
            at += end;
            walk.samples += 1;
        }
        walk.end += at as u64;
        if walk.samples < count {
            // The window, or the limit, ends inside the next one.
            match text_sample(window, channels, walk.end, limit, visit)? {
                Ok(end) => {
                    walk.samples += 1;
                    walk.end = end;
                }
                Err(stop) => {
                    walk.stop = stop;
                    break;
                }
            }
        }
    }
    walk.solid = (walk.samples, walk.end);
    Ok(walk)
}

/// Where the text sample at the start of `bytes` ends, if all of it is there.
#[inline]
pub(crate) fn text_sample_end(
    bytes: &[u8],
    channels: usize,
    visit: &mut impl FnMut(usize, u64),
) -> Result<usize, Stop> {
    let mut at = match bytes.first() {
        Some(0) => FLAG_BYTES,
        Some(8) => FLAG_BYTES + STAMP_BYTES,
        Some(_) => return Err(Stop::Bad),
        None => return Err(Stop::Limit),
    };
    if at > bytes.len() {
        return Err(Stop::Limit);
    }
    if channels == 1 {
        let end = text_end(bytes, at)?;
        visit(0, (end - at) as u64);
        return Ok(end);
    }
    // Sizes are told when all texts are known to be there.
    let texts_at = at;
    for _ in 0..channels {
        at = text_end(bytes, at)?;
    }
    let mut from = texts_at;
    for channel in 0..channels {
        let end = text_end(bytes, from)?;
        visit(channel, (end - from) as u64);
        from = end;
    }
    Ok(at)
}

/// Where the text at `at` ends, if all of it is there.
#[inline]
fn text_end(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    // Nearly all texts are short.
    if let [1, size, rest @ ..] = &bytes[at..]
        && usize::from(*size) <= rest.len()
    {
        return Ok(at + 2 + usize::from(*size));
    }
    match varlen::read(&bytes[at..]) {
        Varlen::Value { value, used } => usize::try_from(value)
            .ok()
            .and_then(|size| (at + used).checked_add(size))
            .filter(|&end| end <= bytes.len())
            .ok_or(Stop::Limit),
        Varlen::Cut { .. } => Err(Stop::Limit),
        Varlen::Bad { .. } => Err(Stop::Bad),
    }
}

/// Where the text sample at `begin` ends, without reading its texts.
fn text_sample(
    window: &mut Window<'_>,
    channels: usize,
    begin: u64,
    limit: u64,
    visit: &mut impl FnMut(usize, u64),
) -> io::Result<Result<u64, Stop>> {
    let flag = match window.until(begin, FLAG_BYTES, limit)?.first() {
        Some(&flag) if begin < limit => flag,
        _ => return Ok(Err(Stop::Limit)),
    };
    if flag != 0 && flag != STAMP_BYTES as u8 {
        return Ok(Err(Stop::Bad));
    }
    let mut at = begin + FLAG_BYTES as u64 + u64::from(flag);
    for channel in 0..channels {
        match text_head(window, at, limit)? {
            Ok((begin, end)) => {
                visit(channel, end - begin);
                at = end;
            }
            Err(stop) => return Ok(Err(stop)),
        }
    }
    Ok(if at <= limit { Ok(at) } else { Err(Stop::Limit) })
}

/// Where the text at `offset` begins and ends after its size.
fn text_head(window: &mut Window<'_>, offset: u64, limit: u64) -> io::Result<Result<(u64, u64), Stop>> {
    let left = limit.saturating_sub(offset);
    let head = window.until(offset, MAX_VARLEN_BYTES, limit)?;
    let head = &head[..head.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
    Ok(match varlen::read(head) {
        Varlen::Value { value, used } if value <= left - used as u64 => {
            let begin = offset + used as u64;
            Ok((begin, begin + value))
        }
        Varlen::Value { .. } | Varlen::Cut { .. } => Err(Stop::Limit),
        Varlen::Bad { .. } => Err(Stop::Bad),
    })
}

/// The text at `offset`, and where it ends.
pub(crate) fn text_at<'w>(
    window: &'w mut Window<'_>,
    offset: u64,
    limit: u64,
) -> io::Result<Result<(&'w [u8], u64), Stop>> {
    let (begin, end) = match text_head(window, offset, limit)? {
        Ok(place) => place,
        Err(stop) => return Ok(Err(stop)),
    };
    let Ok(size) = usize::try_from(end - begin) else {
        return Ok(Err(Stop::Limit));
    };
    let text = window.until(begin, size, limit)?;
    Ok(text.get(..size).map(|text| (text, end)).ok_or(Stop::Limit))
}

/// The text at the start of `bytes`, and what follows it; for samples that are known to be whole.
#[inline]
pub(crate) fn text_in(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if let [1, size, rest @ ..] = bytes {
        return rest.split_at_checked(usize::from(*size));
    }
    match varlen::read(bytes) {
        Varlen::Value { value, used } => bytes[used..].split_at_checked(usize::try_from(value).ok()?),
        Varlen::Cut { .. } | Varlen::Bad { .. } => None,
    }
}

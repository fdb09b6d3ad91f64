//! Lines of text: one per sample, columns in the order of the fields.

use lockstep_plugin_api::Format;

use super::number::{Scalar, Wrong, in_field};
use super::{Batch, Fault, Malformed};
use crate::layout::{Fields, Plan, Scaling};
use crate::options::Separator;

/// Reads CSV datagrams.
#[derive(Debug)]
pub struct CsvDecoder {
    columns: Vec<Column>,
    separator: Separator,
    format: Format,
    channel_count: usize,
    stamp_bits: u32,
    sequence_bits: u32,
    /// A quoted text without its quotes.
    unquoted: String,
}

#[derive(Debug, Default)]
struct Column {
    name: String,
    channel: Option<usize>,
    scaling: Option<Scaling>,
    is_stamp: bool,
    is_sequence: bool,
}

impl CsvDecoder {
    /// For these columns.
    pub fn new(plan: &Plan, fields: &Fields, separator: Separator) -> Self {
        let column = |(index, element): (usize, &crate::layout::Element)| Column {
            name: element.name.clone(),
            channel: fields.channels.iter().position(|&channel| channel == index),
            scaling: element.scaling,
            is_stamp: fields.stamp == Some(index),
            is_sequence: fields.sequence == Some(index),
        };
        Self {
            columns: fields.elements.iter().enumerate().map(column).collect(),
            separator,
            format: plan.stream.format,
            channel_count: plan.stream.channels.len(),
            stamp_bits: plan.stamp.map_or(64, |s| s.bits),
            sequence_bits: plan.sequence.map_or(64, |s| s.bits),
            unquoted: String::new(),
        }
    }

    /// Read a datagram; empty lines are skipped.
    ///
    /// # Errors
    /// Not UTF-8, not as many columns as fields, values that are none.
    pub fn decode(&mut self, datagram: &[u8], batch: &mut Batch) -> Result<(), Malformed> {
        let mut rest = std::str::from_utf8(datagram).map_err(|e| {
            Malformed::new(Fault::Utf8, format!("not UTF-8 from byte {} on", e.valid_up_to()))
        })?;
        loop {
            rest = rest.trim_start_matches(['\r', '\n']);
            if rest.is_empty() {
                break;
            }
            rest = self.line(rest, batch)?;
        }
        if batch.samples == 0 { Err(Malformed::new(Fault::Empty, "no line in it")) } else { Ok(()) }
    }

    /// Read a line; what follows it.
    fn line<'a>(&mut self, line: &'a str, batch: &mut Batch) -> Result<&'a str, Malformed> {
        let separator = separator(self.separator, line);
        let base = batch.samples * self.channel_count;
        let width = self.format.value_bytes();
        batch.values.resize((base + self.channel_count) * width, 0);
        if self.format == Format::String {
            batch.texts.extend_empty(self.channel_count);
        }
        let mut rest = line;
        for (index, column) in self.columns.iter().enumerate() {
            let cell =
                cell(rest, separator, &mut self.unquoted).map_err(|wrong| in_field(&column.name, wrong))?;
            let text = cell.text.unwrap_or(&self.unquoted);
            let wrong = |wrong| in_field(&column.name, wrong);
            if column.is_stamp {
                batch.stamps.push(counter(text).and_then(|c| c.stamp(self.stamp_bits)).map_err(wrong)?);
            }
            if column.is_sequence {
                batch
                    .sequence
                    .push(counter(text).and_then(|c| c.sequence(self.sequence_bits)).map_err(wrong)?);
            }
            if let Some(channel) = column.channel {
                let at = base + channel;
                if self.format == Format::String {
                    batch.texts.set(at, text);
                } else {
                    let value = value(text, self.format, column.scaling).map_err(wrong)?;
                    let out = batch.values.get_mut(at * width..(at + 1) * width).unwrap_or_default();
                    value.write(self.format, column.scaling, out).map_err(wrong)?;
                }
            }
            rest = cell.rest;
            let last = index + 1 == self.columns.len();
            if cell.ends_line != last {
                return Err(self.miscounted(index + 1, cell.ends_line));
            }
        }
        batch.samples += 1;
        Ok(rest)
    }

    fn miscounted(&self, read: usize, fewer: bool) -> Malformed {
        let wanted = self.columns.len();
        let detail = if fewer {
            format!("a line of {read} columns instead of {wanted}")
        } else {
            format!("a line of more than {wanted} columns")
        };
        Malformed::new(Fault::Columns, detail)
    }
}

/// A cell, and what follows it.
struct Cell<'a> {
    /// Its text, or `None` when it was quoted and stands in the buffer.
    text: Option<&'a str>,
    rest: &'a str,
    ends_line: bool,
}

/// Take the next cell off `rest`.
fn cell<'a>(rest: &'a str, separator: char, unquoted: &mut String) -> Result<Cell<'a>, Wrong> {
    let ends = |c: char| c == '\n' || is_separator(c, separator);
    let rest = if separator == ' ' { rest.trim_start_matches([' ', '\t']) } else { rest };
    let (text, after) = match rest.strip_prefix('"') {
        Some(quoted) => {
            let after = unquote(quoted, unquoted)?;
            let junk = after.split(ends).next().unwrap_or_default();
            if !junk.trim().is_empty() {
                return Err((Fault::Columns, "text after a closing quote".to_owned()));
            }
            (None, &after[junk.len()..])
        }
        None => {
            let (text, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            let line_ends = after.is_empty() || after.starts_with('\n');
            (Some(if line_ends { text.strip_suffix('\r').unwrap_or(text) } else { text }), after)
        }
    };
    // Spaces at the end of a line separate nothing.
    let after = if separator == ' ' { after.trim_start_matches([' ', '\t', '\r']) } else { after };
    if after.is_empty() {
        return Ok(Cell { text, rest: after, ends_line: true });
    }
    if let Some(next_line) = after.strip_prefix('\n') {
        return Ok(Cell { text, rest: next_line, ends_line: true });
    }
    let next = if separator == ' ' { after } else { after.strip_prefix(separator).unwrap_or(after) };
    Ok(Cell { text, rest: next, ends_line: false })
}

/// Read a quoted text whose opening quote is gone; what follows the closing one.
fn unquote<'a>(quoted: &'a str, out: &mut String) -> Result<&'a str, Wrong> {
    out.clear();
    let mut rest = quoted;
    loop {
        let Some((text, after)) = rest.split_once('"') else {
            return Err((Fault::Columns, "a quote that is not closed".to_owned()));
        };
        out.push_str(text);
        match after.strip_prefix('"') {
            Some(more) => {
                out.push('"');
                rest = more;
            }
            None => return Ok(after),
        }
    }
}

/// What separates the columns of the line at the start of `text`.
fn separator(wanted: Separator, text: &str) -> char {
    match wanted {
        Separator::Comma => ',',
        Separator::Semicolon => ';',
        Separator::Tab => '\t',
        Separator::Space => ' ',
        Separator::Auto => {
            let mut in_quotes = false;
            for c in text.chars() {
                match c {
                    '"' => in_quotes = !in_quotes,
                    '\n' if !in_quotes => break,
                    ',' | ';' | '\t' if !in_quotes => return c,
                    _ => {}
                }
            }
            ' '
        }
    }
}

fn is_separator(c: char, separator: char) -> bool {
    if separator == ' ' { c == ' ' || c == '\t' } else { c == separator }
}

/// A number that is a counter.
fn counter(text: &str) -> Result<Scalar, Wrong> {
    value(text, Format::Int64, None)
}

/// A number as precise as its format needs it: text that stands for a float32 is rounded once.
fn value(text: &str, format: Format, scaling: Option<Scaling>) -> Result<Scalar, Wrong> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Scalar::Missing);
    }
    let parsed = match format {
        Format::Float32 if scaling.is_none() => text.parse().ok().map(Scalar::Single),
        Format::Float32 | Format::Double64 => text.parse().ok().map(Scalar::Double),
        _ => {
            let whole = text.parse().ok().map(Scalar::Int);
            whole.or_else(|| text.parse().ok().map(Scalar::Double))
        }
    };
    parsed.ok_or_else(|| {
        let shown: String = text.chars().take(32).collect();
        (Fault::Value, format!("{shown:?} is no number"))
    })
}

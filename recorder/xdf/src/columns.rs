//! Samples in memory: one column per channel.

use crate::damage::Damage;
use crate::format::ChannelFormat;

/// The samples of one stream, or a part of them.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamData {
    /// One stamp per sample, in seconds of the clock that stamped the stream, as recorded.
    pub time_stamps_s: Vec<f64>,
    /// The values, one column per chosen channel.
    pub values: Columns,
    /// What could not be read of the samples. What [`crate::scan`] found is not repeated here.
    pub damage: Vec<Damage>,
    /// Damaged places beyond the limit of [`crate::MAX_DAMAGE`].
    pub damage_left_out: u64,
}

impl StreamData {
    /// No samples, with that many columns.
    pub fn empty(format: ChannelFormat, channels: usize) -> Self {
        Self {
            time_stamps_s: Vec::new(),
            values: Columns::new(format, channels),
            damage: Vec::new(),
            damage_left_out: 0,
        }
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.time_stamps_s.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.time_stamps_s.is_empty()
    }
}

impl StreamData {
    /// Adds the samples of `other`, which must have columns of the same kind.
    pub(crate) fn append(&mut self, other: &StreamData) {
        self.time_stamps_s.extend_from_slice(&other.time_stamps_s);
        macro_rules! append {
            ($($kind:ident),*) => {
                match (&mut self.values, &other.values) {
                    $((Columns::$kind(list), Columns::$kind(more)) => {
                        list.iter_mut().zip(more).for_each(|(column, more)| column.extend_from_slice(more));
                    })*
                    (Columns::Text(list), Columns::Text(more)) => {
                        list.iter_mut().zip(more).for_each(|(column, more)| column.append(more));
                    }
                    _ => {}
                }
            };
        }
        append!(Int8, Int16, Int32, Int64, Float32, Double64);
    }

    /// Keeps the samples whose place is marked.
    pub fn retain(&mut self, keep: &[bool]) {
        retain(&mut self.time_stamps_s, keep);
        macro_rules! keep {
            ($($kind:ident),*) => {
                match &mut self.values {
                    $(Columns::$kind(list) => list.iter_mut().for_each(|column| retain(column, keep)),)*
                    Columns::Text(list) => list.iter_mut().for_each(|column| column.retain(keep)),
                }
            };
        }
        keep!(Int8, Int16, Int32, Int64, Float32, Double64);
    }
}

fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut marks = keep.iter();
    values.retain(|_| marks.next().copied().unwrap_or(false));
}

/// One column per channel, all of the same length.
#[derive(Clone, Debug, PartialEq)]
pub enum Columns {
    /// Signed 8-bit integers.
    Int8(Vec<Vec<i8>>),
    /// Signed 16-bit integers.
    Int16(Vec<Vec<i16>>),
    /// Signed 32-bit integers.
    Int32(Vec<Vec<i32>>),
    /// Signed 64-bit integers.
    Int64(Vec<Vec<i64>>),
    /// Single precision.
    Float32(Vec<Vec<f32>>),
    /// Double precision.
    Double64(Vec<Vec<f64>>),
    /// Text.
    Text(Vec<TextColumn>),
}

/// Does the same to whichever columns there are.
macro_rules! each_kind {
    ($columns:expr, $list:ident => $what:expr) => {
        match $columns {
            Columns::Int8($list) => $what,
            Columns::Int16($list) => $what,
            Columns::Int32($list) => $what,
            Columns::Int64($list) => $what,
            Columns::Float32($list) => $what,
            Columns::Double64($list) => $what,
            Columns::Text($list) => $what,
        }
    };
}

impl Columns {
    /// Empty columns.
    pub fn new(format: ChannelFormat, channels: usize) -> Self {
        match format {
            ChannelFormat::Int8 => Self::Int8(vec![Vec::new(); channels]),
            ChannelFormat::Int16 => Self::Int16(vec![Vec::new(); channels]),
            ChannelFormat::Int32 => Self::Int32(vec![Vec::new(); channels]),
            ChannelFormat::Int64 => Self::Int64(vec![Vec::new(); channels]),
            ChannelFormat::Float32 => Self::Float32(vec![Vec::new(); channels]),
            ChannelFormat::Double64 => Self::Double64(vec![Vec::new(); channels]),
            ChannelFormat::String => Self::Text(vec![TextColumn::default(); channels]),
        }
    }

    /// The format of the values.
    pub fn format(&self) -> ChannelFormat {
        match self {
            Self::Int8(_) => ChannelFormat::Int8,
            Self::Int16(_) => ChannelFormat::Int16,
            Self::Int32(_) => ChannelFormat::Int32,
            Self::Int64(_) => ChannelFormat::Int64,
            Self::Float32(_) => ChannelFormat::Float32,
            Self::Double64(_) => ChannelFormat::Double64,
            Self::Text(_) => ChannelFormat::String,
        }
    }

    /// How many columns there are.
    pub fn channel_count(&self) -> usize {
        each_kind!(self, list => list.len())
    }

    /// How many values each column has; 0 without columns.
    pub fn len(&self) -> usize {
        each_kind!(self, list => list.first().map_or(0, |column| column.len()))
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The texts of one channel, end to end in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextColumn {
    pub(crate) text: String,
    /// Where each text ends in `text`.
    pub(crate) ends: Vec<u64>,
    pub(crate) invalid: u64,
}

impl TextColumn {
    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of that index; empty beyond the last.
    ///
    /// Bytes that were not UTF-8 are U+FFFD.
    pub fn get(&self, index: usize) -> &str {
        let Some(&end) = self.ends.get(index) else {
            return "";
        };
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        // The text was built from memory, so the places fit.
        self.text.get(begin as usize..end as usize).unwrap_or("")
    }

    /// All texts in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// How many texts had bytes that were not UTF-8.
    pub fn invalid_utf8(&self) -> u64 {
        self.invalid
    }

    /// Bytes of all texts.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len() as u64);
    }

    /// Adds a text from bytes that may not be UTF-8.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push(text),
            Err(_) => {
                self.invalid += 1;
                self.push(&String::from_utf8_lossy(bytes));
            }
        }
    }

    fn append(&mut self, other: &Self) {
        let before = self.text.len() as u64;
        self.text.push_str(&other.text);
        self.ends.extend(other.ends.iter().map(|end| before + end));
        self.invalid += other.invalid;
    }

    /// Keeps the texts whose place is marked. Which of them were not UTF-8 is not known any more,
    /// so those that show it are counted.
    fn retain(&mut self, keep: &[bool]) {
        let before = std::mem::take(self);
        for (text, _) in before.iter().zip(keep).filter(|(_, keep)| **keep) {
            self.push(text);
            self.invalid += u64::from(before.invalid > 0 && text.contains('\u{FFFD}'));
        }
    }

    /// Forgets all texts and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.invalid = 0;
    }
}

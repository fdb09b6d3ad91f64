//! Packed numbers in a declared layout.

use lockstep_plugin_api::Format;

use super::number::{Scalar, in_field};
use super::{Batch, Fault, Malformed};
use crate::layout::{BinaryPlan, Element, Place, Plan, Scaling};
use crate::options::{Endian, FieldType};

/// Reads binary datagrams.
#[derive(Debug)]
pub struct BinaryDecoder {
    magic: Vec<u8>,
    header_at: usize,
    header_bytes: usize,
    record_bytes: usize,
    endian: Endian,
    format: Format,
    /// Bytes of one sample in the stream's format.
    sample_bytes: usize,
    /// What makes a sample, in the order of the channels.
    moves: Vec<Move>,
    stamp: Option<Counter>,
    sequence: Option<Counter>,
}

/// One step of turning a record into a sample.
#[derive(Debug)]
enum Move {
    /// Bytes that are already as the stream wants them: several channels at once.
    Copy { from: Place, len: usize },
    /// One number that is converted.
    Convert { from: Place, field_type: FieldType, scaling: Option<Scaling>, name: String },
}

#[derive(Debug)]
struct Counter {
    from: Place,
    field_type: FieldType,
    bits: u32,
    name: String,
}

/// A record and the header of its datagram.
#[derive(Clone, Copy)]
struct Source<'a> {
    header: &'a [u8],
    record: &'a [u8],
}

impl<'a> Source<'a> {
    /// The bytes from `place` on; never out of range, since the lengths were checked.
    fn at(self, place: Place, len: usize) -> &'a [u8] {
        let (bytes, at) = match place {
            Place::Header(at) => (self.header, at),
            Place::Record(at) => (self.record, at),
        };
        bytes.get(at..at + len).unwrap_or_default()
    }
}

impl BinaryDecoder {
    /// For this layout.
    pub fn new(plan: &Plan, layout: &BinaryPlan) -> Self {
        let fields = &layout.fields;
        let counter = |role: Option<usize>, bits: Option<u32>| {
            let element = fields.element(role)?;
            Some(Counter {
                from: element.place,
                field_type: element.field_type?,
                bits: bits.unwrap_or(64),
                name: element.name.clone(),
            })
        };
        let mut decoder = Self {
            magic: layout.magic.clone(),
            header_at: layout.header_at,
            header_bytes: fields.header_bytes,
            record_bytes: fields.record_bytes,
            endian: layout.endian,
            format: plan.stream.format,
            sample_bytes: plan.sample_bytes(),
            moves: Vec::new(),
            stamp: counter(fields.stamp, plan.stamp.map(|s| s.bits)),
            sequence: counter(fields.sequence, plan.sequence.map(|s| s.bits)),
        };
        fields.channel_elements().for_each(|element| decoder.plan_move(element));
        decoder
    }

    fn plan_move(&mut self, element: &Element) {
        let Some(field_type) = element.field_type else { return };
        let native = self.endian == NATIVE || field_type.bytes() == 1;
        if !(native && element.scaling.is_none() && same(field_type, self.format)) {
            let (from, scaling, name) = (element.place, element.scaling, element.name.clone());
            self.moves.push(Move::Convert { from, field_type, scaling, name });
            return;
        }
        // Neighbours in the datagram that are neighbours in the stream go in one piece.
        if let Some(Move::Copy { from, len }) = self.moves.last_mut()
            && element.place == from.plus(*len)
        {
            *len += field_type.bytes();
        } else {
            self.moves.push(Move::Copy { from: element.place, len: field_type.bytes() });
        }
    }

    /// Read a datagram.
    ///
    /// # Errors
    /// Wrong magic or size, or a number that the stream cannot hold.
    pub fn decode(&self, datagram: &[u8], batch: &mut Batch) -> Result<(), Malformed> {
        if !datagram.starts_with(&self.magic) {
            return Err(Malformed::new(Fault::Magic, "it does not begin with the magic"));
        }
        let (header, records) = self.split(datagram)?;
        // Without records the header is one sample.
        batch.samples = records.len().checked_div(self.record_bytes).unwrap_or(1);
        self.read(header, records, batch)
            .map_err(|fault| Malformed { samples: Some(batch.samples as u64), ..fault })
    }

    fn split<'a>(&self, datagram: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Malformed> {
        let fixed = self.header_at + self.header_bytes;
        let rest = datagram.len().checked_sub(fixed);
        let fits = match (rest, self.record_bytes) {
            (Some(rest), 0) => rest == 0,
            (Some(rest), record) => rest > 0 && rest % record == 0,
            (None, _) => false,
        };
        if !fits {
            let detail = format!(
                "{} bytes; a datagram has {fixed} and then records of {} bytes",
                datagram.len(),
                self.record_bytes
            );
            return Err(Malformed::new(Fault::Length, detail));
        }
        let (start, records) = datagram.split_at(fixed);
        Ok((start.split_at(self.header_at).1, records))
    }

    fn read(&self, header: &[u8], records: &[u8], batch: &mut Batch) -> Result<(), Malformed> {
        batch.values.reserve(batch.samples * self.sample_bytes);
        for index in 0..batch.samples {
            let start = index * self.record_bytes;
            let record = records.get(start..start + self.record_bytes).unwrap_or_default();
            let source = Source { header, record };
            if let Some(counter) = self.stamp.as_ref().filter(|c| c.comes_with(index)) {
                let raw = read(source, counter.from, counter.field_type, self.endian);
                batch.stamps.push(raw.stamp(counter.bits).map_err(|w| in_field(&counter.name, w))?);
            }
            if let Some(counter) = self.sequence.as_ref().filter(|c| c.comes_with(index)) {
                let raw = read(source, counter.from, counter.field_type, self.endian);
                batch.sequence.push(raw.sequence(counter.bits).map_err(|w| in_field(&counter.name, w))?);
            }
            self.move_sample(source, &mut batch.values)?;
        }
        Ok(())
    }

    fn move_sample(&self, source: Source<'_>, values: &mut Vec<u8>) -> Result<(), Malformed> {
        for step in &self.moves {
            match step {
                Move::Copy { from, len } => values.extend_from_slice(source.at(*from, *len)),
                Move::Convert { from, field_type, scaling, name } => {
                    let mut value = [0; 8];
                    let value = &mut value[..self.format.value_bytes().min(8)];
                    let raw = read(source, *from, *field_type, self.endian);
                    raw.write(self.format, *scaling, value).map_err(|w| in_field(name, w))?;
                    values.extend_from_slice(value);
                }
            }
        }
        Ok(())
    }
}

impl Counter {
    /// Whether the sample `index` brings one: a field of the header comes with the first only.
    fn comes_with(&self, index: usize) -> bool {
        index == 0 || matches!(self.from, Place::Record(_))
    }
}

impl Place {
    fn plus(self, bytes: usize) -> Self {
        match self {
            Self::Header(at) => Self::Header(at + bytes),
            Self::Record(at) => Self::Record(at + bytes),
        }
    }
}

const NATIVE: Endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };

fn same(field_type: FieldType, format: Format) -> bool {
    matches!(
        (field_type, format),
        (FieldType::I8, Format::Int8)
            | (FieldType::I16, Format::Int16)
            | (FieldType::I32, Format::Int32)
            | (FieldType::I64, Format::Int64)
            | (FieldType::F32, Format::Float32)
            | (FieldType::F64, Format::Double64)
    )
}

fn read(source: Source<'_>, place: Place, field_type: FieldType, endian: Endian) -> Scalar {
    let bytes = source.at(place, field_type.bytes());
    // The value in the low bytes of a little-endian u64.
    let mut low = [0; 8];
    match endian {
        Endian::Little => low.iter_mut().zip(bytes).for_each(|(low, byte)| *low = *byte),
        Endian::Big => low.iter_mut().zip(bytes.iter().rev()).for_each(|(low, byte)| *low = *byte),
    }
    let bits = u64::from_le_bytes(low);
    match field_type {
        FieldType::I8 => Scalar::Int((bits as i8).into()),
        FieldType::I16 => Scalar::Int((bits as i16).into()),
        FieldType::I32 => Scalar::Int((bits as i32).into()),
        FieldType::I64 => Scalar::Int((bits as i64).into()),
        FieldType::U8 | FieldType::U16 | FieldType::U32 | FieldType::U64 => Scalar::Int(bits.into()),
        FieldType::F32 => Scalar::Single(f32::from_bits(bits as u32)),
        FieldType::F64 => Scalar::Double(f64::from_bits(bits)),
    }
}

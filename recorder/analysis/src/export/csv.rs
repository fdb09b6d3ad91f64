//! Comma-separated values.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use lockstep_xdf::Columns;

use super::ExportError;
use super::names::{Column, TIME_COLUMNS};
use super::output::OutputFile;
use super::table::{Rows, Table};

/// A CSV file: UTF-8, one line of names, fields quoted where they must be, lines ended by a line feed.
pub(super) struct CsvTable {
    writer: ::csv::Writer<File>,
    path: PathBuf,
}

impl CsvTable {
    pub(super) fn new(file: OutputFile, columns: &[Column]) -> Result<Self, ExportError> {
        let writer = ::csv::WriterBuilder::new().buffer_capacity(1 << 18).from_writer(file.file);
        let mut table = Self { writer, path: file.path };
        let names = TIME_COLUMNS.into_iter().chain(columns.iter().map(|column| column.name.as_str()));
        table.writer.write_record(names).map_err(|e| failed(&table.path, e.into()))?;
        Ok(table)
    }

    fn write_rows(&mut self, rows: &Rows, values: &Columns) -> Result<(), ::csv::Error> {
        match values {
            Columns::Int8(list) => self.numbers(rows, list, Whole),
            Columns::Int16(list) => self.numbers(rows, list, Whole),
            Columns::Int32(list) => self.numbers(rows, list, Whole),
            Columns::Int64(list) => self.numbers(rows, list, Whole),
            Columns::Float32(list) => self.numbers(rows, list, Shortest(ryu::Buffer::new())),
            Columns::Double64(list) => self.numbers(rows, list, Shortest(ryu::Buffer::new())),
            Columns::Text(list) => {
                let mut buffer = ryu::Buffer::new();
                for row in 0..rows.len() {
                    self.times(rows, row, &mut buffer)?;
                    for column in list {
                        self.writer.write_field(column.get(row))?;
                    }
                    self.writer.write_record(None::<&[u8]>)?;
                }
                Ok(())
            }
        }
    }

    fn numbers<T: Copy>(
        &mut self,
        rows: &Rows,
        list: &[Vec<T>],
        mut digits: impl Digits<T>,
    ) -> Result<(), ::csv::Error> {
        let mut buffer = ryu::Buffer::new();
        for row in 0..rows.len() {
            self.times(rows, row, &mut buffer)?;
            for column in list {
                if let Some(&value) = column.get(row) {
                    digits.of(value, |text| self.writer.write_field(text))?;
                }
            }
            self.writer.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    fn times(&mut self, rows: &Rows, row: usize, buffer: &mut ryu::Buffer) -> Result<(), ::csv::Error> {
        rows.times.iter().try_for_each(|column| self.writer.write_field(buffer.format(column[row])))
    }
}

impl Table for CsvTable {
    fn write(&mut self, rows: &Rows, values: &Columns) -> Result<(), ExportError> {
        self.write_rows(rows, values).map_err(|e| failed(&self.path, e.into()))
    }

    fn finish(mut self: Box<Self>, _metadata: &str) -> Result<(), ExportError> {
        self.writer.flush().map_err(|e| failed(&self.path, e))
    }
}

/// Numbers as text.
trait Digits<T> {
    fn of<R>(&mut self, value: T, with: impl FnOnce(&str) -> R) -> R;
}

/// Whole numbers.
struct Whole;

impl<T: std::fmt::Display> Digits<T> for Whole {
    fn of<R>(&mut self, value: T, with: impl FnOnce(&str) -> R) -> R {
        use io::Write;
        // The longest is -9223372036854775808.
        let mut text = [0u8; 24];
        let mut rest = &mut text[..];
        drop(write!(rest, "{value}"));
        let len = 24 - rest.len();
        with(std::str::from_utf8(&text[..len]).unwrap_or_default())
    }
}

/// The shortest digits that are read back as the same number.
struct Shortest(ryu::Buffer);

impl<T: ryu::Float> Digits<T> for Shortest {
    fn of<R>(&mut self, value: T, with: impl FnOnce(&str) -> R) -> R {
        with(self.0.format(value))
    }
}

fn failed(path: &std::path::Path, source: io::Error) -> ExportError {
    ExportError::Write { path: path.to_owned(), source }
}

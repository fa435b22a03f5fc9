//! Named columns of a Parquet file, row by row, as text and numbers. Flat columns of strings, whole numbers, real numbers and
//! truth values; everything else is named and refused. Knows no task.

use super::DataError;
pub use super::format::Value;
use super::format::{Each, Format, MAX_ROWS, Place};
use crate::untrusted;
use ::parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::path::Path;

/// Rows that are in memory at a time.
const CHUNK: usize = 1024;
/// Longest text in bytes, as for a row of a TSV file.
const MAX_TEXT: usize = 1 << 20;
/// Most bytes that the wanted columns of a row group may have when unpacked.
const MAX_GROUP: i64 = 4 << 30;

/// Takes a row: its number and its cells.
type EachRow<'a> = dyn FnMut(u64, &[Value]) -> Result<(), DataError> + 'a;

/// An open Parquet file.
pub struct Table {
    file: String,
    reader: SerializedFileReader<File>,
}

impl Table {
    /// Reads and checks the description of the file at the path, not its rows.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let io = |source| DataError::Io { path: path.into(), source };
        let file = path.display().to_string();
        let broken = |e: ParquetError| DataError::File { file: file.clone(), problem: e.to_string() };
        let opened = File::open(path).map_err(io)?;
        let reader = guarded(|| SerializedFileReader::new(opened)).map_err(broken)?;
        let rows = reader.metadata().file_metadata().num_rows();
        if !(0..=MAX_ROWS as i64).contains(&rows) {
            return Err(DataError::File {
                file,
                problem: format!("{rows} rows; expected at most {MAX_ROWS}, so split the file"),
            });
        }
        Ok(Self { file, reader })
    }

    /// Rows that the file says it has.
    pub fn rows(&self) -> u64 {
        self.reader.metadata().file_metadata().num_rows().max(0) as u64
    }

    /// Names of the columns in their order; one inside another is `outer.inner`.
    pub fn columns(&self) -> Vec<String> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        schema.columns().iter().map(|c| c.path().string()).collect()
    }

    /// A text that the writer left beside the data under this key.
    pub fn note(&self, key: &str) -> Option<&str> {
        let notes = self.reader.metadata().file_metadata().key_value_metadata()?;
        notes.iter().find(|n| n.key == key)?.value.as_deref()
    }

    /// Gives `each` every row: its number, counted from 1, and the cells of `columns` in that order.
    pub fn read(&self, columns: &[&str], each: &mut EachRow) -> Result<(), DataError> {
        let wanted = columns.iter().map(|name| self.wanted(name)).collect::<Result<Vec<_>, _>>()?;
        let mut row = 0;
        for (number, group) in self.reader.metadata().row_groups().iter().enumerate() {
            let broken = |e: ParquetError| self.broken(format!("rows from {}: {}", row + 1, reason(&e)));
            let unpacked: i64 = wanted.iter().map(|w| group.column(w.place).uncompressed_size().max(0)).sum();
            if unpacked > MAX_GROUP {
                return Err(self.broken(format!(
                    "{unpacked} bytes in one row group; expected at most {MAX_GROUP}, so write it in smaller groups"
                )));
            }
            let open = self.reader.get_row_group(number).map_err(broken)?;
            let readers = || wanted.iter().map(|w| open.get_column_reader(w.place)).collect::<Result<Vec<_>, _>>();
            let mut readers = guarded(readers).map_err(broken)?;
            let mut left = group.num_rows().max(0) as usize;
            while left > 0 {
                let asked = left.min(CHUNK);
                let chunk = readers.iter_mut().zip(&wanted).map(|(r, w)| self.chunk(r, asked, w, row));
                let mut chunk = chunk.collect::<Result<Vec<_>, _>>()?;
                for at in 0..asked {
                    row += 1;
                    let take = |cells: &mut Vec<Value>| std::mem::replace(&mut cells[at], Value::Null);
                    each(row, &chunk.iter_mut().map(take).collect::<Vec<_>>())?;
                }
                left -= asked;
            }
        }
        Ok(())
    }

    /// An error about the cell of a column; `row` counts from 1.
    pub fn wrong(&self, column: &str, row: u64, found: String, expected: impl Into<String>) -> DataError {
        DataError::Cell { file: self.file.clone(), column: column.into(), row, found, expected: expected.into() }
    }

    fn broken(&self, problem: String) -> DataError {
        DataError::File { file: self.file.clone(), problem }
    }

    /// A column that can be read.
    fn wanted<'a>(&self, name: &'a str) -> Result<Wanted<'a>, DataError> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let place = schema.columns().iter().position(|c| c.path().string() == name).ok_or_else(|| {
            let all = untrusted::brief(&self.columns().join(", "), 80);
            self.broken(format!("columns {all}; expected a column named {name:?}"))
        })?;
        let column = &schema.columns()[place];
        if let Some(kind) = unreadable(column) {
            return Err(self.broken(format!("column {name:?} holds {kind}; expected text, numbers or true and false")));
        }
        let unsigned = matches!(
            column.converted_type(),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        );
        Ok(Wanted { name, place, unsigned })
    }

    /// Exactly so many cells; `before`: rows before them.
    fn chunk(
        &self,
        reader: &mut ColumnReader,
        asked: usize,
        wanted: &Wanted,
        before: u64,
    ) -> Result<Vec<Value>, DataError> {
        use ColumnReader as R;
        let (name, unsigned) = (wanted.name, wanted.unsigned);
        let whole = |n: i64| match unsigned && n < 0 {
            true => Err(((n as u64).to_string(), format!("at most {}", i64::MAX))),
            false => Ok(Value::Whole(n)),
        };
        let cells = guarded(|| match reader {
            R::BoolColumnReader(r) => cells(r, asked, &|b| Ok(Value::Truth(b))),
            R::Int32ColumnReader(r) if unsigned => cells(r, asked, &|n| Ok(Value::Whole((n as u32).into()))),
            R::Int32ColumnReader(r) => cells(r, asked, &|n| Ok(Value::Whole(n.into()))),
            R::Int64ColumnReader(r) => cells(r, asked, &whole),
            R::FloatColumnReader(r) => cells(r, asked, &|x| Ok(Value::Real(shortest(x)))),
            R::DoubleColumnReader(r) => cells(r, asked, &|x| Ok(Value::Real(x))),
            R::ByteArrayColumnReader(r) => cells(r, asked, &|bytes| text(bytes.data())),
            R::Int96ColumnReader(_) | R::FixedLenByteArrayColumnReader(_) => Ok(Vec::new()),
        });
        let cells = cells.map_err(|e| {
            self.broken(format!("column {name:?}, rows from {}: {}; the file is damaged", before + 1, reason(&e)))
        })?;
        if cells.len() != asked {
            let last = before + cells.len() as u64;
            return Err(self.broken(format!("column {name:?} ends after row {last}; the file is damaged")));
        }
        let named = |(i, cell): (usize, Cell)| {
            cell.map_err(|(found, expected)| self.wrong(name, before + 1 + i as u64, found, expected))
        };
        cells.into_iter().enumerate().map(named).collect()
    }
}

/// Parquet as one of the formats of rows.
pub struct Parquet;

impl Format for Parquet {
    fn id(&self) -> &'static str {
        "parquet"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["parquet"]
    }

    fn columns(&self, path: &Path) -> Result<Vec<String>, DataError> {
        Ok(Table::open(path)?.columns())
    }

    fn read(&self, path: &Path, columns: &[&str], each: Each) -> Result<(), DataError> {
        Table::open(path)?.read(columns, &mut |row, cells| each(Place::Row(row), cells.to_vec()))
    }
}

/// A column to read and its place among all.
struct Wanted<'a> {
    name: &'a str,
    place: usize,
    /// Its whole numbers have no sign.
    unsigned: bool,
}

/// A cell, or what was found in it and what was expected.
type Cell = Result<Value, (String, String)>;

/// Crafted files can panic inside the crate; that is an error of the file, not of the program.
fn guarded<T>(call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let panicked = || Err(ParquetError::General("it made the parquet library panic".into()));
    untrusted::guarded(call).unwrap_or_else(panicked)
}

/// The number that the shortest decimal of a 32-bit number names.
pub fn shortest(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(x.into())
}

fn text(bytes: &[u8]) -> Cell {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= MAX_TEXT => Ok(Value::Text(text.into())),
        Ok(text) => Err((format!("a text of {} bytes", text.len()), format!("at most {MAX_TEXT}"))),
        Err(e) => Err((format!("a byte that is not UTF-8 at byte {}", e.valid_up_to()), "UTF-8".into())),
    }
}

/// At most `asked` cells of a flat column, fewer only where it ends.
fn cells<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    asked: usize,
    value: &dyn Fn(T::T) -> Cell,
) -> Result<Vec<Cell>, ParquetError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let (rows, ..) = reader.read_records(asked, Some(&mut levels), None, &mut values)?;
    let mut values = values.into_iter().map(value);
    if levels.is_empty() {
        return Ok(values.take(rows).collect());
    }
    // A flat column that may be empty has level 1 where there is a value.
    let cell = |level: i16| if level == 0 { Some(Ok(Value::Null)) } else { values.next() };
    Ok(levels.into_iter().map_while(cell).collect())
}

/// What a column holds, where that is nothing this reader knows.
fn unreadable(column: &ColumnDescriptor) -> Option<String> {
    use ConvertedType as C;
    if column.max_rep_level() > 0 || column.max_def_level() > 1 {
        return Some("lists or records".into());
    }
    let logical = matches!(
        column.logical_type_ref(),
        None | Some(LogicalType::String | LogicalType::Enum | LogicalType::Json | LogicalType::Integer { .. })
    );
    let readable = match column.physical_type() {
        Physical::BOOLEAN | Physical::FLOAT | Physical::DOUBLE => true,
        Physical::INT32 | Physical::INT64 => matches!(
            column.converted_type(),
            C::NONE | C::INT_8 | C::INT_16 | C::INT_32 | C::INT_64 | C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64
        ),
        Physical::BYTE_ARRAY => matches!(column.converted_type(), C::NONE | C::UTF8 | C::ENUM | C::JSON),
        Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY => false,
    };
    match (logical && readable, column.logical_type_ref(), column.converted_type()) {
        (true, ..) => None,
        (false, Some(logical), _) => Some(format!("{logical:?}")),
        (false, None, C::NONE) => Some(column.physical_type().to_string()),
        (false, None, converted) => Some(converted.to_string()),
    }
}

/// What the crate says without what this program does not have.
fn reason(error: &ParquetError) -> String {
    let text = error.to_string();
    match text.contains("Disabled feature") {
        true => {
            format!("{text}; Snappy, gzip, zstd and no compression can be read: write the file anew with one of them")
        }
        false => text,
    }
}

//! All numbers of runs as one long table in a Parquet file: a row for each number, a row group for each run. Knows no other file.

use super::{Target, TrackerError, Writer};
use crate::record::{History, Scalar};
use crate::whole::Part;
use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The columns. `layer` and `target` are empty where a number is of no matrix.
const SCHEMA: &str = "message numbers {
    required binary run (STRING);
    required binary name (STRING);
    required binary task (STRING);
    required binary method (STRING);
    required binary model (STRING);
    required int64 seed;
    required double lr;
    required binary series (STRING);
    optional int32 layer;
    optional binary target (STRING);
    required int64 step;
    required double epoch;
    required double seconds;
    required double value;
}";
/// Rows of a row group.
const GROUP: usize = 1 << 20;

pub struct Parquet;

impl Target for Parquet {
    fn id(&self) -> &'static str {
        "parquet"
    }

    fn help(&self) -> &'static str {
        "one table of all numbers of all runs"
    }

    fn begin(&self, path: &Path) -> Result<Box<dyn Writer>, TrackerError> {
        let part = Part::beside(path).map_err(TrackerError::io(path))?;
        let made_by = KeyValue::new("eigenscope".into(), env!("CARGO_PKG_VERSION").to_string());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![made_by]))
            .build();
        let schema = parse_message_type(SCHEMA).map_err(|e| TrackerError::content(path, e.to_string()))?;
        let out = SerializedFileWriter::new(part, Arc::new(schema), Arc::new(properties));
        let out = out.map_err(|e| TrackerError::content(path, e.to_string()))?;
        Ok(Box::new(Table { path: path.into(), out: Some(out) }))
    }
}

struct Table {
    path: PathBuf,
    /// None once it is finished or failed.
    out: Option<SerializedFileWriter<Part>>,
}

/// Columns of some rows of one run.
#[derive(Default)]
struct Rows {
    series: Vec<ByteArray>,
    layer: Vec<i32>,
    target: Vec<ByteArray>,
    /// 1 where a row has a layer and target.
    of_matrix: Vec<i16>,
    step: Vec<i64>,
    epoch: Vec<f64>,
    seconds: Vec<f64>,
    value: Vec<f64>,
}

impl Rows {
    fn push(&mut self, s: &Scalar) {
        self.series.push(s.series.as_ref().into());
        self.of_matrix.push(i16::from(s.matrix.is_some()));
        if let Some((layer, target)) = s.matrix {
            self.layer.push(layer as i32);
            self.target.push(target.into());
        }
        self.step.push(s.step as i64);
        self.epoch.push(s.epoch);
        self.seconds.push(s.seconds);
        self.value.push(s.value);
    }

    fn write(&self, run: &History, out: &mut SerializedFileWriter<Part>) -> Result<(), ParquetError> {
        let (summary, count) = (&run.summary, self.step.len());
        let spec = &summary.spec;
        let mut group = out.next_row_group()?;
        let mut place = 0;
        while let Some(mut column) = group.next_column()? {
            let mut text = |value: &str| {
                column.typed::<ByteArrayType>().write_batch(&vec![ByteArray::from(value); count], None, None)
            };
            // In the order of the schema.
            match place {
                0 => text(summary.id.as_str()),
                1 => text(&summary.name),
                2 => text(&spec.task),
                3 => text(&spec.method),
                4 => text(&spec.model),
                5 => column.typed::<Int64Type>().write_batch(&vec![spec.seed as i64; count], None, None),
                6 => column.typed::<DoubleType>().write_batch(&vec![spec.lr; count], None, None),
                7 => column.typed::<ByteArrayType>().write_batch(&self.series, None, None),
                8 => column.typed::<Int32Type>().write_batch(&self.layer, Some(&self.of_matrix), None),
                9 => column.typed::<ByteArrayType>().write_batch(&self.target, Some(&self.of_matrix), None),
                10 => column.typed::<Int64Type>().write_batch(&self.step, None, None),
                11 => column.typed::<DoubleType>().write_batch(&self.epoch, None, None),
                12 => column.typed::<DoubleType>().write_batch(&self.seconds, None, None),
                _ => column.typed::<DoubleType>().write_batch(&self.value, None, None),
            }?;
            column.close()?;
            place += 1;
        }
        group.close().map(drop)
    }
}

impl Table {
    fn failed(&self) -> impl Fn(ParquetError) -> TrackerError + '_ {
        |e| TrackerError::content(&self.path, e.to_string())
    }
}

impl Writer for Table {
    fn add(&mut self, run: &History) -> Result<(), TrackerError> {
        let Some(mut out) = self.out.take() else { return Ok(()) };
        let mut rows = Rows::default();
        let written = run.scalars(|s| {
            rows.push(&s);
            match rows.step.len() < GROUP {
                true => Ok(()),
                false => std::mem::take(&mut rows).write(run, &mut out),
            }
        });
        let written = written.and_then(|()| if rows.step.is_empty() { Ok(()) } else { rows.write(run, &mut out) });
        written.map_err(self.failed())?;
        self.out = Some(out);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<PathBuf>, TrackerError> {
        if let Some(out) = self.out.take() {
            let part = out.into_inner().map_err(self.failed())?;
            part.keep().map_err(TrackerError::io(&self.path))?;
        }
        Ok(vec![self.path.clone()])
    }
}

//! Results as a table, CSV, JSON, lines of JSON or Parquet, batch by batch.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::json::Writer;
use arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::cli::failure::Failure;
use crate::cli::output::{Style, clean, paint};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Aligned columns, for people
    Table,
    /// Comma-separated, safe to open in a spreadsheet
    Csv,
    /// One array of objects
    Json,
    /// One object per line
    Ndjson,
    /// A Parquet file
    Parquet,
}

impl Format {
    /// Suffixes of files.
    pub(super) const SUFFIXES: &[(&str, Self)] = &[
        ("txt", Self::Table),
        ("csv", Self::Csv),
        ("json", Self::Json),
        ("ndjson", Self::Ndjson),
        ("jsonl", Self::Ndjson),
        ("parquet", Self::Parquet),
    ];
}

/// Somewhere results go.
pub(super) trait Sink {
    /// Takes some rows.
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()>;
    /// Ends the result; must be called once.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// How tables look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Look {
    /// With colours.
    pub colors: bool,
    /// No cell is wider than this.
    pub max_width: Option<usize>,
    /// For a terminal, which must not be told to do anything.
    pub is_terminal: bool,
}

/// Makes the sink for a format.
pub(super) fn sink<'w>(
    format: Format,
    out: Box<dyn Write + Send + 'w>,
    schema: &SchemaRef,
    look: Look,
) -> anyhow::Result<Box<dyn Sink + 'w>> {
    Ok(match format {
        Format::Table => Box::new(Table::new(out, schema, look)),
        Format::Csv => Box::new(Csv {
            out,
            schema: schema.clone(),
            is_begun: false,
            is_terminal: look.is_terminal,
        }),
        Format::Json => {
            let builder = WriterBuilder::new().with_explicit_nulls(true);
            Box::new(Json { writer: builder.build::<_, JsonArray>(out) })
        }
        Format::Ndjson => {
            let builder = WriterBuilder::new().with_explicit_nulls(true);
            Box::new(Lines { writer: builder.build::<_, LineDelimited>(out) })
        }
        Format::Parquet => {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .build();
            let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))
                .context("the result cannot be written as Parquet")?;
            Box::new(Parquet { writer: Some(writer) })
        }
    })
}

/// Demands that Parquet has a type for each column, before anything is written.
pub(super) fn demand_parquet(schema: &SchemaRef) -> Result<(), Failure> {
    for field in schema.fields() {
        let schema = Arc::new(Schema::new(vec![field.as_ref().clone().with_nullable(true)]));
        let nothing = new_null_array(field.data_type(), 1);
        let written = RecordBatch::try_new(Arc::clone(&schema), vec![nothing])
            .map_err(ParquetError::from)
            .and_then(|batch| {
                let mut writer = ArrowWriter::try_new(std::io::sink(), schema, None)?;
                writer.write(&batch)?;
                writer.close()
            });
        if let Err(error) = written {
            let (name, kind) = (field.name(), field.data_type());
            return Err(Failure::user(format!(
                "column `{name}` is of type {kind}, which Parquet does not have"
            ))
            .caused_by(error)
            .hint("cast it, for example to `varchar`, or take another format"));
        }
    }
    Ok(())
}

fn options() -> FormatOptions<'static> {
    FormatOptions::new().with_display_error(true)
}

struct Csv<'w> {
    out: Box<dyn Write + Send + 'w>,
    schema: SchemaRef,
    is_begun: bool,
    is_terminal: bool,
}

impl Csv<'_> {
    fn begin(&mut self) -> anyhow::Result<()> {
        if !self.is_begun {
            self.is_begun = true;
            let names: Vec<String> =
                self.schema.fields().iter().map(|field| csv_cell(field.name(), true)).collect();
            writeln!(self.out, "{}", names.join(","))?;
        }
        Ok(())
    }
}

impl Sink for Csv<'_> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        self.begin()?;
        let options = options();
        let columns = formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            let mut line = String::new();
            for (index, (formatter, array)) in columns.iter().zip(batch.columns()).enumerate() {
                if index > 0 {
                    line.push(',');
                }
                if !is_null(array, row) {
                    let text = formatter.value(row).to_string();
                    let text = if self.is_terminal { clean(&text, true) } else { text.into() };
                    line.push_str(&csv_cell(&text, !is_number(array.data_type())));
                }
            }
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.begin()?;
        Ok(self.out.flush()?)
    }
}

/// Quotes what needs it; a text that a spreadsheet would run as a formula gets an apostrophe in front. An empty text is
/// quoted, so that it is told from null.
pub(super) fn csv_cell(text: &str, is_text: bool) -> String {
    let runs = is_text && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let safe = if runs { format!("'{text}") } else { text.to_owned() };
    if safe.is_empty() || safe.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

fn formatters<'a>(
    batch: &'a RecordBatch,
    options: &'a FormatOptions<'a>,
) -> anyhow::Result<Vec<ArrayFormatter<'a>>> {
    Ok(batch
        .columns()
        .iter()
        .map(|array| ArrayFormatter::try_new(array.as_ref(), options))
        .collect::<Result<_, _>>()?)
}

/// Also true of columns that hold nothing but nulls.
fn is_null(array: &dyn Array, row: usize) -> bool {
    array.is_null(row) || *array.data_type() == DataType::Null
}

fn is_number(kind: &DataType) -> bool {
    kind.is_numeric()
}

struct Json<W: Write> {
    writer: Writer<W, JsonArray>,
}

impl<W: Write> Sink for Json<W> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        Ok(self.writer.write(batch)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.writer.finish()?;
        writeln!(self.writer.get_mut())?;
        Ok(self.writer.get_mut().flush()?)
    }
}

struct Lines<W: Write> {
    writer: Writer<W, LineDelimited>,
}

impl<W: Write> Sink for Lines<W> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        Ok(self.writer.write(batch)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.writer.finish()?;
        Ok(self.writer.get_mut().flush()?)
    }
}

struct Parquet<W: Write + Send> {
    writer: Option<ArrowWriter<W>>,
}

impl<W: Write + Send> Sink for Parquet<W> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.write(batch)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if let Some(writer) = self.writer.take() {
            writer.into_inner()?.flush()?;
        }
        Ok(())
    }
}

/// A table waits for all rows, as its columns are as wide as their widest cell.
struct Table<'w> {
    out: Box<dyn Write + Send + 'w>,
    look: Look,
    names: Vec<String>,
    numbers: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl<'w> Table<'w> {
    fn new(out: Box<dyn Write + Send + 'w>, schema: &SchemaRef, look: Look) -> Self {
        let names =
            schema.fields().iter().map(|field| clean(field.name(), false).into_owned()).collect();
        let numbers = schema.fields().iter().map(|field| is_number(field.data_type())).collect();
        Self { out, look, names, numbers, rows: Vec::new() }
    }

    fn line(
        &mut self,
        left: &str,
        middle: &str,
        right: &str,
        widths: &[usize],
    ) -> anyhow::Result<()> {
        let parts: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        writeln!(self.out, "{left}{}{right}", parts.join(middle))?;
        Ok(())
    }
}

impl Sink for Table<'_> {
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let options = options();
        let columns = formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter().zip(batch.columns()).map(|(formatter, array)| {
                if is_null(array, row) {
                    String::new()
                } else {
                    let text = formatter.value(row).to_string();
                    shortened(&clean(&text, false), self.look.max_width)
                }
            });
            self.rows.push(cells.collect());
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let names = std::mem::take(&mut self.names);
        let widths: Vec<usize> = names
            .iter()
            .enumerate()
            .map(|(index, name)| {
                rows.iter().map(|row| row[index].width()).max().unwrap_or(0).max(name.width())
            })
            .collect();
        self.line("┌", "┬", "┐", &widths)?;
        let head: Vec<String> = names
            .iter()
            .zip(&widths)
            .map(|(name, width)| {
                let pad = " ".repeat(width - name.width());
                format!(" {}{pad} ", paint(self.look.colors, Style::Strong, name))
            })
            .collect();
        writeln!(self.out, "│{}│", head.join("│"))?;
        self.line("├", "┼", "┤", &widths)?;
        for row in &rows {
            let cells: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(index, cell)| {
                    let pad = " ".repeat(widths[index] - cell.width());
                    if self.numbers[index] {
                        format!(" {pad}{cell} ")
                    } else {
                        format!(" {cell}{pad} ")
                    }
                })
                .collect();
            writeln!(self.out, "│{}│", cells.join("│"))?;
        }
        self.line("└", "┴", "┘", &widths)?;
        Ok(self.out.flush()?)
    }
}

fn shortened(text: &str, max_width: Option<usize>) -> String {
    let Some(max) = max_width.filter(|max| text.width() > *max) else { return text.to_owned() };
    let mut short = String::new();
    let mut width = 0;
    for sign in text.chars() {
        width += sign.width().unwrap_or(0);
        if width >= max {
            break;
        }
        short.push(sign);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreadsheets_run_nothing() {
        assert_eq!(csv_cell("=1+1", true), "'=1+1");
        assert_eq!(csv_cell("-5", false), "-5");
        assert_eq!(csv_cell("-5", true), "'-5");
        assert_eq!(csv_cell("a,b", true), "\"a,b\"");
        assert_eq!(csv_cell("say \"hi\"", true), "\"say \"\"hi\"\"\"");
        assert_eq!(csv_cell("", true), "\"\"");
        assert_eq!(csv_cell("@x\ny", true), "\"'@x\ny\"");
    }

    #[test]
    fn long_cells_are_cut_by_width() {
        assert_eq!(shortened("abcdef", Some(4)), "abc…");
        assert_eq!(shortened("abcd", Some(4)), "abcd");
        assert_eq!(shortened("日本語日本語", Some(5)), "日本…");
    }
}

//! Results as a table for people, or as JSON, JSON lines or CSV for programs.

use std::io::{self, Write};

use clap::ValueEnum;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::failure::Failure;
use crate::observe::percent;

/// How results are written. (Comments at the variants would make every help text longer.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Jsonl,
    Csv,
    // The bytes of values, for commands that show entries; see `no_raw`.
    Raw,
}

/// The refusal of commands whose results are not bytes.
pub(crate) fn no_raw() -> Failure {
    Failure::usage(
        "raw output is for values and keys: `get` and `scan` have it",
        "choose --format table, json, jsonl or csv",
    )
}

/// One value of a result. Programs get the exact number, people a readable one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Count(u64),
    /// A number that names something, such as a version: never grouped.
    Id(u64),
    /// A size in bytes; `64.0 MiB` in a table.
    Bytes(u64),
    /// A duration in nanoseconds; `12.5 us` in a table.
    Nanos(u64),
    /// A rate per second.
    Rate(f64),
    /// A part of one, to four digits; `99.1%` in a table.
    Part(f64),
    Flag(bool),
    /// A nested document; a table shows how many elements it has.
    Nested(Value),
    Empty,
}

impl Cell {
    pub(crate) fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// A value of a document that other code made.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Empty,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => number.as_u64().map_or_else(|| Self::text(number), Self::Id),
            Value::Array(_) | Value::Object(_) => Self::Nested(value.clone()),
        }
    }

    fn is_number(&self) -> bool {
        !matches!(self, Self::Text(_) | Self::Flag(_))
    }

    pub(crate) fn for_people(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(number) => grouped(*number),
            Self::Id(number) => number.to_string(),
            Self::Bytes(bytes) => readable_bytes(*bytes),
            Self::Nanos(nanos) => readable_nanos(*nanos),
            Self::Rate(rate) => format!("{}/s", grouped(rate.round() as u64)),
            Self::Part(part) => percent(Some(*part)),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::Nested(Value::Array(elements)) => grouped(elements.len() as u64),
            Self::Nested(other) => other.to_string(),
            Self::Empty => "-".to_owned(),
        }
    }

    fn for_csv(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(number) | Self::Id(number) | Self::Bytes(number) | Self::Nanos(number) => {
                number.to_string()
            }
            Self::Rate(rate) => rate.to_string(),
            Self::Part(part) => rounded(*part).to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Nested(value) => value.to_string(),
            Self::Empty => String::new(),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Count(number) | Self::Id(number) | Self::Bytes(number) | Self::Nanos(number) => {
                serializer.serialize_u64(*number)
            }
            Self::Rate(rate) => serializer.serialize_f64(*rate),
            Self::Part(part) => serializer.serialize_f64(rounded(*part)),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Nested(value) => value.serialize(serializer),
            Self::Empty => serializer.serialize_none(),
        }
    }
}

/// Rows under named columns. The names are the keys of the JSON objects and never change.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// One row as a JSON object in the order of the columns.
struct Object<'a>(&'a [String], &'a [Cell]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, cell) in self.0.iter().zip(self.1) {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

impl Sheet {
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// A single row given as pairs; see [`Sheet::write_record`].
    pub(crate) fn record(pairs: Vec<(&'static str, Cell)>) -> Self {
        let (columns, row) = pairs.into_iter().map(|(name, cell)| (name.to_owned(), cell)).unzip();
        Self { columns, rows: vec![row] }
    }

    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes all rows; as JSON an array of objects.
    pub(crate) fn write(&self, out: &mut impl Write, format: Format) -> Result<(), Failure> {
        let written = match format {
            Format::Table => out.write_all(self.as_table().as_bytes()),
            Format::Json => self.write_array(out),
            Format::Jsonl => self.write_lines(out),
            Format::Csv => self.write_csv(out),
            Format::Raw => return Err(no_raw()),
        };
        written.and_then(|()| out.flush()).map_err(|cause| Failure::output(&cause))
    }

    /// Writes the only row: a table has one line per column, JSON one object.
    pub(crate) fn write_record(&self, out: &mut impl Write, format: Format) -> Result<(), Failure> {
        let Some(row) = self.rows.first() else {
            return Ok(());
        };
        let written = match format {
            Format::Table => out.write_all(self.as_pairs(row).as_bytes()),
            Format::Json => serde_json::to_writer_pretty(&mut *out, &Object(&self.columns, row))
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n")),
            Format::Jsonl => self.write_lines(out),
            Format::Csv => self.write_csv(out),
            Format::Raw => return Err(no_raw()),
        };
        written.and_then(|()| out.flush()).map_err(|cause| Failure::output(&cause))
    }

    /// The objects of a JSON array, under all names that occur in them.
    pub(crate) fn of_objects(objects: &[Value]) -> Self {
        let mut columns: Vec<String> = Vec::new();
        for name in objects.iter().filter_map(Value::as_object).flat_map(|map| map.keys()) {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        let cell = |object: &Value, name: &String| object.get(name).map_or(Cell::Empty, Cell::of);
        let row = |object| columns.iter().map(|name| cell(object, name)).collect();
        let rows = objects.iter().map(row).collect();
        Self { columns, rows }
    }

    pub(crate) fn to_value(&self) -> Value {
        let objects = self.rows.iter().map(|row| Object(&self.columns, row));
        serde_json::to_value(objects.collect::<Vec<_>>()).unwrap_or(Value::Null)
    }

    pub(crate) fn as_table(&self) -> String {
        let mut table = plain_table();
        table.set_header(self.columns.iter().map(|name| name.to_uppercase().replace('_', " ")));
        for row in &self.rows {
            table.add_row(row.iter().map(Cell::for_people));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if !self.rows.is_empty() && self.rows.iter().all(|row| row[index].is_number()) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        trimmed(&table)
    }

    fn as_pairs(&self, row: &[Cell]) -> String {
        let mut table = plain_table();
        for (name, cell) in self.columns.iter().zip(row) {
            table.add_row([name.replace('_', " "), cell.for_people()]);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        trimmed(&table)
    }

    fn write_array(&self, out: &mut impl Write) -> io::Result<()> {
        let objects: Vec<_> = self.rows.iter().map(|row| Object(&self.columns, row)).collect();
        serde_json::to_writer_pretty(&mut *out, &objects)?;
        out.write_all(b"\n")
    }

    fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        for row in &self.rows {
            serde_json::to_writer(&mut *out, &Object(&self.columns, row))?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The rows as CSV without the names of the columns, which were written before.
    pub(crate) fn write_rows(&self, out: &mut impl Write) -> Result<(), Failure> {
        let mut writer = csv::Writer::from_writer(out);
        let mut rows = self.rows.iter().map(|row| row.iter().map(Cell::for_csv));
        let written = rows.try_for_each(|row| writer.write_record(row));
        let written = written.map_err(io::Error::from).and_then(|()| writer.flush());
        written.map_err(|cause| Failure::output(&cause))
    }

    fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(&self.columns)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(Cell::for_csv))?;
        }
        writer.flush()
    }
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    table
}

/// The table's text without the blanks that padding leaves at the ends of lines.
fn trimmed(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// More digits would only be noise.
fn rounded(part: f64) -> f64 {
    (part * 10_000.0).round() / 10_000.0
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn readable_bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

pub(crate) fn readable_nanos(nanos: u64) -> String {
    scaled(nanos as f64, 1000.0, &["ns", "us", "ms", "s"])
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= step && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let digits = usize::from(unit > 0);
    format!("{value:.digits$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sheet {
        let mut sheet = Sheet::new(&["name", "max_bytes", "hit"]);
        sheet.push(vec![Cell::text("a"), Cell::Bytes(64 << 20), Cell::Flag(true)]);
        sheet.push(vec![Cell::text("longer"), Cell::Bytes(17), Cell::Empty]);
        sheet
    }

    fn written(format: Format) -> String {
        let mut out = Vec::new();
        sample().write(&mut out, format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn table_text() {
        let want = "NAME    MAX BYTES  HIT\na        64.0 MiB  yes\nlonger       17 B  -\n";
        assert_eq!(written(Format::Table), want);
    }

    #[test]
    fn json_lines_keep_exact_numbers_and_the_order_of_columns() {
        let want = "{\"name\":\"a\",\"max_bytes\":67108864,\"hit\":true}\n\
                    {\"name\":\"longer\",\"max_bytes\":17,\"hit\":null}\n";
        assert_eq!(written(Format::Jsonl), want);
    }

    #[test]
    fn csv_text() {
        assert_eq!(written(Format::Csv), "name,max_bytes,hit\na,67108864,true\nlonger,17,\n");
    }

    #[test]
    fn json_is_one_array() {
        let value: Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!(value.as_array().map(Vec::len), Some(2));
        assert_eq!(value, sample().to_value());
    }

    #[test]
    fn readable_numbers() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(readable_bytes(1023), "1023 B");
        assert_eq!(readable_bytes(1536), "1.5 KiB");
        assert_eq!(readable_nanos(999), "999 ns");
        assert_eq!(readable_nanos(12_345_678), "12.3 ms");
    }
}

//! CSV: values that are JSON objects over columns, or key and value as two columns.

use std::collections::HashSet;
use std::io::Write;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Job;
use crate::bytes::{escaped, to_hex};
use crate::entries::Listed;
use crate::failure::{Failure, code};

/// Two columns: the bytes of key and value as they are.
pub(super) fn write_pairs(job: &Job<'_>, name: &str, out: impl Write) -> Result<u64, Failure> {
    if name == job.args.key {
        let help = "give one of --key and --value another name";
        return Err(Failure::usage("key and value have the same column", help));
    }
    let mut writer = csv::Writer::from_writer(out);
    let failed = |cause: csv::Error| Failure::output(&cause.into());
    writer.write_record([&job.args.key, name]).map_err(failed)?;
    let count = job.source(None)?.each(job, |entry| {
        let pair = [text(job, entry, &entry.key)?, text(job, entry, value(entry))?];
        writer.write_record(pair).map_err(failed)
    })?;
    writer.flush().map_err(|cause| Failure::output(&cause))?;
    Ok(count)
}

/// Columns in the order in which they were met.
#[derive(Debug, Default)]
struct Columns {
    names: Vec<String>,
    known: HashSet<String>,
}

impl Columns {
    fn add(&mut self, fields: &Fields) {
        for name in fields.names() {
            if !self.known.contains(name) {
                self.known.insert(name.clone());
                self.names.push(name.clone());
            }
        }
    }
}

/// Values must be JSON objects. A first walk finds the columns, a second writes the rows.
pub(super) fn write_columns(job: &Job<'_>, out: impl Write) -> Result<u64, Failure> {
    let mut columns = Columns::default();
    let source = job.source(Some(&mut |entry| {
        columns.add(&fields(entry)?);
        Ok(())
    }))?;
    let key = &job.args.key;
    let with_key = !columns.known.contains(key);
    let mut writer = csv::Writer::from_writer(out);
    let failed = |cause: csv::Error| Failure::output(&cause.into());
    let first = with_key.then_some(key);
    writer.write_record(first.into_iter().chain(&columns.names)).map_err(failed)?;
    let count = source.each(job, |entry| {
        let fields = fields(entry)?;
        if let Some(name) = fields.names().find(|name| !columns.known.contains(*name)) {
            return Err(new_column(entry, name));
        }
        if with_key {
            writer.write_field(text(job, entry, &entry.key)?).map_err(failed)?;
        }
        for (number, name) in columns.names.iter().enumerate() {
            match fields.get(number, name) {
                Some(Value::String(text)) => writer.write_field(text),
                Some(other) => writer.write_field(other.to_string()),
                None => writer.write_field(""),
            }
            .map_err(failed)?;
        }
        writer.write_record(None::<&[u8]>).map_err(failed)
    })?;
    writer.flush().map_err(|cause| Failure::output(&cause))?;
    Ok(count)
}

/// CSV has no entries without value.
fn value(entry: &Listed) -> &[u8] {
    entry.value.as_deref().unwrap_or_default()
}

fn text(job: &Job<'_>, entry: &Listed, bytes: &[u8]) -> Result<String, Failure> {
    if job.args.hex {
        return Ok(to_hex(bytes));
    }
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| {
        let key = escaped(&entry.key);
        let text = format!("the entry `{key}` is not UTF-8, so it does not fit into CSV");
        Failure::new(code::NOT_A_ROW, text, "add --hex, or export JSON lines with --to jsonl")
    })
}

/// The fields of an object in the order in which they were written.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn names(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Most entries have all columns in their order, so the place is a good guess.
    fn get(&self, guess: usize, wanted: &str) -> Option<&Value> {
        let guessed = self.0.get(guess).filter(|(name, _)| name == wanted);
        let found = guessed.or_else(|| self.0.iter().find(|(name, _)| name == wanted));
        found.map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

fn fields(entry: &Listed) -> Result<Fields, Failure> {
    serde_json::from_slice(value(entry)).map_err(|_| {
        let key = escaped(&entry.key);
        Failure::new(
            code::NOT_A_ROW,
            format!("the value of `{key}` is not a JSON object, so it has no columns"),
            "export one column with --value NAME, or JSON lines with --to jsonl",
        )
    })
}

fn new_column(entry: &Listed, name: &str) -> Failure {
    let key = escaped(&entry.key);
    Failure::new(
        code::NEW_COLUMN,
        format!("the value of `{key}` got the new column `{name}` during the export"),
        "export again, or as JSON lines: --format jsonl",
    )
}

//! `vug export`

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use vug::{Entry, Region};

use super::{Context, stdout};
use crate::args::Export;
use crate::entries::{Shape, Show, Shown};
use crate::failure::{Failure, code};
use crate::render::{Format, grouped, no_raw};

pub(super) fn run(context: &Context, args: &Export) -> Result<(), Failure> {
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let format = context.format.unwrap_or_else(|| match &args.output {
        Some(path) if path.extension().is_some_and(|ending| ending == "csv") => Format::Csv,
        _ => Format::Jsonl,
    });
    let Some(path) = &args.output else {
        let mut out = stdout();
        write(&region, args, format, &mut out)?;
        return out.flush().map_err(|cause| Failure::output(&cause));
    };
    let count = write_file(&region, args, format, path)?;
    eprintln!("exported {} entries of {} to {}", grouped(count), args.region, path.display());
    Ok(())
}

/// Writes beside the file and renames: whoever looks sees the old file or the complete new one.
/// What is no regular file, such as a pipe or a terminal, is written where it is.
fn write_file(region: &Region, args: &Export, format: Format, path: &Path) -> Result<u64, Failure> {
    let failed = |cause: io::Error| Failure::output(&cause).of_file(path);
    if path.metadata().is_ok_and(|about| !about.is_file()) {
        let file = File::options().write(true).open(path).map_err(failed)?;
        return write_all(region, args, format, &file).map_err(|failure| failure.of_file(path));
    }
    // A link stays a link: what it leads to is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let count =
        write_all(region, args, format, file.as_file()).map_err(|failure| failure.of_file(path))?;
    readable_by_umask(file.as_file())
        .and_then(|()| file.persist(&target).map_err(|failed| failed.error))
        .map_err(failed)?;
    Ok(count)
}

fn write_all(region: &Region, args: &Export, format: Format, file: &File) -> Result<u64, Failure> {
    let mut out = BufWriter::with_capacity(64 << 10, file);
    let count = write(region, args, format, &mut out)?;
    out.flush().map_err(|cause| Failure::output(&cause))?;
    Ok(count)
}

/// Temporary files are private; the result gets the rights of any other new file.
fn readable_by_umask(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mask = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    nix::sys::stat::umask(mask);
    file.set_permissions(std::fs::Permissions::from_mode(0o666 & !mask.bits()))
}

fn write(
    region: &Region,
    args: &Export,
    format: Format,
    out: &mut impl Write,
) -> Result<u64, Failure> {
    match format {
        Format::Csv => write_csv(region, &args.key, out),
        Format::Raw => Err(no_raw()),
        Format::Json | Format::Jsonl | Format::Table => write_entries(region, format, out),
    }
}

fn write_entries(region: &Region, format: Format, out: &mut impl Write) -> Result<u64, Failure> {
    let shape = Shape { format, value: true, meta: false, hex: false, end: b'\n' };
    let mut show = Show::new(out, shape);
    for entry in region.iter() {
        let entry = entry?;
        show.push(&Shown {
            key: &entry.key,
            value: Some(&entry.value),
            token: Some(entry.token),
            expires: None,
        })?;
    }
    show.finish()
}

/// Values must be JSON objects. The first pass finds the columns, the second writes the rows.
fn write_csv(region: &Region, key: &str, out: &mut impl Write) -> Result<u64, Failure> {
    let mut columns: Vec<String> = Vec::new();
    for entry in region.iter() {
        let entry = entry?;
        for name in fields(&entry)?.names() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    let with_key = !columns.iter().any(|name| name == key);
    let mut writer = csv::Writer::from_writer(out);
    let failed = |cause: csv::Error| Failure::output(&cause.into());
    let first = with_key.then_some(key);
    let header = first.into_iter().chain(columns.iter().map(String::as_str));
    writer.write_record(header).map_err(failed)?;
    let mut count = 0;
    for entry in region.iter() {
        let entry = entry?;
        let fields = fields(&entry)?;
        if let Some(name) = fields.names().find(|name| !columns.contains(name)) {
            return Err(new_column(&entry, name));
        }
        let first = if with_key { Some(key_text(&entry)?) } else { None };
        let rest = columns.iter().map(|name| fields.get(name).map_or_else(String::new, field_text));
        writer.write_record(first.into_iter().chain(rest)).map_err(failed)?;
        count += 1;
    }
    writer.flush().map_err(|cause| Failure::output(&cause))?;
    Ok(count)
}

/// The fields of an object in the order in which they were written.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn names(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }

    fn get(&self, wanted: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
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

fn fields(entry: &Entry) -> Result<Fields, Failure> {
    serde_json::from_slice(&entry.value).map_err(|_| {
        let key = String::from_utf8_lossy(&entry.key);
        Failure::new(
            code::NOT_A_ROW,
            format!("the value of `{key}` is not a JSON object, so it has no columns"),
            "export as JSON lines: --format jsonl",
        )
    })
}

fn field_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn key_text(entry: &Entry) -> Result<String, Failure> {
    String::from_utf8(entry.key.clone()).map_err(|_| {
        let key = entry.key.escape_ascii();
        let text = format!("the key `{key}` is not UTF-8, so it does not fit into CSV");
        Failure::new(code::NOT_A_ROW, text, "export as JSON lines: --format jsonl")
    })
}

fn new_column(entry: &Entry, name: &str) -> Failure {
    let key = String::from_utf8_lossy(&entry.key);
    Failure::new(
        code::NEW_COLUMN,
        format!("the value of `{key}` got the new column `{name}` during the export"),
        "export again, or as JSON lines: --format jsonl",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_kind_as_text() {
        assert_eq!(field_text(&Value::from("a,b")), "a,b");
        assert_eq!(field_text(&Value::from(7)), "7");
        assert_eq!(field_text(&Value::Null), "null");
    }
}

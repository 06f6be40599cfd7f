//! Entries on standard output or in a file, one after the other, in every format.
//!
//! Nothing is kept but the first rows of a table, which decide how wide its columns are.

use std::io::{self, IsTerminal, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use vug::{Kind, Token};

use crate::bytes::{escaped, to_hex};
use crate::failure::{Failure, code};
use crate::render::Format;

/// Rows that are looked at before the widths of a table's columns are fixed.
const PAGE: usize = 200;
/// Least width that is left to the values of a table on a narrow terminal.
const NARROWEST: usize = 10;

/// One entry to be shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) key: &'a [u8],
    /// `None`: the key is absent, or has no value.
    pub(crate) value: Option<&'a [u8]>,
    /// `None`: the key is absent.
    pub(crate) token: Option<Token>,
    /// When the entry expires by itself, in milliseconds since 1970.
    pub(crate) expires: Option<u64>,
}

/// What is shown of each entry, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) format: Format,
    pub(crate) value: bool,
    pub(crate) meta: bool,
    /// Keys and values as hexadecimal digits.
    pub(crate) hex: bool,
    /// Ends each raw value or key.
    pub(crate) end: u8,
}

/// Writes entries in a shape.
pub(crate) struct Show<W: Write> {
    out: W,
    shape: Shape,
    count: u64,
    /// Rows of a table whose widths are not fixed yet.
    page: Vec<Vec<String>>,
    widths: Vec<usize>,
}

impl<W: Write> Show<W> {
    pub(crate) fn new(out: W, shape: Shape) -> Self {
        Self { out, shape, count: 0, page: Vec::new(), widths: Vec::new() }
    }

    pub(crate) fn push(&mut self, entry: &Shown<'_>) -> Result<(), Failure> {
        let first = self.count == 0;
        self.count += 1;
        match self.shape.format {
            Format::Raw => self.raw(entry),
            Format::Table => self.row(entry),
            Format::Csv => self.record(entry, first),
            Format::Json => self.element(entry, first),
            Format::Jsonl => self.object(entry).and_then(|()| self.out.write_all(b"\n")),
        }
        .map_err(|cause| failed(&cause))
    }

    /// Writes what is still to be written and tells how many entries there were.
    pub(crate) fn finish(mut self) -> Result<u64, Failure> {
        let nothing = self.count == 0;
        match self.shape.format {
            Format::Table if self.widths.is_empty() => self.fix_widths(),
            Format::Json if nothing => self.out.write_all(b"[]\n"),
            Format::Json => self.out.write_all(b"\n]\n"),
            Format::Csv if nothing => self.header(),
            _ => Ok(()),
        }
        .and_then(|()| self.out.flush())
        .map_err(|cause| failed(&cause))?;
        Ok(self.count)
    }

    fn raw(&mut self, entry: &Shown<'_>) -> io::Result<()> {
        let bytes = if self.shape.value { entry.value } else { Some(entry.key) };
        // What is not there has no line: the other lines keep their meaning with --format json.
        let Some(bytes) = bytes else { return Ok(()) };
        if self.shape.hex {
            self.out.write_all(to_hex(bytes).as_bytes())?;
        } else {
            self.out.write_all(bytes)?;
        }
        self.out.write_all(&[self.shape.end])
    }

    fn object(&mut self, entry: &Shown<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &Object(entry, self.shape)).map_err(io::Error::from)
    }

    fn element(&mut self, entry: &Shown<'_>, first: bool) -> io::Result<()> {
        self.out.write_all(if first { b"[\n" } else { b",\n" })?;
        self.object(entry)
    }

    fn header(&mut self) -> io::Result<()> {
        let names: Vec<&str> = self.names().into_iter().map(|(name, _)| name).collect();
        write_csv(&mut self.out, &names)
    }

    fn record(&mut self, entry: &Shown<'_>, first: bool) -> io::Result<()> {
        if first {
            self.header()?;
        }
        let text = |bytes: &[u8]| match (self.shape.hex, std::str::from_utf8(bytes)) {
            (true, _) => Ok(to_hex(bytes)),
            (false, Ok(text)) => Ok(text.to_owned()),
            (false, Err(_)) => Err(io::Error::other(NotText(escaped(entry.key)))),
        };
        let fields = self.fields(entry, text)?;
        write_csv(&mut self.out, &fields)
    }

    fn row(&mut self, entry: &Shown<'_>) -> io::Result<()> {
        let hex = self.shape.hex;
        let text = |bytes: &[u8]| Ok(if hex { to_hex(bytes) } else { escaped(bytes) });
        let cells = self.fields(entry, text)?;
        if !self.widths.is_empty() {
            return self.line(&cells);
        }
        self.page.push(cells);
        if self.page.len() == PAGE { self.fix_widths() } else { Ok(()) }
    }

    fn fix_widths(&mut self) -> io::Result<()> {
        let head: Vec<String> =
            self.names().iter().map(|(name, _)| name.to_uppercase().replace('_', " ")).collect();
        let mut page = std::mem::take(&mut self.page);
        page.insert(0, head);
        let width = |column: usize| {
            page.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        self.widths = (0..page[0].len()).map(width).collect();
        self.fit_terminal();
        page.iter().try_for_each(|row| self.line(row))
    }

    /// On a terminal the values are cut so that every entry has one line.
    fn fit_terminal(&mut self) {
        let Some((terminal_size::Width(columns), _)) =
            terminal_size::terminal_size_of(io::stdout()).filter(|_| io::stdout().is_terminal())
        else {
            return;
        };
        let Some(at) = self.names().iter().position(|(name, _)| *name == "value") else { return };
        let others: usize = self.widths.iter().map(|width| width + 2).sum::<usize>();
        let others = others - self.widths[at] - 2;
        let room = usize::from(columns).saturating_sub(others).max(NARROWEST);
        self.widths[at] = self.widths[at].min(room);
    }

    fn line(&mut self, cells: &[String]) -> io::Result<()> {
        let names = self.names();
        let mut text = String::new();
        for ((cell, width), (name, is_number)) in cells.iter().zip(&self.widths).zip(names) {
            let length = cell.chars().count();
            if is_number {
                text.push_str(&format!("{cell:>width$}"));
            } else if name == "value" && length > *width && io::stdout().is_terminal() {
                text.extend(cell.chars().take(width.saturating_sub(3)));
                text.push_str("...");
            } else {
                text.push_str(&format!("{cell:<width$}"));
            }
            text.push_str("  ");
        }
        writeln!(self.out, "{}", text.trim_end())
    }

    /// Columns of a table or of CSV, and whether they hold numbers.
    fn names(&self) -> Vec<(&'static str, bool)> {
        let mut names = vec![("key", false)];
        if self.shape.meta {
            names.extend([("kind", false), ("key_bytes", true), ("value_bytes", true)]);
            names.push(("expires_ms", true));
        }
        names.extend([("version", true), ("origin", true)]);
        if self.shape.value {
            names.push(("value", false));
        }
        names
    }

    fn fields(
        &self,
        entry: &Shown<'_>,
        text: impl Fn(&[u8]) -> io::Result<String>,
    ) -> io::Result<Vec<String>> {
        let absent = if self.shape.format == Format::Csv { "" } else { "-" };
        let number = |number: Option<u64>| number.map_or(absent.to_owned(), |n| n.to_string());
        let mut fields = vec![text(entry.key)?];
        if self.shape.meta {
            fields.push(entry.kind().unwrap_or(absent).to_owned());
            fields.push(entry.key.len().to_string());
            fields.push(number(entry.value.map(|value| value.len() as u64)));
            fields.push(number(entry.expires));
        }
        fields.push(number(entry.token.map(|token| token.version)));
        fields.push(number(entry.token.map(|token| token.origin.into())));
        if self.shape.value {
            fields.push(entry.value.map_or(Ok(absent.to_owned()), text)?);
        }
        Ok(fields)
    }
}

impl Shown<'_> {
    pub(crate) fn kind(&self) -> Option<&'static str> {
        Some(match self.token?.kind {
            Kind::Value => "value",
            Kind::Invalid => "invalid",
            Kind::LocalInvalid => "local-invalid",
            Kind::Tombstone | Kind::Transit => "absent",
        })
    }
}

/// An entry as a JSON object; `vug import --key key --value value` reads it back.
struct Object<'a>(&'a Shown<'a>, Shape);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entry, shape) = self;
        let mut map = serializer.serialize_map(None)?;
        match std::str::from_utf8(entry.key) {
            _ if shape.hex => map.serialize_entry("key", &to_hex(entry.key))?,
            Ok(text) => map.serialize_entry("key", text)?,
            Err(_) => map.serialize_entry("key_base64", &BASE64.encode(entry.key))?,
        }
        match entry.value.map(|value| (value, std::str::from_utf8(value))) {
            _ if !shape.value => {}
            None => map.serialize_entry("value", &None::<&str>)?,
            Some((value, _)) if shape.hex => map.serialize_entry("value", &to_hex(value))?,
            Some((_, Ok(text))) => match one_line_object(text) {
                Some(object) => map.serialize_entry("value", object)?,
                None => map.serialize_entry("value", text)?,
            },
            Some((value, Err(_))) => map.serialize_entry("value_base64", &BASE64.encode(value))?,
        }
        map.serialize_entry("version", &entry.token.map(|token| token.version))?;
        map.serialize_entry("origin", &entry.token.map(|token| token.origin))?;
        if shape.meta {
            map.serialize_entry("kind", &entry.kind())?;
            map.serialize_entry("key_bytes", &entry.key.len())?;
            map.serialize_entry("value_bytes", &entry.value.map(<[u8]>::len))?;
            map.serialize_entry("expires_ms", &entry.expires)?;
        }
        map.end()
    }
}

/// A value that is a JSON object is written as one, byte for byte. One with line ends or blanks
/// around it goes out as a string instead, because it would not come back the same.
fn one_line_object(text: &str) -> Option<&RawValue> {
    let object = text.starts_with('{') && text.ends_with('}') && !text.contains(['\n', '\r']);
    if object { serde_json::from_str(text).ok() } else { None }
}

fn write_csv<F: AsRef<[u8]>>(out: &mut impl Write, fields: &[F]) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().buffer_capacity(512).from_writer(out);
    writer.write_record(fields)?;
    writer.flush()
}

/// The key of an entry that does not fit into CSV.
#[derive(Debug)]
struct NotText(String);

impl std::fmt::Display for NotText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the entry `{}` is not UTF-8, so it does not fit into CSV", self.0)
    }
}

impl std::error::Error for NotText {}

fn failed(cause: &io::Error) -> Failure {
    match cause.get_ref().and_then(|inner| inner.downcast_ref::<NotText>()) {
        Some(not_text) => {
            let help = "add --hex, or choose JSON lines: --format jsonl";
            Failure::new(code::NOT_A_ROW, not_text.to_string(), help)
        }
        None => Failure::output(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: Format, hex: bool, entries: &[(&[u8], Option<&[u8]>)]) -> String {
        let shape = Shape { format, value: true, meta: false, hex, end: b'\n' };
        let mut out = Vec::new();
        let mut show = Show::new(&mut out, shape);
        for (key, value) in entries {
            let kind = if value.is_some() { Kind::Value } else { Kind::Invalid };
            let token = Some(Token { version: 7, origin: 1, kind });
            show.push(&Shown { key, value: *value, token, expires: None }).unwrap();
        }
        assert_eq!(show.finish().unwrap(), entries.len() as u64);
        String::from_utf8(out).unwrap()
    }

    const MIXED: [(&[u8], Option<&[u8]>); 3] =
        [(b"a", Some(b"x,\ny")), (b"b\xff", Some(b"\x00\xfe")), (b"long key", None)];

    #[test]
    fn json_says_which_bytes_are_base64() {
        let want = "{\"key\":\"a\",\"value\":\"x,\\ny\",\"version\":7,\"origin\":1}\n\
             {\"key_base64\":\"Yv8=\",\"value_base64\":\"AP4=\",\"version\":7,\"origin\":1}\n\
             {\"key\":\"long key\",\"value\":null,\"version\":7,\"origin\":1}\n";
        assert_eq!(shown(Format::Jsonl, false, &MIXED), want);
        let array = shown(Format::Json, false, &MIXED);
        let array: serde_json::Value = serde_json::from_str(&array).unwrap();
        assert_eq!(array.as_array().unwrap().len(), 3);
        assert_eq!(shown(Format::Json, false, &[]), "[]\n");
    }

    #[test]
    fn tables_escape() {
        let want = "KEY       VERSION  ORIGIN  VALUE\n\
                    a               7       1  x,\\ny\n\
                    b\\xff           7       1  \\0\\xfe\n\
                    long key        7       1  -\n";
        assert_eq!(shown(Format::Table, false, &MIXED), want);
    }

    #[test]
    fn csv_holds_text_or_hexadecimal() {
        assert_eq!(
            shown(Format::Csv, true, &MIXED[..2]),
            "key,version,origin,value\n61,7,1,782c0a79\n62ff,7,1,00fe\n"
        );
        assert_eq!(
            shown(Format::Csv, false, &MIXED[..1]),
            "key,version,origin,value\na,7,1,\"x,\ny\"\n"
        );
        assert_eq!(shown(Format::Csv, false, &[]), "key,version,origin,value\n");
        let shape = Shape { format: Format::Csv, value: true, meta: false, hex: false, end: b'\n' };
        let entry = Shown { key: b"\xff", value: None, token: None, expires: None };
        let refused = Show::new(Vec::new(), shape).push(&entry).unwrap_err();
        assert!(refused.text().contains("`\\xff` is not UTF-8"), "{}", refused.text());
    }

    #[test]
    fn raw_values_end_where_they_are_told_to() {
        assert_eq!(shown(Format::Raw, true, &MIXED), "782c0a79\n00fe\n");
    }

    #[test]
    fn only_objects_that_come_back_the_same_are_embedded() {
        assert!(one_line_object("{\"a\": 1.50}").is_some());
        for text in ["{\"a\":\n1}", " {}", "[]", "7", "{", "text", ""] {
            assert!(one_line_object(text).is_none(), "{text}");
        }
    }
}

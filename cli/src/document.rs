//! A result of several parts: headings with pairs or rows for people, one JSON object for programs.

use std::io::Write;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::failure::Failure;
use crate::render::{Cell, Format, Sheet};

/// Parts in order. The names are keys of the JSON object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    /// Shown before the first heading, and on the same level as the parts in JSON.
    head: Vec<(&'static str, Cell)>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    name: &'static str,
    /// What people are told beside the heading.
    note: String,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Pairs(Vec<(String, Cell)>),
    Rows(Sheet),
}

struct Pairs<'a>(&'a [(String, Cell)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, cell) in self.0 {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, cell) in &self.head {
            map.serialize_entry(name, cell)?;
        }
        for part in &self.parts {
            match &part.body {
                Body::Pairs(pairs) => map.serialize_entry(part.name, &Pairs(pairs))?,
                Body::Rows(sheet) => map.serialize_entry(part.name, &sheet.to_value())?,
            }
        }
        map.end()
    }
}

impl Document {
    pub(crate) fn new(head: Vec<(&'static str, Cell)>) -> Self {
        Self { head, parts: Vec::new() }
    }

    pub(crate) fn head(&mut self, name: &'static str, cell: Cell) {
        self.head.push((name, cell));
    }

    pub(crate) fn pairs(
        &mut self,
        name: &'static str,
        note: impl Into<String>,
        pairs: Vec<(impl Into<String>, Cell)>,
    ) {
        let pairs = pairs.into_iter().map(|(name, cell)| (name.into(), cell)).collect();
        self.parts.push(Part { name, note: note.into(), body: Body::Pairs(pairs) });
    }

    pub(crate) fn rows(&mut self, name: &'static str, note: impl Into<String>, rows: Sheet) {
        self.parts.push(Part { name, note: note.into(), body: Body::Rows(rows) });
    }

    pub(crate) fn write(&self, out: &mut impl Write, format: Format) -> Result<(), Failure> {
        let written = match format {
            Format::Json => serde_json::to_writer_pretty(&mut *out, self)
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n")),
            Format::Jsonl => serde_json::to_writer(&mut *out, self)
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n")),
            _ => out.write_all(self.text().as_bytes()),
        };
        written.and_then(|()| out.flush()).map_err(|cause| Failure::output(&cause))
    }

    fn text(&self) -> String {
        let names = self.head.iter().map(|(name, _)| name.len());
        let pairs = self.parts.iter().filter_map(|part| match &part.body {
            Body::Pairs(pairs) => Some(pairs),
            Body::Rows(_) => None,
        });
        let width = names.chain(pairs.flatten().map(|(name, _)| name.len() + 2)).max();
        let width = width.unwrap_or(0) + 2;
        let mut text = String::new();
        for (name, cell) in &self.head {
            line(&mut text, 0, name, cell, width);
        }
        for part in &self.parts {
            let note = if part.note.is_empty() { "" } else { "  " };
            text.push_str(&format!("\n{}{note}{}\n", part.name.replace('_', " "), part.note));
            match &part.body {
                Body::Pairs(pairs) => {
                    pairs.iter().for_each(|(name, cell)| line(&mut text, 2, name, cell, width));
                }
                Body::Rows(sheet) if sheet.is_empty() => text.push_str("  none\n"),
                Body::Rows(sheet) => {
                    for row in sheet.as_table().lines() {
                        text.push_str(&format!("  {row}\n"));
                    }
                }
            }
        }
        text
    }
}

fn line(text: &mut String, indent: usize, name: &str, cell: &Cell, width: usize) {
    let name = name.replace('_', " ");
    let line = format!("{:indent$}{name:<1$}{2}", "", width - indent, cell.for_people());
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Document {
        let mut document = Document::new(vec![("region", Cell::text("r"))]);
        let pairs = vec![("max_bytes", Cell::Bytes(1 << 20)), ("ttl", Cell::Empty)];
        document.pairs("attributes", "(those with * may change)", pairs);
        let mut rows = Sheet::new(&["pid", "program"]);
        document.rows("nobody", "", rows.clone());
        rows.push(vec![Cell::Id(7), Cell::text("x")]);
        document.rows("members", "", rows);
        document
    }

    fn written(format: Format) -> String {
        let mut out = Vec::new();
        sample().write(&mut out, format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn headings_for_people() {
        let want = "region       r\n\n\
                    attributes  (those with * may change)\n  max bytes  1.0 MiB\n  ttl        -\n\n\
                    nobody\n  none\n\nmembers\n  PID  PROGRAM\n    7  x\n";
        assert_eq!(written(Format::Table), want);
    }

    #[test]
    fn one_object_for_programs() {
        let want = "{\"region\":\"r\",\"attributes\":{\"max_bytes\":1048576,\"ttl\":null},\
                    \"nobody\":[],\"members\":[{\"pid\":7,\"program\":\"x\"}]}\n";
        assert_eq!(written(Format::Jsonl), want);
    }
}

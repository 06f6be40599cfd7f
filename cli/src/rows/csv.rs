//! CSV with a header line.

use std::io::Read;

use csv::ByteRecord;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::limit::{Meter, Metered};
use super::{Choice, Fault, MAX_ROW, Row};
use crate::failure::{Failure, code};

pub(crate) struct CsvRows<R: Read> {
    reader: csv::Reader<Metered<R>>,
    meter: Meter,
    choice: Choice,
    columns: Vec<String>,
    key: usize,
    value: Option<usize>,
    record: ByteRecord,
    ended: bool,
}

/// A row as a JSON object; all values are strings, so that nothing of the text is lost.
struct Object<'a>(&'a [String], &'a [&'a str]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, field) in self.0.iter().zip(self.1) {
            map.serialize_entry(column, field)?;
        }
        map.end()
    }
}

impl<R: Read> CsvRows<R> {
    /// Reads the header and finds the chosen columns in it.
    pub(crate) fn open(input: R, choice: Choice) -> Result<Self, Fault> {
        let meter = Meter::new(MAX_ROW);
        // Rows of other lengths are found here, because the message shall name both lengths.
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(Metered::new(input, meter.clone()));
        let mut record = ByteRecord::new();
        match reader.read_byte_record(&mut record) {
            Ok(true) => meter.row_done(),
            Ok(false) => return Err(no_header(&choice)),
            Err(_) if meter.exhausted() => return Err(choice.too_long(1)),
            Err(cause) => return Err(choice.broken(1, &cause)),
        }
        let columns = header(&record, &choice)?;
        let key = find(&columns, &choice.key, &choice)?;
        let value = match &choice.value {
            Some(name) => Some(find(&columns, name, &choice)?),
            None => None,
        };
        Ok(Self { reader, meter, choice, columns, key, value, record, ended: false })
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.meter.bytes_read()
    }

    pub(crate) fn next(&mut self) -> Option<Result<Row, Fault>> {
        if self.ended {
            return None;
        }
        let line = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => {
                self.ended = true;
                return None;
            }
            Ok(true) => self.meter.row_done(),
            Err(cause) => {
                self.ended = true;
                return Some(Err(if self.meter.exhausted() {
                    self.choice.too_long(line)
                } else {
                    self.choice.broken(line, &cause)
                }));
            }
        }
        // Blank lines before the row belong to no row.
        let line = self.record.position().map_or(line, csv::Position::line);
        Some(self.row(line))
    }

    fn row(&self, line: u64) -> Result<Row, Fault> {
        if self.record.len() != self.columns.len() {
            return Err(self.ragged(line));
        }
        let mut fields = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter().zip(&self.record) {
            fields.push(std::str::from_utf8(field).map_err(|_| self.not_text(line, column))?);
        }
        let key = fields[self.key].as_bytes().to_vec();
        self.choice.check_key(&key, line)?;
        let value = match self.value {
            Some(index) => fields[index].as_bytes().to_vec(),
            None => serde_json::to_vec(&Object(&self.columns, &fields))
                .map_err(|cause| self.choice.broken(line, &cause))?,
        };
        Ok(Row { key, value, line })
    }

    fn ragged(&self, line: u64) -> Fault {
        Fault::of_row(Failure::new(
            code::RAGGED,
            format!(
                "{}: the row has {} fields, the header has {}",
                self.choice.at(line),
                self.record.len(),
                self.columns.len()
            ),
            "mend the row (a comma inside a field needs quotation marks around the field), \
             or leave such rows out with --on-error skip",
        ))
    }

    fn not_text(&self, line: u64, column: &str) -> Fault {
        Fault::of_row(Failure::new(
            code::UTF8,
            format!("{}: column `{column}` is not valid UTF-8", self.choice.at(line)),
            "convert the file first, for instance with `iconv -f LATIN1 -t UTF-8`, \
             or leave such rows out with --on-error skip",
        ))
    }
}

fn no_header(choice: &Choice) -> Fault {
    Fault::fatal(Failure::new(
        code::COLUMN,
        format!("{}: there is no header line", choice.at(1)),
        "the first line of a CSV file names its columns",
    ))
}

fn header(record: &ByteRecord, choice: &Choice) -> Result<Vec<String>, Fault> {
    let mut columns: Vec<String> = Vec::with_capacity(record.len());
    for field in record {
        let name = std::str::from_utf8(field).map_err(|_| {
            Fault::fatal(Failure::new(
                code::UTF8,
                format!("{}: the header is not valid UTF-8", choice.at(1)),
                "convert the file first, for instance with `iconv -f LATIN1 -t UTF-8`",
            ))
        })?;
        if columns.iter().any(|column| column == name) {
            return Err(Fault::fatal(Failure::new(
                code::COLUMN,
                format!("{}: two columns are named `{name}`", choice.at(1)),
                "give every column a name of its own",
            )));
        }
        columns.push(name.to_owned());
    }
    Ok(columns)
}

fn find(columns: &[String], name: &str, choice: &Choice) -> Result<usize, Fault> {
    columns.iter().position(|column| column == name).ok_or_else(|| {
        Fault::fatal(Failure::new(
            code::COLUMN,
            format!("{}: there is no column `{name}`", choice.at(1)),
            format!("the columns are: {}", columns.join(", ")),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(value: Option<&str>) -> Choice {
        Choice { input: "x.csv".into(), key: "id".into(), value: value.map(str::to_owned) }
    }

    fn rows(text: &[u8]) -> Vec<Result<Row, String>> {
        let mut rows = CsvRows::open(text, choice(None)).unwrap_or_else(|f| panic!("{f:?}"));
        std::iter::from_fn(|| rows.next())
            .map(|row| row.map_err(|fault| fault.failure.text().to_owned()))
            .collect()
    }

    fn header_fault(text: &[u8]) -> String {
        match CsvRows::open(text, choice(None)) {
            Ok(_) => panic!("accepted"),
            Err(fault) => fault.failure.text().to_owned(),
        }
    }

    #[test]
    fn a_row_becomes_an_object_in_the_order_of_the_columns() {
        let all = rows(b"\xef\xbb\xbfz,id,a\n1,k,\"x, \"\"y\"\"\"\n");
        let value = br#"{"z":"1","id":"k","a":"x, \"y\""}"#.to_vec();
        assert_eq!(all, vec![Ok(Row { key: b"k".to_vec(), value, line: 2 })]);
    }

    #[test]
    fn one_column_as_value() {
        let mut rows = CsvRows::open(&b"id,a\nk,v\n"[..], choice(Some("a"))).ok().unwrap();
        assert_eq!(rows.next().unwrap().ok().unwrap().value, b"v");
    }

    #[test]
    fn faults_name_file_and_line_and_reading_goes_on() {
        let all = rows(b"id,a\n1,\"two\nlines\"\n2\n3,\xff\n,x\n4,y\n");
        let faults: Vec<_> = all.iter().filter_map(|row| row.as_ref().err()).collect();
        assert_eq!(faults[0], "x.csv:4: the row has 1 fields, the header has 2");
        assert_eq!(faults[1], "x.csv:5: column `a` is not valid UTF-8");
        assert_eq!(faults[2], "x.csv:6: the key in `id` is empty");
        assert_eq!(all.last().unwrap().as_ref().unwrap().key, b"4");
    }

    #[test]
    fn header_faults() {
        assert_eq!(header_fault(b""), "x.csv:1: there is no header line");
        assert_eq!(header_fault(b"a,b\n"), "x.csv:1: there is no column `id`");
        assert_eq!(header_fault(b"id,id\n"), "x.csv:1: two columns are named `id`");
        assert_eq!(header_fault(b"id,\xff\n"), "x.csv:1: the header is not valid UTF-8");
    }

    #[test]
    fn an_unclosed_quote_does_not_read_without_bound() {
        let endless = (&b"id,a\n1,\"x"[..]).chain(std::io::repeat(b'y'));
        let mut rows = CsvRows::open(endless, choice(None)).ok().unwrap();
        let fault = rows.next().unwrap().unwrap_err();
        assert!(fault.fatal);
        assert!(fault.failure.text().starts_with("x.csv:2: the row that begins here"));
        assert!(rows.next().is_none());
    }
}

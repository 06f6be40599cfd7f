//! CSV with a header line.

use std::io::Read;

use csv::ByteRecord;
use serde::ser::{Error, Serialize, SerializeMap, Serializer};

use super::limit::{Meter, Metered};
use super::{Choice, Fault, MAX_ROW, Place, Row, State};
use crate::failure::{Failure, code};

pub(crate) struct CsvRows<R: Read> {
    reader: csv::Reader<Metered<R>>,
    meter: Meter,
    choice: Choice,
    columns: Vec<String>,
    key: usize,
    value: Option<usize>,
    record: ByteRecord,
    /// The record is the first row already, because there is no header.
    peeked: bool,
    /// Where the reader began.
    start: Place,
    ended: bool,
}

/// A row as a JSON object; all values are strings, so that nothing of the text is lost.
struct Object<'a>(&'a [String], &'a ByteRecord);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, field) in self.0.iter().zip(self.1) {
            let text = std::str::from_utf8(field).map_err(S::Error::custom)?;
            map.serialize_entry(column, text)?;
        }
        map.end()
    }
}

fn reader<R: Read>(input: R) -> (csv::Reader<Metered<R>>, Meter) {
    let meter = Meter::new(MAX_ROW);
    // Rows of other lengths are found here, because the message shall name both lengths.
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(64 << 10)
        .from_reader(Metered::new(input, meter.clone()));
    (reader, meter)
}

impl<R: Read> CsvRows<R> {
    /// Reads the header and finds the chosen columns in it.
    pub(crate) fn open(input: R, choice: Choice) -> Result<Self, Fault> {
        let (mut reader, meter) = reader(input);
        let mut record = ByteRecord::new();
        let peeked = match reader.read_byte_record(&mut record) {
            Ok(found) if found || choice.no_header => choice.no_header && found,
            Ok(_) => return Err(no_header(&choice)),
            Err(_) if meter.exhausted() => return Err(choice.too_long(1)),
            Err(cause) => return Err(choice.broken(1, &cause)),
        };
        meter.row_done();
        let columns = if choice.no_header {
            (1..=record.len()).map(|number| number.to_string()).collect()
        } else {
            header(&record, &choice)?
        };
        let empty = choice.no_header && !peeked;
        let find = |name: &str| if empty { Ok(0) } else { find(&columns, name, &choice) };
        let key = find(&choice.key)?;
        let value = choice.value.as_deref().map(find).transpose()?;
        let start = Place { offset: 0, lines: 0 };
        let ended = empty;
        Ok(Self { reader, meter, choice, columns, key, value, record, peeked, start, ended })
    }

    pub(super) fn go_on(self, input: R, place: Place) -> Self {
        let (reader, meter) = reader(input);
        Self { reader, meter, start: place, peeked: false, ended: false, ..self }
    }

    pub(super) fn place(&self) -> Place {
        let position = self.reader.position();
        Place {
            offset: self.start.offset + position.byte(),
            lines: self.start.lines + position.line() - 1,
        }
    }

    pub(crate) fn next(&mut self, row: &mut Row) -> Option<Result<(), Fault>> {
        if self.ended {
            return None;
        }
        let line = self.place().lines + 1;
        let read = if std::mem::take(&mut self.peeked) {
            Ok(true)
        } else {
            self.reader.read_byte_record(&mut self.record)
        };
        match read {
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
        let begin = self.record.position().map_or(1, csv::Position::line);
        row.line = self.start.lines + begin;
        row.state = State::default();
        Some(self.fill(row))
    }

    fn fill(&self, row: &mut Row) -> Result<(), Fault> {
        if self.record.len() != self.columns.len() {
            return Err(self.ragged(row.line));
        }
        for (number, field) in self.record.iter().enumerate() {
            std::str::from_utf8(field)
                .map_err(|wrong| self.not_text(row.line, number, wrong.valid_up_to() + 1))?;
        }
        let hex = self.choice.hex;
        self.choice.set_key(&self.record[self.key], hex, row)?;
        match self.value {
            Some(index) => {
                let (field, name) = (&self.record[index], &self.columns[index]);
                self.choice.set_bytes(field, hex, name, row.line, &mut row.value)
            }
            None => {
                row.value.clear();
                serde_json::to_writer(&mut row.value, &Object(&self.columns, &self.record))
                    .map_err(|cause| self.choice.broken(row.line, &cause))
            }
        }
    }

    fn ragged(&self, line: u64) -> Fault {
        let wanted = if self.choice.no_header { "the first row" } else { "the header" };
        Fault::of_row(Failure::new(
            code::RAGGED,
            format!(
                "{}: the row has {} fields, {wanted} has {}",
                self.choice.at(line),
                self.record.len(),
                self.columns.len()
            ),
            "mend the row (a comma inside a field needs quotation marks around the field), \
             or leave such rows out with --on-error skip",
        ))
    }

    fn not_text(&self, line: u64, index: usize, byte: usize) -> Fault {
        let (column, field) = (&self.columns[index], index + 1);
        Fault::of_row(Failure::new(
            code::UTF8,
            format!(
                "{}: column `{column}` (field {field}) is not valid UTF-8 from its byte {byte} on",
                self.choice.at(line)
            ),
            "convert the file first, for instance with `iconv -f LATIN1 -t UTF-8`, \
             or leave such rows out with --on-error skip",
        ))
    }
}

fn no_header(choice: &Choice) -> Fault {
    Fault::fatal(Failure::new(
        code::COLUMN,
        format!("{}: there is no header line", choice.at(1)),
        "the first line of a CSV file names its columns; --no-header says that it does not",
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

/// A column by its name, else by its number from 1.
fn find(columns: &[String], name: &str, choice: &Choice) -> Result<usize, Fault> {
    let by_number = || name.parse().ok().filter(|number| (1..=columns.len()).contains(number));
    let found = columns.iter().position(|column| column == name);
    found.or_else(|| by_number().map(|number| number - 1)).ok_or_else(|| {
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
        Choice {
            input: "x.csv".into(),
            key: "id".into(),
            value: value.map(str::to_owned),
            no_header: false,
            hex: false,
        }
    }

    fn all<R: Read>(mut rows: CsvRows<R>) -> Vec<Result<Row, String>> {
        let mut row = Row::default();
        std::iter::from_fn(|| {
            let read = rows.next(&mut row)?;
            Some(read.map(|()| row.clone()).map_err(|fault| fault.failure.text().to_owned()))
        })
        .collect()
    }

    fn rows(text: &[u8]) -> Vec<Result<Row, String>> {
        all(CsvRows::open(text, choice(None)).unwrap_or_else(|f| panic!("{f:?}")))
    }

    fn row(key: &str, value: &str, line: u64) -> Result<Row, String> {
        let (key, value) = (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        Ok(Row { key, value, line, state: State::default() })
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
        assert_eq!(all, [row("k", r#"{"z":"1","id":"k","a":"x, \"y\""}"#, 2)]);
    }

    #[test]
    fn one_column_as_value() {
        for name in ["a", "2"] {
            let rows = CsvRows::open(&b"id,a\nk,v\n"[..], choice(Some(name))).ok().unwrap();
            assert_eq!(all(rows), [row("k", "v", 2)]);
        }
    }

    #[test]
    fn without_a_header_columns_are_numbers() {
        let choice = Choice { key: "2".into(), no_header: true, ..choice(None) };
        let rows = CsvRows::open(&b"a,k\nb,l\n"[..], choice.clone()).ok().unwrap();
        let want = [row("k", r#"{"1":"a","2":"k"}"#, 1), row("l", r#"{"1":"b","2":"l"}"#, 2)];
        assert_eq!(all(rows), want);
        assert!(all(CsvRows::open(&b""[..], choice).ok().unwrap()).is_empty());
    }

    #[test]
    fn hexadecimal_fields() {
        let choice = Choice { hex: true, ..choice(Some("a")) };
        let text = &b"id,a\n6b,FF00\n6,00\n6c,0g\n"[..];
        let found = all(CsvRows::open(text, choice).ok().unwrap());
        assert_eq!(found[0].as_ref().unwrap().value, [0xff, 0]);
        let wrong = "x.csv:3: the field `id`: 1 hexadecimal digits are no whole bytes";
        assert_eq!(found[1], Err(wrong.into()));
        let wrong = "x.csv:4: the field `a`: `g` at place 2 is no hexadecimal digit";
        assert_eq!(found[2], Err(wrong.into()));
    }

    #[test]
    fn reading_goes_on_at_every_place() {
        for end in ["\n", "\r\n"] {
            let lines = ["id,a", "1,\"x", "y\"", "", "2,z", "3,\"\"\"\"", ""];
            let text = lines.join(end);
            let whole = rows(text.as_bytes());
            assert_eq!(whole.len(), 3);
            for skipped in 0..=3 {
                let open = || CsvRows::open(text.as_bytes(), choice(None)).ok().unwrap();
                let mut first = open();
                for _ in 0..skipped {
                    first.next(&mut Row::default());
                }
                let place = first.place();
                let rest = open().go_on(&text.as_bytes()[place.offset as usize..], place);
                assert_eq!(all(rest), whole[skipped..], "{skipped} {end:?}");
            }
        }
    }

    #[test]
    fn faults_name_file_and_line_and_reading_goes_on() {
        let all = rows(b"id,a\n1,\"two\nlines\"\n2\n3,\xff\n,x\n4,y\n");
        let faults: Vec<_> = all.iter().filter_map(|row| row.as_ref().err()).collect();
        assert_eq!(faults[0], "x.csv:4: the row has 1 fields, the header has 2");
        let want = "x.csv:5: column `a` (field 2) is not valid UTF-8 from its byte 1 on";
        assert_eq!(faults[1], want);
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
        let mut row = Row::default();
        let fault = rows.next(&mut row).unwrap().unwrap_err();
        assert!(fault.fatal);
        assert!(fault.failure.text().starts_with("x.csv:2: the row that begins here"));
        assert!(rows.next(&mut row).is_none());
    }
}

//! JSON lines: one object per line.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::value::RawValue;

use super::limit::{Meter, Metered};
use super::{Choice, Fault, MAX_ROW, Place, Row, State};
use crate::failure::{Failure, code};

pub(crate) struct JsonRows<R: Read> {
    reader: BufReader<Metered<R>>,
    meter: Meter,
    choice: Choice,
    place: Place,
    text: Vec<u8>,
    ended: bool,
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

impl<R: Read> JsonRows<R> {
    pub(crate) fn open(input: R, choice: Choice) -> Self {
        let meter = Meter::new(MAX_ROW);
        let reader = BufReader::with_capacity(64 << 10, Metered::new(input, meter.clone()));
        let place = Place { offset: 0, lines: 0 };
        Self { reader, meter, choice, place, text: Vec::new(), ended: false }
    }

    pub(super) fn go_on(self, input: R, place: Place) -> Self {
        Self { place, ..Self::open(input, self.choice) }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn next(&mut self, row: &mut Row) -> Option<Result<(), Fault>> {
        while !self.ended {
            self.text.clear();
            let line = self.place.lines + 1;
            match self.reader.read_until(b'\n', &mut self.text) {
                Ok(0) => self.ended = true,
                Ok(length) => {
                    self.meter.row_done();
                    self.place = Place { offset: self.place.offset + length as u64, lines: line };
                    if !self.text.trim_ascii().is_empty() {
                        row.line = line;
                        row.state = State::default();
                        return Some(self.fill(row));
                    }
                }
                Err(cause) => {
                    self.ended = true;
                    return Some(Err(if self.meter.exhausted() {
                        self.choice.too_long(line)
                    } else {
                        self.choice.broken(line, &cause)
                    }));
                }
            }
        }
        None
    }

    fn fill(&self, row: &mut Row) -> Result<(), Fault> {
        let bytes = self.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.text);
        let bytes = bytes.trim_ascii();
        // Columns are counted in the line as it is in the file.
        let before = bytes.as_ptr() as usize - self.text.as_ptr() as usize;
        let text = std::str::from_utf8(bytes).map_err(|wrong| {
            self.fault(
                code::UTF8,
                Some(before + wrong.valid_up_to() + 1),
                "the line is not valid UTF-8",
                "convert the file first, for instance with `iconv -f LATIN1 -t UTF-8`, \
                 or leave such lines out with --on-error skip",
            )
        })?;
        let fields: Fields<'_> = serde_json::from_str(text).map_err(|cause| {
            let words = cause.to_string();
            let words = words.rsplit_once(" at line ").map_or(&*words, |(words, _)| words);
            self.fault(
                code::JSON,
                Some(before + cause.column().max(1)),
                &format!("the line is not a JSON object: {words}"),
                "each line holds one object; leave other lines out with --on-error skip",
            )
        })?;
        let key = self.field(&fields, &self.choice.key)?;
        self.set(&key, true, row)?;
        match &self.choice.value {
            Some(name) => {
                let value = self.field(&fields, name)?;
                self.set(&value, false, row)
            }
            None => {
                row.value.clear();
                row.value.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn set(&self, field: &Field<'_>, key: bool, row: &mut Row) -> Result<(), Fault> {
        // What is base64 is the bytes themselves, and JSON is no string of digits.
        let hex = self.choice.hex && field.is_text;
        if key {
            return self.choice.set_key(&field.bytes, hex, row);
        }
        let name = self.choice.value.as_deref().unwrap_or_default();
        self.choice.set_bytes(&field.bytes, hex, name, row.line, &mut row.value)
    }

    /// The bytes of a field: a string as its text, `NAME_base64` decoded, anything else as JSON.
    fn field<'a>(&self, fields: &Fields<'a>, name: &str) -> Result<Field<'a>, Fault> {
        if let Some(raw) = fields.get(name) {
            let text = raw.get();
            return Ok(match serde_json::from_str::<Cow<'_, str>>(text) {
                Ok(string) => Field::text(string),
                Err(_) => Field { bytes: text.as_bytes().into(), is_text: false },
            });
        }
        if let Some(raw) = fields.get(&format!("{name}_base64")) {
            let encoded: Option<String> = serde_json::from_str(raw.get()).ok();
            let decoded = encoded.and_then(|text| BASE64.decode(text).ok());
            return decoded.map(|bytes| Field { bytes: bytes.into(), is_text: false }).ok_or_else(
                || {
                    self.fault(
                        code::FIELD,
                        None,
                        &format!("the field `{name}_base64` is not base64"),
                        "mend the line, or leave it out with --on-error skip",
                    )
                },
            );
        }
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        Err(self.fault(
            code::FIELD,
            None,
            &format!("there is no field `{name}`"),
            &format!("the fields of this line are: {}", names.join(", ")),
        ))
    }

    fn fault(&self, code: u16, column: Option<usize>, what: &str, help: &str) -> Fault {
        let at = self.choice.at(self.place.lines);
        let at = column.map_or_else(|| at.clone(), |column| format!("{at}:{column}"));
        Fault::of_row(Failure::new(code, format!("{at}: {what}"), help))
    }
}

/// What a field says.
struct Field<'a> {
    bytes: Cow<'a, [u8]>,
    /// It was a string.
    is_text: bool,
}

impl<'a> Field<'a> {
    fn text(text: Cow<'a, str>) -> Self {
        let bytes = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self { bytes, is_text: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8], value: Option<&str>) -> Vec<Result<Row, String>> {
        let value = value.map(str::to_owned);
        let choice = Choice {
            input: "x.jsonl".into(),
            key: "key".into(),
            value,
            no_header: false,
            hex: false,
        };
        let mut rows = JsonRows::open(text, choice);
        let mut row = Row::default();
        std::iter::from_fn(|| {
            let read = rows.next(&mut row)?;
            Some(read.map(|()| row.clone()).map_err(|fault| fault.failure.text().to_owned()))
        })
        .collect()
    }

    #[test]
    fn the_object_is_kept_byte_for_byte() {
        let all = rows(b"\n {\"b\":1.50, \"key\":\"k\"} \r\n", None);
        let value = br#"{"b":1.50, "key":"k"}"#.to_vec();
        assert_eq!(
            all,
            vec![Ok(Row { key: b"k".to_vec(), value, line: 2, state: State::default() })]
        );
    }

    #[test]
    fn values_of_every_kind() {
        let text = br#"{"key":7,"value":"text"}
{"key":"o","value":{"a": 1}}
{"key_base64":"/w==","value_base64":"AAE="}"#;
        let all = rows(text, Some("value"));
        let pairs: Vec<_> = all.into_iter().map(|r| r.map(|r| (r.key, r.value)).unwrap()).collect();
        assert_eq!(pairs[0], (b"7".to_vec(), b"text".to_vec()));
        assert_eq!(pairs[1], (b"o".to_vec(), br#"{"a": 1}"#.to_vec()));
        assert_eq!(pairs[2], (vec![0xff], vec![0, 1]));
    }

    #[test]
    fn faults_name_file_and_line_and_reading_goes_on() {
        let all =
            rows(b"[1]\n{\"a\":1}\n{\"key\":\"\xff\"}\n{\"key\":\"\"}\n{\"key\":\"k\"}\n", None);
        let faults: Vec<_> = all.iter().filter_map(|row| row.as_ref().err()).collect();
        let want = "x.jsonl:1:1: the line is not a JSON object: invalid type: sequence";
        assert!(faults[0].starts_with(want), "{}", faults[0]);
        assert_eq!(faults[1], "x.jsonl:2: there is no field `key`");
        assert_eq!(faults[2], "x.jsonl:3:9: the line is not valid UTF-8");
        assert_eq!(faults[3], "x.jsonl:4: the key in `key` is empty");
        assert_eq!(all.last().unwrap().as_ref().unwrap().key, b"k");
    }
}

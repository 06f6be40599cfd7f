//! JSON lines: one object per line.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::value::RawValue;

use super::limit::{Meter, Metered};
use super::{Choice, Fault, MAX_ROW, Row};
use crate::failure::{Failure, code};

pub(crate) struct JsonRows<R: Read> {
    reader: BufReader<Metered<R>>,
    meter: Meter,
    choice: Choice,
    line: u64,
    text: Vec<u8>,
    ended: bool,
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

impl<R: Read> JsonRows<R> {
    pub(crate) fn open(input: R, choice: Choice) -> Self {
        let meter = Meter::new(MAX_ROW);
        let reader = BufReader::with_capacity(64 << 10, Metered::new(input, meter.clone()));
        Self { reader, meter, choice, line: 0, text: Vec::new(), ended: false }
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.meter.bytes_read()
    }

    pub(crate) fn next(&mut self) -> Option<Result<Row, Fault>> {
        while !self.ended {
            self.line += 1;
            self.text.clear();
            match self.reader.read_until(b'\n', &mut self.text) {
                Ok(0) => self.ended = true,
                Ok(_) => {
                    self.meter.row_done();
                    if !self.text.trim_ascii().is_empty() {
                        return Some(self.row());
                    }
                }
                Err(cause) => {
                    self.ended = true;
                    return Some(Err(if self.meter.exhausted() {
                        self.choice.too_long(self.line)
                    } else {
                        self.choice.broken(self.line, &cause)
                    }));
                }
            }
        }
        None
    }

    fn row(&self) -> Result<Row, Fault> {
        let bytes = self.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.text).trim_ascii();
        let text = std::str::from_utf8(bytes).map_err(|_| {
            self.fault(
                code::UTF8,
                "the line is not valid UTF-8",
                "convert the file first, for instance with `iconv -f LATIN1 -t UTF-8`, \
                 or leave such lines out with --on-error skip",
            )
        })?;
        let fields: Fields<'_> = serde_json::from_str(text).map_err(|cause| {
            self.fault(
                code::JSON,
                &format!("the line is not a JSON object (column {}: {cause})", cause.column()),
                "each line holds one object; leave other lines out with --on-error skip",
            )
        })?;
        let key = self.field(&fields, &self.choice.key)?;
        self.choice.check_key(&key, self.line)?;
        let value = match &self.choice.value {
            Some(name) => self.field(&fields, name)?,
            None => bytes.to_vec(),
        };
        Ok(Row { key, value, line: self.line })
    }

    /// The bytes of a field: a string as its text, `NAME_base64` decoded, anything else as JSON.
    fn field(&self, fields: &Fields<'_>, name: &str) -> Result<Vec<u8>, Fault> {
        if let Some(raw) = fields.get(name) {
            let text = raw.get();
            return match serde_json::from_str::<String>(text) {
                Ok(string) => Ok(string.into_bytes()),
                Err(_) => Ok(text.as_bytes().to_vec()),
            };
        }
        if let Some(raw) = fields.get(&format!("{name}_base64")) {
            let encoded: Option<String> = serde_json::from_str(raw.get()).ok();
            return encoded.and_then(|text| BASE64.decode(text).ok()).ok_or_else(|| {
                self.fault(
                    code::FIELD,
                    &format!("the field `{name}_base64` is not base64"),
                    "mend the line, or leave it out with --on-error skip",
                )
            });
        }
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        Err(self.fault(
            code::FIELD,
            &format!("there is no field `{name}`"),
            &format!("the fields of this line are: {}", names.join(", ")),
        ))
    }

    fn fault(&self, code: u16, what: &str, help: &str) -> Fault {
        let text = format!("{}: {what}", self.choice.at(self.line));
        Fault::of_row(Failure::new(code, text, help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8], value: Option<&str>) -> Vec<Result<Row, String>> {
        let value = value.map(str::to_owned);
        let choice = Choice { input: "x.jsonl".into(), key: "key".into(), value };
        let mut rows = JsonRows::open(text, choice);
        std::iter::from_fn(|| rows.next())
            .map(|row| row.map_err(|fault| fault.failure.text().to_owned()))
            .collect()
    }

    #[test]
    fn the_object_is_kept_byte_for_byte() {
        let all = rows(b"\n {\"b\":1.50, \"key\":\"k\"} \r\n", None);
        let value = br#"{"b":1.50, "key":"k"}"#.to_vec();
        assert_eq!(all, vec![Ok(Row { key: b"k".to_vec(), value, line: 2 })]);
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
        assert!(faults[0].starts_with("x.jsonl:1: the line is not a JSON object"));
        assert_eq!(faults[1], "x.jsonl:2: there is no field `key`");
        assert_eq!(faults[2], "x.jsonl:3: the line is not valid UTF-8");
        assert_eq!(faults[3], "x.jsonl:4: the key in `key` is empty");
        assert_eq!(all.last().unwrap().as_ref().unwrap().key, b"k");
    }
}

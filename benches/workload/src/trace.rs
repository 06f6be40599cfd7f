//! Operations from a file: one a line, `get,KEY`, `put,KEY`, `put,KEY,SIZE` or `del,KEY`. Keys hold
//! no comma; a put without a size has the length that the reader of the trace is told.

use std::fmt;
use std::io::BufRead;

/// The longest key in bytes.
pub const MAX_KEY: usize = 65_536;
/// The longest value in bytes.
pub const MAX_VALUE: u64 = 1 << 30;

/// Kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads.
    Get,
    /// Writes.
    Put,
    /// Removes.
    Del,
}

impl Kind {
    /// All of them, by the names that a trace has for them.
    pub const ALL: [(Kind, &'static str); 3] =
        [(Kind::Get, "get"), (Kind::Put, "put"), (Kind::Del, "del")];
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'t> {
    /// What is done.
    pub kind: Kind,
    /// With which entry.
    pub key: &'t [u8],
    /// Length of the value to be written.
    pub value_len: usize,
}

/// Operations, in memory.
#[derive(Debug, Default)]
pub struct Trace {
    keys: Vec<u8>,
    steps: Vec<(Kind, u32, usize, usize)>,
}

/// What is wrong with a trace.
#[derive(Debug)]
pub enum TraceError {
    /// It cannot be read.
    Input(std::io::Error),
    /// A line, counted from 1, is no operation, for this reason.
    Line(u64, String),
    /// There is no line in it.
    Empty,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::Input(error) => error.fmt(f),
            TraceError::Line(number, wrong) => write!(f, "{number}: {wrong}"),
            TraceError::Empty => f.write_str("there is no operation in it"),
        }
    }
}

impl std::error::Error for TraceError {}

impl Trace {
    /// Reads all of it. A put without a size writes `value_len` bytes.
    ///
    /// # Errors
    /// The first line that is none, or that there is none at all.
    pub fn read(input: impl BufRead, value_len: u64) -> Result<Trace, TraceError> {
        let mut trace = Trace::default();
        for (line, number) in input.split(b'\n').zip(1..) {
            let line = line.map_err(TraceError::Input)?;
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if !line.is_empty() {
                trace.add(line, value_len).map_err(|wrong| TraceError::Line(number, wrong))?;
            }
        }
        if trace.steps.is_empty() { Err(TraceError::Empty) } else { Ok(trace) }
    }

    fn add(&mut self, line: &[u8], value_len: u64) -> Result<(), String> {
        let mut fields = line.split(|byte| *byte == b',');
        let name = fields.next().unwrap_or_default();
        let kind = Kind::ALL.iter().find(|(_, known)| known.as_bytes() == name);
        let Some((kind, _)) = kind else {
            return Err(format!("`{}` is no operation", name.escape_ascii()));
        };
        let key = fields.next().filter(|key| !key.is_empty()).ok_or("there is no key")?;
        if key.len() > MAX_KEY {
            return Err(format!("the key has {} bytes", key.len()));
        }
        let size = match fields.next() {
            None => value_len,
            Some(size) => {
                let size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
                size.ok_or("the size is no number")?
            }
        };
        if fields.next().is_some() || size > MAX_VALUE {
            return Err("there are more than three fields, or the size is above 1 GiB".into());
        }
        self.steps.push((*kind, size as u32, self.keys.len(), key.len()));
        self.keys.extend_from_slice(key);
        Ok(())
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// True if there is no operation.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// An operation, by its number.
    ///
    /// # Panics
    /// When there are not that many.
    pub fn step(&self, number: usize) -> Step<'_> {
        let (kind, size, start, length) = self.steps[number];
        Step { kind, key: &self.keys[start..start + length], value_len: size as usize }
    }

    /// The longest value.
    pub fn longest(&self) -> usize {
        self.steps.iter().map(|step| step.1 as usize).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read() {
        let trace = Trace::read(&b"get,a\nput,b,10\r\n\nput,c\ndel,a\n"[..], 64).expect("a trace");
        let step = |number| {
            let step = trace.step(number);
            (step.kind, step.key, step.value_len)
        };
        assert_eq!(trace.len(), 4);
        assert_eq!(step(1), (Kind::Put, &b"b"[..], 10));
        assert_eq!(step(2), (Kind::Put, &b"c"[..], 64));
        assert_eq!(step(3), (Kind::Del, &b"a"[..], 64));
        assert_eq!(trace.longest(), 64);
    }

    #[test]
    fn what_is_no_trace_is_refused() {
        for bad in ["got,a", "get", "get,", "put,a,x", "put,a,1,2", "put,a,-1"] {
            let text = format!("get,a\n{bad}\n");
            let error = Trace::read(text.as_bytes(), 64).expect_err(bad);
            assert!(matches!(error, TraceError::Line(2, _)), "{error}");
        }
        assert!(matches!(Trace::read(&b""[..], 64), Err(TraceError::Empty)));
    }
}

//! What operations return.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Names one state of an entry.
#[pyclass(frozen, eq, ord, hash, module = "vug")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token {
    pub(crate) token: vug::Token,
}

impl From<vug::Token> for Token {
    fn from(token: vug::Token) -> Self {
        Self { token }
    }
}

const KINDS: [(vug::Kind, &str); 5] = [
    (vug::Kind::Value, "value"),
    (vug::Kind::Invalid, "invalid"),
    (vug::Kind::LocalInvalid, "local-invalid"),
    (vug::Kind::Tombstone, "tombstone"),
    (vug::Kind::Transit, "transit"),
];

#[pymethods]
impl Token {
    #[new]
    fn new(version: u64, origin: u16, kind: &str) -> PyResult<Self> {
        let found = KINDS.iter().find(|(_, name)| *name == kind);
        let (kind, _) = found
            .ok_or_else(|| PyValueError::new_err(format!("{kind:?} is no kind of an entry")))?;
        Ok(Self { token: vug::Token { version, origin, kind: *kind } })
    }

    #[getter]
    fn version(&self) -> u64 {
        self.token.version
    }

    #[getter]
    fn origin(&self) -> u16 {
        self.token.origin
    }

    #[getter]
    fn kind(&self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self.token.kind).map_or("?", |(_, name)| name)
    }

    fn __repr__(&self) -> String {
        let (version, origin, kind) = (self.version(), self.origin(), self.kind());
        format!("vug.Token(version={version}, origin={origin}, kind='{kind}')")
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (u64, u16, &'static str)) {
        let token = slf.get();
        let class = slf.get_type().into_any();
        (class, (token.version(), token.origin(), token.kind()))
    }
}

/// A write that took place.
#[pyclass(frozen, eq, module = "vug")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    outcome: vug::Outcome,
}

impl From<vug::Outcome> for Outcome {
    fn from(outcome: vug::Outcome) -> Self {
        Self { outcome }
    }
}

impl Outcome {
    /// One of many writes, for which there was one wait.
    pub(crate) fn of_many(mut outcome: vug::Outcome, departed: vug::Departed) -> Self {
        outcome.departed = departed;
        Self { outcome }
    }
}

#[pymethods]
impl Outcome {
    #[getter]
    fn token(&self) -> Token {
        self.outcome.token.into()
    }

    #[getter]
    fn created(&self) -> bool {
        self.outcome.created
    }

    #[getter]
    fn position(&self) -> u64 {
        self.outcome.position
    }

    /// Nodes that left the cluster before they acknowledged, by their numbers.
    #[getter]
    fn departed(&self) -> Vec<u16> {
        self.outcome.departed.nodes().to_vec()
    }

    fn __repr__(&self) -> String {
        let created = if self.created() { "True" } else { "False" };
        format!("vug.Outcome(created={created}, token={})", self.token().__repr__())
    }
}

/// A conditional write: done, or not because of what was found. True if it was done.
#[pyclass(frozen, module = "vug")]
#[derive(Debug)]
pub(crate) struct Attempt {
    done: bool,
    token: Option<vug::Token>,
    value: Option<Vec<u8>>,
}

impl From<vug::Swap> for Attempt {
    fn from(swap: vug::Swap) -> Self {
        match swap {
            vug::Swap::Swapped(outcome) => {
                Self { done: true, token: Some(outcome.token), value: None }
            }
            vug::Swap::Changed(token) => Self { done: false, token, value: None },
        }
    }
}

impl From<vug::PutIfAbsent> for Attempt {
    fn from(put: vug::PutIfAbsent) -> Self {
        match put {
            vug::PutIfAbsent::Created(outcome) => {
                Self { done: true, token: Some(outcome.token), value: None }
            }
            vug::PutIfAbsent::Present { token, value } => {
                Self { done: false, token: Some(token), value }
            }
        }
    }
}

#[pymethods]
impl Attempt {
    #[getter]
    fn done(&self) -> bool {
        self.done
    }

    #[getter]
    fn token(&self) -> Option<Token> {
        self.token.map(Token::from)
    }

    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.value.as_ref().map(|value| PyBytes::new(py, value))
    }

    fn __bool__(&self) -> bool {
        self.done
    }

    fn __repr__(&self) -> String {
        let done = if self.done { "True" } else { "False" };
        let token = self.token().map_or("None".into(), |token| token.__repr__());
        format!("vug.Attempt(done={done}, token={token})")
    }
}

/// All that is known of an entry.
#[pyclass(frozen, module = "vug")]
#[derive(Debug)]
pub(crate) struct Entry {
    info: vug::EntryInfo,
}

impl From<vug::EntryInfo> for Entry {
    fn from(info: vug::EntryInfo) -> Self {
        Self { info }
    }
}

#[pymethods]
impl Entry {
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.info.value.as_ref().map(|value| PyBytes::new(py, value))
    }

    #[getter]
    fn token(&self) -> Token {
        self.info.token.into()
    }

    #[getter]
    fn expires(&self) -> Option<f64> {
        self.info.expires.map(crate::time::timestamp)
    }

    #[getter]
    fn modified(&self) -> Option<f64> {
        self.info.modified.map(crate::time::timestamp)
    }

    #[getter]
    fn accessed(&self) -> Option<f64> {
        self.info.accessed.map(crate::time::timestamp)
    }

    fn __repr__(&self) -> String {
        let len = self
            .info
            .value
            .as_ref()
            .map_or("None".into(), |value| format!("<{} bytes>", value.len()));
        format!("vug.Entry(value={len}, token={})", self.token().__repr__())
    }
}

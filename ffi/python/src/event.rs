//! Events and notices, as Python sees them.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use vug::{Notice, OldValue, Origin};

use crate::results::Token;

/// A change, or a notice of the subscription itself (`lapped`, `in-sync`).
#[pyclass(frozen, module = "vug")]
#[derive(Debug)]
pub(crate) struct Event {
    notice: Notice,
}

impl From<Notice> for Event {
    fn from(notice: Notice) -> Self {
        Self { notice }
    }
}

impl Event {
    fn event(&self) -> Option<&vug::Event> {
        match &self.notice {
            Notice::Event(event) => Some(event),
            _ => None,
        }
    }
}

#[pymethods]
impl Event {
    #[getter]
    fn kind(&self) -> &'static str {
        match &self.notice {
            Notice::Event(event) => event.kind.name(),
            Notice::Lapped { .. } => "lapped",
            Notice::InSync { .. } => "in-sync",
            _ => "unknown",
        }
    }

    /// None in events of the region, and in notices.
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let event = self.event().filter(|event| !event.kind.is_of_region())?;
        Some(PyBytes::new(py, &event.key))
    }

    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.event()?.value.as_ref().map(|value| PyBytes::new(py, value))
    }

    /// The value before; see `old_known`.
    #[getter]
    fn old<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.event()?.old {
            OldValue::Value(value) => Some(PyBytes::new(py, value)),
            _ => None,
        }
    }

    #[getter]
    fn old_known(&self) -> bool {
        self.event().is_some_and(|event| event.old != OldValue::NotAvailable)
    }

    #[getter]
    fn token(&self) -> Option<Token> {
        self.event().map(|event| event.token.into())
    }

    /// Who did it: "this-member", "member", "node" or "unknown".
    #[getter]
    fn origin(&self) -> Option<&'static str> {
        Some(match self.event()?.origin {
            Origin::ThisMember => "this-member",
            Origin::Member(_) => "member",
            Origin::Node(_) => "node",
            Origin::Unknown => "unknown",
        })
    }

    /// The slot of the member, or the number of the node.
    #[getter]
    fn origin_number(&self) -> Option<u16> {
        match self.event()?.origin {
            Origin::Member(number) | Origin::Node(number) => Some(number),
            _ => None,
        }
    }

    #[getter]
    fn expired(&self) -> bool {
        self.event().is_some_and(|event| event.expiration)
    }

    #[getter]
    fn bulk(&self) -> bool {
        self.event().is_some_and(|event| event.bulk)
    }

    /// Position in the event ring; of a notice, where the subscription goes on.
    #[getter]
    fn position(&self) -> u64 {
        match &self.notice {
            Notice::Event(event) => event.position,
            Notice::Lapped { to, .. } => *to,
            Notice::InSync { position } => *position,
            _ => 0,
        }
    }

    /// The first position that was missed, of a notice `lapped`.
    #[getter]
    fn missed_from(&self) -> Option<u64> {
        match &self.notice {
            Notice::Lapped { from, .. } => Some(*from),
            _ => None,
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let key = self
            .key(py)
            .map_or_else(|| Ok("None".into()), |key| key.repr().map(|text| text.to_string()))?;
        Ok(format!("vug.Event(kind='{}', key={key})", self.kind()))
    }
}

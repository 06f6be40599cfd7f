//! Iteration: some chains of the index at a time, between which nothing is held but the region.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::failure::Result;

/// What an iterator gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Keys that have a value.
    Keys,
    Values,
    Items,
    /// Keys with a value or without.
    AllKeys,
}

/// An iterator over a region. Writers are never blocked: what is there all the time is met at
/// least once.
#[pyclass(module = "vug")]
pub(crate) struct RegionIter {
    region: vug::Region,
    what: What,
    /// Where to go on; None: all was visited.
    cursor: Option<u64>,
    /// Found and not given yet, the next one last.
    found: Vec<Py<PyAny>>,
}

impl RegionIter {
    pub(crate) fn new(region: &vug::Region, what: What) -> Self {
        Self { region: region.clone(), what, cursor: Some(0), found: Vec::new() }
    }

    fn fill(&mut self, py: Python<'_>) -> Result<()> {
        while let (Some(cursor), true) = (self.cursor, self.found.is_empty()) {
            let (found, what) = (&mut self.found, self.what);
            let mut failed = None;
            self.cursor = self.region.scan_part(cursor, |entry| {
                let bytes = |bytes| PyBytes::new(py, bytes);
                let object = match what {
                    _ if what != What::AllKeys && entry.token.kind != vug::Kind::Value => return,
                    What::Keys | What::AllKeys => Ok(bytes(entry.key).into_any()),
                    What::Values => Ok(bytes(entry.value).into_any()),
                    What::Items => (bytes(entry.key), bytes(entry.value))
                        .into_pyobject(py)
                        .map(Bound::into_any),
                };
                match object {
                    Ok(object) => found.push(object.unbind()),
                    Err(error) => failed = Some(error),
                }
            })?;
            failed.map_or(Ok(()), Err)?;
            found.reverse();
        }
        Ok(())
    }
}

#[pymethods]
impl RegionIter {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> Result<Option<Py<PyAny>>> {
        if self.found.is_empty()
            && let Err(error) = self.fill(py)
        {
            self.cursor = None;
            return Err(error);
        }
        Ok(self.found.pop())
    }
}

/// An iterator over names.
pub(crate) fn names(py: Python<'_>, names: Vec<String>) -> PyResult<Bound<'_, PyAny>> {
    Ok(PyList::new(py, names)?.try_iter()?.into_any())
}

//! Errors of the library as exceptions of Python.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// What a call can fail with.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of the library; `vug._errors` has a class for it.
    Vug(vug::Error),
    /// Something that Python raised.
    Python(PyErr),
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl From<vug::Error> for Failure {
    fn from(error: vug::Error) -> Self {
        Self::Vug(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    #[cold]
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Vug(error) => Python::attach(|py| match exception(py, &error) {
                Ok(raised) => PyErr::from_value(raised),
                Err(failed) => failed,
            }),
            Failure::Python(error) => error,
        }
    }
}

/// The exception object of an error.
pub(crate) fn exception<'py>(py: Python<'py>, error: &vug::Error) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = MAKE.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("vug._errors")?.getattr("from_code")?.unbind())
    })?;
    make.bind(py).call1((error.code(), error.to_string(), error.help()))
}

/// The exception of a bulk operation of which some keys failed: it has the results of all keys.
pub(crate) fn bulk_exception(
    py: Python<'_>,
    error: &vug::Error,
    results: Bound<'_, PyAny>,
) -> Failure {
    let raised = exception(py, error).and_then(|raised| {
        raised.setattr("results", results)?;
        Ok(raised)
    });
    raised.map_or_else(Failure::Python, |raised| Failure::Python(PyErr::from_value(raised)))
}

/// An object was used that its user had closed, as for files.
pub(crate) fn closed(what: &str) -> Failure {
    Failure::Python(pyo3::exceptions::PyValueError::new_err(format!("this {what} is closed")))
}

/// A lock is poisoned only if this package has a mistake.
pub(crate) fn poisoned() -> Failure {
    Failure::Python(PyRuntimeError::new_err("an earlier call failed in the middle"))
}

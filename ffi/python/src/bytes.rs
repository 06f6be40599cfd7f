//! Keys and values as arguments: `bytes` in place, other buffers copied.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView, PyString};
use pyo3::{Borrowed, FromPyObject};

/// An object with bytes. `bytes` cannot change, so they are used in place; the content of any other
/// buffer (`bytearray`, `memoryview`, arrays of numpy) may be changed by other threads during the
/// call, so it is copied first.
pub(crate) enum Bytes<'a, 'py> {
    Lent(Borrowed<'a, 'py, PyBytes>),
    Copied(Bound<'py, PyBytes>),
}

impl AsRef<[u8]> for Bytes<'_, '_> {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes.as_bytes(),
            Self::Copied(bytes) => bytes.as_bytes(),
        }
    }
}

impl std::ops::Deref for Bytes<'_, '_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Bytes<'a, 'py> {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<PyBytes>() {
            Ok(bytes) => Ok(Self::Lent(bytes)),
            Err(_) => copied(&object).map(Self::Copied),
        }
    }
}

#[cold]
fn copied<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if object.is_instance_of::<PyString>() {
        let message = "keys and values are bytes, not str: use .encode()";
        return Err(PyTypeError::new_err(message));
    }
    let memory = PyMemoryView::from(object).map_err(|_| {
        let kind = object.get_type();
        let name = kind.name().map_or_else(|_| "?".into(), |name| name.to_string());
        PyTypeError::new_err(format!("keys and values are bytes or buffers, not {name}"))
    })?;
    Ok(memory.call_method0("tobytes")?.cast_into::<PyBytes>()?)
}

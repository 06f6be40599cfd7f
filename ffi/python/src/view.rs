//! Values in place: objects with the buffer protocol that hold a pin.
//!
//! # Why a buffer stays valid
//!
//! A [`View`] owns an [`OwnedGuard`](vug::OwnedGuard): while that lives the bytes do not change
//! and are not reused, whoever writes the key, closes the region or the node. Each exported buffer
//! holds a reference to its view (`Py_buffer.obj`), so the view outlives its buffers. `release`
//! takes the guard only when no buffer is out, and otherwise leaves it to the last one that comes
//! back. In a forked child the pin of the parent does not protect what the child sees; it gets no
//! new buffers.

use std::ffi::c_int;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use crate::failure::{Failure, Result, closed};
use crate::results::Token;

#[derive(Debug)]
struct State {
    /// None: released.
    guard: Option<vug::OwnedGuard>,
    /// Buffers that are out.
    exports: usize,
    /// No more buffers; the guard goes with the last one that is out.
    released: bool,
}

/// A value in place, read-only. `memoryview(view)` and `numpy.frombuffer(view)` do not copy.
#[pyclass(frozen, weakref, module = "vug")]
#[derive(Debug)]
pub(crate) struct View {
    /// Held for some instructions only, never while Python code runs.
    state: Mutex<State>,
    process: u32,
    key: Box<[u8]>,
    token: vug::Token,
    len: usize,
}

impl View {
    pub(crate) fn new(guard: vug::OwnedGuard) -> Self {
        let (key, token, len) = (guard.key().into(), guard.token(), guard.len());
        let state = State { guard: Some(guard), exports: 0, released: false };
        Self { state: Mutex::new(state), process: std::process::id(), key, token, len }
    }

    /// The state is consistent after each store, so a panic elsewhere leaves it usable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_process(&self) -> Result<()> {
        let own = std::process::id() == self.process;
        if own { Ok(()) } else { Err(Failure::Vug(vug::Error::ForkedChild)) }
    }
}

#[pymethods]
impl View {
    /// # Safety
    /// Called by the interpreter alone, with a structure to fill in.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        buffer: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> Result<()> {
        let view = slf.get();
        view.check_process()?;
        if flags & ffi::PyBUF_WRITABLE != 0 {
            return Err(PyBufferError::new_err("values are read-only: use put").into());
        }
        let mut state = view.state();
        let Some(guard) = state.guard.as_ref().filter(|_| !state.released) else {
            return Err(closed("view"));
        };
        let (bytes, len) = (guard.as_ptr().cast_mut().cast(), guard.len() as ffi::Py_ssize_t);
        // SAFETY: the interpreter gave `buffer` to be filled in. The bytes live as long as the
        // guard, which stays until `exports` is 0 again, and the structure gets a reference to the
        // view, which owns the guard. The buffer is marked as read-only.
        let filled = unsafe { ffi::PyBuffer_FillInfo(buffer, slf.as_ptr(), bytes, len, 1, flags) };
        if filled != 0 {
            return Err(PyErr::fetch(slf.py()).into());
        }
        state.exports += 1;
        Ok(())
    }

    /// # Safety
    /// Called by the interpreter alone, once for each buffer that `__getbuffer__` filled in.
    unsafe fn __releasebuffer__(&self, _buffer: *mut ffi::Py_buffer) {
        let mut state = self.state();
        state.exports -= 1;
        let last = state.exports == 0 && state.released;
        let guard = if last { state.guard.take() } else { None };
        drop(state);
        drop(guard);
    }

    /// Gives the memory back; whether it could be done at once. Otherwise the last `memoryview` or
    /// array that looks at it does it.
    fn release(&self) -> bool {
        let mut state = self.state();
        state.released = true;
        let guard = if state.exports == 0 { state.guard.take() } else { None };
        let done = state.exports == 0;
        drop(state);
        drop(guard);
        done
    }

    #[getter]
    fn released(&self) -> bool {
        self.state().released
    }

    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.key)
    }

    #[getter]
    fn token(&self) -> Token {
        self.token.into()
    }

    #[getter]
    fn nbytes(&self) -> usize {
        self.len
    }

    fn __len__(&self) -> usize {
        self.len
    }

    /// The bytes as numbers of a format of the module `struct`, in place.
    fn cast<'py>(slf: &Bound<'py, Self>, format: &str) -> PyResult<Bound<'py, PyAny>> {
        PyMemoryView::from(slf)?.call_method1("cast", (format,))
    }

    /// The bytes as an array of numpy, in place.
    #[pyo3(signature = (dtype="u1"))]
    fn array<'py>(slf: &Bound<'py, Self>, dtype: &str) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("numpy")?.call_method1("frombuffer", (slf, dtype))
    }

    fn tobytes<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>> {
        self.check_process()?;
        let state = self.state();
        let guard = state.guard.as_ref().filter(|_| !state.released);
        Ok(PyBytes::new(py, guard.ok_or_else(|| closed("view"))?))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>> {
        self.tobytes(py)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _raised: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.release();
    }

    fn __repr__(&self) -> String {
        let state = if self.released() { ", released" } else { "" };
        format!("<vug.View of {} bytes{state}>", self.len)
    }
}

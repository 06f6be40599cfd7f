//! Listeners: functions that are called for each change, in a thread of their own.
//!
//! The thread is the library's. It asks for the interpreter for each call, and is stopped before
//! the interpreter ends: a thread that asked later would never come back.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::prelude::*;

use crate::bytes::Bytes;
use crate::event::Event;
use crate::failure::{Result, exception};
use crate::region::Region;
use crate::subscription::options;
use crate::wait::stay_away;

type Slot = Mutex<Option<vug::Listener>>;

/// All listeners, to be stopped at the end.
static ALL: Mutex<Vec<Weak<Slot>>> = Mutex::new(Vec::new());

/// Calls a function for each change until it is stopped.
#[pyclass(frozen, weakref, module = "vug")]
#[derive(Debug)]
pub(crate) struct Listener {
    /// None: stopped. Never held for long.
    slot: Arc<Slot>,
}

fn take(slot: &Slot) -> Option<vug::Listener> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Before the interpreter ends: stops all listeners, and keeps waits from coming back.
#[pyfunction]
pub(crate) fn exiting(py: Python<'_>) {
    stay_away();
    let all = std::mem::take(&mut *ALL.lock().unwrap_or_else(PoisonError::into_inner));
    let listeners: Vec<_> = all.iter().filter_map(Weak::upgrade).collect();
    py.detach(|| listeners.iter().for_each(|slot| drop(take(slot))));
}

#[pymethods]
impl Region {
    /// Calls `f(event)` for each change, in a thread of its own. What `f` raises goes to
    /// `sys.unraisablehook`, and the next event follows.
    #[pyo3(signature = (f, /, *, prefix=None, content=false, resynchronise=false))]
    fn listen(
        &self,
        f: Py<PyAny>,
        prefix: Option<Bytes<'_, '_>>,
        content: bool,
        resynchronise: bool,
    ) -> Result<Listener> {
        let listener =
            self.region.listen(options(prefix, content, resynchronise), move |notice| {
                let event = Event::from(notice.clone());
                // None: the interpreter ends.
                let _ = Python::try_attach(|py| {
                    if let Err(raised) = f.call1(py, (event,)) {
                        raised.write_unraisable(py, Some(f.bind(py)));
                    }
                });
            })?;
        let slot = Arc::new(Mutex::new(Some(listener)));
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.strong_count() != 0);
        all.push(Arc::downgrade(&slot));
        Ok(Listener { slot })
    }
}

#[pymethods]
impl Listener {
    /// Waits until a running call is over; there is none after it. From within the function itself
    /// it does not wait.
    fn stop(&self, py: Python<'_>) {
        let listener = take(&self.slot);
        py.detach(|| drop(listener));
    }

    /// Calls that are over.
    #[getter]
    fn delivered(&self) -> u64 {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map_or(0, vug::Listener::delivered)
    }

    /// Whether there are no more calls: it was stopped, the region has ended, or there was an
    /// error.
    #[getter]
    fn finished(&self) -> bool {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().is_none_or(vug::Listener::is_finished)
    }

    /// The error after which it ended, once.
    fn error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let error = slot.as_ref().and_then(vug::Listener::error);
        drop(slot);
        error.map(|error| exception(py, &error)).transpose()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _raised: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.stop(py);
    }
}

impl Drop for Listener {
    /// The thread may be waiting for the interpreter, which is let go of meanwhile.
    fn drop(&mut self) {
        if let Some(listener) = take(&self.slot) {
            let mut listener = Some(listener);
            let _ = Python::try_attach(|py| {
                let listener = listener.take();
                py.detach(|| drop(listener));
            });
        }
    }
}

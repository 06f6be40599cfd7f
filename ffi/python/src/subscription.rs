//! Subscriptions: iterators over the changes of a region.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;

use crate::bytes::Bytes;
use crate::event::Event;
use crate::failure::{Failure, Result, closed};
use crate::region::Region;
use crate::time::Seconds;
use crate::wait::until;

/// Follows the changes of a region. Threads may share it: each event goes to one of them.
#[pyclass(frozen, weakref, module = "vug")]
#[derive(Debug)]
pub(crate) struct Subscription {
    /// None: closed. Taken without the interpreter only, since whoever waits for events has it.
    inner: Arc<Mutex<Option<vug::Subscription>>>,
    process: u32,
}

/// What to subscribe to.
pub(crate) fn options(
    prefix: Option<Bytes<'_, '_>>,
    content: bool,
    resynchronise: bool,
) -> vug::ListenOptions {
    let prefix = prefix.map(|prefix| prefix.to_vec()).unwrap_or_default();
    vug::ListenOptions::new().prefix(prefix).content(content).resynchronise(resynchronise)
}

#[pymethods]
impl Region {
    #[pyo3(signature = (*, prefix=None, content=false, resynchronise=false))]
    fn subscribe(
        &self,
        prefix: Option<Bytes<'_, '_>>,
        content: bool,
        resynchronise: bool,
    ) -> Subscription {
        let inner = self.region.subscribe_with(options(prefix, content, resynchronise));
        Subscription { inner: Arc::new(Mutex::new(Some(inner))), process: std::process::id() }
    }
}

impl Subscription {
    /// A lock that another thread held at a fork would be held in the child for ever.
    fn check_process(&self) -> Result<()> {
        let own = std::process::id() == self.process;
        if own { Ok(()) } else { Err(Failure::Vug(vug::Error::ForkedChild)) }
    }

    fn with<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut vug::Subscription) -> vug::Result<T> + Send,
    ) -> Result<T> {
        self.check_process()?;
        py.detach(|| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(f(inner.as_mut().ok_or_else(|| closed("subscription"))?)?)
        })
    }

    /// The next event; None if there is none in time.
    fn next(&self, py: Python<'_>, timeout: Option<Seconds>) -> Result<Option<Event>> {
        self.check_process()?;
        let found = until(py, timeout, |until: Instant| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let inner = inner.as_mut().ok_or_else(|| closed("subscription"))?;
            Ok(inner.wait(Some(until))?)
        })?;
        Ok(found.map(Event::from))
    }
}

#[pymethods]
impl Subscription {
    /// An event that is there already, or None.
    fn poll(&self, py: Python<'_>) -> Result<Option<Event>> {
        Ok(self.with(py, vug::Subscription::poll)?.map(Event::from))
    }

    /// The next event, or None when the time is over.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<Seconds>) -> Result<Option<Event>> {
        self.next(py, timeout)
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// Blocks; ends behind the end of the region, and when the subscription is closed.
    fn __next__(&self, py: Python<'_>) -> Result<Option<Event>> {
        if self.with(py, |inner| Ok(inner.is_ended()))? {
            return Ok(None);
        }
        match self.next(py, None) {
            Err(Failure::Vug(vug::Error::RegionDestroyed { .. })) => Ok(None),
            other => other,
        }
    }

    #[getter]
    fn ended(&self, py: Python<'_>) -> Result<bool> {
        self.with(py, |inner| Ok(inner.is_ended()))
    }

    #[getter]
    fn missed(&self, py: Python<'_>) -> Result<u64> {
        self.with(py, |inner| Ok(inner.missed()))
    }

    #[getter]
    fn position(&self, py: Python<'_>) -> Result<u64> {
        self.with(py, |inner| Ok(vug::Subscription::position(inner)))
    }

    fn close(&self, py: Python<'_>) -> Result<()> {
        self.check_process()?;
        let taken = py.detach(|| self.inner.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(taken);
        Ok(())
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
    ) -> Result<()> {
        self.close(py)
    }
}

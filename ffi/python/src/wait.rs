//! Waiting without the interpreter, in slices, so that signals are honoured.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyTimeoutError;
use pyo3::prelude::*;
use pyo3::types::PyEllipsis;

use crate::bytes::Bytes;
use crate::failure::{Failure, Result};
use crate::region::Region;
use crate::results::Token;
use crate::time::{Seconds, deadline};

/// How long a signal may have to wait. Changes wake a sleeper at once.
const SLICE: Duration = Duration::from_millis(50);

/// The interpreter ends. A thread that came back to it now would be ended in the middle of Rust
/// code, which no code can bear; so waits stay where they are, and go with the process.
static EXITING: AtomicBool = AtomicBool::new(false);
static EXITING_THREAD: Mutex<Option<ThreadId>> = Mutex::new(None);

/// From now on threads of waits do not come back, except the one that ends the interpreter.
pub(crate) fn stay_away() {
    if let Ok(mut thread) = EXITING_THREAD.lock() {
        *thread = Some(thread::current().id());
    }
    EXITING.store(true, Ordering::SeqCst);
}

fn stay_if_exiting() {
    let ends = || EXITING_THREAD.lock().is_ok_and(|id| *id == Some(thread::current().id()));
    while EXITING.load(Ordering::SeqCst) && !ends() {
        thread::park();
    }
}

/// Looks until something is found or the time is over. `look` blocks until the instant that it
/// gets, and is called without the interpreter.
pub(crate) fn until<T: Send>(
    py: Python<'_>,
    timeout: Option<Seconds>,
    mut look: impl FnMut(Instant) -> Result<Option<T>> + Send,
) -> Result<Option<T>> {
    let end = deadline(timeout);
    loop {
        let slice = Instant::now() + SLICE;
        let found = py.detach(|| {
            let found = look(end.map_or(slice, |end| end.min(slice)));
            stay_if_exiting();
            found
        })?;
        if found.is_some() {
            return Ok(found);
        }
        py.check_signals()?;
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(None);
        }
    }
}

/// What the entry was: a token, or `...` for what it is now.
fn known(region: &vug::Region, key: &[u8], since: &Bound<'_, PyAny>) -> Result<Option<vug::Token>> {
    if since.is_instance_of::<PyEllipsis>() {
        return Ok(region.token(key)?);
    }
    let token = since.cast::<Token>().map_err(PyErr::from)?;
    Ok(Some(token.get().token))
}

#[pymethods]
impl Region {
    /// Waits until the state of a key differs from `since`, and returns the state it has then.
    #[pyo3(signature = (key, since=None, timeout=None))]
    fn wait(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        since: Option<Bound<'_, PyAny>>,
        timeout: Option<Seconds>,
    ) -> Result<Option<Token>> {
        let key: &[u8] = &key;
        let region = &self.region;
        let was = since.map_or(Ok(None), |since| known(region, key, &since))?;
        let found = until(py, timeout, |until| {
            Ok(match region.wait_for_change(key, was, Some(until))? {
                vug::Waited::Changed(token) => Some(token),
                vug::Waited::TimedOut => None,
            })
        })?;
        found.map_or_else(|| Err(timed_out()), |token| Ok(token.map(Token::from)))
    }

    /// Waits until there are announcements behind a position, and returns the last position.
    #[pyo3(signature = (since=None, timeout=None))]
    fn wait_any(
        &self,
        py: Python<'_>,
        since: Option<u64>,
        timeout: Option<Seconds>,
    ) -> Result<u64> {
        let region = &self.region;
        let since = since.unwrap_or_else(|| region.position());
        let found = until(py, timeout, |until| {
            Ok(match region.wait_for_region_change(since, Some(until))? {
                vug::Waited::Changed(position) => Some(position),
                vug::Waited::TimedOut => None,
            })
        })?;
        found.ok_or_else(timed_out)
    }

    fn position(&self) -> u64 {
        self.region.position()
    }

    /// Waits until everything below a position is applied by the other nodes.
    #[pyo3(signature = (position, timeout=None))]
    fn wait_applied(&self, py: Python<'_>, position: u64, timeout: Option<Seconds>) -> Result<()> {
        let region = &self.region;
        let applied =
            until(py, timeout, |until| match region.wait_applied(position, Some(until)) {
                Ok(()) => Ok(Some(())),
                Err(vug::Error::AckTimeout { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            })?;
        applied.ok_or_else(timed_out)
    }
}

fn timed_out() -> Failure {
    PyTimeoutError::new_err("nothing changed in time").into()
}

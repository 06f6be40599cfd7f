//! Times as Python has them: seconds as numbers, or `datetime.timedelta`.

use std::time::{Duration, Instant, SystemTime};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::{Borrowed, FromPyObject};

/// A length of time, not negative.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(pub(crate) Duration);

impl<'a, 'py> FromPyObject<'a, 'py> for Seconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let seconds: f64 = match object.getattr_opt("total_seconds")? {
            Some(total) => total.call0()?.extract()?,
            None => object.extract()?,
        };
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|_| PyValueError::new_err(format!("{seconds} is no time in seconds")))
    }
}

/// The end of a wait; `None`: never. So is one that the clock cannot tell.
pub(crate) fn deadline(timeout: Option<Seconds>) -> Option<Instant> {
    Instant::now().checked_add(timeout?.0)
}

/// Seconds since 1970, as `time.time()`.
pub(crate) fn timestamp(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

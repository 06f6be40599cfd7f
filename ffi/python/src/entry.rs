//! Operations on one entry, by the names that they have in Rust.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use vug::WriteOptions;

use crate::bytes::Bytes;
use crate::failure::{Failure, Result};
use crate::handle::Handle;
use crate::region::Region;
use crate::results::{Attempt, Entry, Outcome, Token};
use crate::time::Seconds;
use crate::view::View;

pub(crate) fn options(ttl: Option<Seconds>, ack_within: Option<Seconds>) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.ttl = ttl.map(|Seconds(ttl)| ttl);
    options.ack_within = ack_within.map(|Seconds(limit)| limit);
    options
}

#[pymethods]
impl Region {
    #[pyo3(signature = (key, value, *, ttl=None, ack_within=None))]
    fn put(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        value: Bytes<'_, '_>,
        ttl: Option<Seconds>,
        ack_within: Option<Seconds>,
    ) -> Result<Outcome> {
        let (key, value): (&[u8], &[u8]) = (&key, &value);
        let options = options(ttl, ack_within);
        Ok(self.write(py, |region| region.put_with(key, value, &options))?.into())
    }

    fn create(&self, py: Python<'_>, key: Bytes<'_, '_>, value: Bytes<'_, '_>) -> Result<Outcome> {
        let (key, value): (&[u8], &[u8]) = (&key, &value);
        Ok(self.write(py, |region| region.create(key, value))?.into())
    }

    fn create_invalid(&self, py: Python<'_>, key: Bytes<'_, '_>) -> Result<Outcome> {
        let key: &[u8] = &key;
        Ok(self.write(py, |region| region.create_invalid(key))?.into())
    }

    fn replace(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        value: Bytes<'_, '_>,
    ) -> Result<Option<Outcome>> {
        let (key, value): (&[u8], &[u8]) = (&key, &value);
        Ok(self.write(py, |region| region.replace(key, value))?.map(Outcome::from))
    }

    fn swap_value<'py>(
        &self,
        py: Python<'py>,
        key: Bytes<'_, 'py>,
        value: Bytes<'_, 'py>,
    ) -> Result<(Outcome, Option<Bound<'py, PyBytes>>)> {
        let (key, value): (&[u8], &[u8]) = (&key, &value);
        let (outcome, old) = self.write(py, |region| region.swap_value(key, value))?;
        Ok((outcome.into(), old.map(|old| PyBytes::new(py, &old))))
    }

    fn destroy(&self, py: Python<'_>, key: Bytes<'_, '_>) -> Result<Outcome> {
        let key: &[u8] = &key;
        Ok(self.write(py, |region| region.destroy(key))?.into())
    }

    fn local_destroy(&self, key: Bytes<'_, '_>) -> Result<Outcome> {
        Ok(self.region.local_destroy(&key)?.into())
    }

    #[pyo3(signature = (key, *, ack_within=None))]
    fn remove(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        ack_within: Option<Seconds>,
    ) -> Result<Option<Outcome>> {
        let key: &[u8] = &key;
        let options = options(None, ack_within);
        Ok(self.write(py, |region| region.remove_with(key, &options))?.map(Outcome::from))
    }

    fn invalidate(&self, py: Python<'_>, key: Bytes<'_, '_>) -> Result<Option<Outcome>> {
        let key: &[u8] = &key;
        Ok(self.write(py, |region| region.invalidate(key))?.map(Outcome::from))
    }

    fn local_invalidate(&self, key: Bytes<'_, '_>) -> Result<Option<Outcome>> {
        Ok(self.region.local_invalidate(&key)?.map(Outcome::from))
    }

    fn contains_key(&self, key: Bytes<'_, '_>) -> Result<bool> {
        Ok(self.region.contains_key(&key)?)
    }

    fn contains_value_for_key(&self, key: Bytes<'_, '_>) -> Result<bool> {
        Ok(self.region.contains_value_for_key(&key)?)
    }

    fn token(&self, key: Bytes<'_, '_>) -> Result<Option<Token>> {
        Ok(self.region.token(&key)?.map(Token::from))
    }

    fn entry(&self, key: Bytes<'_, '_>) -> Result<Option<Entry>> {
        Ok(self.region.entry(&key)?.map(Entry::from))
    }

    /// The value in place.
    fn view(&self, key: Bytes<'_, '_>) -> Result<Option<View>> {
        Ok(self.region.get_owned(&key)?.map(View::new))
    }

    /// The value, if it is on this node: no other is asked.
    #[pyo3(signature = (key, default=None, /))]
    fn get_local<'py>(
        &self,
        py: Python<'py>,
        key: Bytes<'_, 'py>,
        default: Option<Bound<'py, PyAny>>,
    ) -> Result<Option<Bound<'py, PyAny>>> {
        Ok(match self.region.get_local(&key)? {
            Some(guard) => Some(PyBytes::new(py, &guard).into_any()),
            None => default,
        })
    }

    /// The value; other nodes are asked for that long at most.
    fn get_within<'py>(
        &self,
        py: Python<'py>,
        key: Bytes<'_, 'py>,
        limit: Seconds,
    ) -> Result<Option<Bound<'py, PyBytes>>> {
        self.ask(py, &key, &vug::ReadOptions::search_within(limit.0))
    }

    #[getter]
    fn search_timeout(&self) -> f64 {
        self.region.search_timeout().as_secs_f64()
    }

    fn set_search_timeout(&self, limit: Seconds) -> Result<()> {
        Ok(self.region.set_search_timeout(limit.0)?)
    }

    fn handle(&self, key: Bytes<'_, '_>) -> Result<Handle> {
        Handle::new(&self.region, &key)
    }

    #[pyo3(signature = (key, value, *, ttl=None, ack_within=None))]
    fn put_if_absent(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        value: Bytes<'_, '_>,
        ttl: Option<Seconds>,
        ack_within: Option<Seconds>,
    ) -> Result<Attempt> {
        let (key, value): (&[u8], &[u8]) = (&key, &value);
        let options = options(ttl, ack_within);
        Ok(self.write(py, |region| region.put_if_absent_with(key, value, &options))?.into())
    }

    fn compare_and_swap(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        expected: &Token,
        value: Bytes<'_, '_>,
    ) -> Result<Attempt> {
        let (key, value): (&[u8], &[u8]) = (&key, &value);
        let token = expected.token;
        Ok(self.write(py, |region| region.compare_and_swap(key, token, value))?.into())
    }

    #[pyo3(signature = (key, expected, *, ack_within=None))]
    fn remove_if(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        expected: &Token,
        ack_within: Option<Seconds>,
    ) -> Result<Attempt> {
        let key: &[u8] = &key;
        let (token, options) = (expected.token, options(None, ack_within));
        Ok(self.write(py, |region| region.remove_if_with(key, token, &options))?.into())
    }

    fn replace_if(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        expected: Bytes<'_, '_>,
        value: Bytes<'_, '_>,
    ) -> Result<Attempt> {
        let (key, expected, value): (&[u8], &[u8], &[u8]) = (&key, &expected, &value);
        Ok(self.write(py, |region| region.replace_if(key, expected, value))?.into())
    }

    fn remove_if_value(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        expected: Bytes<'_, '_>,
    ) -> Result<Attempt> {
        let (key, expected): (&[u8], &[u8]) = (&key, &expected);
        Ok(self.write(py, |region| region.remove_if_value(key, expected))?.into())
    }

    #[pyo3(signature = (key, delta=1, *, ttl=None, ack_within=None))]
    fn increment(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        delta: i64,
        ttl: Option<Seconds>,
        ack_within: Option<Seconds>,
    ) -> Result<i64> {
        let key: &[u8] = &key;
        let options = options(ttl, ack_within);
        self.write(py, |region| region.increment_with(key, delta, &options))
    }

    /// Reads, computes and writes as one operation: `f` gets the value or None, and returns the new
    /// one, or None to leave the entry as it is. It is called again when another write came first.
    fn compute(
        &self,
        py: Python<'_>,
        key: Bytes<'_, '_>,
        f: &Bound<'_, PyAny>,
    ) -> Result<Option<Outcome>> {
        let mut raised = None;
        let done = self.region.update(&key, |old| {
            let computed = f.call1((old.map(|old| PyBytes::new(py, old)),)).and_then(|new| {
                let new: Option<Bytes<'_, '_>> = new.extract()?;
                Ok(new.map(|new| new.to_vec()))
            });
            computed.unwrap_or_else(|error| {
                raised = Some(error);
                None
            })
        });
        match raised {
            Some(error) => Err(Failure::Python(error)),
            None => Ok(done?.map(Outcome::from)),
        }
    }
}

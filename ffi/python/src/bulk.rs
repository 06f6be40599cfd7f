//! Operations on many keys.

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::bytes::Bytes;
use crate::entry::options;
use crate::failure::{Result, bulk_exception, exception};
use crate::region::Region;
use crate::results::Outcome;
use crate::time::Seconds;

/// Copies of the values of many keys, in one buffer.
#[pyclass(frozen, sequence, module = "vug")]
#[derive(Debug)]
pub(crate) struct Values {
    values: vug::Values,
}

#[pymethods]
impl Values {
    fn __len__(&self) -> usize {
        self.values.len()
    }

    /// The value of a key by its number, from the end if that is negative; None if it had none.
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: isize,
    ) -> Result<Option<Bound<'py, PyBytes>>> {
        let len = self.values.len();
        let behind = if index < 0 { len } else { 0 };
        let number = behind.wrapping_add_signed(index);
        if number >= len {
            return Err(PyIndexError::new_err("there were fewer keys").into());
        }
        Ok(self.values.get(number).map(|value| PyBytes::new(py, value)))
    }
}

#[pymethods]
impl Region {
    /// The values of many keys: bytes, or None.
    fn get_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyList>> {
        let objects = objects(keys)?;
        let keys = all(&objects)?;
        let mut values = Vec::with_capacity(keys.len());
        self.region.get_many(&lent(&keys), |_, entry| {
            values.push(entry.map(|entry| PyBytes::new(py, entry.value)));
        })?;
        Ok(PyList::new(py, values)?)
    }

    /// The same in one buffer: objects are made of those values only that are looked at.
    fn gather(&self, keys: &Bound<'_, PyAny>) -> Result<Values> {
        let objects = objects(keys)?;
        let keys = all(&objects)?;
        let mut values = vug::Values::new();
        self.region.get_many_into(&lent(&keys), &mut values)?;
        Ok(Values { values })
    }

    /// Puts the items of a mapping, or pairs. Raises BulkFailed, with a result for each key, if
    /// some failed.
    #[pyo3(signature = (entries, *, ttl=None, ack_within=None))]
    fn put_all(
        &self,
        py: Python<'_>,
        entries: &Bound<'_, PyAny>,
        ttl: Option<Seconds>,
        ack_within: Option<Seconds>,
    ) -> Result<Vec<Outcome>> {
        let bulk = self.put_entries(py, entries, &options(ttl, ack_within))?;
        finished(py, bulk, |outcome, departed| Outcome::of_many(*outcome, departed))
    }

    /// The same, as a mapping has it: without results.
    #[pyo3(signature = (other, /))]
    fn update(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> Result<()> {
        let bulk = self.put_entries(py, other, &vug::WriteOptions::default())?;
        if bulk.failures().next().is_none() && bulk.acknowledged.is_ok() {
            return Ok(());
        }
        finished(py, bulk, |outcome, departed| Outcome::of_many(*outcome, departed)).map(drop)
    }

    /// Removes many keys: an outcome for each, None for those that were absent.
    #[pyo3(signature = (keys, *, ack_within=None))]
    fn remove_all(
        &self,
        py: Python<'_>,
        keys: &Bound<'_, PyAny>,
        ack_within: Option<Seconds>,
    ) -> Result<Vec<Option<Outcome>>> {
        let objects = objects(keys)?;
        let keys = all(&objects)?;
        let lent = lent(&keys);
        let options = options(None, ack_within);
        let bulk = self.write(py, |region| region.remove_all_with(&lent, &options))?;
        finished(py, bulk, |removed, departed| removed.map(|done| Outcome::of_many(done, departed)))
    }
}

impl Region {
    fn put_entries<'py>(
        &self,
        py: Python<'py>,
        entries: &Bound<'py, PyAny>,
        options: &vug::WriteOptions,
    ) -> Result<vug::Bulk<vug::Outcome>> {
        let items = match entries.cast::<PyDict>() {
            Ok(entries) => entries.items().into_any(),
            Err(_) if entries.hasattr("keys")? => entries.call_method0("items")?,
            Err(_) => entries.clone(),
        };
        let mut owned = Vec::new();
        for pair in items.try_iter()? {
            let (key, value) = pair?.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>)>()?;
            owned.push((bytes(&key)?, bytes(&value)?));
        }
        let lent: Vec<(&[u8], &[u8])> =
            owned.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())).collect();
        self.write(py, |region| region.put_all_with(&lent, options))
    }
}

/// The keys of a collection, which itself may change while they are in use.
fn objects<'py>(keys: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    match keys.cast::<PyList>() {
        Ok(list) => Ok(list.to_tuple()),
        Err(_) if keys.is_exact_instance_of::<PyTuple>() => Ok(keys.clone().cast_into()?),
        Err(_) => PyTuple::new(keys.py(), keys.try_iter()?.collect::<PyResult<Vec<_>>>()?),
    }
}

fn all<'a, 'py>(objects: &'a Bound<'py, PyTuple>) -> PyResult<Vec<Bytes<'a, 'py>>> {
    objects.iter_borrowed().map(|object| object.extract()).collect()
}

/// Where the bytes are, found out once.
fn lent<'a>(keys: &'a [Bytes<'_, '_>]) -> Vec<&'a [u8]> {
    keys.iter().map(AsRef::as_ref).collect()
}

fn bytes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(match object.extract()? {
        Bytes::Lent(bytes) => bytes.to_owned(),
        Bytes::Copied(bytes) => bytes,
    })
}

/// The results if all keys are done; else an exception that has them.
fn finished<'py, T, R: IntoPyObject<'py>>(
    py: Python<'py>,
    bulk: vug::Bulk<T>,
    show: impl Fn(&T, vug::Departed) -> R,
) -> Result<Vec<R>>
where
    PyErr: From<R::Error>,
{
    if bulk.failures().next().is_none() && bulk.acknowledged.is_ok() {
        let departed = bulk.departed;
        let done = bulk.all()?;
        return Ok(done.iter().map(|done| show(done, departed)).collect());
    }
    let results = PyList::empty(py);
    for result in &bulk.results {
        match result {
            Ok(done) => results.append(show(done, bulk.departed))?,
            Err(error) => results.append(exception(py, error)?)?,
        }
    }
    match bulk.all() {
        Ok(_) => Ok(Vec::new()),
        Err(error) => Err(bulk_exception(py, &error, results.into_any())),
    }
}

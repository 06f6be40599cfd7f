//! Regions as mutable mappings of bytes.
//!
//! The mapping consists of the entries that have a value: an invalid entry is no item of it, and
//! only `len` counts it.

use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::bytes::Bytes;
use crate::failure::{Failure, Result};
use crate::iter::{RegionIter, What};
use crate::options;

/// A map of byte keys to byte values, shared by the processes of a node.
#[pyclass(frozen, mapping, weakref, module = "vug")]
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) region: vug::Region,
    /// Writes wait for other nodes.
    waits: bool,
    /// Reads of what is not here ask other nodes.
    asks: bool,
}

impl From<vug::Region> for Region {
    fn from(region: vug::Region) -> Self {
        let vug::Attributes { scope, data_policy, .. } = region.attributes();
        let whole = [vug::DataPolicy::Replicate, vug::DataPolicy::PersistentReplicate];
        let asks = scope.is_distributed() && !whole.contains(&data_policy);
        Self { region, waits: scope == vug::Scope::DistributedAck, asks }
    }
}

impl Region {
    /// A write, without the interpreter where it waits for other nodes.
    #[inline]
    pub(crate) fn write<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&vug::Region) -> vug::Result<T> + Send,
    ) -> Result<T> {
        let done = if self.waits { py.detach(|| f(&self.region)) } else { f(&self.region) };
        done.map_err(Failure::Vug)
    }

    /// The value of a key.
    #[inline]
    fn find<'py>(&self, py: Python<'py>, key: &[u8]) -> Result<Option<Bound<'py, PyBytes>>> {
        if self.asks {
            return self.ask(py, key, &vug::ReadOptions::default());
        }
        Ok(self.region.get(key)?.map(|guard| PyBytes::new(py, &guard)))
    }

    /// The same without the interpreter, since other nodes may be asked; copied once more for that.
    #[cold]
    pub(crate) fn ask<'py>(
        &self,
        py: Python<'py>,
        key: &[u8],
        options: &vug::ReadOptions,
    ) -> Result<Option<Bound<'py, PyBytes>>> {
        let copy = || Ok(self.region.get_with(key, options)?.map(|guard| guard.to_vec()));
        let found: vug::Result<Option<Vec<u8>>> = py.detach(copy);
        Ok(found?.map(|value| PyBytes::new(py, &value)))
    }

    #[cold]
    fn missing(&self) -> Failure {
        vug::Error::EntryNotFound { region: self.region.name().into() }.into()
    }

    /// The value, which goes at the same moment.
    fn take<'py>(&self, py: Python<'py>, key: &[u8]) -> Result<Option<Bound<'py, PyBytes>>> {
        loop {
            let (value, token) = match self.region.get(key)? {
                Some(guard) => (PyBytes::new(py, &guard), guard.token()),
                None => return Ok(None),
            };
            let removed = self.write(py, |region| region.remove_if(key, token))?;
            if let vug::Swap::Swapped(_) = removed {
                return Ok(Some(value));
            }
        }
    }
}

#[pymethods]
impl Region {
    #[inline]
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        key: Bytes<'_, 'py>,
    ) -> Result<Bound<'py, PyBytes>> {
        self.find(py, &key)?.ok_or_else(|| self.missing())
    }

    #[inline]
    fn __setitem__(&self, py: Python<'_>, key: Bytes<'_, '_>, value: Bytes<'_, '_>) -> Result<()> {
        let (key, value): (&[u8], &[u8]) = (&key, &value);
        self.write(py, |region| region.put(key, value)).map(drop)
    }

    fn __delitem__(&self, py: Python<'_>, key: Bytes<'_, '_>) -> Result<()> {
        let key: &[u8] = &key;
        self.write(py, |region| region.destroy(key)).map(drop)
    }

    fn __contains__(&self, key: Bytes<'_, '_>) -> Result<bool> {
        Ok(self.region.contains_value_for_key(&key)?)
    }

    fn __len__(&self) -> Result<usize> {
        Ok(self.region.len()? as usize)
    }

    fn __iter__(&self) -> RegionIter {
        RegionIter::new(&self.region, What::Keys)
    }

    #[pyo3(signature = (key, default=None, /))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: Bytes<'_, 'py>,
        default: Option<Bound<'py, PyAny>>,
    ) -> Result<Option<Bound<'py, PyAny>>> {
        Ok(self.find(py, &key)?.map(Bound::into_any).or(default))
    }

    /// As `dict.pop`, at one instant.
    #[pyo3(signature = (key, *default))]
    fn pop<'py>(
        &self,
        py: Python<'py>,
        key: Bytes<'_, 'py>,
        default: &Bound<'py, PyTuple>,
    ) -> Result<Bound<'py, PyAny>> {
        if default.len() > 1 {
            return Err(PyTypeError::new_err("pop takes a key and at most one default").into());
        }
        match self.take(py, &key)? {
            Some(value) => Ok(value.into_any()),
            None if default.is_empty() => Err(self.missing()),
            None => Ok(default.get_item(0)?),
        }
    }

    /// Some item, which goes at the same moment.
    fn popitem<'py>(&self, py: Python<'py>) -> Result<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        for entry in self.region.iter() {
            let key = entry?.key;
            if let Some(value) = self.take(py, &key)? {
                return Ok((PyBytes::new(py, &key), value));
            }
        }
        Err(self.missing())
    }

    #[pyo3(signature = (key, default, /))]
    fn setdefault<'py>(
        &self,
        py: Python<'py>,
        key: Bytes<'_, 'py>,
        default: Bytes<'_, 'py>,
    ) -> Result<Option<Bound<'py, PyBytes>>> {
        let (key, value): (&[u8], &[u8]) = (&key, &default);
        Ok(match self.write(py, |region| region.put_if_absent(key, value))? {
            vug::PutIfAbsent::Created(_) => Some(PyBytes::new(py, value)),
            vug::PutIfAbsent::Present { value, .. } => value.map(|value| PyBytes::new(py, &value)),
        })
    }

    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        view_of(slf, "KeysView")
    }

    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        view_of(slf, "ValuesView")
    }

    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        view_of(slf, "ItemsView")
    }

    fn iter_values(&self) -> RegionIter {
        RegionIter::new(&self.region, What::Values)
    }

    fn iter_items(&self) -> RegionIter {
        RegionIter::new(&self.region, What::Items)
    }

    /// All keys that are present, with a value or without.
    fn all_keys(&self) -> RegionIter {
        RegionIter::new(&self.region, What::AllKeys)
    }

    fn clear(&self, py: Python<'_>) -> Result<()> {
        Ok(py.detach(|| self.region.clear())?)
    }

    fn local_clear(&self, py: Python<'_>) -> Result<()> {
        Ok(py.detach(|| self.region.local_clear())?)
    }

    fn invalidate_region(&self, py: Python<'_>) -> Result<()> {
        Ok(py.detach(|| self.region.invalidate_region())?)
    }

    fn local_invalidate_region(&self, py: Python<'_>) -> Result<()> {
        Ok(py.detach(|| self.region.local_invalidate_region())?)
    }

    fn destroy_region(&self, py: Python<'_>) -> Result<()> {
        Ok(py.detach(|| self.region.destroy_region())?)
    }

    fn local_destroy_region(&self, py: Python<'_>) -> Result<()> {
        Ok(py.detach(|| self.region.local_destroy_region())?)
    }

    fn close(&self) -> Result<()> {
        Ok(self.region.close()?)
    }

    #[getter]
    fn name(&self) -> &str {
        self.region.name()
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.region.path().to_owned()
    }

    #[getter]
    fn incarnation(&self) -> u64 {
        self.region.incarnation()
    }

    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        options::show(py, &self.region.attributes())
    }

    fn set_entry_ttl(&self, ttl: &Bound<'_, PyAny>) -> Result<()> {
        Ok(self.region.set_entry_ttl(options::expiry(ttl)?)?)
    }

    fn set_entry_idle(&self, idle: &Bound<'_, PyAny>) -> Result<()> {
        Ok(self.region.set_entry_idle(options::expiry(idle)?)?)
    }

    fn set_max_entries(&self, entries: u64) -> Result<()> {
        Ok(self.region.set_max_entries(entries)?)
    }

    fn max_value_len(&self, key_len: usize) -> usize {
        self.region.max_value_len(key_len)
    }

    /// Takes out expired entries; how many.
    #[pyo3(signature = (budget=None))]
    fn sweep(&self, py: Python<'_>, budget: Option<usize>) -> Result<u64> {
        Ok(py.detach(|| self.region.sweep(budget.unwrap_or(usize::MAX)))?.expired)
    }

    /// Recovers what dead members left.
    fn recover(&self, py: Python<'_>) -> Result<()> {
        Ok(py.detach(|| self.region.recover()).map(drop)?)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (PathBuf, String))> {
        let region = &slf.get().region;
        let reopen = slf.py().import("vug._vug")?.getattr("reopen_region")?;
        let home = region.path().parent().map(ToOwned::to_owned).unwrap_or_default();
        Ok((reopen, (home, region.name().to_owned())))
    }

    fn __repr__(&self) -> String {
        format!("<vug.Region {:?} in {}>", self.region.name(), self.region.path().display())
    }
}

/// A class of `vug._views` on a region.
fn view_of<'py>(region: &Bound<'py, Region>, class: &str) -> PyResult<Bound<'py, PyAny>> {
    static VIEWS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let py = region.py();
    let views = VIEWS.get_or_try_init(py, || py.import("vug._views").map(Bound::unbind))?;
    views.bind(py).getattr(class)?.call1((region,))
}

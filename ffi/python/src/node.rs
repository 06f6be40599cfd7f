//! The node: a home directory with regions.

use std::path::PathBuf;
use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::failure::{Result, closed, poisoned};
use crate::iter::names;
use crate::options;
use crate::region::Region;
use crate::time::timestamp;

/// Opens the node in a home directory, and joins its members.
#[pyfunction]
#[pyo3(signature = (home=None))]
pub(crate) fn open(home: Option<PathBuf>) -> Result<Node> {
    let node = match home {
        Some(home) => vug::Node::open(home)?,
        None => vug::Node::open_default()?,
    };
    Ok(Node { node: Mutex::new(Some(node)) })
}

/// The home directory that `open()` uses.
#[pyfunction]
pub(crate) fn default_home() -> PathBuf {
    vug::Node::default_home()
}

/// A region that was pickled by another process: opened through a node of this process.
#[pyfunction]
pub(crate) fn reopen_region(home: PathBuf, name: &str) -> Result<Region> {
    static NODES: Mutex<Vec<vug::Node>> = Mutex::new(Vec::new());
    // A forked child may have inherited the lock from another thread: it is never held for long,
    // and if it was at that moment, the child makes a node that only this region keeps.
    let Ok(mut nodes) = NODES.try_lock() else {
        return Ok(vug::Node::open(home)?.region(name).open()?.into());
    };
    let known = nodes.iter().position(|node| node.home() == home);
    let node = match known {
        Some(index) => nodes[index].reopen_after_fork()?,
        None => vug::Node::open(&home)?,
    };
    match known {
        Some(index) => nodes[index] = node.clone(),
        None => nodes.push(node.clone()),
    }
    Ok(node.region(name).open()?.into())
}

/// A home directory with its regions, by name.
#[pyclass(frozen, mapping, module = "vug")]
#[derive(Debug)]
pub(crate) struct Node {
    /// None: closed.
    node: Mutex<Option<vug::Node>>,
}

impl Node {
    fn node(&self) -> Result<vug::Node> {
        let node = self.node.lock().map_err(|_| poisoned())?;
        node.clone().ok_or_else(|| closed("node"))
    }
}

#[pymethods]
impl Node {
    fn __getitem__(&self, name: &str) -> Result<Region> {
        Ok(self.node()?.region(name).open_or_create()?.into())
    }

    fn __delitem__(&self, name: &str) -> Result<()> {
        Ok(self.node()?.remove_region(name)?)
    }

    fn __contains__(&self, name: &str) -> Result<bool> {
        Ok(self.node()?.regions()?.iter().any(|known| known == name))
    }

    fn __len__(&self) -> Result<usize> {
        Ok(self.node()?.regions()?.len())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(names(py, self.node()?.regions()?)?)
    }

    fn regions(&self) -> Result<Vec<String>> {
        Ok(self.node()?.regions()?)
    }

    #[pyo3(signature = (name, **attributes))]
    fn region(&self, name: &str, attributes: Option<&Bound<'_, PyDict>>) -> Result<Region> {
        let node = self.node()?;
        Ok(options::apply(node.region(name), attributes)?.open_or_create()?.into())
    }

    #[pyo3(signature = (name, **attributes))]
    fn open(&self, name: &str, attributes: Option<&Bound<'_, PyDict>>) -> Result<Region> {
        let node = self.node()?;
        Ok(options::apply(node.region(name), attributes)?.open()?.into())
    }

    #[pyo3(signature = (name, **attributes))]
    fn create(&self, name: &str, attributes: Option<&Bound<'_, PyDict>>) -> Result<Region> {
        let node = self.node()?;
        Ok(options::apply(node.region(name), attributes)?.create()?.into())
    }

    fn remove_region(&self, name: &str) -> Result<()> {
        self.__delitem__(name)
    }

    #[getter]
    fn home(&self) -> Result<PathBuf> {
        Ok(self.node()?.home().to_owned())
    }

    #[getter]
    fn id(&self) -> Result<u128> {
        Ok(self.node()?.id())
    }

    #[getter]
    fn origin(&self) -> Result<u16> {
        Ok(self.node()?.origin())
    }

    fn members<'py>(&self, py: Python<'py>) -> Result<Vec<Bound<'py, PyDict>>> {
        let shown = self.node()?.members().into_iter().map(|member| {
            let all = PyDict::new(py);
            all.set_item("slot", member.slot)?;
            all.set_item("id", member.id)?;
            all.set_item("pid", member.pid)?;
            all.set_item("program", member.program)?;
            all.set_item("joined", timestamp(member.joined))?;
            all.set_item("alive", member.alive)?;
            all.set_item("myself", member.myself)?;
            Ok(all)
        });
        Ok(shown.collect::<PyResult<Vec<_>>>()?)
    }

    /// Recovers every dead member.
    fn recover(&self, py: Python<'_>) -> Result<()> {
        let node = self.node()?;
        Ok(py.detach(|| node.recover()).map(drop)?)
    }

    /// For a forked child: joins the node as a member of its own.
    fn reopen_after_fork(&self) -> Result<Self> {
        let node = self.node()?.reopen_after_fork()?;
        Ok(Self { node: Mutex::new(Some(node)) })
    }

    fn close(&self) -> Result<()> {
        drop(self.node.lock().map_err(|_| poisoned())?.take());
        Ok(())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _raised: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> Result<()> {
        self.close()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (PathBuf,))> {
        let open = slf.py().import("vug")?.getattr("open")?;
        Ok((open, (slf.get().home()?,)))
    }

    fn __repr__(&self) -> String {
        match self.home() {
            Ok(home) => format!("<vug.Node {}>", home.display()),
            Err(_) => "<vug.Node, closed>".into(),
        }
    }
}

//! Handles of keys that are read often.
//!
//! A handle of the library belongs to a thread. One of Python may be used by all: each thread that
//! uses it keeps a handle of the library for it, and throws those away whose Python object is gone
//! when it makes another, or ends.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::failure::Result;
use crate::results::Token;

/// What a thread has for a handle.
struct Local {
    owner: Weak<()>,
    handle: vug::Handle,
}

thread_local! {
    static LOCAL: RefCell<HashMap<u64, Local>> = RefCell::default();
}

/// A key that was looked up once, and is read again without hash, probe or comparison.
#[pyclass(frozen, module = "vug")]
#[derive(Debug)]
pub(crate) struct Handle {
    region: vug::Region,
    key: Box<[u8]>,
    number: u64,
    alive: Arc<()>,
}

impl Handle {
    pub(crate) fn new(region: &vug::Region, key: &[u8]) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let made = Self { region: region.clone(), key: key.into(), number, alive: Arc::new(()) };
        made.with(|handle| handle.token())?;
        Ok(made)
    }

    /// `f` must not run Python code.
    fn with<T>(&self, f: impl FnOnce(&vug::Handle) -> vug::Result<T>) -> Result<T> {
        LOCAL.with_borrow_mut(|local| {
            if !local.contains_key(&self.number) {
                local.retain(|_, local| local.owner.strong_count() != 0);
                let handle = self.region.handle(&self.key)?;
                let owner = Arc::downgrade(&self.alive);
                local.insert(self.number, Local { owner, handle });
            }
            Ok(f(&local[&self.number].handle)?)
        })
    }
}

#[pymethods]
impl Handle {
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.key)
    }

    fn get<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyBytes>>> {
        self.with(|handle| Ok(handle.get()?.map(|guard| PyBytes::new(py, &guard))))
    }

    fn token(&self) -> Result<Option<Token>> {
        Ok(self.with(vug::Handle::token)?.map(Token::from))
    }

    fn __repr__(&self) -> String {
        format!("<vug.Handle of a key of {} bytes in {:?}>", self.key.len(), self.region.name())
    }
}

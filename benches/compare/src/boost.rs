//! Boost.Interprocess, where it was compiled in.

use std::ffi::{CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vug_bench::{Load, Peer, Store, key, scratch};

/// An unordered map in a mapped file, under one shared mutex.
#[derive(Debug)]
pub struct Boost;

#[cfg(boost)]
unsafe extern "C" {
    fn vug_compare_boost_create(path: *const c_char, bytes: usize, entries: usize) -> *mut c_void;
    fn vug_compare_boost_open(path: *const c_char) -> *mut c_void;
    fn vug_compare_boost_close(store: *mut c_void);
    fn vug_compare_boost_get(
        store: *mut c_void,
        key: *const u8,
        value: *mut u8,
        len: usize,
    ) -> bool;
    fn vug_compare_boost_put(
        store: *mut c_void,
        key: *const u8,
        value: *const u8,
        len: usize,
    ) -> bool;
}

impl Peer for Boost {
    fn name(&self) -> &'static str {
        "Boost.Interprocess"
    }

    fn configuration(&self) -> &'static str {
        "`unordered_map` of vectors in a mapped file, one sharable mutex, reserved; in place"
    }

    #[cfg(boost)]
    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let home = scratch()?;
        let path = home.path().join("boost");
        // Node, bucket, vector and heap headers take less than 192 bytes an entry.
        let bytes = (load.bytes() + u64::from(load.entries) * 192 + (1 << 20)) as usize;
        let name = c_string(&path)?;
        // SAFETY: the name ends with a zero byte.
        let map = unsafe { vug_compare_boost_create(name.as_ptr(), bytes, load.entries as usize) };
        Map::opened(map, path, Some(home))
    }

    #[cfg(boost)]
    fn open(&self, place: &Path, _: Load) -> Result<Box<dyn Store>, String> {
        let name = c_string(place)?;
        // SAFETY: the name ends with a zero byte.
        let map = unsafe { vug_compare_boost_open(name.as_ptr()) };
        Map::opened(map, place.into(), None)
    }

    #[cfg(not(boost))]
    fn create(&self, _: Load) -> Result<Box<dyn Store>, String> {
        Err("not compiled in: Debian's package libboost-dev was not there".into())
    }

    #[cfg(not(boost))]
    fn open(&self, _: &Path, _: Load) -> Result<Box<dyn Store>, String> {
        Err("not compiled in".into())
    }
}

#[cfg(boost)]
fn c_string(path: &Path) -> Result<CString, String> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())
}

#[cfg(boost)]
#[derive(Debug)]
struct Map {
    store: *mut c_void,
    path: PathBuf,
    _home: Option<TempDir>,
}

#[cfg(boost)]
impl Map {
    fn opened(
        store: *mut c_void,
        path: PathBuf,
        home: Option<TempDir>,
    ) -> Result<Box<dyn Store>, String> {
        if store.is_null() {
            return Err("the map in the file does not open".into());
        }
        Ok(Box::new(Map { store, path, _home: home }))
    }
}

#[cfg(boost)]
impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: open until now.
        unsafe { vug_compare_boost_close(self.store) };
    }
}

#[cfg(boost)]
impl Store for Map {
    fn name(&self) -> &'static str {
        Boost.name()
    }

    fn place(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        let key = key(n);
        let (into, len) = (value.as_mut_ptr(), value.len());
        // SAFETY: the store is open, keys have 16 bytes, and the buffer has room for `len`.
        unsafe { vug_compare_boost_get(self.store, key.as_ptr(), into, len) }
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        let key = key(n);
        let (from, len) = (value.as_ptr(), value.len());
        // SAFETY: the store is open, keys have 16 bytes, and the value has `len`.
        let stored = unsafe { vug_compare_boost_put(self.store, key.as_ptr(), from, len) };
        if stored { Ok(()) } else { Err("Boost's segment is full".into()) }
    }
}

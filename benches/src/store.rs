//! The stores that are compared.

use crate::workload::{KEY_LEN, Load, key, mix};
use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::Path;
use tempfile::TempDir;
use vug::{Node, Region};

/// A map from entry numbers to values of one length.
pub trait Store {
    /// Name in tables.
    fn name(&self) -> &'static str;

    /// Copies the value of entry `n` into `value`; false if there is none.
    fn get(&self, n: u32, value: &mut [u8]) -> bool;

    /// Stores a copy of `value` as entry `n`.
    fn put(&self, n: u32, value: &[u8]);

    /// Stores all entries of a load.
    fn fill(&self, load: Load) {
        let mut value = vec![0; load.value_len];
        for n in 0..load.entries {
            value[..4].copy_from_slice(&n.to_le_bytes());
            self.put(n, &value);
        }
    }
}

/// A vug region.
#[derive(Debug)]
pub struct Shared {
    region: Region,
    node: Node,
    /// Present in the process that made the region.
    home: Option<TempDir>,
}

impl Shared {
    /// A new region in a temporary home directory, with room for the load and four laps of
    /// overwrites.
    ///
    /// # Panics
    /// When the region cannot be made.
    pub fn create(load: Load) -> Shared {
        let home = tempfile::Builder::new().prefix("vug-bench-").tempdir_in("/dev/shm");
        let home = home.expect("/dev/shm takes a directory");
        let node = Node::open(home.path()).expect("a fresh home directory opens");
        // Header, padding and index take at most 96 bytes an entry.
        let live = load.bytes() + u64::from(load.entries) * 96;
        let builder = node.region("bench").max_bytes((5 * live).max(64 << 20));
        let region = builder.create().expect("a new region");
        Shared { region, node, home: Some(home) }
    }

    /// The region of another process.
    ///
    /// # Panics
    /// When there is none.
    pub fn open(home: &Path) -> Shared {
        let node = Node::open(home).expect("the home directory of the bench");
        let region = node.region("bench").open().expect("the region of the bench");
        Shared { region, node, home: None }
    }

    /// Where the region is.
    pub fn home(&self) -> &Path {
        self.home.as_ref().map_or(self.node.home(), TempDir::path)
    }
}

impl Store for Shared {
    fn name(&self) -> &'static str {
        "vug"
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        match self.region.get(&key(n)) {
            Ok(Some(guard)) => {
                value.copy_from_slice(&guard);
                true
            }
            Ok(None) => false,
            Err(error) => panic!("get: {error}"),
        }
    }

    fn put(&self, n: u32, value: &[u8]) {
        if let Err(error) = self.region.put(&key(n), value) {
            panic!("put: {error}");
        }
    }
}

/// The concurrent map papaya, with a hash function as cheap as the keys allow.
#[derive(Default)]
pub struct InProcess {
    map: papaya::HashMap<[u8; KEY_LEN], Box<[u8]>, BuildHasherDefault<Mixer>>,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InProcess({} entries)", self.map.len())
    }
}

impl Store for InProcess {
    fn name(&self) -> &'static str {
        "papaya"
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        let found = self.map.pin().get(&key(n)).map(|stored| value.copy_from_slice(stored));
        found.is_some()
    }

    fn put(&self, n: u32, value: &[u8]) {
        self.map.pin().insert(key(n), value.into());
    }
}

/// No map at all: an array that is copied from and to.
#[derive(Debug)]
pub struct Flat {
    values: RefCell<Vec<u8>>,
    value_len: usize,
}

impl Flat {
    /// Room for a load.
    pub fn new(load: Load) -> Flat {
        let len = load.entries as usize * load.value_len;
        Flat { values: RefCell::new(vec![0; len]), value_len: load.value_len }
    }
}

impl Store for Flat {
    fn name(&self) -> &'static str {
        "memcpy"
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        let start = n as usize * self.value_len;
        let values = self.values.borrow();
        let stored = values.get(start..start + self.value_len);
        stored.map(|stored| value.copy_from_slice(stored)).is_some()
    }

    fn put(&self, n: u32, value: &[u8]) {
        let start = n as usize * self.value_len;
        self.values.borrow_mut()[start..start + self.value_len].copy_from_slice(value);
    }
}

/// Two multiplications per key.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = mix(self.0.rotate_left(5) ^ u64::from_le_bytes(word));
        }
    }

    // The length of a key is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

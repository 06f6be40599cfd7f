//! The stores that are compared.

use crate::mapping::scratch;
use crate::pages::Mappings;
use crate::peer::Peer;
use crate::workload::{KEY_LEN, Load, Work, key, mix};
use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
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
    ///
    /// # Errors
    /// Why not, in words.
    fn put(&self, n: u32, value: &[u8]) -> Result<(), String>;

    /// Where other processes find it; none if they cannot.
    fn place(&self) -> Option<&Path> {
        None
    }

    /// Which mappings of a process are the store's.
    fn mappings(&self) -> Mappings<'_> {
        self.place().map_or(Mappings::Anonymous, Mappings::Of)
    }

    /// Stores all entries of a load.
    ///
    /// # Errors
    /// The first of [`Store::put`].
    fn fill(&self, load: Load) -> Result<(), String> {
        let mut value = vec![0; load.value_len];
        for n in 0..load.entries {
            value[..4].copy_from_slice(&n.to_le_bytes());
            self.put(n, &value)?;
        }
        Ok(())
    }

    /// Does one operation after the other. A method, so that the loop is compiled for each store
    /// and calls nothing through a pointer.
    ///
    /// # Errors
    /// The first of [`Store::put`].
    fn run(
        &self,
        work: Work,
        load: Load,
        requests: &[u32],
        value: &mut [u8],
    ) -> Result<(), String> {
        match work {
            Work::Get => {
                for &n in requests {
                    black_box(self.get(n, value));
                }
            }
            Work::Put => {
                for &n in requests {
                    self.put(n, black_box(value))?;
                }
            }
            Work::Miss => {
                for &n in requests {
                    black_box(self.get(n + load.entries, value));
                }
            }
            Work::Mixed => {
                for (at, &n) in (0u64..).zip(requests) {
                    if mix(at ^ u64::from(n)) & 1 == 0 {
                        black_box(self.get(n, value));
                    } else {
                        self.put(n, black_box(value))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Makes and opens vug regions.
#[derive(Debug)]
pub struct Vug;

impl Peer for Vug {
    fn name(&self) -> &'static str {
        "vug"
    }

    fn configuration(&self) -> &'static str {
        "a region of three times what the entries take, in /dev/shm; it may evict nothing"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        Ok(Box::new(Shared::create(load)))
    }

    fn open(&self, place: &Path, _: Load) -> Result<Box<dyn Store>, String> {
        Ok(Box::new(Shared::open(place)))
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
    /// A new region in a temporary home directory, of three times what the load takes.
    ///
    /// # Panics
    /// When the region cannot be made.
    pub fn create(load: Load) -> Shared {
        // Header and index take less than 64 bytes an entry.
        let live = load.bytes() + u64::from(load.entries) * 64;
        Shared::create_with((3 * live).max(64 << 20))
    }

    /// A new region of a given size.
    ///
    /// # Panics
    /// When the region cannot be made.
    pub fn create_with(max_bytes: u64) -> Shared {
        let home = scratch().expect("/dev/shm takes a directory");
        let node = Node::open(home.path()).expect("a fresh home directory opens");
        let builder = node.region("bench").max_bytes(max_bytes);
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

    /// The region itself.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Where the region is.
    pub fn home(&self) -> &Path {
        self.home.as_ref().map_or(self.node.home(), TempDir::path)
    }
}

impl Store for Shared {
    fn name(&self) -> &'static str {
        Vug.name()
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        match self.region.read(&key(n), value) {
            Ok(found) => found.is_some(),
            Err(error) => panic!("get: {error}"),
        }
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        self.region.put(&key(n), value).map(|_| ()).map_err(|error| error.to_string())
    }

    fn place(&self) -> Option<&Path> {
        Some(self.home())
    }
}

/// Makes maps inside this process.
#[derive(Debug)]
pub struct Papaya;

impl Peer for Papaya {
    fn name(&self) -> &'static str {
        "papaya"
    }

    fn configuration(&self) -> &'static str {
        "lock-free map; values in boxes of their own, a new one for each overwrite"
    }

    fn create(&self, _: Load) -> Result<Box<dyn Store>, String> {
        Ok(Box::new(InProcess::default()))
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
        Papaya.name()
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        let found = self.map.pin().get(&key(n)).map(|stored| value.copy_from_slice(stored));
        found.is_some()
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        self.map.pin().insert(key(n), value.into());
        Ok(())
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

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        let start = n as usize * self.value_len;
        self.values.borrow_mut()[start..start + self.value_len].copy_from_slice(value);
        Ok(())
    }
}

/// The hash function of all maps inside the process: two multiplications per key.
#[derive(Debug, Default)]
pub struct Mixer(u64);

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

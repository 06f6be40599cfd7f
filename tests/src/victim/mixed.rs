//! What survivors do: mixed operations on keys of their own, compared with a plain map.

use super::oracle::encode;
use std::collections::HashMap;
use vug::{Error, Region, Swap};

/// Keys a survivor uses in one region.
const KEYS: u64 = 48;

/// One survivor in one region.
#[derive(Debug)]
pub struct Mixed {
    region: Region,
    name: String,
    random: u64,
    model: HashMap<u64, Vec<u8>>,
    /// Others may have filled the region: then a write is refused and changes nothing.
    may_be_full: bool,
}

impl Mixed {
    /// A survivor whose keys begin with `name`.
    pub fn new(region: &Region, name: &str) -> Mixed {
        Mixed {
            region: region.clone(),
            name: name.to_owned(),
            random: 0x9e37_79b9_7f4a_7c15,
            model: HashMap::new(),
            may_be_full: false,
        }
    }

    /// The same in a region that may be full.
    pub fn crowded(region: &Region, name: &str) -> Mixed {
        Mixed { may_be_full: true, ..Mixed::new(region, name) }
    }

    /// The result of a write; `None` if it was refused for want of memory, where that is right.
    fn done<T>(&self, result: vug::Result<T>) -> Option<T> {
        match result {
            Err(Error::OutOfSpace { .. }) if self.may_be_full => None,
            other => Some(other.expect("a write")),
        }
    }

    fn next(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }

    /// Does `count` operations.
    ///
    /// # Panics
    /// When one fails or the region holds anything else than the map.
    pub fn run(&mut self, count: u64) {
        for _ in 0..count {
            let number = self.next(KEYS);
            let key = format!("{}-{number}", self.name);
            let value = encode(self.random, 8 + self.next(900) as usize);
            match self.next(10) {
                0..3 => self.put(number, key.as_bytes(), value),
                3 => self.create(number, key.as_bytes(), value),
                4 => self.swap(number, key.as_bytes(), value),
                5 => self.remove(number, key.as_bytes()),
                _ => self.compare(number, key.as_bytes()),
            }
        }
    }

    /// Removes all its keys and compares what is left: nothing.
    ///
    /// # Panics
    /// As [`Mixed::run`].
    pub fn leave(mut self) {
        for number in 0..KEYS {
            let key = format!("{}-{number}", self.name);
            self.compare(number, key.as_bytes());
            self.remove(number, key.as_bytes());
            self.compare(number, key.as_bytes());
        }
    }

    fn put(&mut self, number: u64, key: &[u8], value: Vec<u8>) {
        let Some(outcome) = self.done(self.region.put(key, &value)) else { return };
        let before = self.model.insert(number, value);
        assert_eq!(outcome.created, before.is_none(), "put of {number}");
    }

    fn create(&mut self, number: u64, key: &[u8], value: Vec<u8>) {
        match self.region.create(key, &value) {
            Err(Error::EntryExists { .. }) => assert!(self.model.contains_key(&number)),
            other => {
                if self.done(other).is_some() {
                    assert!(self.model.insert(number, value).is_none());
                }
            }
        }
    }

    fn swap(&mut self, number: u64, key: &[u8], value: Vec<u8>) {
        let Some(token) = self.region.token(key).expect("token") else {
            assert!(!self.model.contains_key(&number));
            return;
        };
        let swapped = self.region.compare_and_swap(key, token, &value);
        let Some(swapped) = self.done(swapped) else { return };
        assert!(matches!(swapped, Swap::Swapped(_)), "nobody else has this key");
        assert!(self.model.insert(number, value).is_some());
    }

    fn remove(&mut self, number: u64, key: &[u8]) {
        let removed = self.region.remove(key).expect("remove");
        assert_eq!(removed.is_some(), self.model.remove(&number).is_some());
    }

    fn compare(&mut self, number: u64, key: &[u8]) {
        let found = self.region.get(key).expect("get");
        let expected = self.model.get(&number).map(Vec::as_slice);
        if found.as_deref() != expected {
            let (region, again) = (self.region.name(), self.region.get(key).expect("get"));
            let [found, again, expected] =
                [found.as_deref(), again.as_deref(), expected].map(|value| value.map(brief));
            panic!("{region}: {} {number}: {found:?}, {again:?}, not {expected:?}", self.name);
        }
    }
}

/// Enough of a value to know it by.
fn brief(value: &[u8]) -> (usize, &[u8]) {
    (value.len(), &value[..value.len().min(8)])
}

/// How many entries of about 900 bytes fit into a region before it says that it is full. Removes
/// them again. A region that leaks memory has less than a new one.
///
/// # Panics
/// When an operation fails for another reason.
pub fn capacity(region: &Region) -> u64 {
    let key = |n: u64| format!("capacity-{n}").into_bytes();
    let mut stored = 0;
    loop {
        match region.put(&key(stored), &encode(stored, 900)) {
            Ok(_) => stored += 1,
            Err(Error::OutOfSpace { .. }) => break,
            Err(error) => panic!("put: {error}"),
        }
    }
    for n in 0..stored {
        region.destroy(&key(n)).expect("destroy");
    }
    stored
}

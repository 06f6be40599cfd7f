//! Concurrent maps and caches that live inside one process. They know nothing of a second one, nor
//! do their contents survive the first. All hash with the same function, cheaper than their own.

use std::hash::BuildHasherDefault;
use std::sync::Arc;
use vug_bench::{KEY_LEN, Load, Mixer, Peer, Store, key};

type Key = [u8; KEY_LEN];
type Hash = BuildHasherDefault<Mixer>;

/// Makes maps of dashmap.
#[derive(Debug)]
pub struct DashMap;

/// Makes maps of scc.
#[derive(Debug)]
pub struct Scc;

/// Makes caches of quick_cache.
#[derive(Debug)]
pub struct QuickCache;

/// Makes caches of moka.
#[derive(Debug)]
pub struct Moka;

impl Peer for DashMap {
    fn name(&self) -> &'static str {
        "dashmap"
    }

    fn configuration(&self) -> &'static str {
        "shards under locks, as many as its default; values in boxes, overwritten in place"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let entries = load.entries as usize;
        let map = dashmap::DashMap::with_capacity_and_hasher(entries, Hash::default());
        Ok(Box::new(Sharded(map)))
    }
}

struct Sharded(dashmap::DashMap<Key, Box<[u8]>, Hash>);

impl Store for Sharded {
    fn name(&self) -> &'static str {
        DashMap.name()
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        self.0.get(&key(n)).map(|stored| value.copy_from_slice(&stored)).is_some()
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        match self.0.get_mut(&key(n)) {
            Some(mut stored) => stored.copy_from_slice(value),
            None => drop(self.0.insert(key(n), value.into())),
        }
        Ok(())
    }
}

impl Peer for Scc {
    fn name(&self) -> &'static str {
        "scc"
    }

    fn configuration(&self) -> &'static str {
        "`scc::HashMap`, a lock per bucket; values in boxes, overwritten in place"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let entries = load.entries as usize;
        let map = scc::HashMap::with_capacity_and_hasher(entries, Hash::default());
        Ok(Box::new(Bucketed(map)))
    }
}

struct Bucketed(scc::HashMap<Key, Box<[u8]>, Hash>);

impl Store for Bucketed {
    fn name(&self) -> &'static str {
        Scc.name()
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        self.0.read_sync(&key(n), |_, stored| value.copy_from_slice(stored)).is_some()
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        let updated = self.0.update_sync(&key(n), |_, stored| stored.copy_from_slice(value));
        if updated.is_none() {
            self.0.upsert_sync(key(n), value.into());
        }
        Ok(())
    }
}

impl Peer for QuickCache {
    fn name(&self) -> &'static str {
        "quick_cache"
    }

    fn configuration(&self) -> &'static str {
        "room for twice the entries, so that nothing is evicted; values are `Arc<[u8]>`"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let entries = load.entries as usize;
        let cache = quick_cache::sync::Cache::with(
            entries,
            2 * u64::from(load.entries),
            quick_cache::UnitWeighter,
            Hash::default(),
            quick_cache::sync::DefaultLifecycle::default(),
        );
        Ok(Box::new(Quick(cache)))
    }
}

struct Quick(quick_cache::sync::Cache<Key, Arc<[u8]>, quick_cache::UnitWeighter, Hash>);

impl Store for Quick {
    fn name(&self) -> &'static str {
        QuickCache.name()
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        self.0.get(&key(n)).map(|stored| value.copy_from_slice(&stored)).is_some()
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        self.0.insert(key(n), value.into());
        Ok(())
    }
}

impl Peer for Moka {
    fn name(&self) -> &'static str {
        "moka"
    }

    fn configuration(&self) -> &'static str {
        "`moka::sync::Cache`, room for twice the entries; values are `Arc<[u8]>`"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let cache = moka::sync::Cache::builder()
            .max_capacity(2 * u64::from(load.entries))
            .initial_capacity(load.entries as usize)
            .build_with_hasher(Hash::default());
        Ok(Box::new(Tiny(cache)))
    }
}

struct Tiny(moka::sync::Cache<Key, Arc<[u8]>, Hash>);

impl Store for Tiny {
    fn name(&self) -> &'static str {
        Moka.name()
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        self.0.get(&key(n)).map(|stored| value.copy_from_slice(&stored)).is_some()
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        self.0.insert(key(n), value.into());
        Ok(())
    }
}

//! LMDB without its syncs, on a file system in memory: one transaction an operation.

use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vug_bench::{Load, Peer, Store, key, scratch};

/// Makes and opens the store.
#[derive(Debug)]
pub struct Lmdb;

impl Peer for Lmdb {
    fn name(&self) -> &'static str {
        "LMDB nosync"
    }

    fn configuration(&self) -> &'static str {
        "`NOSYNC NOMETASYNC WRITEMAP` in /dev/shm; one transaction an operation"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let home = scratch()?;
        let path = home.path().to_owned();
        Ok(Box::new(Tree::open(path, load, Some(home)).map_err(|error| error.to_string())?))
    }

    fn open(&self, place: &Path, load: Load) -> Result<Box<dyn Store>, String> {
        Ok(Box::new(Tree::open(place.into(), load, None).map_err(|error| error.to_string())?))
    }
}

struct Tree {
    env: Env,
    entries: Database<Bytes, Bytes>,
    path: PathBuf,
    _home: Option<TempDir>,
}

impl Tree {
    fn open(path: PathBuf, load: Load, home: Option<TempDir>) -> heed::Result<Tree> {
        // Half-full pages of a tree filled at random, and room for the copies of running writes.
        let size = (load.bytes() * 4 + (64 << 20)).next_multiple_of(1 << 20) as usize;
        let flags = EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC | EnvFlags::WRITE_MAP;
        let mut options = EnvOpenOptions::new();
        options.map_size(size);
        // SAFETY: no crash of the machine has to be survived.
        unsafe { options.flags(flags) };
        // SAFETY: a fresh directory, whose files only LMDB changes.
        let env = unsafe { options.open(&path) }?;
        let mut writing = env.write_txn()?;
        let entries = env.create_database(&mut writing, None)?;
        writing.commit()?;
        Ok(Tree { env, entries, path, _home: home })
    }

    fn store(&self, entries: impl Iterator<Item = (u32, Vec<u8>)>) -> heed::Result<()> {
        let mut writing = self.env.write_txn()?;
        for (n, value) in entries {
            self.entries.put(&mut writing, &key(n), &value)?;
        }
        writing.commit()
    }
}

impl Store for Tree {
    fn name(&self) -> &'static str {
        Lmdb.name()
    }

    fn place(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        let reading = self.env.read_txn().expect("a reader slot");
        let found = self.entries.get(&reading, &key(n)).expect("a sound tree");
        found.map(|stored| value.copy_from_slice(stored)).is_some()
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        let put = || {
            let mut writing = self.env.write_txn()?;
            self.entries.put(&mut writing, &key(n), value)?;
            writing.commit()
        };
        put().map_err(|error: heed::Error| error.to_string())
    }

    // In few transactions: filling is not measured.
    fn fill(&self, load: Load) -> Result<(), String> {
        let all = 0..load.entries;
        for start in all.step_by(10_000) {
            let part = start..(start + 10_000).min(load.entries);
            let mut value = vec![0; load.value_len];
            let entries = part.map(|n| {
                value[..4].copy_from_slice(&n.to_le_bytes());
                (n, value.clone())
            });
            self.store(entries).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

//! redb: an embedded database in Rust, open in one process at a time.

use redb::{Database, Durability, ReadableDatabase, TableDefinition};
use std::cell::Cell;
use tempfile::TempDir;
use vug_bench::{KEY_LEN, Load, Peer, Store, key, scratch};

const TABLE: TableDefinition<'_, [u8; KEY_LEN], &[u8]> = TableDefinition::new("bench");

/// Pages that an overwrite frees can be used again only after a durable commit.
const DURABLE_EVERY: u32 = 1000;

/// Makes the database.
#[derive(Debug)]
pub struct Redb;

impl Peer for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn configuration(&self) -> &'static str {
        "file in /dev/shm, all of it cached; one transaction an operation, 1 in 1,000 durable"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let home = scratch()?;
        let path = home.path().join("redb");
        let cache = (load.bytes() * 4 + (64 << 20)) as usize;
        let made = Database::builder().set_cache_size(cache).create(path);
        let database = made.map_err(|error| error.to_string())?;
        Ok(Box::new(Tree { database, since_durable: Cell::new(0), _home: home }))
    }
}

struct Tree {
    database: Database,
    since_durable: Cell<u32>,
    _home: TempDir,
}

impl Tree {
    fn read(&self, n: u32, value: &mut [u8]) -> Result<bool, redb::Error> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        let found = table.get(key(n))?;
        Ok(found.map(|stored| value.copy_from_slice(stored.value())).is_some())
    }

    fn write<'v>(
        &self,
        durability: Durability,
        entries: impl Iterator<Item = (u32, &'v [u8])>,
    ) -> Result<(), redb::Error> {
        let mut writing = self.database.begin_write()?;
        writing.set_durability(durability)?;
        {
            let mut table = writing.open_table(TABLE)?;
            for (n, value) in entries {
                table.insert(key(n), value)?;
            }
        }
        Ok(writing.commit()?)
    }
}

impl Store for Tree {
    fn name(&self) -> &'static str {
        Redb.name()
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        self.read(n, value).expect("a sound database")
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        let since = (self.since_durable.get() + 1) % DURABLE_EVERY;
        self.since_durable.set(since);
        let durability = if since == 0 { Durability::Immediate } else { Durability::None };
        self.write(durability, std::iter::once((n, value))).map_err(|error| error.to_string())
    }

    // In one transaction: filling is not measured.
    fn fill(&self, load: Load) -> Result<(), String> {
        let value = vec![0; load.value_len];
        let all = (0..load.entries).map(|n| (n, value.as_slice()));
        self.write(Durability::Immediate, all).map_err(|error| error.to_string())
    }
}

//! SQLite on a file system in memory, with nothing written for safety.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vug_bench::{Load, Peer, Store, key, scratch};

const GET: &str = "SELECT value FROM entries WHERE key = ?1";
const PUT: &str = "INSERT INTO entries VALUES (?1, ?2) \
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/// Makes and opens the database.
#[derive(Debug)]
pub struct Sqlite;

impl Peer for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn configuration(&self) -> &'static str {
        "file in /dev/shm, `journal_mode=MEMORY synchronous=OFF`, mapped; `WITHOUT ROWID`, prepared"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let home = scratch()?;
        let path = home.path().join("sqlite");
        let made = Table::open(path, load, Some(home));
        let made = made.map_err(|error| error.to_string())?;
        let table = "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID";
        made.connection.execute(table, []).map_err(|error| error.to_string())?;
        Ok(Box::new(made))
    }

    fn open(&self, place: &Path, load: Load) -> Result<Box<dyn Store>, String> {
        let table = Table::open(place.into(), load, None).map_err(|error| error.to_string())?;
        Ok(Box::new(table))
    }
}

struct Table {
    connection: Connection,
    path: PathBuf,
    _home: Option<TempDir>,
}

impl Table {
    fn open(path: PathBuf, load: Load, home: Option<TempDir>) -> rusqlite::Result<Table> {
        let mut connection = Connection::open(&path)?;
        connection.pragma_update(None, "journal_mode", "MEMORY")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        let bytes = load.bytes() * 4 + (64 << 20);
        connection.pragma_update(None, "mmap_size", bytes as i64)?;
        // In KiB when negative.
        connection.pragma_update(None, "cache_size", -((bytes >> 10) as i64))?;
        // Without it a locked database sleeps for a millisecond and longer.
        connection.busy_handler(Some(|_| {
            std::thread::yield_now();
            true
        }))?;
        Ok(Table { connection, path, _home: home })
    }
}

/// Again while another connection has the lock that a handler is not asked about.
fn persist<T>(mut attempt: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::yield_now();
            }
            done => return done,
        }
    }
}

impl Store for Table {
    fn name(&self) -> &'static str {
        Sqlite.name()
    }

    fn place(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        let found = persist(|| {
            let mut select = self.connection.prepare_cached(GET)?;
            let copied = select.query_row([&key(n)[..]], |row| {
                value.copy_from_slice(row.get_ref(0)?.as_blob()?);
                Ok(())
            });
            copied.optional()
        });
        found.expect("a sound database").is_some()
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        let put = persist(|| {
            self.connection.prepare_cached(PUT)?.execute(params![&key(n)[..], value]).map(|_| ())
        });
        put.map_err(|error| error.to_string())
    }

    // In one transaction: filling is not measured.
    fn fill(&self, load: Load) -> Result<(), String> {
        let value = vec![0; load.value_len];
        let told = |error: rusqlite::Error| error.to_string();
        self.connection.execute_batch("BEGIN").map_err(told)?;
        (0..load.entries).try_for_each(|n| self.put(n, &value))?;
        self.connection.execute_batch("COMMIT").map_err(told)
    }
}

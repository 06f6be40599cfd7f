//! The blackboard of iceoryx2: one writer, a fixed set of keys, reads through held handles.

use iceoryx2::config::Config;
use iceoryx2::port::reader::EntryHandle;
use iceoryx2::prelude::{FileName, NodeBuilder, Path, SemanticString, ipc};
use std::error::Error;
use std::hint::black_box;
use tempfile::TempDir;
use vug_bench::goals::HeldRead;
use vug_bench::{scratch, scratch_prefix};

/// Values of 64 bytes, as words: types on a blackboard are fixed.
type Value = [u64; 8];

/// A reader with a handle for every key.
pub struct Blackboard {
    handles: Vec<EntryHandle<ipc::Service, u64, Value>>,
    /// What is not in shared memory; removed last.
    _home: TempDir,
}

impl Blackboard {
    /// A blackboard with so many keys, and a reader of it in this process.
    ///
    /// # Errors
    /// Those of iceoryx2, in words.
    pub fn with_keys(keys: u32) -> Result<Box<dyn HeldRead>, String> {
        Blackboard::make(keys).map(|made| Box::new(made) as _).map_err(|error| error.to_string())
    }

    fn make(keys: u32) -> Result<Blackboard, Box<dyn Error>> {
        let home = scratch()?;
        let mut config = Config::default();
        config.global.prefix = FileName::new(scratch_prefix().as_bytes())?;
        let root = home.path().to_str().ok_or("a path in UTF-8")?;
        config.global.set_root_path(&Path::new(root.as_bytes())?);
        let node = NodeBuilder::new().config(&config).create::<ipc::Service>()?;
        let name = format!("vug-bench/{}/{keys}", std::process::id());
        let mut creator =
            node.service_builder(&name.as_str().try_into()?).blackboard_creator::<u64>();
        for n in 0..u64::from(keys) {
            creator = creator.add::<Value>(n, [n; 8]);
        }
        let service = creator.create()?;
        let reader = service.reader_builder().create()?;
        let handles: Result<_, _> = (0..u64::from(keys)).map(|n| reader.entry(&n)).collect();
        Ok(Blackboard { handles: handles?, _home: home })
    }
}

impl Drop for Blackboard {
    fn drop(&mut self) {
        self.handles.clear();
        // The node's own file in shared memory outlives it.
        let prefix = scratch_prefix();
        for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix));
            if ours && entry.path().is_file() {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

impl HeldRead for Blackboard {
    fn name(&self) -> &'static str {
        "iceoryx2 blackboard"
    }

    fn read(&self, order: &[u32]) {
        for &n in order {
            black_box(*self.handles[n as usize].get());
        }
    }
}

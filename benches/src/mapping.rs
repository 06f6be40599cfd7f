//! A file in /dev/shm that several processes of a bench map: what the in-tree controls live in.

use memmap2::MmapRaw;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use tempfile::TempDir;

/// A mapped file; the process that made it removes it.
#[derive(Debug)]
pub(crate) struct SharedFile {
    map: MmapRaw,
    path: PathBuf,
    _home: Option<TempDir>,
}

impl SharedFile {
    /// A new file of `len` zero bytes.
    pub(crate) fn create(len: usize) -> Result<SharedFile, String> {
        let home = scratch()?;
        let path = home.path().join("shared");
        let file = File::create_new(&path).map_err(|error| error.to_string())?;
        file.set_len(len as u64).map_err(|error| error.to_string())?;
        SharedFile::map(path, Some(home))
    }

    /// The file of another process.
    pub(crate) fn open(path: &Path) -> Result<SharedFile, String> {
        SharedFile::map(path.into(), None)
    }

    fn map(path: PathBuf, home: Option<TempDir>) -> Result<SharedFile, String> {
        let file = File::options().read(true).write(true).open(&path);
        let file = file.map_err(|error| error.to_string())?;
        let map = MmapRaw::map_raw(&file).map_err(|error| error.to_string())?;
        Ok(SharedFile { map, path, _home: home })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes; page-aligned.
    pub(crate) fn start(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// All of it as words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, lives as long as `self`, and is of that length; any
        // bytes are valid words, and whoever uses this view touches the file through atomics only.
        unsafe { std::slice::from_raw_parts(self.start().cast(), self.len() / 8) }
    }
}

/// A directory in /dev/shm, removed on drop. Its name carries the process, so that the next run
/// removes what a killed one left.
///
/// # Errors
/// The system's words.
pub fn scratch() -> Result<TempDir, String> {
    let made = tempfile::Builder::new().prefix(&scratch_prefix()).tempdir_in("/dev/shm");
    made.map_err(|error| format!("/dev/shm: {error}"))
}

const PREFIX: &str = "vug-bench-";

/// How the names of everything that this process leaves in /dev/shm begin.
pub fn scratch_prefix() -> String {
    format!("{PREFIX}{}-", std::process::id())
}

/// Removes what bench processes that are gone left in /dev/shm.
pub fn sweep() {
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else {
            continue;
        };
        if !Path::new(&format!("/proc/{pid}")).exists() {
            // Another run may remove it at the same time.
            let _ = if entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path())
            } else {
                std::fs::remove_file(entry.path())
            };
        }
    }
}

//! The bytes of the file, by positioned reads: nothing is mapped, so nothing can fault.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Source<'p> {
    file: File,
    len: u64,
    path: &'p Path,
}

impl<'p> Source<'p> {
    /// Opens a regular file for reading; follows no link and waits for no FIFO.
    pub(super) fn open(path: &'p Path) -> Result<Self> {
        let io = |op| {
            move |source: std::io::Error| match source.kind() {
                std::io::ErrorKind::NotFound => Error::RegionNotFound { path: path.into() },
                _ => Error::Io { op, path: path.into(), source },
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
            .open(path)
            .map_err(io("open"))?;
        let found = file.metadata().map_err(io("examine"))?;
        if !found.file_type().is_file() {
            return Err(Error::NotAVugFile { path: path.into() });
        }
        Ok(Self { file, len: found.len(), path })
    }

    pub(super) fn path(&self) -> &'p Path {
        self.path
    }

    /// Length of the file when it was opened.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// For lock queries.
    pub(super) fn into_file(self) -> File {
        self.file
    }

    pub(super) fn read(&self, at: u64, out: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(out, at).map_err(|source| {
            if source.kind() == std::io::ErrorKind::UnexpectedEof {
                Error::Truncated {
                    path: self.path.into(),
                    expected: at + out.len() as u64,
                    found: self.len,
                }
            } else {
                Error::Io { op: "read", path: self.path.into(), source }
            }
        })
    }

    /// `count` words in the byte order of the machine.
    pub(super) fn words(&self, at: u64, count: usize) -> Result<Vec<u64>> {
        let mut bytes = vec![0; count * 8];
        self.read(at, &mut bytes)?;
        Ok(words_of(&bytes).collect())
    }

    /// One word each of `N` words.
    pub(super) fn array<const N: usize>(&self, at: u64) -> Result<[u64; N]> {
        let words = self.words(at, N)?;
        Ok(core::array::from_fn(|i| words[i]))
    }
}

/// The words of a buffer, the incomplete rest left out.
pub(super) fn words_of(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_ne_bytes(*word))
}

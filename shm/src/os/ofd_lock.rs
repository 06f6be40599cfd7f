//! Locks on single bytes that the kernel holds for an open file description.
//!
//! The lock goes when the last descriptor of the description is closed, and the kernel closes them
//! when the process ends for whatever reason. Unlike a classic `fcntl` lock it is not lost when
//! the process closes another descriptor of the same file. A forked child inherits a copy of the
//! descriptor; `os/fork.rs` closes that copy at once.
//!
//! A mapping counts as a user of the description it was made from, also the copy of the mapping in
//! a forked child. So a description that holds locks must never be mapped.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use crate::os::fork::{self, Stamp};

/// A description opened for locking: no other descriptor and no mapping uses it.
///
/// In a forked child it is dead: the number of its descriptor may by now mean another file, so
/// every operation fails and `Drop` does nothing there.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: ManuallyDrop<File>,
    stamp: Stamp,
}

impl LockFile {
    /// A new description of the same file, whatever its name means by now.
    pub(crate) fn beside(file: &File) -> io::Result<Self> {
        let name = format!("/proc/self/fd/{}", file.as_raw_fd());
        Self::new(File::options().read(true).write(true).open(name)?)
    }

    /// Takes the file over, which must not be mapped. The copy that a forked child inherits will be
    /// closed in it.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let stamp = Stamp::take()?;
        fork::close_in_child(file.as_raw_fd());
        Ok(Self { file: ManuallyDrop::new(file), stamp })
    }

    /// Locks one byte for this description; false if another description has it.
    pub(crate) fn try_lock(&self, byte: u64) -> io::Result<bool> {
        let lock = one_byte(libc::F_WRLCK, byte)?;
        match fcntl(self.file()?, FcntlArg::F_OFD_SETLK(&lock)) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Gives one byte back, for every copy of the description, also those in children.
    pub(crate) fn unlock(&self, byte: u64) -> io::Result<()> {
        let lock = one_byte(libc::F_UNLCK, byte)?;
        fcntl(self.file()?, FcntlArg::F_OFD_SETLK(&lock))?;
        Ok(())
    }

    /// Whether any other description holds a lock on the byte. Locks of this one do not count.
    pub(crate) fn is_locked_by_other(&self, byte: u64) -> io::Result<bool> {
        let mut lock = one_byte(libc::F_WRLCK, byte)?;
        fcntl(self.file()?, FcntlArg::F_OFD_GETLK(&mut lock))?;
        Ok(i32::from(lock.l_type) != libc::F_UNLCK)
    }

    fn file(&self) -> io::Result<&File> {
        if self.stamp.is_stale() { Err(Errno::EBADF.into()) } else { Ok(&self.file) }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if self.stamp.is_stale() {
            return;
        }
        fork::keep_in_child(self.file.as_raw_fd());
        // SAFETY: the file is not used after this; in the process that opened it nobody else has
        // closed its descriptor.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

/// Takes a lock that others may take as well, for the description of `file`, which must not be
/// mapped and needs no right to write; false if somebody has the byte for himself.
pub(crate) fn try_share(file: &File, byte: u64) -> io::Result<bool> {
    let lock = one_byte(libc::F_RDLCK, byte)?;
    match fcntl(file, FcntlArg::F_OFD_SETLK(&lock)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn one_byte(kind: i32, byte: u64) -> io::Result<libc::flock> {
    let out_of_range = |_| io::Error::from(Errno::EOVERFLOW);
    Ok(libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: i64::try_from(byte).map_err(out_of_range)?,
        l_len: 1,
        l_pid: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    #[test]
    fn a_lock_excludes_other_descriptions_and_survives_strange_closes() {
        let Ok(dir) = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm") else {
            panic!("/dev/shm is not writable")
        };
        let path = dir.path().join("lock");
        let open = || -> LockFile {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            LockFile::new(options.open(&path).unwrap()).unwrap()
        };
        let (a, b) = (open(), open());
        assert!(a.try_lock(1 << 40).unwrap());
        assert!(!b.try_lock(1 << 40).unwrap());
        assert!(b.try_lock((1 << 40) + 1).unwrap());
        drop(open());
        drop(File::open(&path).unwrap());
        assert!(b.is_locked_by_other(1 << 40).unwrap());
        assert!(!a.is_locked_by_other(1 << 40).unwrap(), "its own lock does not count");
        a.unlock(1 << 40).unwrap();
        assert!(!b.is_locked_by_other(1 << 40).unwrap());
        drop(b);
        // Another test may fork at this moment; its child keeps a copy for an instant.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while a.is_locked_by_other((1 << 40) + 1).unwrap() {
            assert!(std::time::Instant::now() < deadline, "closing the description unlocks");
            std::thread::yield_now();
        }
    }
}

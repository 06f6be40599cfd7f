//! Files that appear complete or not at all, and the checks before one is trusted.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FallocateFlags, fallocate, posix_fallocate};
use nix::sys::statfs::{FsType, HUGETLBFS_MAGIC, TMPFS_MAGIC, fstatfs};
use nix::unistd::linkat;

use crate::error::{Error, Result};
use crate::os::mapping::Mapping;

/// Memory is asked for in steps of this size: `fallocate` starts from the beginning when a signal
/// interrupts it, so a program with a fast timer would never get a large piece in one step.
const STEP: u64 = 16 << 20;
/// Type number of ramfs, which nix does not name.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// Outcome of [`create_atomic`].
#[derive(Debug)]
pub(crate) enum Creation {
    /// The file is there under its name, made by this call.
    Created(File, Arc<Mapping>),
    /// The name was taken; nothing was changed.
    Exists,
}

/// Makes `dir/name` so that it is never visible incomplete, and by exactly one of many callers.
///
/// The file has no name until `init` has succeeded; a process that dies before leaves nothing
/// behind. It is `len` bytes long and sparse; the first `backed` bytes have memory, so that
/// touching them cannot fail later.
///
/// A file system without unnamed files gets a temporary name instead, which a process that is
/// killed in the middle leaves behind (`.name.<random>`).
pub(crate) fn create_atomic(
    dir: &Path,
    name: &str,
    mode: u32,
    len: u64,
    backed: u64,
    init: impl FnOnce(&Arc<Mapping>) -> Result<()>,
) -> Result<Creation> {
    let path = dir.join(name);
    let io = |op| {
        let path = path.clone();
        move |source| Error::Io { op, path, source }
    };
    if path.symlink_metadata().is_ok() {
        return Ok(Creation::Exists);
    }
    let draft = Draft::new(dir, name).map_err(io("create"))?;
    let file = draft.file();
    require_memory_backed(file, &path)?;
    // Exactly this mode, whatever the umask.
    file.set_permissions(Permissions::from_mode(mode)).map_err(io("set the mode of"))?;
    file.set_len(len).map_err(io("set the length of"))?;
    back(file, 0, backed, &path)?;
    let map = Mapping::map(file, len, &path)?;
    init(&map)?;
    match draft.publish(&path) {
        Ok(file) => Ok(Creation::Created(file, map)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Creation::Exists),
        Err(error) => Err(io("link")(error)),
    }
}

/// A file that is not there yet.
enum Draft {
    Unnamed(File),
    Named(File, TemporaryName),
}

/// Unlinks on drop.
struct TemporaryName(std::path::PathBuf);

impl Drop for TemporaryName {
    fn drop(&mut self) {
        // The name is random and ours; if it is gone already, so much the better.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Draft {
    fn new(dir: &Path, name: &str) -> io::Result<Self> {
        let unnamed = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_TMPFILE | libc::O_CLOEXEC)
            .open(dir);
        match unnamed {
            Ok(file) => Ok(Self::Unnamed(file)),
            Err(e) if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR)) => {
                Self::named(dir, name)
            }
            Err(error) => Err(error),
        }
    }

    fn named(dir: &Path, name: &str) -> io::Result<Self> {
        let random = random_u64().map_err(|error| match error {
            Error::System { source, .. } | Error::Io { source, .. } => source,
            other => io::Error::other(other.to_string()),
        })?;
        let path = dir.join(format!(".{name}.{random:016x}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(&path)?;
        Ok(Self::Named(file, TemporaryName(path)))
    }

    fn file(&self) -> &File {
        match self {
            Self::Unnamed(file) | Self::Named(file, _) => file,
        }
    }

    /// Gives the file its name; of several callers one succeeds.
    fn publish(self, path: &Path) -> io::Result<File> {
        match self {
            Self::Unnamed(file) => {
                let from = format!("/proc/self/fd/{}", file.as_raw_fd());
                linkat(AT_FDCWD, from.as_str(), AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW)?;
                Ok(file)
            }
            Self::Named(file, name) => {
                std::fs::hard_link(&name.0, path)?;
                Ok(file)
            }
        }
    }
}

/// Device and inode: what tells a file from all others that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

/// The id of a file that was looked at; `None` if the look failed.
pub(crate) fn id_of(found: io::Result<std::fs::Metadata>) -> Option<FileId> {
    found.ok().map(|found| FileId(found.dev(), found.ino()))
}

/// Opens a file that should be ours: a regular file, not a link, owned by `expected_uid` (the
/// owner of the directory), backed by memory.
pub(crate) fn open_existing(path: &Path, expected_uid: u32) -> Result<File> {
    open_checked(path, expected_uid, true)
}

/// The same for a user who may only read it.
pub(crate) fn open_for_reading(path: &Path, expected_uid: u32) -> Result<File> {
    open_checked(path, expected_uid, false)
}

fn open_checked(path: &Path, expected_uid: u32, write: bool) -> Result<File> {
    let io = |op| move |source| Error::Io { op, path: path.into(), source };
    // O_NONBLOCK: a FIFO or device in its place must not make us wait.
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
        .open(path)
        .map_err(io("open"))?;
    let found = file.metadata().map_err(io("examine"))?;
    if !found.file_type().is_file() {
        return Err(Error::NotAVugFile { path: path.into() });
    }
    if found.uid() != expected_uid {
        let (owner, expected) = (found.uid(), expected_uid);
        return Err(Error::ForeignOwner { path: path.into(), owner, expected });
    }
    require_memory_backed(&file, path)?;
    Ok(file)
}

/// Gives `[offset, offset + len)` memory, so that touching it cannot raise SIGBUS.
///
/// On failure a part of the range may have got memory; bytes that had it before keep their content
/// in any case.
pub(crate) fn back(file: &File, offset: u64, len: u64, path: &Path) -> Result<()> {
    let io = |errno: Errno| Error::Io { op: "allocate", path: path.into(), source: errno.into() };
    let mut done = 0;
    while done < len {
        let step = STEP.min(len - done);
        let start = i64::try_from(offset + done).map_err(|_| io(Errno::EFBIG))?;
        match posix_fallocate(file, start, step as i64) {
            Ok(()) => done += step,
            Err(Errno::EINTR) => {}
            Err(Errno::ENOSPC | Errno::EDQUOT) => {
                return Err(Error::FileSystemFull { path: path.into(), needed: len });
            }
            Err(errno) => return Err(io(errno)),
        }
    }
    Ok(())
}

/// Takes the memory from `[offset, offset + len)`; reads of it are zero from then on.
pub(crate) fn punch(file: &File, offset: u64, len: u64, path: &Path) -> Result<()> {
    let io = |errno: Errno| Error::Io { op: "release", path: path.into(), source: errno.into() };
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let [offset, len] = [offset, len].map(i64::try_from);
    let (Ok(offset), Ok(len)) = (offset, len) else {
        return Err(io(Errno::EFBIG));
    };
    loop {
        match fallocate(file, flags, offset, len) {
            Err(Errno::EINTR) => {}
            other => return other.map_err(io),
        }
    }
}

/// Whether the file lies on a file system that lives in memory.
pub(crate) fn is_memory_backed(file: &File) -> io::Result<bool> {
    let kind = fstatfs(file)?.filesystem_type();
    Ok([TMPFS_MAGIC, HUGETLBFS_MAGIC, RAMFS_MAGIC].contains(&kind))
}

/// Refuses disks: page cache that is written back makes every store slow at some time, and the file
/// outlives the boot. `VUG_ALLOW_DISK=1` in the environment accepts them.
fn require_memory_backed(file: &File, path: &Path) -> Result<()> {
    let source = match is_memory_backed(file) {
        Ok(true) => return Ok(()),
        Ok(false) if std::env::var_os("VUG_ALLOW_DISK").is_some_and(|v| v == "1") => return Ok(()),
        Ok(false) => return Err(Error::NotMemoryBacked { path: path.into() }),
        Err(source) => source,
    };
    Err(Error::Io { op: "examine the file system of", path: path.into(), source })
}

/// Identity of this start of the machine.
pub(crate) fn boot_id() -> Result<u128> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let io = |source| Error::Io { op: "read", path: path.into(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    let digits = text.trim().replace('-', "");
    u128::from_str_radix(&digits, 16).map_err(|_| io(io::ErrorKind::InvalidData.into()))
}

/// 64 random bits from the kernel.
pub(crate) fn random_u64() -> Result<u64> {
    Ok(random_u128()? as u64)
}

/// 128 random bits from the kernel.
pub(crate) fn random_u128() -> Result<u128> {
    let mut bytes = [0_u8; 16];
    loop {
        // SAFETY: the buffer is writable for exactly the length given.
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        if got == bytes.len() as isize {
            return Ok(u128::from_ne_bytes(bytes));
        }
        let source = io::Error::last_os_error();
        if got < 0 && source.kind() != io::ErrorKind::Interrupted {
            return Err(Error::System { op: "get random bytes", source });
        }
    }
}

#[cfg(test)]
mod tests;

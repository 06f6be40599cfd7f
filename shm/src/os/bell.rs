//! The bell of the bridge: a FIFO, because a bridge waits for the network at the same time and can
//! poll a file but not a futex.
//!
//! Both sides open it for reading and writing, so nobody gets SIGPIPE or end-of-file when the other
//! is not there, and a ring survives the death of the bridge for as long as any member lives.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::Mode;

use crate::error::{Error, Result};

/// An open bell.
#[derive(Debug)]
pub(crate) struct Bell {
    fifo: File,
}

impl Bell {
    /// Opens `<home>/bell`, making it if it is missing. It must be a FIFO of user `owner`.
    pub(crate) fn open(home: &Path, owner: u32) -> Result<Self> {
        let path = home.join("bell");
        let io = |op| {
            let path = path.clone();
            move |source| Error::Io { op, path, source }
        };
        match nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR) {
            // Losing the race to make it is as good as winning.
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(io("make")(errno.into())),
        }
        let fifo = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(&path)
            .map_err(io("open"))?;
        let found = fifo.metadata().map_err(io("examine"))?;
        if !found.file_type().is_fifo() {
            return Err(Error::NotAVugFile { path });
        }
        if found.uid() != owner {
            return Err(Error::ForeignOwner { path, owner: found.uid(), expected: owner });
        }
        Ok(Self { fifo })
    }

    /// Makes the bell readable. A full FIFO means that it is already; other failures have no one to
    /// go to, and the bridge looks at its feeds from time to time anyway.
    pub(crate) fn ring(&self) {
        while let Err(error) = (&self.fifo).write(&[1]) {
            if error.kind() != ErrorKind::Interrupted {
                return;
            }
        }
    }

    /// Takes all rings out.
    pub(crate) fn drain(&self) {
        let mut rings = [0; 512];
        loop {
            match (&self.fifo).read(&mut rings) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fifo.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    fn readable(bell: &Bell) -> bool {
        let mut fds = [PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn rings_reach_every_opener_and_can_be_drained() {
        let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
        let owner = std::fs::metadata(home.path()).unwrap().uid();
        let (a, b) =
            (Bell::open(home.path(), owner).unwrap(), Bell::open(home.path(), owner).unwrap());
        assert!(!readable(&b));
        for _ in 0..100_000 {
            a.ring();
        }
        assert!(readable(&b));
        b.drain();
        assert!(!readable(&a));
        let foreign = Bell::open(home.path(), owner + 1);
        assert!(matches!(foreign, Err(Error::ForeignOwner { .. })));
    }

    #[test]
    fn a_file_in_place_of_the_bell_is_refused() {
        let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
        std::fs::write(home.path().join("bell"), b"").unwrap();
        let owner = std::fs::metadata(home.path()).unwrap().uid();
        assert!(matches!(Bell::open(home.path(), owner), Err(Error::NotAVugFile { .. })));
    }
}

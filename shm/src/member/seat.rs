//! The one place of a bridge in a node, and how writers wake it.
//!
//! The seat is the lock on byte 0 of `<home>/bridge.lock`, held by the kernel for the life of the
//! process; the words only say who and how often. `bridge_pid` and `bridge_epoch` are written by
//! the holder of the lock. A bridge killed after either store leaves an old pid, which nobody
//! believes without the lock being held, or an epoch that no bridge used.
//!
//! # Sleeping without missing a change
//! ```text
//! writer: append to the ring; fence; read `bridge_sleeping`; if asleep: ring, then clear the bit
//! bridge: set the bit with a new count; fence; look at every feed again; poll
//! ```
//! Both fences are sequentially consistent: either the writer sees the bit or the bridge sees the
//! cell. The writer rings *before* it clears the bit: if it is killed or stopped in between, the
//! bridge has been woken, and other writers ring once too often. It clears exactly the value it
//! saw: when the bridge armed again meanwhile the count differs, and the bit stays.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Members;
use crate::crash;
use crate::error::{Error, Result};
use crate::os::file::open_existing;
use crate::os::ofd_lock::LockFile;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use crate::sync::fence;

pub(super) const SEAT_BYTE: u64 = 0;
/// Bit 0 of `bridge_sleeping`; the bits above count.
const ASLEEP: u32 = 1;

/// The held seat; given up on drop, or by the kernel when the process ends.
#[derive(Debug)]
pub(crate) struct BridgeSeat {
    members: Arc<Members>,
    lock: LockFile,
    epoch: u64,
}

impl Members {
    /// Takes the seat of the bridge, or says with `BridgeRuns` who has it.
    pub(crate) fn take_bridge_seat(self: &Arc<Self>) -> Result<BridgeSeat> {
        self.check_process()?;
        let path = bridge_lock(&self.home);
        let io = |op| {
            let path = path.clone();
            move |source| Error::Io { op, path, source }
        };
        make_if_missing(&path).map_err(io("make"))?;
        let lock = LockFile::new(open_existing(&path, self.owner)?).map_err(io("watch"))?;
        let words = &self.words[0];
        if !lock.try_lock(SEAT_BYTE).map_err(io("lock"))? {
            let pid = words.bridge_pid.load(Acquire) as u32;
            return Err(Error::BridgeRuns { home: self.home.clone(), pid });
        }
        words.bridge_pid.store(u64::from(self.me.pid), Release);
        crash::point("seat.pid");
        let epoch = words.bridge_epoch.fetch_add(1, AcqRel).wrapping_add(1);
        crash::point("seat.epoch");
        Ok(BridgeSeat { members: Arc::clone(self), lock, epoch })
    }

    /// Process id of the bridge that has the seat now.
    pub(crate) fn bridge_pid(&self) -> Option<u32> {
        let path = bridge_lock(&self.home);
        let lock = LockFile::new(open_existing(&path, self.owner).ok()?).ok()?;
        let held = lock.is_locked_by_other(SEAT_BYTE).ok()?;
        let pid = self.words[0].bridge_pid.load(Acquire) as u32;
        (held && pid != 0).then_some(pid)
    }

    /// Wakes the bridge if it sleeps. To be called after the store or swap that published a ring
    /// cell: the fence here orders that store before the look at `bridge_sleeping` and pairs with
    /// the fence in [`BridgeSeat::arm`].
    #[inline]
    pub(crate) fn ring_bell_if_asleep(&self) {
        fence(SeqCst);
        let seen = self.words[0].bridge_sleeping.load(Relaxed);
        if seen & ASLEEP != 0 {
            self.ring_bell(seen);
        }
    }

    #[cold]
    pub(super) fn ring_bell(&self, seen: u32) {
        self.bell.ring();
        crash::point("bell.rung");
        let word = &self.words[0].bridge_sleeping;
        // Failing means that another writer did it, or that the bridge is up or armed again.
        let _ = word.compare_exchange(seen, seen & !ASLEEP, AcqRel, Relaxed);
        crash::point("bell.cleared");
    }
}

/// The file whose lock is the seat.
pub(super) fn bridge_lock(home: &Path) -> PathBuf {
    home.join("bridge.lock")
}

impl BridgeSeat {
    /// Number of this bridge; higher than that of every earlier one.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The seat is that of the process that took it.
    pub(crate) fn check_process(&self) -> Result<()> {
        self.members.check_process()
    }

    /// Announces sleep. Look at every feed once more after it, then poll the bell.
    pub(crate) fn arm(&self) -> Result<()> {
        self.check_process()?;
        let word = &self.members.words[0].bridge_sleeping;
        // Only the seat sets the bit; a writer's swap on the old value fails after this store.
        let next = (word.load(Relaxed) | ASLEEP).wrapping_add(2);
        word.store(next, Relaxed);
        crash::point("seat.armed");
        fence(SeqCst);
        Ok(())
    }

    /// Ends the announcement: writers need not ring.
    pub(crate) fn disarm(&self) -> Result<()> {
        self.check_process()?;
        self.members.words[0].bridge_sleeping.fetch_and(!ASLEEP, AcqRel);
        crash::point("seat.disarmed");
        Ok(())
    }

    /// Takes all rings out of the bell.
    pub(crate) fn quiet(&self) -> Result<()> {
        self.check_process()?;
        self.members.bell.drain();
        Ok(())
    }

    /// The bell, readable when somebody rang.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.members.bell.as_fd()
    }
}

impl Drop for BridgeSeat {
    fn drop(&mut self) {
        if self.disarm().is_err() {
            return; // A forked child's: the seat is its parent's.
        }
        self.members.words[0].bridge_pid.store(0, Release);
        crash::point("seat.left");
        // The file is closed next, which unlocks as well.
        let _ = self.lock.unlock(SEAT_BYTE);
    }
}

fn make_if_missing(path: &Path) -> io::Result<()> {
    let made: io::Result<File> = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

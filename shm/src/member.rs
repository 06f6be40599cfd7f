//! Who takes part in a node, and the proof that somebody does not any more.
//!
//! # Invariant
//! A slot in phase Joining or Live with generation `g` is owned by the one process that holds the
//! lock byte of the slot, from before the store that made it Joining until after the store that
//! made it Free, or until that process ends. So for such a slot: **lock byte free => owner ended**.
//!
//! # Words and writers
//! | word | written by |
//! |---|---|
//! | `state` Free(g) -> Joining(g+1) | whoever holds the lock byte |
//! | identity words | the owner, while Joining |
//! | `state` Joining -> Live -> Free | the owner |
//! | `state` Joining or Live -> Recovering | anybody who has a proof of the owner's death |
//! | `state` Recovering -> Free | anybody: the proof was given before, and nothing lies between |
//! | `origin` | anybody, once, 0 -> number |
//! | `bridge_*` | see `seat.rs` |
//!
//! Every change of `state` is a compare-and-swap of the whole word. Generations only grow, so no
//! word value returns, and a stale swap of a stopped process fails.
//!
//! # A process killed after each store
//! | after | left behind | mended by |
//! |---|---|---|
//! | lock byte taken | nothing: the kernel frees it | - |
//! | Joining | Joining, byte free | [`Members::recover_dead`], by the lock alone: the identity |
//! | identity words | the same | words may be those of an earlier member |
//! | Live | Live, byte free, identity gone | [`Members::recover_dead`], by either proof |
//! | Recovering (by a survivor) | Recovering | anybody; a stopped recoverer's swap fails |
//! | Free (leaving) | Free, byte free | nothing to do |
//!
//! # Orderings
//! Joining -> Live releases the identity words. A judge loads `state` with acquire, reads them, and
//! loads `state` again after an acquire fence: the same word means they belong to that member.
//! Data of regions is ordered by their own words. Recovery reads what the dead process stored:
//! its stores happened before the kernel released the lock or reaped the process.
//!
//! # Why death is exact
//! Two proofs, each enough, neither uses time:
//! * the lock byte is free: the kernel closes descriptors after the last thread has left user mode;
//! * in the same pid and time namespace, the pid does not exist or started at another time.
//!
//! A *zombie* holds no lock: dead at once, reaped or not; its pid proves nothing, since a main
//! thread may have ended before the others. *Pid reuse*: the start time differs. Another *pid
//! namespace*, or a `/proc` of another one: the lock decides. *fork*: the child's copy of the lock
//! is closed by a handler (`os/fork.rs` tells the exceptions), the identity stays the parent's;
//! handles are stale in the child. *exec*: the descriptor is close-on-exec, so the member is dead
//! although its pid lives on, which is right: its mapping is gone. A *stopped* process is alive.
//!
//! Outside the guarantee: a program that closes descriptors it did not open (`closefrom(3)` after
//! opening a node) gives its own life away.

pub(crate) mod asks;
mod seat;
mod watch;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::crash;
use crate::error::{Error, Result};
use crate::layout::header::{FileHeader, whole};
use crate::layout::node::{
    self, LOCK_BASE, MEMBER_SLOTS, MemberSlot, NODE_FILE_BYTES, NODE_MAGIC, NodeWords,
    PROGRAM_WORDS, Phase, SLOTS_OFFSET, SlotState, WORDS_OFFSET,
};
use crate::member::asks::Asks;
use crate::os::bell::Bell;
use crate::os::clock::realtime_micros;
use crate::os::file::{Creation, boot_id, create_atomic, open_existing, random_u128};
use crate::os::fork::Stamp;
use crate::os::mapping::{Mapping, Window};
use crate::os::ofd_lock::LockFile;
use crate::os::process::{self, Identity};
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed};
use crate::sync::fence;

pub(crate) use seat::BridgeSeat;
pub(crate) use watch::Watch;

/// Rounds over all slots before giving up; between them the dead are recovered.
const CLAIM_ROUNDS: usize = 4;
/// Attempts to open or create the node file while somebody else removes it.
const OPEN_ROUNDS: usize = 16;

/// Names one membership of one process, never reused: generation in bits 16-63, slot in bits 0-15.
/// Not 0, because generations begin at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct MemberId(u64);

impl MemberId {
    /// `None` for 0, which means "nobody" in shared words.
    pub(crate) fn from_word(word: u64) -> Option<Self> {
        (word >> 16 != 0).then_some(Self(word))
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }

    pub(crate) fn slot(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    fn generation(self) -> u64 {
        self.0 >> 16
    }

    fn of(slot: usize, state: SlotState) -> Self {
        Self(state.generation << 16 | slot as u64)
    }
}

/// One member of a node, as listed by `Node::members`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemberInfo {
    /// Place in the node's member table.
    pub slot: u32,
    /// Identity of this membership; never used again for another.
    pub id: u64,
    /// Process id, as the member's own pid namespace counts.
    pub pid: u32,
    /// Name of its program, cut to 32 bytes. Whoever shows it takes care of control characters.
    pub program: String,
    /// When it joined, by its own clock.
    pub joined: SystemTime,
    /// False when its death is proved and nobody has recovered it yet.
    pub alive: bool,
    /// Whether it is the handle that was asked.
    pub myself: bool,
}

/// The calling process's membership in a node; left on drop.
#[derive(Debug)]
pub(crate) struct Members {
    home: PathBuf,
    owner: u32,
    node_id: u128,
    me: Identity,
    id: MemberId,
    stamp: Stamp,
    lock: LockFile,
    words: Window<NodeWords>,
    slots: Window<MemberSlot>,
    bell: Bell,
    asks: Asks,
}

impl Members {
    /// Opens a home directory, making it (mode 0700) and the node file if they are missing, and
    /// registers a new member for the calling process.
    pub(crate) fn open(home: &Path) -> Result<Arc<Self>> {
        let owner = prepare_home(home)?;
        let path = home.join("node");
        let io = |op| {
            let path = path.clone();
            move |source| Error::Io { op, path, source }
        };
        let boot = boot_id()?;
        let (file, header, map) = open_node_file(home, &path, owner, boot)?;
        let outside =
            || Error::Truncated { path: path.clone(), expected: NODE_FILE_BYTES, found: 0 };
        let mut members = Self {
            home: home.into(),
            owner,
            node_id: whole(header.id),
            me: Identity::current(),
            id: MemberId(0),
            stamp: Stamp::take()
                .map_err(|source| Error::System { op: "watch for forks", source })?,
            lock: LockFile::beside(&file).map_err(io("open"))?,
            words: map.window(WORDS_OFFSET, 1).ok_or_else(outside)?,
            slots: map.window(SLOTS_OFFSET, MEMBER_SLOTS).ok_or_else(outside)?,
            bell: Bell::open(home, owner)?,
            asks: Asks::new(home),
        };
        members.recover_dead();
        for _ in 0..CLAIM_ROUNDS {
            if let Some(id) = members.claim().map_err(io("lock"))? {
                members.id = id;
                return Ok(Arc::new(members));
            }
            members.recover_dead();
            std::thread::yield_now();
        }
        Err(Error::TooManyMembers { path, max: MEMBER_SLOTS })
    }

    /// Home directory as it was given.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// The way to the bridge.
    pub(crate) fn asks(&self) -> &Asks {
        &self.asks
    }

    /// User id that owns the home directory and must own every file in it.
    pub(crate) fn owner(&self) -> u32 {
        self.owner
    }

    /// Random identity of the node.
    pub(crate) fn node_id(&self) -> u128 {
        self.node_id
    }

    /// The membership of this handle.
    pub(crate) fn id(&self) -> MemberId {
        self.id
    }

    /// What tells a forked child.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Whether this process is a forked child of the one that opened the handle. One relaxed load.
    #[inline]
    pub(crate) fn is_forked_child(&self) -> bool {
        self.stamp.is_stale()
    }

    /// `ForkedChild` in a forked child; for the beginning of every operation.
    #[inline]
    pub(crate) fn check_process(&self) -> Result<()> {
        if self.is_forked_child() { Err(Error::ForkedChild) } else { Ok(()) }
    }

    /// Number of the node in its cluster; 0 until assigned.
    pub(crate) fn origin(&self) -> u16 {
        self.words[0].origin.load(Acquire) as u16
    }

    /// Assigns the number once; the same again is accepted, another refused with `OriginTaken`,
    /// because entries that carry the first number exist here and elsewhere.
    pub(crate) fn set_origin(&self, origin: u16) -> Result<()> {
        self.check_process()?;
        let word = &self.words[0].origin;
        match word.compare_exchange(0, u64::from(origin), AcqRel, Acquire) {
            Ok(_) => {
                crash::point("member.origin");
                Ok(())
            }
            Err(found) if found == u64::from(origin) => Ok(()),
            Err(found) => {
                let (home, found) = (self.home.clone(), found as u16);
                Err(Error::OriginTaken { home, found, wanted: origin })
            }
        }
    }

    /// False once the member has left or its death is proved, and then for ever.
    pub(crate) fn is_alive(&self, id: MemberId) -> bool {
        if id == self.id {
            return true;
        }
        let Some(slot) = self.slots.get(id.slot()) else {
            return false;
        };
        loop {
            let word = slot.state.load(Acquire);
            if word >> 16 != id.generation() {
                return false;
            }
            match self.judge(id.slot(), word) {
                Verdict::Dead => return false,
                Verdict::Alive => return true,
                Verdict::Changed => {}
            }
        }
    }

    /// Frees the slots of all members that are proved dead; returns how many this call freed.
    ///
    /// Lock-free and repeatable by anybody at any time. Regions learn of the death from
    /// [`is_alive`](Self::is_alive): the freed generation never comes back.
    pub(crate) fn recover_dead(&self) -> u32 {
        if self.is_forked_child() {
            return 0;
        }
        let others = (0..MEMBER_SLOTS).filter(|&at| self.id.0 == 0 || at != self.id.slot());
        others.map(|at| u32::from(self.recover_slot(at))).sum()
    }

    /// All members, also the dead that nobody has recovered yet.
    pub(crate) fn list(&self) -> Vec<MemberInfo> {
        let me = (!self.is_forked_child()).then_some(self.id);
        list(&self.slots, me, |id| self.is_alive(id))
    }

    /// Takes the first slot that is free. The lock byte comes first: see the invariant.
    fn claim(&self) -> io::Result<Option<MemberId>> {
        for (at, slot) in self.slots.iter().enumerate() {
            let word = slot.state.load(Acquire);
            let Some(SlotState { generation, phase: Phase::Free }) = SlotState::decode(word) else {
                continue;
            };
            let byte = LOCK_BASE + at as u64;
            if generation == SlotState::MAX_GENERATION || !self.lock.try_lock(byte)? {
                continue;
            }
            crash::point("member.claim.lock");
            let joining = SlotState { generation: generation + 1, phase: Phase::Joining };
            if slot.state.compare_exchange(word, joining.encode(), AcqRel, Relaxed).is_err() {
                // Used and left between our look and our lock.
                self.lock.unlock(byte)?;
                continue;
            }
            crash::point("member.claim.joining");
            self.write_identity(slot);
            let live = joining.in_phase(Phase::Live);
            // Cannot fail: while we hold the byte there is no proof against a Joining slot.
            let _ = slot.state.compare_exchange(joining.encode(), live.encode(), AcqRel, Relaxed);
            crash::point("member.claim.live");
            return Ok(Some(MemberId::of(at, live)));
        }
        Ok(None)
    }

    fn write_identity(&self, slot: &MemberSlot) {
        slot.pid.store(u64::from(self.me.pid), Relaxed);
        crash::point("member.claim.pid");
        slot.start_time.store(self.me.start_time, Relaxed);
        crash::point("member.claim.start_time");
        slot.pidns_inode.store(self.me.pidns_inode, Relaxed);
        crash::point("member.claim.pidns");
        slot.timens_inode.store(self.me.timens_inode, Relaxed);
        crash::point("member.claim.timens");
        slot.joined_at_micros.store(realtime_micros(), Relaxed);
        crash::point("member.claim.joined_at");
        for (word, name) in slot.program.iter().zip(program_words(&process::program())) {
            word.store(name, Relaxed);
        }
        crash::point("member.claim.program");
    }

    /// Frees one slot if its owner is proved dead, or was by somebody who did not finish.
    fn recover_slot(&self, at: usize) -> bool {
        let slot = &self.slots[at];
        let word = slot.state.load(Acquire);
        let Some(state) = SlotState::decode(word) else {
            return false;
        };
        let recovering = state.in_phase(Phase::Recovering).encode();
        match state.phase {
            Phase::Free => return false,
            Phase::Recovering => {}
            Phase::Joining | Phase::Live => {
                if self.judge(at, word) != Verdict::Dead
                    || slot.state.compare_exchange(word, recovering, AcqRel, Relaxed).is_err()
                {
                    return false;
                }
                crash::point("member.recover.recovering");
            }
        }
        let free = state.in_phase(Phase::Free).encode();
        let freed = slot.state.compare_exchange(recovering, free, AcqRel, Relaxed).is_ok();
        crash::point("member.recover.free");
        freed
    }

    /// Judges the member that the state word `word` of slot `at` names.
    fn judge(&self, at: usize, word: u64) -> Verdict {
        if self.is_forked_child() && !is_over(word) {
            // The descriptor is not ours here, and a child has no business with the dead.
            return Verdict::Alive;
        }
        judge(&self.slots, &self.lock, &self.me, at, word)
    }

    /// Leaves the node. The slot is free before the byte is, so that no judge sees a Live slot
    /// with a free byte and counts an orderly leave as a death.
    fn leave(&self) {
        let at = self.id.slot();
        let live = SlotState { generation: self.id.generation(), phase: Phase::Live };
        let free = live.in_phase(Phase::Free);
        // Fails only if the program closed our descriptor and was therefore recovered.
        let _ =
            self.slots[at].state.compare_exchange(live.encode(), free.encode(), AcqRel, Relaxed);
        crash::point("member.leave.free");
        // Closing the file does the same later.
        let _ = self.lock.unlock(LOCK_BASE + at as u64);
        crash::point("member.leave.unlocked");
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        if self.id.0 != 0 && !self.is_forked_child() {
            self.leave();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Alive,
    Dead,
    /// The slot went on meanwhile: look again.
    Changed,
}

/// Whether a state word alone says that there is no member.
fn is_over(word: u64) -> bool {
    let phase = SlotState::decode(word).map(|state| state.phase);
    matches!(phase, Some(Phase::Free | Phase::Recovering))
}

/// Judges the member that the state word `word` of slot `at` names.
fn judge(slots: &[MemberSlot], lock: &LockFile, me: &Identity, at: usize, word: u64) -> Verdict {
    let slot = &slots[at];
    if is_over(word) {
        return Verdict::Dead;
    }
    // A failing system call proves nothing. A word that nobody wrote is judged by the lock.
    let locked = lock.is_locked_by_other(LOCK_BASE + at as u64).unwrap_or(true);
    let gone = SlotState::decode(word).is_some_and(|state| state.phase == Phase::Live) && {
        let identity = Identity {
            pid: slot.pid.load(Relaxed) as u32,
            start_time: slot.start_time.load(Relaxed),
            pidns_inode: slot.pidns_inode.load(Relaxed),
            timens_inode: slot.timens_inode.load(Relaxed),
        };
        me.sees_gone(&identity) == Some(true)
    };
    // Both observations count only for the member that was there all the time.
    fence(Acquire);
    if slot.state.load(Relaxed) != word {
        Verdict::Changed
    } else if gone || !locked {
        Verdict::Dead
    } else {
        Verdict::Alive
    }
}

/// All members of a table.
fn list(
    slots: &[MemberSlot],
    me: Option<MemberId>,
    is_alive: impl Fn(MemberId) -> bool,
) -> Vec<MemberInfo> {
    let mut found = Vec::new();
    for (at, slot) in slots.iter().enumerate() {
        let state = SlotState::decode(slot.state.load(Acquire));
        let Some(state) = state.filter(|state| state.phase != Phase::Free) else {
            continue;
        };
        let id = MemberId::of(at, state);
        let program = slot.program.each_ref().map(|word| word.load(Relaxed));
        let joined = Duration::from_micros(slot.joined_at_micros.load(Relaxed));
        found.push(MemberInfo {
            slot: at as u32,
            id: id.0,
            pid: slot.pid.load(Relaxed) as u32,
            program: program_name(program),
            joined: UNIX_EPOCH.checked_add(joined).unwrap_or(UNIX_EPOCH),
            alive: is_alive(id),
            myself: me == Some(id),
        });
    }
    found
}

/// A name as words, cut between two characters.
fn program_words(name: &str) -> [u64; PROGRAM_WORDS] {
    let mut bytes = [0; PROGRAM_WORDS * 8];
    let fits = |&len: &usize| name.is_char_boundary(len);
    let len = (0..=bytes.len().min(name.len())).rev().find(fits).unwrap_or(0);
    bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_ne_bytes(words[at]))
}

fn program_name(words: [u64; PROGRAM_WORDS]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

/// Makes the home directory if needed and checks whose it is; returns its owner.
///
/// `/dev/shm` is open to all users: a directory that somebody else put in our place is refused.
fn prepare_home(home: &Path) -> Result<u32> {
    let io = |op| move |source| Error::Io { op, path: home.into(), source };
    match DirBuilder::new().mode(0o700).create(home) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io("make")(error)),
    }
    let found = home.metadata().map_err(io("examine"))?;
    if !found.is_dir() {
        return Err(io("open")(io::ErrorKind::NotADirectory.into()));
    }
    let expected = nix::unistd::geteuid().as_raw();
    if found.uid() != expected {
        return Err(Error::ForeignOwner { path: home.into(), owner: found.uid(), expected });
    }
    Ok(found.uid())
}

type NodeFile = (std::fs::File, FileHeader, Arc<Mapping>);

/// Opens the node file or makes it; whoever loses the race to make it opens the winner's.
fn open_node_file(home: &Path, path: &Path, owner: u32, boot: u128) -> Result<NodeFile> {
    for _ in 0..OPEN_ROUNDS {
        match open_existing(path, owner) {
            Ok(file) => {
                let (header, map) = FileHeader::attach(&file, NODE_MAGIC, path, boot)?;
                header.require_writable(path)?;
                node::check_geometry(&header, path)?;
                return Ok((file, header, map));
            }
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let header = node::new_header(random_u128()?, boot);
        let init = |map: &Arc<Mapping>| header.write(map, path);
        let made = create_atomic(home, "node", 0o600, NODE_FILE_BYTES, NODE_FILE_BYTES, init)?;
        if let Creation::Created(file, map) = made {
            return Ok((file, header, map));
        }
    }
    let source = io::Error::other("it is created and removed all the time");
    Err(Error::Io { op: "open", path: path.into(), source })
}

#[cfg(test)]
mod tests;

use super::*;
use crate::os::fork::tests::status_of_child;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn new_home() -> TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap()
}

/// The test binary started again as another member of the same home; ends when its input closes.
struct Other {
    child: Child,
    id: MemberId,
}

impl Other {
    fn start(home: &Path, forks: bool) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "member::tests::other_process", "--nocapture"])
            .env("VUG_TEST_MEMBER", home)
            .env("VUG_TEST_FORKS", if forks { "1" } else { "0" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let id = lines.map_while(|line| line.ok()).find_map(|line| {
            let (_, number) = line.rsplit_once("member=")?;
            number.parse().ok()
        });
        Self { child, id: MemberId(id.unwrap()) }
    }

    /// SIGKILL without reaping.
    fn kill(&self) {
        // SAFETY: the pid is our unreaped child, so it cannot have been reused.
        let killed = unsafe { libc::kill(self.child.id() as i32, libc::SIGKILL) };
        assert_eq!(killed, 0);
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// Not a test by itself: the body of the process that [`Other`] starts.
#[test]
fn other_process() {
    let Some(home) = std::env::var_os("VUG_TEST_MEMBER") else {
        return;
    };
    let members = Members::open(Path::new(&home)).unwrap();
    if std::env::var("VUG_TEST_FORKS").as_deref() == Ok("1") {
        // SAFETY: the child only waits for the end of its input and exits.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            wait_for_end_of_input();
        }
    }
    println!("member={}", members.id().word());
    let _ = std::io::stdin().read(&mut [0]);
}

fn wait_for_end_of_input() -> ! {
    let mut byte = 0_u8;
    // SAFETY: one byte of room is given.
    unsafe { libc::read(0, (&raw mut byte).cast(), 1) };
    // SAFETY: ends the process without exit handlers.
    unsafe { libc::_exit(0) }
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn word(generation: u64, phase: Phase) -> u64 {
    SlotState { generation, phase }.encode()
}

fn is_free(members: &Members, at: usize) -> bool {
    let word = members.slots[at].state.load(Acquire);
    matches!(SlotState::decode(word), Some(SlotState { phase: Phase::Free, .. }))
}

#[test]
fn joining_and_leaving_never_repeats_an_identity() {
    let home = new_home();
    let first = Members::open(home.path()).unwrap();
    let second = Members::open(home.path()).unwrap();
    assert_ne!(first.id(), second.id());
    assert_eq!(first.node_id(), second.node_id());
    assert!(first.is_alive(second.id()) && second.is_alive(first.id()));
    assert!(MemberId::from_word(0).is_none());
    let old = second.id();
    assert_eq!(MemberId::from_word(old.word()), Some(old));
    drop(second);
    assert!(!first.is_alive(old));
    let third = Members::open(home.path()).unwrap();
    assert_eq!(third.id().slot(), old.slot());
    assert_ne!(third.id(), old);
    assert!(!first.is_alive(old) && first.is_alive(third.id()));
    let list = first.list();
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|m| m.alive && m.pid == std::process::id()));
    assert_eq!(list.iter().filter(|m| m.myself).count(), 1);
}

#[test]
fn a_storm_of_openers_makes_one_node_and_distinct_members() {
    let home = new_home();
    let inside = home.path().join("made/by/nobody");
    assert!(matches!(Members::open(&inside), Err(Error::Io { .. })));
    let inside = home.path().join("home");
    let open = || Members::open(&inside).unwrap();
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let ids: HashSet<_> = all.iter().map(|members| members.id()).collect();
    assert_eq!(ids.len(), 16);
    assert!(all.iter().all(|members| members.node_id() == all[0].node_id()));
    let mode = inside.metadata().unwrap().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_killed_and_unreaped_process_is_dead_at_once() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    let other = Other::start(home.path(), false);
    assert!(members.is_alive(other.id));
    assert_eq!(members.recover_dead(), 0);
    other.kill();
    eventually("the killed member is seen dead", || !members.is_alive(other.id));
    let listed = members.list().into_iter().find(|m| m.id == other.id.word()).unwrap();
    assert!(!listed.alive);
    assert_eq!(members.recover_dead(), 1);
    assert!(is_free(&members, other.id.slot()));
    assert!(!members.is_alive(other.id));
}

#[test]
fn a_surviving_forked_child_does_not_keep_the_lock_of_its_parent() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    let other = Other::start(home.path(), true);
    let byte = LOCK_BASE + other.id.slot() as u64;
    assert!(members.lock.is_locked_by_other(byte).unwrap());
    other.kill();
    // The grandchild lives until `other` is dropped; asked is the lock, not the pid.
    eventually("the lock is free", || !members.lock.is_locked_by_other(byte).unwrap());
    assert!(!members.is_alive(other.id));
}

#[test]
fn opening_and_closing_the_node_file_elsewhere_kills_nobody() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    let judge = Members::open(home.path()).unwrap();
    drop(File::open(home.path().join("node")).unwrap());
    drop(Members::open(home.path()).unwrap());
    assert!(judge.lock.is_locked_by_other(LOCK_BASE + members.id().slot() as u64).unwrap());
    assert!(judge.is_alive(members.id()));
}

#[test]
fn a_joining_slot_is_judged_by_its_lock_alone() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    let (at, id) = (9, MemberId(5 << 16 | 9));
    let slot = &members.slots[at];
    // Alive: the byte is held, while the identity words are those of somebody long gone.
    slot.pid.store(u64::from(members.me.pid), Relaxed);
    slot.start_time.store(1, Relaxed);
    slot.pidns_inode.store(members.me.pidns_inode, Relaxed);
    slot.timens_inode.store(members.me.timens_inode, Relaxed);
    slot.state.store(word(5, Phase::Joining), Relaxed);
    let uid = home.path().metadata().unwrap().uid();
    let file = open_existing(&home.path().join("node"), uid).unwrap();
    let holder = LockFile::new(file).unwrap();
    assert!(holder.try_lock(LOCK_BASE + at as u64).unwrap());
    assert!(members.is_alive(id));
    assert_eq!(members.recover_dead(), 0);
    // The same words in phase Live prove the death although the byte is held.
    slot.state.store(word(5, Phase::Live), Relaxed);
    assert!(!members.is_alive(id));
    // Dead: the byte is free, while the identity words are those of a living process.
    drop(holder);
    slot.start_time.store(members.me.start_time, Relaxed);
    slot.state.store(word(5, Phase::Joining), Relaxed);
    assert!(!members.is_alive(id));
    assert_eq!(members.recover_dead(), 1);
    assert_eq!(slot.state.load(Relaxed), word(5, Phase::Free));
}

#[test]
fn what_a_dead_recoverer_began_is_finished() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    members.slots[3].state.store(word(7, Phase::Recovering), Relaxed);
    assert!(!members.is_alive(MemberId(7 << 16 | 3)));
    assert_eq!(members.recover_dead(), 1);
    assert_eq!(members.slots[3].state.load(Relaxed), word(7, Phase::Free));
    assert_eq!(members.recover_dead(), 0);
}

#[test]
fn slots_with_unknown_words_are_left_alone() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    for (at, slot) in members.slots.iter().enumerate() {
        if at != members.id().slot() {
            slot.state.store(1 << 16 | 0xff00, Relaxed);
        }
    }
    let full = Members::open(home.path());
    assert!(matches!(full, Err(Error::TooManyMembers { max: MEMBER_SLOTS, .. })));
    assert_eq!(members.list().len(), 1);
    // The byte of such a slot is free, so whoever it was is not there.
    assert!(!members.is_alive(MemberId(1 << 16 | 200)));
}

#[test]
fn a_forked_child_is_not_the_member_and_leaves_everything_alone() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    let judge = Members::open(home.path()).unwrap();
    let id = members.id();
    let mut inherited = Some(members);
    let status = status_of_child(|| {
        let Some(members) = inherited.take() else {
            return 1;
        };
        let refused = matches!(members.check_process(), Err(Error::ForkedChild));
        if !refused || !members.is_forked_child() || members.recover_dead() != 0 {
            return 2;
        }
        if !matches!(members.take_bridge_seat(), Err(Error::ForkedChild)) {
            return 3;
        }
        let Ok(own) = Members::open(home.path()) else {
            return 4;
        };
        if own.id() == members.id() || own.is_forked_child() || !members.is_forked_child() {
            return 5;
        }
        let parent_lives = own.is_alive(members.id());
        drop(members);
        if parent_lives && own.is_alive(id) { 0 } else { 6 }
    });
    assert_eq!(status, 0);
    assert!(judge.is_alive(id));
    assert!(judge.lock.is_locked_by_other(LOCK_BASE + id.slot() as u64).unwrap());
    drop(inherited);
    assert!(!judge.is_alive(id));
}

#[test]
fn one_bridge_at_a_time() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    assert_eq!(members.bridge_pid(), None);
    let seat = members.take_bridge_seat().unwrap();
    assert_eq!(seat.epoch(), 1);
    assert_eq!(members.bridge_pid(), Some(std::process::id()));
    let second = Members::open(home.path()).unwrap();
    let refused = second.take_bridge_seat();
    let me = std::process::id();
    assert!(matches!(refused, Err(Error::BridgeRuns { pid, .. }) if pid == me));
    drop(seat);
    assert_eq!(members.bridge_pid(), None);
    assert_eq!(second.take_bridge_seat().unwrap().epoch(), 2);
}

#[test]
fn the_bell_rings_once_per_sleep_and_never_for_a_waking_bridge() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    let writer = Members::open(home.path()).unwrap();
    let seat = members.take_bridge_seat().unwrap();
    let rung = || {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        poll(&mut [PollFd::new(seat.bell(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() == 1
    };
    writer.ring_bell_if_asleep();
    assert!(!rung());
    seat.arm().expect("the seat is ours");
    let seen = members.words[0].bridge_sleeping.load(Acquire);
    writer.ring_bell_if_asleep();
    assert!(rung());
    seat.quiet().expect("the seat is ours");
    writer.ring_bell_if_asleep();
    assert!(!rung(), "one ring is enough");
    // A writer that was stopped between its look and its swap does not disarm the next sleep.
    seat.arm().expect("the seat is ours");
    writer.ring_bell(seen);
    seat.quiet().expect("the seat is ours");
    writer.ring_bell_if_asleep();
    assert!(rung());
    seat.arm().expect("the seat is ours");
    seat.disarm().expect("the seat is ours");
    seat.quiet().expect("the seat is ours");
    writer.ring_bell_if_asleep();
    assert!(!rung());
}

#[test]
fn the_number_of_a_node_is_given_once() {
    let home = new_home();
    let members = Members::open(home.path()).unwrap();
    assert_eq!(members.origin(), 0);
    members.set_origin(3).unwrap();
    members.set_origin(3).unwrap();
    let refused = members.set_origin(4);
    assert!(matches!(refused, Err(Error::OriginTaken { found: 3, wanted: 4, .. })));
    assert_eq!(Members::open(home.path()).unwrap().origin(), 3);
}

#[test]
fn a_damaged_node_file_is_an_error_that_names_it() {
    let home = new_home();
    let path = home.path().join("node");
    drop(Members::open(home.path()).unwrap());
    let whole = std::fs::read(&path).unwrap();
    let cases: [(&str, usize, u16); 4] =
        [("magic", 0, 101), ("version", 8, 103), ("incompatible", 32, 109), ("id", 41, 105)];
    for (what, at, code) in cases {
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[whole[at] ^ 0x40], at as u64).unwrap();
        let error = Members::open(home.path()).unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        file.write_all_at(&whole[at..=at], at as u64).unwrap();
    }
    drop(Members::open(home.path()).unwrap());
    for len in [0, 511, 4096] {
        std::fs::write(&path, &whole[..len]).unwrap();
        let error = Members::open(home.path()).unwrap_err();
        assert_eq!(error.code(), 104, "{len} bytes: {error}");
    }
}

#[test]
fn a_home_of_another_user_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let home = new_home();
    drop(Members::open(home.path()).unwrap());
    std::os::unix::fs::chown(home.path().join("node"), Some(12_345), None).unwrap();
    let refused = Members::open(home.path());
    assert!(matches!(refused, Err(Error::ForeignOwner { owner: 12_345, expected: 0, .. })));
    std::os::unix::fs::chown(home.path(), Some(12_345), None).unwrap();
    assert!(matches!(Members::open(home.path()), Err(Error::ForeignOwner { .. })));
}

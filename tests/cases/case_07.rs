//! Pid reuse, pid namespaces, zombies, and main threads that ended: who is dead is proved, whatever
//! the pids say.
//!
//! The processes of the first two tests live in a pid namespace of their own, made by `unshare`.
//! There the next pid is chosen through `ns_last_pid`, which belongs to the namespace; a small
//! `pid_max`, which would do the same, belongs to the whole machine before Linux 6.14.

use std::path::Path;
use std::process::Command;

use crate::WORKER;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use vug::Node;
use vug_tests::{Answer, TempHome, Worker, assert_clean, have_root, wait_until};

const HOME: &str = "VUG_TEST_HOME";
const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";

/// Runs a test of this program as the first process of a new pid namespace. `None`, with the
/// reason in the output: this machine does not let us.
fn in_namespace(test: &str, home: &Path) -> Option<()> {
    if !have_root() {
        return None;
    }
    let status = Command::new("unshare")
        .args(["--fork", "--pid", "--mount-proc", "--kill-child"])
        .arg(std::env::current_exe().expect("own path"))
        .args(["--exact", test, "--nocapture"])
        .env(HOME, home)
        .status();
    match status {
        Ok(status) => assert!(status.success(), "{test}: {status}"),
        Err(error) => {
            println!("skipped: unshare cannot be started: {error}");
            return None;
        }
    }
    Some(())
}

fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// A worker that has this very pid; the namespace has few processes, so the pid is free.
fn worker_with_pid(pid: u32, home: &Path) -> Worker {
    for _ in 0..1000 {
        std::fs::write(LAST_PID, (pid - 1).to_string()).expect("root may choose the next pid");
        let worker = Worker::open(WORKER, home, "r");
        if worker.pid() == pid {
            return worker;
        }
        worker.exit();
    }
    panic!("pid {pid} is never reused");
}

/// Not a test by itself: the first process of the namespace of the next test.
#[test]
fn entry_pid_reuse() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let home = Path::new(&home);
    let node = Node::open(home).expect("open");
    let _region = node.region("r").open().expect("open");
    for round in 0..10_u32 {
        let mut first = Worker::open(WORKER, home, "r");
        let pid = first.pid();
        assert!(matches!(first.ask(format_args!("put first-{round} 1")), Answer::Ok(_)));
        let find = |id: u64| node.members().into_iter().find(|member| member.id == id);
        let old = node.members().into_iter().find(|m| m.pid == pid && m.alive).expect("a member");
        first.send("loop-put noise 0");
        first.kill();
        // The pid has a process again, a member even, and it is not the old one.
        let mut second = worker_with_pid(pid, home);
        assert!(find(old.id).is_none_or(|member| !member.alive), "taken for the new process");
        node.recover().expect("recover");
        assert!(find(old.id).is_none(), "not recovered");
        let new = node.members().into_iter().find(|m| m.pid == pid).expect("the new process");
        assert!(new.alive && new.id != old.id);
        assert_eq!(second.ask(format_args!("get first-{round}")).word(), "1");
        second.exit();
    }
    // This process, and the one outside that started it.
    assert_eq!(node.members().len(), 2);
}

#[test]
fn case_07_pid_reuse() {
    let home = TempHome::new();
    let node = home.node();
    let region = node.region("r").max_bytes(8 << 20).create().expect("create");
    if in_namespace("case_07::entry_pid_reuse", home.path()).is_none() {
        return;
    }
    node.recover().expect("recover");
    assert_eq!(node.members().len(), 1);
    assert!(region.statistics().threads <= 1, "only ours");
    assert_clean(region.path());
}

/// Not a test by itself: a member in another namespace, where it is process 1.
#[test]
fn entry_other_namespace() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let node = Node::open(Path::new(&home)).expect("open");
    let region = node.region("r").open().expect("open");
    // The others have pids that mean nothing here, or somebody else. They live all the same.
    assert_eq!(std::process::id(), 1);
    let others = node.members();
    assert!(others.len() >= 2 && others.iter().all(|member| member.alive), "{others:?}");
    assert_eq!(node.recover().expect("recover").members, 0);
    region.put(b"inside", b"1").expect("put");
    let seen = region.token(b"outside").expect("token");
    region.wait_for_change(b"outside", seen, None).expect("wait");
    assert!(region.get(b"outside").expect("get").is_some());
    // Dies without leaving.
    region.put(b"done", b"1").expect("put");
    loop {
        std::thread::park();
    }
}

#[test]
fn case_07_members_of_other_pid_namespaces() {
    if !have_root() {
        return;
    }
    let home = TempHome::new();
    let node = home.node();
    let region = node.region("r").max_bytes(8 << 20).create().expect("create");
    let outside = Worker::open(WORKER, home.path(), "r");
    let child = Command::new("unshare")
        .args(["--fork", "--pid", "--mount-proc", "--kill-child"])
        .arg(std::env::current_exe().expect("own path"))
        .args(["--exact", "case_07::entry_other_namespace", "--nocapture"])
        .env(HOME, home.path())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return println!("skipped: unshare cannot be started: {error}"),
    };
    wait_until("it writes", || region.contains_key(b"inside").expect("token"));
    let members = node.members();
    assert!(members.iter().all(|member| member.alive), "{members:?}");
    assert_eq!(node.recover().expect("recover").members, 0);
    assert_eq!(node.members().len(), 3, "{members:?}");
    region.put(b"outside", b"1").expect("put");
    wait_until("it hears", || region.contains_key(b"done").expect("token"));
    child.kill().expect("own child");
    child.wait().expect("own child");
    // Its pid says nothing here: process 1 of this namespace lives. The kernel knows.
    wait_until("it is dead", || node.members().iter().any(|member| !member.alive));
    assert_eq!(node.recover().expect("recover").members, 1);
    outside.exit();
    assert_eq!(node.members().len(), 1);
    assert_clean(region.path());
}

/// Killed and not reaped: dead at once.
#[test]
fn case_07_a_zombie_is_dead() {
    let home = TempHome::new();
    let node = home.node();
    let region = node.region("r").max_bytes(8 << 20).create().expect("create");
    let mut victim = Worker::open(WORKER, home.path(), "r");
    let pid = victim.pid();
    victim.send("loop-put noise 0");
    wait_until("it writes", || region.statistics().counters.puts > 50);
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).expect("own child");
    wait_until("it is a zombie", || state_of(pid) == Some('Z'));
    wait_until("it is dead", || node.members().iter().any(|m| m.pid == pid && !m.alive));
    assert_eq!(node.recover().expect("recover").members, 1);
    assert_eq!(state_of(pid), Some('Z'), "nobody has reaped it");
    assert!(region.statistics().threads <= 1, "only ours");
    victim.kill();
    assert_clean(region.path());
}

/// Writes for ever in another thread than the first.
fn work_without_main(node: &Node) -> ! {
    let own = node.reopen_after_fork().expect("reopen");
    let region = own.region("r").open().expect("open");
    std::thread::spawn(move || {
        for n in 0_u64.. {
            region.put(format!("noise-{}", n % 100).as_bytes(), &n.to_le_bytes()).expect("put");
        }
    });
    // SAFETY: ends this thread alone; it owns nothing that the other one uses.
    unsafe { nix::libc::syscall(nix::libc::SYS_exit, 0) };
    unreachable!("the thread has ended")
}

/// The main thread has ended, so the process looks like a zombie; its other threads live.
#[test]
fn case_07_a_main_thread_that_ended() {
    let home = TempHome::new();
    let node = home.node();
    let region = node.region("r").max_bytes(8 << 20).create().expect("create");
    // SAFETY: the child opens the node anew and uses that; of what other threads may have locked it
    // needs the allocator only, which glibc makes usable after a fork.
    let child = match unsafe { fork() }.expect("fork") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => work_without_main(&node),
    };
    let pid = child.as_raw() as u32;
    wait_until("its main thread ended", || state_of(pid) == Some('Z'));
    for _ in 0..20 {
        assert!(node.members().iter().all(|member| member.alive), "{:?}", node.members());
        assert_eq!(node.recover().expect("recover").members, 0);
        let before = region.statistics().counters.puts;
        wait_until("it goes on", || region.statistics().counters.puts > before + 10);
    }
    kill(child, Signal::SIGKILL).expect("own child");
    waitpid(child, None).expect("own child");
    assert!(node.members().iter().any(|member| !member.alive));
    assert_eq!(node.recover().expect("recover").members, 1);
    assert_clean(region.path());
}

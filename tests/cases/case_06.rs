//! False-death guard: whatever happens around the descriptor that holds a member's lock, a live
//! member is never declared dead, and a dead one is although others hold copies of its descriptors.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use crate::WORKER;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, setsid};
use vug::{Node, Region};
use vug_tests::{TempHome, Worker, assert_clean, wait_until};

fn new_region(home: &TempHome) -> (Node, Region) {
    let node = home.node();
    let region = node.region("r").max_bytes(4 << 20).create().expect("a new region");
    (node, region)
}

/// Everybody who may judge finds all members alive and frees nobody.
fn assert_alive(judge: &Node, pid: u32) {
    assert_eq!(judge.recover().expect("recover").members, 0);
    let member = judge.members().into_iter().find(|member| member.pid == pid);
    assert!(member.is_some_and(|member| member.alive), "{pid} was declared dead");
}

/// Also if somebody who came later has recovered it already.
fn assert_dead(judge: &Node, pid: u32) {
    let lives = |m: &vug::MemberInfo| m.pid == pid && m.alive;
    wait_until("it is declared dead", || !judge.members().iter().any(lives));
    judge.recover().expect("recover");
    assert!(judge.members().iter().all(|member| member.pid != pid));
}

fn run_child(child: impl FnOnce()) -> Pid {
    // SAFETY: children open the node anew and use that; of what other threads may have locked they
    // need the allocator only, which glibc makes usable after a fork.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            child();
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(0) }
        }
    }
}

/// Waits for SIGKILL.
fn stay() -> ! {
    loop {
        nix::unistd::pause();
    }
}

fn end(pid: Pid) {
    kill(pid, Signal::SIGKILL).expect("own child");
    waitpid(pid, None).expect("own child");
}

/// The files of the node are opened and closed by the same process, by this library and without
/// it: a lock of the classic kind would be gone.
#[test]
fn case_06_the_same_files_opened_and_closed() {
    let home = TempHome::new();
    let (node, region) = new_region(&home);
    let judge = Worker::open(WORKER, home.path(), "r");
    for _ in 0..20 {
        for name in ["node", "bell", "r.region"] {
            let options = File::options().read(true).write(true).open(home.path().join(name));
            drop(options.expect("our own file"));
        }
        // As a second copy of the library in the process would do.
        let again = Node::open(home.path()).expect("open");
        again.region("r").open().expect("open").put(b"k", b"v").expect("put");
        assert!(again.close());
        let status = Command::new("true").status().expect("fork and exec");
        assert!(status.success());
        let other = Node::open(home.path()).expect("open");
        assert_eq!(other.recover().expect("recover").members, 0);
        assert_eq!(other.members().len(), 3);
        assert!(other.members().iter().all(|member| member.alive));
    }
    assert_alive(&node, judge.pid());
    judge.exit();
    assert_clean(region.path());
}

/// Two copies of the library in one process, each with its own statics.
#[test]
fn case_06_the_library_loaded_twice() {
    let home = TempHome::new();
    let (_node, region) = new_region(&home);
    let folder = Path::new(WORKER).parent().expect("a directory");
    let library = ["libvug_ffi.so", "libvug.so"].map(|name| folder.join(name));
    let Some(library) = library.into_iter().find(|path| path.exists()) else {
        return println!("skipped: the C library is not built as a shared object here");
    };
    let name = |text: &str| std::ffi::CString::new(text).expect("a name");
    let path = name(library.to_str().expect("text"));
    // SAFETY: loads our own library; its constructors do nothing.
    let handle = unsafe { nix::libc::dlopen(path.as_ptr(), nix::libc::RTLD_NOW) };
    assert!(!handle.is_null(), "{} does not load", library.display());
    // SAFETY: both arguments are valid for the call.
    let version = unsafe { nix::libc::dlsym(handle, name("vug_version").as_ptr()) };
    assert!(!version.is_null());
    let judge = Worker::open(WORKER, home.path(), "r");
    region.put(b"k", b"v").expect("put");
    // SAFETY: nothing of the library is in use.
    unsafe { nix::libc::dlclose(handle) };
    assert_alive(&home.node(), std::process::id());
    judge.exit();
}

/// A member that is dead, with a child that lives and has copies of all its descriptors.
#[test]
fn case_06_dead_with_a_living_child() {
    let home = TempHome::new();
    let (node, region) = new_region(&home);
    let (mut told, tell) = UnixStream::pair().expect("a pair");
    let parent = run_child(|| {
        let own = node.reopen_after_fork().expect("reopen");
        let mine = own.region("r").open().expect("open");
        mine.put(b"parent", b"1").expect("put");
        let child = run_child(|| stay());
        std::io::Write::write_all(&mut &tell, &child.as_raw().to_le_bytes()).expect("tell");
        stay();
    });
    let mut child = [0; 4];
    std::io::Read::read_exact(&mut told, &mut child).expect("the child's pid");
    assert_alive(&node, parent.as_raw() as u32);
    end(parent);
    assert_dead(&node, parent.as_raw() as u32);
    let child = Pid::from_raw(i32::from_le_bytes(child));
    kill(child, None).expect("the child lives");
    kill(child, Signal::SIGKILL).expect("our grandchild");
    assert!(region.contains_key(b"parent").expect("token"));
    assert_clean(region.path());
}

/// A daemon: who opened the node before the double fork is dead, who did it after lives.
#[test]
fn case_06_double_fork() {
    let home = TempHome::new();
    let (node, region) = new_region(&home);
    let (mut told, tell) = UnixStream::pair().expect("a pair");
    let first = run_child(|| {
        let before = node.reopen_after_fork().expect("reopen");
        run_child(|| {
            setsid().expect("a new session");
            run_child(|| {
                let after = before.reopen_after_fork().expect("reopen");
                let mine = after.region("r").open().expect("open");
                mine.put(b"daemon", b"1").expect("put");
                let pid = std::process::id();
                std::io::Write::write_all(&mut &tell, &pid.to_le_bytes()).expect("tell");
                stay();
            });
        });
    });
    waitpid(first, None).expect("own child");
    let mut daemon = [0; 4];
    std::io::Read::read_exact(&mut told, &mut daemon).expect("the daemon's pid");
    let daemon = u32::from_le_bytes(daemon);
    assert_dead(&node, first.as_raw() as u32);
    assert_alive(&node, daemon);
    kill(Pid::from_raw(daemon as i32), Signal::SIGKILL).expect("our daemon");
    assert_dead(&node, daemon);
    assert!(region.contains_key(b"daemon").expect("token"));
    assert_clean(region.path());
}

/// Descriptors of this process that mean the node file, which include the one with the lock.
fn descriptors_of(path: &Path) -> Vec<RawFd> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("our descriptors");
    let means =
        |entry: &std::fs::DirEntry| std::fs::read_link(entry.path()).is_ok_and(|to| to == path);
    let entries = entries.map(|entry| entry.expect("an entry")).filter(means);
    entries
        .map(|entry| entry.file_name().to_str().expect("text").parse().expect("a number"))
        .collect()
}

fn receive(stream: &UnixStream) -> Vec<OwnedFd> {
    let mut byte = [0];
    let mut space = nix::cmsg_space!([RawFd; 16]);
    let mut parts = [IoSliceMut::new(&mut byte)];
    let raw = stream.as_raw_fd();
    let message = recvmsg::<()>(raw, &mut parts, Some(&mut space), MsgFlags::empty());
    let message = message.expect("a message");
    let mut received = Vec::new();
    for control in message.cmsgs().expect("whole control messages") {
        if let ControlMessageOwned::ScmRights(all) = control {
            // SAFETY: the kernel made these descriptors for this message; nobody else has them.
            received.extend(all.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    received
}

/// The lock's descriptor goes to another process: closing the copy there takes nothing away, and
/// keeping it does not keep a dead member alive.
#[test]
fn case_06_descriptors_passed_to_another_process() {
    let home = TempHome::new();
    let (node, region) = new_region(&home);
    let (here, there) = UnixStream::pair().expect("a pair");
    let member = run_child(|| {
        let own = node.reopen_after_fork().expect("reopen");
        let mine = own.region("r").open().expect("open");
        mine.put(b"member", b"1").expect("put");
        let all = descriptors_of(&home.path().join("node"));
        for _ in 0..2 {
            let rights = [ControlMessage::ScmRights(&all)];
            let parts = [IoSlice::new(b"x")];
            let raw = there.as_raw_fd();
            sendmsg::<()>(raw, &parts, &rights, MsgFlags::empty(), None).expect("send");
        }
        stay();
    });
    let pid = member.as_raw() as u32;
    let copies = receive(&here);
    assert!(!copies.is_empty());
    assert_alive(&node, pid);
    drop(copies);
    assert_alive(&node, pid);
    let copies = receive(&here);
    assert!(!copies.is_empty());
    end(member);
    // The lock is held, by us; but the process is gone.
    assert_dead(&node, pid);
    drop(copies);
    assert!(region.contains_key(b"member").expect("token"));
    assert_clean(region.path());
}

//! Fork: the child is refused until it opens the node itself, and the parent does not notice.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use vug::{Error, Guard, Node, Region};
use vug_tests::{TempHome, assert_clean};

const THREADS: usize = 8;
const CHILDREN: i32 = 30;

/// How a child ends.
#[derive(Clone, Copy)]
enum End {
    /// No exit handler runs.
    Quiet,
    /// The destructors of thread-local storage run.
    Handlers,
    /// SIGKILL.
    Killed,
}

/// Forks and runs `child` in it; it may do what is safe after a fork of a threaded process, and
/// returns whether all was well.
fn in_child(end: End, child: impl FnOnce() -> bool) -> ExitStatus {
    // SAFETY: the child opens a node anew and uses that; of what other threads may have locked it
    // needs the allocator only, which glibc makes usable after a fork.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            let status = i32::from(!child());
            match end {
                // SAFETY: ends the child at once.
                End::Quiet => unsafe { nix::libc::_exit(status) },
                // SAFETY: the exit handlers of this program touch nothing of the test harness.
                End::Handlers => unsafe { nix::libc::exit(status) },
                End::Killed if status == 0 => {
                    let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
                }
                End::Killed => {}
            }
            // SAFETY: as above.
            unsafe { nix::libc::_exit(status) }
        }
        ForkResult::Parent { child } => match waitpid(child, None).expect("own child") {
            WaitStatus::Exited(_, code) => ExitStatus::from_raw(code << 8),
            WaitStatus::Signaled(_, signal, _) => ExitStatus::from_raw(signal as i32),
            other => panic!("{other:?}"),
        },
    }
}

/// What the child finds: everything inherited is refused, and a membership of its own works.
fn child(node: &Node, region: &Region, guard: Option<Guard<'_>>, n: i32) -> bool {
    let refusals = [
        region.get(b"held").err(),
        region.put(b"held", b"child").err(),
        region.increment(b"count", 1).err(),
        region.token(b"held").err(),
        region.recover().err(),
        region.subscribe().poll().err(),
        region.wait_for_change(b"held", None, None).err(),
        node.region("r").open().err(),
        node.set_origin(9).err(),
    ];
    for (n, refusal) in refusals.iter().enumerate() {
        if !matches!(refusal, Some(Error::ForkedChild)) {
            eprintln!("call {n}: {refusal:?}");
            return false;
        }
    }
    drop(guard);
    match join(node, n) {
        Ok(works) => works,
        Err(error) => {
            eprintln!("child {n}: {error}");
            false
        }
    }
}

fn join(node: &Node, n: i32) -> vug::Result<bool> {
    let own = node.reopen_after_fork()?;
    let mine = own.region("r").open()?;
    mine.put(format!("child-{n}").as_bytes(), b"value")?;
    mine.increment(b"count", 1)?;
    let right = mine.get(b"held")?.as_deref() == Some(&b"parent"[..])
        && own.members().iter().filter(|member| member.myself).count() == 1;
    if n % 2 == 0 {
        drop(mine);
        return Ok(right && own.close());
    }
    // The others leave without a word.
    std::mem::forget((own, mine));
    Ok(right)
}

/// Ends the threads also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn case_08_fork_in_the_middle_of_threads() {
    let home = TempHome::new();
    let node = home.node();
    let region = node.region("r").max_bytes(8 << 20).create().expect("create");
    region.put(b"held", b"parent").expect("put");
    let (stop, counted) = (AtomicBool::new(false), AtomicI64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (region, stop, counted) = (&region, &stop, &counted);
            scope.spawn(move || {
                let mut n = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    let key = format!("{thread}-{}", n % 50);
                    region.put(key.as_bytes(), &n.to_le_bytes()).expect("put");
                    let value = region.get(key.as_bytes()).expect("get").expect("there");
                    assert_eq!(*value, n.to_le_bytes());
                    region.increment(b"count", 1).expect("increment");
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let stop = Stop(&stop);
        let mut guard = region.get(b"held").expect("get");
        assert!(guard.is_some());
        for n in 0..CHILDREN {
            let end = [End::Quiet, End::Handlers, End::Killed][n as usize % 3];
            let status = in_child(end, || child(&node, &region, guard.take(), n));
            // The child's copy of the guard is not ours.
            assert_eq!(guard.as_deref(), Some(&b"parent"[..]));
            match end {
                End::Killed => assert_eq!(status.signal(), Some(9), "child {n}"),
                _ => assert!(status.success(), "child {n}: {status}"),
            }
        }
        drop(stop);
    });
    let sum = counted.load(Ordering::Relaxed) + i64::from(CHILDREN);
    assert_eq!(region.increment(b"count", 0).expect("increment"), sum);
    for n in 0..CHILDREN {
        assert!(region.contains_key(format!("child-{n}").as_bytes()).expect("token"));
    }
    node.recover().expect("recover");
    assert!(node.members().iter().all(|member| member.myself), "{:?}", node.members());
    assert_clean(region.path());
}

/// A child may fork again, and again.
#[test]
fn case_08_children_of_children() {
    let home = TempHome::new();
    let node = home.node();
    let region = node.region("r").max_bytes(1 << 20).create().expect("create");
    fn descend(node: &Node, depth: i32) -> bool {
        let Ok(own) = node.reopen_after_fork() else { return false };
        let Ok(region) = own.region("r").open() else { return false };
        let counted = region.increment(b"depth", 1).is_ok();
        counted && (depth == 0 || in_child(End::Quiet, || descend(&own, depth - 1)).success())
    }
    assert!(in_child(End::Quiet, || descend(&node, 3)).success());
    assert_eq!(region.increment(b"depth", 0).expect("increment"), 4);
    node.recover().expect("recover");
    assert_eq!(node.members().len(), 1);
    assert!(!node.clone().close() && !node.close(), "the region holds the membership");
}

//! A writer is killed after its n-th instruction, for every n until its put returns.
//!
//! The parent traces the writer and lets it execute single instructions between two stops that
//! the writer makes itself. `VUG_STEP_STRIDE` = every how many instructions (default 5; the kill
//! campaign sets 1).

#![cfg(target_arch = "x86_64")]

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::process::{Child, Stdio};
use vug::{Node, Region};
use vug_tests::victim::{LOCAL, Nursery, decode, encode};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
/// No put has more instructions; a stepper that gets there is broken.
const TOO_MANY: usize = 1_000_000;

/// Goes `steps` instructions beyond the first stop and kills. Returns whether the put was still
/// running.
fn kill_after(nursery: &Nursery, steps: usize, tag: u64) -> bool {
    let mut command = nursery.command("step", &[&tag.to_string()]);
    let mut child = command.stdout(Stdio::null()).spawn().expect("the victim starts");
    let pid = Pid::from_raw(child.id() as i32);
    wait_for_stop(pid, Signal::SIGSTOP);
    let running = step(pid, steps);
    kill(&mut child);
    running
}

fn step(pid: Pid, steps: usize) -> bool {
    for _ in 0..steps {
        ptrace::step(pid, None).expect("step");
        match waitpid(pid, None).expect("wait") {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
            WaitStatus::Stopped(_, Signal::SIGSTOP) => return false,
            other => panic!("the writer ended: {other:?}"),
        }
    }
    true
}

fn wait_for_stop(pid: Pid, signal: Signal) {
    let status = waitpid(pid, None).expect("wait");
    assert_eq!(status, WaitStatus::Stopped(pid, signal));
}

fn kill(child: &mut Child) {
    child.kill().expect("kill");
    child.wait().expect("it ends");
}

/// Recovers and audits; the key is as before the put or as after it.
fn look(node: &Node, region: &Region, before: Option<u64>, tag: u64) -> bool {
    let value = |region: &Region| region.get(b"stepped").expect("get").as_deref().map(decode);
    let at_once = value(region);
    node.recover().expect("recover");
    let found = value(region);
    assert!(found == Some(tag) || found == before, "{found:?}");
    // Recovery may finish the put, never take it back.
    assert!(at_once == found || at_once == before, "{at_once:?}, then {found:?}");
    let counters = region.statistics();
    assert_eq!((counters.threads, counters.pins), (1, 0));
    match vug::check::check_file(region.path()) {
        Err(vug::Error::NotBuiltYet { .. }) => {}
        other => {
            let report = other.expect("the file can be checked");
            assert!(report.is_clean(), "{:#?}", report.problems);
        }
    }
    // The bucket and the key are usable.
    region.put(b"stepped", &encode(tag + 1, 64)).expect("put");
    assert_eq!(value(region), Some(tag + 1));
    found == Some(tag)
}

/// Kills at every `stride`-th instruction of a put of an absent or present key.
fn campaign(name: &str, present: bool) {
    let stride = std::env::var("VUG_STEP_STRIDE");
    let stride: usize = stride.map_or(5, |text| text.parse().expect("a number"));
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let (mut kills, mut done) = (0, 0);
    for steps in (0..TOO_MANY).step_by(stride) {
        let tag = 2 * steps as u64 + 2;
        let before = present.then_some(1);
        region.remove(b"stepped").expect("remove");
        if let Some(before) = before {
            region.put(b"stepped", &encode(before, 64)).expect("put");
        }
        let running = kill_after(&nursery, steps, tag);
        let took_place = look(&node, &region, before, tag);
        if !running {
            assert!(took_place, "the put had returned");
            println!("{name}: {kills} kill points, the put had taken place at {done} of them");
            assert!(done > 0 && done < kills);
            return;
        }
        kills += 1;
        done += usize::from(took_place);
    }
    panic!("the put does not return");
}

#[test]
fn a_put_of_a_new_key_dies_after_every_instruction() {
    campaign("new key", false);
}

#[test]
fn a_replacing_put_dies_after_every_instruction() {
    campaign("replace", true);
}

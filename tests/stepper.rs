//! A process is killed after its n-th instruction, for every n until its operation returns.
//!
//! The parent traces the process and lets it execute single instructions between two stops that
//! the process makes itself. `VUG_STEP_STRIDE` = every how many instructions of a put (default 5;
//! the kill campaign sets 1). Operations that are longer are killed at fewer instructions, spread
//! evenly over them: `VUG_STEP_KILLS` = how many of each (at most 40 by
//! default).

#![cfg(target_arch = "x86_64")]

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::process::{Child, Stdio};
use std::time::Duration;
use vug::{Node, Region, WriteOptions};
use vug_tests::victim::{GROWN, LOCAL, Nursery, decode, encode};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
/// No put has more instructions; a stepper that gets there is broken.
const TOO_MANY: usize = 1_000_000;
/// Instructions of all kills of one kind of operation, if nobody asks for more.
const STEPS: usize = 1_000_000;

/// Goes `steps` instructions beyond the first stop and kills. Returns whether the put was still
/// running.
fn kill_after(nursery: &Nursery, kind: &str, steps: usize, tag: u64) -> bool {
    let mut command = nursery.command("step", &[kind, &tag.to_string()]);
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
        let running = kill_after(&nursery, "put", steps, tag);
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

/// Instructions between the two stops.
fn length(nursery: &Nursery, kind: &str) -> usize {
    let mut command = nursery.command("step", &[kind, "0"]);
    let mut child = command.stdout(Stdio::null()).spawn().expect("the victim starts");
    let pid = Pid::from_raw(child.id() as i32);
    wait_for_stop(pid, Signal::SIGSTOP);
    let mut steps = 0;
    while step(pid, 1) {
        steps += 1;
        assert!(steps < 20 * TOO_MANY, "the operation does not return");
    }
    kill(&mut child);
    steps
}

/// What must be there for the operation `kind`, and for others that it may meet.
fn prepare(region: &Region, kind: &str) {
    let absent = ["create", "large"].contains(&kind);
    region.remove(b"stepped").expect("remove");
    if !absent {
        region.put(b"stepped", &encode(1, 64)).expect("put");
    }
    let soon = WriteOptions::ttl(Duration::from_micros(1));
    for n in 0..20_u64 {
        let key = format!("neighbour-{n}");
        region.put(key.as_bytes(), &encode(n, 3000)).expect("put");
        if kind == "sweep" {
            let key = format!("gone-{n}");
            region.put_with(key.as_bytes(), &encode(n, 50), &soon).expect("put");
        }
    }
    for n in (0..20_u64).filter(|n| !n.is_multiple_of(5)) {
        region.remove(format!("neighbour-{n}").as_bytes()).expect("remove");
    }
}

/// Kills at instructions all over one kind of operation. `after`: what the key may hold then
/// beside what it held before.
fn spread(kind: &str, after: impl Fn(u64) -> Option<u64>) {
    let wanted = std::env::var("VUG_STEP_KILLS").ok().map(|text| text.parse().expect("a number"));
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    prepare(&region, kind);
    let whole = length(&nursery, kind);
    node.recover().expect("recover");
    // Each kill takes half of the instructions on average, and each of these two system calls.
    let kills = wanted.unwrap_or_else(|| (STEPS / whole).clamp(3, 40));
    for n in 0..kills {
        let tag = n as u64 + 2;
        prepare(&region, kind);
        let before = region.get(b"stepped").expect("get").as_deref().map(decode);
        kill_after(&nursery, kind, whole * n / kills + n % 7, tag);
        node.recover().expect("recover");
        let found = region.get(b"stepped").expect("get").as_deref().map(decode);
        assert!(found == before || found == after(tag), "{kind}: {found:?}");
        for n in (0..20_u64).step_by(5) {
            let neighbour = region.get(format!("neighbour-{n}").as_bytes()).expect("get");
            assert_eq!(neighbour.as_deref().map(decode), Some(n), "{kind}");
        }
        let counters = region.statistics();
        assert!(counters.threads <= 1 && counters.pins == 0, "{kind}: {counters:#?}");
        vug_tests::assert_clean(region.path());
    }
    println!("{kind}: {whole} instructions, {kills} kill points");
}

#[test]
fn every_kind_of_write_dies_anywhere() {
    for kind in ["create", "swap", "replace", "mortal", "large"] {
        spread(kind, Some);
    }
    spread("remove", |_| None);
    spread("increment", |_| Some(1));
}

#[test]
fn reads_and_upkeep_die_anywhere() {
    for kind in ["get", "sweep", "clean", "recover", "leave"] {
        spread(kind, |_| Some(1));
    }
}

/// The index grows: memory for a table, zeros, its name, chains that move.
#[test]
fn growth_dies_anywhere() {
    let wanted = std::env::var("VUG_STEP_KILLS").ok().map(|text| text.parse().expect("a number"));
    let kills = wanted.unwrap_or(6);
    let whole = {
        let (nursery, _region) = about_to_grow();
        length(&nursery, "grow")
    };
    for n in 0..kills {
        let (nursery, region) = about_to_grow();
        kill_after(&nursery, "grow", whole * n / kills + n % 7, 1);
        nursery.node().recover().expect("recover");
        let len = region.len().expect("len");
        for key in 0..len {
            assert!(region.contains_key(&key.to_be_bytes()).expect("get"), "{key} of {len}");
        }
        assert!(!region.contains_key(&len.to_be_bytes()).expect("get"));
        vug_tests::assert_clean(region.path());
        // It goes on growing from there.
        for key in len..3 * len {
            region.put(&key.to_be_bytes(), b"").expect("put");
        }
        assert_eq!(region.len().expect("len"), 3 * len);
        vug_tests::assert_clean(region.path());
    }
    println!("grow: {whole} instructions, {kills} kill points");
}

fn about_to_grow() -> (Nursery, Region) {
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = node.region(GROWN).max_bytes(4 << 20).segment_bytes(64 << 10);
    let region = region.create().expect("a new region");
    (nursery, region)
}

#[test]
fn a_put_of_a_new_key_dies_after_every_instruction() {
    campaign("new key", false);
}

#[test]
fn a_replacing_put_dies_after_every_instruction() {
    campaign("replace", true);
}

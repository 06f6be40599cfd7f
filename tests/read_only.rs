//! Readers without the right to write, stopped and killed while others write: they never see a
//! torn value, hold up no writer, and what they kept from being given back is free once they are
//! gone.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vug::Region;
use vug_tests::victim::encode;
use vug_tests::{Answer, TempHome, Worker, assert_clean};

const WORKER: &str = env!("CARGO_BIN_EXE_worker");
/// Keys that are there now and then.
const KEYS: u64 = 400;
/// Readers that are stopped at a time.
const STOPPED: usize = 3;

fn reader(home: &TempHome) -> Worker {
    let mut reader = Worker::start(WORKER);
    let request = format!("read-only {} r", home.path().display());
    assert!(matches!(reader.ask(format_args!("{request} 1")), Answer::Ok(_)));
    reader.send(format_args!("{request} {}", u64::MAX));
    reader
}

fn signal(reader: &Worker, signal: Signal) {
    kill(Pid::from_raw(reader.pid().cast_signed()), signal).expect("an own child");
}

/// It had nothing to say: an answer would be that of a torn value.
fn end(reader: Worker) {
    assert_eq!(reader.kill_and_drain(), []);
}

/// Goes through the memory of the region several times.
fn write(region: &Region, round: u64) {
    for n in 0..4000_u64 {
        let seed = (round << 32 | n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let key = (seed >> 40) % KEYS;
        if seed.is_multiple_of(5) {
            region.remove(&key.to_le_bytes()).expect("remove");
        } else {
            let value = encode(seed, 8 + (seed >> 20) as usize % 4000);
            region.put(&key.to_le_bytes(), &value).expect("stopped readers hold no memory");
        }
    }
}

#[test]
fn killed_and_stopped_readers_hold_nothing() {
    let rounds = std::env::var("VUG_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let home = TempHome::new();
    let region = home.node().region("r").max_bytes(4 << 20).create().expect("create");
    write(&region, u64::MAX >> 32);
    let mut stopped = std::collections::VecDeque::new();
    for round in 0..rounds {
        let (one, other, third) = (reader(&home), reader(&home), reader(&home));
        write(&region, round);
        end(one);
        signal(&other, Signal::SIGSTOP);
        signal(&third, Signal::SIGSTOP);
        write(&region, round);
        // One goes on with what it knew before, and is killed as it runs.
        signal(&third, Signal::SIGCONT);
        write(&region, round);
        end(third);
        // Writers use all memory again while it is stopped, but the system gets none back.
        assert_eq!(region.release_memory().expect("release"), 0);
        stopped.push_back(other);
        if stopped.len() > STOPPED {
            end(stopped.pop_front().expect("some"));
        }
    }
    stopped.into_iter().for_each(end);
    for key in 0..KEYS {
        region.remove(&key.to_le_bytes()).expect("remove");
    }
    let before = region.statistics();
    let released = region.release_memory().expect("release");
    assert!(released > before.backed_bytes / 2, "{released} of {before:#?}");
    assert_eq!((before.members, before.pins, region.len().expect("len")), (1, 0, 0));
    write(&region, rounds);
    assert_clean(region.path());
}

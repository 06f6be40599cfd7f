//! Several processes read, write and destroy the same few entries while some of them are killed;
//! afterwards there must be an order of all their operations that explains what each of them saw.

use std::io::Read;
use std::process::Child;
use std::thread::JoinHandle;
use std::time::Duration;
use vug_tests::victim::{History, Nursery};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
const PROCESSES: usize = 4;
const KILLS: u64 = 24;

fn start(nursery: &Nursery, generation: u64) -> (Child, JoinHandle<String>) {
    let first = (generation << 32).to_string();
    let mut child = nursery.command("history", &[&first]).spawn().expect("the victim starts");
    let mut out = child.stdout.take().expect("a pipe");
    let listener = std::thread::spawn(move || {
        let mut said = String::new();
        out.read_to_string(&mut said).expect("text");
        said
    });
    (child, listener)
}

fn end((mut child, listener): (Child, JoinHandle<String>)) -> String {
    assert!(child.try_wait().expect("a child").is_none(), "a process failed");
    child.kill().expect("kill");
    child.wait().expect("it ends");
    listener.join().expect("a report")
}

#[test]
fn an_order_explains_what_all_processes_saw() {
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let mut running: Vec<_> = (1..=PROCESSES as u64).map(|n| start(&nursery, n)).collect();
    let mut histories = Vec::new();
    for kill in 0..KILLS {
        std::thread::sleep(Duration::from_millis(20 + kill * 7 % 30));
        histories.push(end(running.remove(0)));
        running.push(start(&nursery, 1 + PROCESSES as u64 + kill));
    }
    histories.extend(running.into_iter().map(end));
    let mut history = History::default();
    let operations: usize = histories.iter().map(|said| history.hear(said)).sum();
    println!("{operations} operations of {} processes", histories.len());
    assert!(operations > 1000);
    history.verify();
    node.recover().expect("recover");
}

/// The checker sees a read of a value that had been replaced before the read began.
#[test]
#[should_panic(expected = "had been reached")]
fn a_stale_read_is_noticed() {
    let mut history = History::default();
    history.hear("put 0 1 10\ndone 5 20\nput 0 2 30\ndone 6 40");
    history.hear("get 0 5 1 50 60");
    history.verify();
}

/// The same read is explained while the second write runs.
#[test]
fn a_read_beside_a_write_may_see_either() {
    let mut history = History::default();
    history.hear("put 0 1 10\ndone 5 20\nput 0 2 30\ndone 6 70");
    history.hear("get 0 5 1 50 60");
    history.verify();
}

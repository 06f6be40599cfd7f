//! Eight processes change the same keys, are stopped and killed, at random and at crash points,
//! while others follow: every event arrives once and in the order of its key, or the follower is
//! told that it missed some; and in the end what it was told is what is there.
//!
//! `VUG_STRESS_SECONDS` = how long; `VUG_SEED`.

use std::collections::HashMap;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vug::{Event, EventKind, Kind, ListenOptions, Node, Notice, OldValue, Region, Subscription};
use vug_tests::damage::Random;
use vug_tests::victim::{FOLLOWED, Nursery};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
/// Processes that write at the same time.
const WRITERS: usize = 8;
/// Where some of them die.
const POINTS: [&str; 16] = [
    "write.intended",
    "write.replaced",
    "write.retired",
    "write.announced",
    "write.dropped",
    "insert.claimed",
    "insert.published",
    "announce.own",
    "announce.helped",
    "announce.marked",
    "journal.written",
    "journal.advanced",
    "clean.marked",
    "clean.retired",
    "listeners.bumped",
    "clear.stamped",
];

/// What a follower knows of a key.
#[derive(Debug, Clone, Default)]
struct Known {
    version: u64,
    /// `None`: absent or destroyed. The inner `None`: it has no value.
    value: Option<Option<Vec<u8>>>,
    /// Told by the last event of the key, with nothing missed since.
    exact: bool,
}

/// Key, version and value of an entry.
type State<'a> = (&'a [u8], u64, Option<&'a [u8]>);

/// The content of a region as its events tell it.
#[derive(Debug, Default)]
struct Follower {
    keys: HashMap<Vec<u8>, Known>,
    /// Since the last lapped notice.
    resynchronising: bool,
    cleared: u64,
    /// Versions of which it has still to be told that a clear removed them.
    owed: Vec<u64>,
    events: u64,
    checked: u64,
    lapped: u64,
}

impl Follower {
    fn hear(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) if event.kind == EventKind::Clear => {
                // How it was before is not told for each key.
                self.cleared = self.cleared.max(event.token.version);
                self.owed.retain(|&version| version >= self.cleared);
                self.keys.values_mut().for_each(|known| known.exact = false);
            }
            Notice::Event(event) => self.change(event),
            Notice::Lapped { from, to } => {
                assert!(from < to);
                self.lapped += 1;
                self.owed.clear();
                self.resynchronising = true;
                self.keys.clear();
            }
            Notice::InSync { .. } => self.resynchronising = false,
            other => panic!("{other:?}"),
        }
    }

    fn change(&mut self, event: Event) {
        self.events += 1;
        let resync = event.kind == EventKind::Resync;
        assert_eq!(resync, self.resynchronising, "{event:?}");
        let known = self.keys.entry(event.key.clone()).or_default();
        if event.token.version <= known.version {
            // Told by the resynchronisation already, and only then.
            assert!(!known.exact, "after version {}: {event:?}", known.version);
            return;
        }
        // An entry that expired is absent to who writes it again, and nobody says so before.
        if known.exact && !event.key.starts_with(b"mortal") {
            self.checked += 1;
            let present = known.value.is_some();
            let mut old = known.value.clone().flatten();
            if present && event.kind == EventKind::Create {
                // What was there was cleared, which is announced a little later.
                self.owed.push(known.version);
                old = None;
            } else {
                assert_eq!(event.kind != EventKind::Create, present, "{known:?} {event:?}");
            }
            match &event.old {
                OldValue::Value(told) => assert_eq!(Some(told), old.as_ref(), "{event:?}"),
                OldValue::None => assert_eq!(None, old, "{event:?}"),
                OldValue::NotAvailable => {}
            }
        }
        known.version = event.token.version;
        known.value = event.token.kind.is_visible().then_some(event.value);
        known.exact = !resync;
    }

    /// What it was told is what is there.
    fn compare(&self, region: &Region) {
        assert!(self.owed.is_empty(), "created, and were there: versions {:?}", self.owed);
        let mut told: Vec<State<'_>> = Vec::new();
        for (key, known) in &self.keys {
            if let (Some(value), true) = (&known.value, known.version > self.cleared) {
                told.push((key, known.version, value.as_deref()));
            }
        }
        told.retain(|(key, ..)| !key.starts_with(b"mortal"));
        told.sort();
        let mut there = Vec::new();
        for key in region.keys() {
            let key = key.expect("a key");
            if key.starts_with(b"mortal") {
                continue;
            }
            let token = region.token(&key).expect("token").expect("nobody writes");
            let value = region.get(&key).expect("get").map(|value| value.to_vec());
            assert_eq!(value.is_some(), token.kind == Kind::Value);
            there.push((key, token.version, value));
        }
        there.sort();
        let there: Vec<_> = there
            .iter()
            .map(|(key, version, value)| (&key[..], *version, value.as_deref()))
            .collect();
        let states = |entries: &[State<'_>]| -> Vec<(String, u64)> {
            let state = |entry: &State<'_>| (String::from_utf8_lossy(entry.0).into(), entry.1);
            entries.iter().map(state).collect()
        };
        let summary = (self.events, self.checked, self.lapped, self.cleared);
        assert_eq!(states(&told), states(&there), "{summary:?}");
        assert!(told == there, "other values");
    }
}

/// Follows until told to stop, and then to the end of what is there.
fn follow(mut events: Subscription, stop: &Receiver<()>) -> Follower {
    let mut follower = Follower::default();
    loop {
        let soon = Some(Instant::now() + Duration::from_millis(50));
        match events.wait(soon).expect("wait") {
            Some(notice) => follower.hear(notice),
            None if stop.try_recv().is_ok() => break,
            None => {}
        }
    }
    while let Some(notice) = events.poll().expect("poll") {
        follower.hear(notice);
    }
    follower
}

/// The processes, and who ends them.
struct Crowd<'n> {
    nursery: &'n Nursery,
    random: Random,
    writers: Vec<Child>,
    generation: u64,
    killed: u64,
}

impl Crowd<'_> {
    fn start(&mut self) -> Child {
        self.generation += 1;
        let start = (self.generation << 32).to_string();
        let mut command = self.nursery.command("stress", &[&start]);
        if self.random.below(2) == 0 {
            let point = POINTS[self.random.below(POINTS.len())];
            let pass = 1 + self.random.below(3000);
            command.env("VUG_CRASH_AT", format!("{point}:{pass}"));
        }
        command.stdout(Stdio::null()).spawn().expect("it starts")
    }

    /// One process is stopped for a while, or killed; those that are dead are replaced.
    fn disturb(&mut self) {
        use nix::sys::signal::{Signal, kill};
        let victim = self.random.below(self.writers.len());
        let id = nix::unistd::Pid::from_raw(self.writers[victim].id().cast_signed());
        let pause = Duration::from_millis(5 + self.random.below(30) as u64);
        if self.random.below(3) == 0 && self.writers[victim].try_wait().expect("a child").is_none()
        {
            kill(id, Signal::SIGSTOP).expect("a child");
            std::thread::sleep(pause);
            kill(id, Signal::SIGCONT).expect("a child");
        } else {
            self.writers[victim].kill().expect("a child");
            std::thread::sleep(pause);
        }
        for place in 0..self.writers.len() {
            if let Some(status) = self.writers[place].try_wait().expect("a child") {
                assert!(status.code().is_none(), "a writer failed: {status}");
                self.killed += 1;
                self.writers[place] = self.start();
            }
        }
    }
}

impl Drop for Crowd<'_> {
    /// Also when the test failed.
    fn drop(&mut self) {
        for writer in &mut self.writers {
            let _ = writer.kill();
            let _ = writer.wait();
        }
    }
}

fn region(node: &Node) -> Region {
    let region = node.region(FOLLOWED).max_bytes(16 << 20).segment_bytes(64 << 10);
    region.old_values(true).create().expect("a new region")
}

#[test]
fn events_are_complete_and_in_order_whoever_dies() {
    let seconds = std::env::var("VUG_STRESS_SECONDS");
    let seconds = seconds.map_or(5, |text| text.parse().expect("a number"));
    let seed = std::env::var("VUG_SEED").map_or(1, |text| text.parse().expect("a number"));
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = region(&node);
    let options = ListenOptions::new().content(true).resynchronise(true);
    // One that is called, and dawdles now and then; its first replay is of an empty region.
    let slow: Arc<Mutex<Follower>> = Arc::default();
    slow.lock().expect("no panic").resynchronising = true;
    let (hears, mut calls) = (Arc::clone(&slow), 0_u64);
    let mut listener = region
        .listen(options.clone(), move |notice| {
            calls += 1;
            if calls.is_multiple_of(5000) {
                std::thread::sleep(Duration::from_millis(40));
            }
            hears.lock().expect("no panic").hear(notice.clone());
        })
        .expect("a thread");
    let events = region.subscribe_with(options.content(false));
    let (stop, stopped) = channel();
    let fast = std::thread::spawn(move || follow(events, &stopped));
    let mut crowd = Crowd {
        nursery: &nursery,
        random: Random(seed),
        writers: Vec::new(),
        generation: 0,
        killed: 0,
    };
    for _ in 0..WRITERS {
        let writer = crowd.start();
        crowd.writers.push(writer);
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        crowd.disturb();
        assert_eq!(listener.panics(), 0, "{:?}", listener.last_panic());
        assert!(!fast.is_finished(), "{:?}", fast.join().map(|_| ()));
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = crowd.killed;
    drop(crowd);
    node.recover().expect("recover");
    region.put(b"the end", b"").expect("put");
    stop.send(()).expect("it follows");
    let fast = fast.join().expect("no panic");
    fast.compare(&region);
    vug_tests::wait_until("the listener has heard everything", || {
        let behind = region.statistics().oldest_consumer.is_some_and(|oldest| oldest.lag > 0);
        let slow = slow.lock().expect("no panic");
        let heard = slow.keys.contains_key(&b"the end"[..]) && !slow.resynchronising;
        heard && !behind || listener.panics() > 0
    });
    listener.stop();
    assert!(listener.error().is_none() && listener.panics() == 0, "{:?}", listener.last_panic());
    let slow = slow.lock().expect("no panic");
    slow.compare(&region);
    println!(
        "seed {seed}: {} killed; fast: {} events, {} checked, lapped {}; slow: {}, {}, lapped {}",
        killed, fast.events, fast.checked, fast.lapped, slow.events, slow.checked, slow.lapped
    );
    assert!(fast.checked > 0 && killed > 0);
}

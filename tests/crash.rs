//! Processes that are killed at every crash point of the library, and at random.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::thread::JoinHandle;
use std::time::Duration;
use vug::Node;
use vug_tests::victim::{
    CROWD, DISTRIBUTED, LOCAL, Mixed, Nursery, Oracle, capacity, decode, encode, whole_or_nothing,
};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");

/// Audits all regions of a node. Nobody may write meanwhile.
fn audit(node: &Node) {
    for name in node.regions().expect("names") {
        let region = node.region(&name).open().expect("open");
        match vug::check::check_file(region.path()) {
            Err(vug::Error::NotBuiltYet { .. }) => {}
            other => {
                let report = other.expect("the file can be checked");
                assert!(report.is_clean(), "{name}: {:#?}", report.problems);
            }
        }
    }
}

/// Points that a writer passes only if another is faster between two of its steps, one of them if
/// the whole ring was, or that only a damaged file leads to: the script cannot be sure to get
/// there.
const RACES: [&str; 5] = [
    "write.abandoned",
    "clean.abandoned",
    "clean.accessed",
    "announce.unknown",
    "insert.set_aside",
];

/// Names of all crash points in the source of the library.
fn points_in_source() -> BTreeSet<String> {
    fn visit(directory: &Path, found: &mut BTreeSet<String>) {
        for entry in directory.read_dir().expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("text");
                let parts = text.split("crash::point(\"").skip(1);
                found.extend(parts.map(|part| part.split('"').next().expect("a name").to_owned()));
            }
        }
    }
    let mut found = BTreeSet::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../shm/src"), &mut found);
    assert!(found.len() > 40, "{found:?}");
    found
}

/// Runs the script with a list of the points it passes.
fn points_passed() -> BTreeSet<String> {
    let nursery = Nursery::new(VICTIM);
    let list = nursery.path().join("points");
    let mut command = nursery.command("script", &[]);
    let output = command.env("VUG_CRASH_LIST", &list).output().expect("start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let passed = std::fs::read_to_string(&list).expect("a list");
    passed.lines().map(str::to_owned).collect()
}

#[test]
fn the_script_passes_every_crash_point() {
    let missed: Vec<String> = points_in_source()
        .difference(&points_passed())
        .filter(|at| !RACES.contains(&at.as_str()))
        .cloned()
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// Kills the script at one point; a survivor that was there and one that comes after go on.
/// Returns whether the script got there.
fn kill_at(at: &str) -> bool {
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let open = |name: &str| node.region(name).open().expect("open");
    let regions = [open(LOCAL), open(DISTRIBUTED)];
    let mut survivors = regions.each_ref().map(|region| Mixed::new(region, "before"));
    survivors.iter_mut().for_each(|survivor| survivor.run(100));
    let victim = nursery.run("script", &[], Some(at));
    survivors.iter_mut().for_each(|survivor| survivor.run(5000));
    nursery.run("survive", &["after"], None);
    survivors.into_iter().for_each(Mixed::leave);
    node.recover().expect("recover");
    victim.oracle.verify(&node);
    assert!(node.members().iter().all(|member| member.myself));
    for region in &regions {
        let counters = region.statistics();
        assert_eq!((counters.threads, counters.pins), (1, 0), "{at}");
    }
    whole_or_nothing(&node);
    audit(&node);
    victim.was_killed()
}

/// Kills at the n-th pass of the points that `choose` chooses.
fn kill_at_all(n: u32, choose: impl Fn(&str) -> bool) {
    let chosen: Vec<String> = points_in_source().into_iter().filter(|at| choose(at)).collect();
    assert!(!chosen.is_empty());
    for at in chosen {
        println!("killed at {at}:{n}");
        let killed = kill_at(&format!("{at}:{n}"));
        assert!(killed || n > 1 || RACES.contains(&at.as_str()), "{at} was not reached");
    }
}

fn is_of_writes(at: &str) -> bool {
    let hot = ["insert.", "write.", "append.", "journal.", "announce.own", "retire."];
    hot.iter().any(|prefix| at.starts_with(prefix))
}

fn is_of_memory(at: &str) -> bool {
    let parts = [
        "overflow.",
        "reclaim.",
        "purge.",
        "segment.",
        "help.",
        "clean.",
        "run.",
        "release.",
        "grow.",
        "evict.",
        "sweep.",
        "expiry.",
        "leftovers.",
    ];
    parts.iter().any(|prefix| at.starts_with(prefix))
}

#[test]
fn case_01_killed_at_every_point_of_a_write() {
    kill_at_all(1, is_of_writes);
}

#[test]
fn case_01_killed_at_the_second_pass() {
    kill_at_all(2, |at| is_of_writes(at) || is_of_memory(at));
}

#[test]
fn case_01_killed_at_the_seventeenth_pass() {
    kill_at_all(17, |at| is_of_writes(at) || is_of_memory(at));
}

#[test]
fn case_01_killed_at_every_other_point() {
    kill_at_all(1, |at| !is_of_writes(at));
}

/// What is dead when a recoverer begins, one death for each thing that recovery finds: where,
/// while it wrote which key, and whether the write took place by the time all is recovered.
const DEATHS: [(&str, &str, bool); 6] = [
    ("insert.claimed", "claimed", true),
    ("insert.published", "published", true),
    ("append.claimed", "appended", false),
    ("write.replaced", "replaced", true),
    ("write.intended", "intended", false),
    ("pin.set", "pinned", true),
];

/// Points at which a recoverer dies.
fn recovery_points() -> Vec<String> {
    let points = points_in_source().into_iter();
    points.filter(|at| at.starts_with("recover.") || at.starts_with("member.recover.")).collect()
}

/// Members die, and three that recover them die too, at `first`, `second` and `first` again.
/// Returns how many of the three died.
fn recoverers_die(first: &str, second: &str) -> usize {
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let mut survivor = Mixed::new(&region, "before");
    survivor.run(100);
    // All are there before the first dies: who attaches recovers.
    for key in ["replaced", "intended"] {
        region.put(key.as_bytes(), &encode(0, 100)).expect("put");
    }
    // And one where nobody listens, who destroyed without a record.
    node.region(CROWD).open().expect("open").put(b"recordless", b"here").expect("put");
    let destroyer = nursery.run("destroy", &[CROWD, "recordless"], Some("write.replaced"));
    assert!(destroyer.was_killed());
    let waiting = DEATHS.map(|(at, key, _)| nursery.start_writer(LOCAL, key, at));
    waiting.into_iter().for_each(Nursery::let_die);
    let counted = region.statistics().counters;
    let dead = [first, second, first].map(|at| nursery.run("recover", &[], Some(at)).was_killed());
    // What the dead counted stays, once, whoever dies while he cleans up.
    assert_eq!(region.statistics().counters, counted, "{first} {second}");
    survivor.run(5000);
    nursery.run("survive", &["after"], None);
    survivor.leave();
    node.recover().expect("recover");
    for (_, key, done) in DEATHS {
        let found = region.get(key.as_bytes()).expect("get").as_deref().map(decode);
        let before = (key == "intended").then_some(0);
        assert_eq!(found, if done { Some(1) } else { before }, "{key}");
    }
    assert!(node.members().iter().all(|member| member.myself));
    let counters = region.statistics();
    assert_eq!((counters.threads, counters.pins), (1, 0), "{first} {second}");
    audit(&node);
    dead.into_iter().filter(|dead| *dead).count()
}

#[test]
fn recoverers_are_killed_three_deep() {
    let points = recovery_points();
    let mut deepest = 0;
    for first in &points {
        for second in &points {
            println!("{first} {second}");
            let dead = recoverers_die(first, second);
            assert!(dead >= 1, "{first} was not reached");
            deepest = deepest.max(dead);
        }
    }
    assert_eq!(deepest, 3);
}

/// Writers that are killed at random run at the same time.
const WRITERS: usize = 4;

/// One writer and what all writers in its place have said.
struct Writer {
    child: Child,
    listener: JoinHandle<Oracle>,
}

impl Writer {
    /// Starts a writer whose keys and tags continue those that `oracle` knows.
    fn start(nursery: &Nursery, place: usize, generation: u64, mut oracle: Oracle) -> Writer {
        let (place, first) = (place.to_string(), (generation << 32).to_string());
        let mut command = nursery.command("churn", &[&place, &first]);
        let mut child = command.spawn().expect("the victim starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let listener = std::thread::spawn(move || {
            // The last line of a killed process is whole: it is written with one system call.
            out.lines().for_each(|line| oracle.hear(&line.expect("text")));
            oracle
        });
        Writer { child, listener }
    }

    fn kill(mut self) -> Oracle {
        let ended = self.child.try_wait().expect("a child");
        assert!(ended.is_none(), "a writer failed: {ended:?}");
        self.child.kill().expect("kill");
        self.child.wait().expect("it ends");
        self.listener.join().expect("a sound report")
    }
}

/// Each process leaves a segment that is nearly full: too full for the next one's records.
#[test]
fn segments_that_are_nearly_full_are_not_lost() {
    let nursery = Nursery::new(VICTIM);
    for _ in 0..60 {
        // 63 records of 1040 bytes leave 16 bytes of a segment.
        assert!(nursery.run("overwrite", &["63"], None).status.success());
    }
}

/// A process dies between the dead mark of a record and its count, in a segment that others keep
/// alive; later they let go of it.
#[test]
fn a_lost_count_does_not_keep_a_segment() {
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let room = capacity(&region);
    let keys: Vec<String> = (0..30).map(|n| format!("neighbour-{n}")).collect();
    for key in keys.iter().map(String::as_str).chain(["replaced"]) {
        region.put(key.as_bytes(), &encode(0, 1000)).expect("put");
    }
    let victim = nursery.run("write", &[LOCAL, "replaced", "1"], Some("retire.marked"));
    assert!(victim.was_killed());
    region.recover().expect("recover");
    capacity(&region);
    for key in keys.iter().map(String::as_str).chain(["replaced"]) {
        region.destroy(key.as_bytes()).expect("destroy");
    }
    assert_nothing_leaked(&region, room);
}

/// Frees what can be freed and fills the region: a new one has `room` entries.
fn assert_nothing_leaked(region: &vug::Region, room: u64) {
    let per_segment = region.statistics().segment_bytes / 1000;
    // The first time some space is lost in segments that dead writers had begun.
    capacity(region);
    let found = capacity(region);
    assert!(found + per_segment >= room, "room for {found} of {room}: {:#?}", region.statistics());
    let counters = region.statistics();
    assert_eq!((counters.threads, counters.pins), (1, 0));
}

#[test]
fn killed_at_random() {
    let kills = std::env::var("VUG_KILLS").map_or(60, |text| text.parse().expect("a number"));
    // Live records are not moved: one segment for each of the keys must be to spare.
    let nursery = Nursery::with_max_bytes(VICTIM, 16 << 20);
    let node = nursery.node();
    let regions = [LOCAL, DISTRIBUTED].map(|name| node.region(name).open().expect("open"));
    let room = capacity(&regions[0]);
    let mut random: u64 = 88_172_645_463_325_252;
    let mut writers: Vec<Option<Writer>> = (0..WRITERS)
        .map(|place| Some(Writer::start(&nursery, place, 1, Oracle::default())))
        .collect();
    for kill in 0..kills {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_millis(20 + random % 31));
        let place = (random >> 20) as usize % WRITERS;
        let oracle = writers[place].take().expect("a writer").kill();
        writers[place] = Some(Writer::start(&nursery, place, 2 + kill, oracle));
    }
    let oracles = writers.into_iter().flatten().map(Writer::kill);
    let oracles: Vec<Oracle> = oracles.collect();
    node.recover().expect("recover");
    oracles.iter().for_each(|oracle| oracle.verify(&node));
    let written: u64 = oracles.iter().map(Oracle::acknowledged).sum();
    println!("{kills} kills, {written} acknowledged writes");
    assert!(written > 0);
    audit(&node);
    for region in &regions {
        let keys: Vec<Vec<u8>> = region.iter().map(|entry| entry.expect("entry").key).collect();
        for key in keys {
            region.remove(&key).expect("remove");
        }
    }
    assert_nothing_leaked(&regions[0], room);
    audit(&node);
}

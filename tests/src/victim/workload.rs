//! The script that passes every crash point of the library.

use super::oracle::{Report, decode, encode};
use super::script::{CROWD, DISTRIBUTED, EVICTING, LARGE, LOCAL, sacrifice, visit};
use super::whole;
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vug::bridge::{Change, OriginState, Seat};
use vug::{Expiry, Kind, ListenOptions, MaintainOptions, Node, Region, Swap, Waited, WriteOptions};

/// Tiny entries that make chains longer than one bucket in a region of 1 MiB.
const CROWD_ENTRIES: u64 = 5000;

/// Does everything a member can do, reporting each write.
pub(super) fn run(home: &Path) {
    let report = Report;
    let node = Node::open(home).expect("open");
    let open = |name: &str| node.region(name).open().expect("open");
    let (local, distributed, crowd) = (open(LOCAL), open(DISTRIBUTED), open(CROWD));
    let mut events = local.subscribe();
    entries(&report, &local);
    entries(&report, &distributed);
    while events.poll().expect("poll").is_some() {}
    for n in 0..CROWD_ENTRIES {
        report.put(&crowd, &format!("crowd-{n}"), n, 8);
    }
    guards(&local);
    threads(&local);
    listen(&report, &local);
    visit(home);
    overwrite(&report, &local);
    clean(&report, &local);
    large(&report, home, &local);
    large(&report, home, &distributed);
    let evicting = open(EVICTING);
    let evictions = evicting.subscribe();
    evict(&evicting);
    drop(evictions);
    evicting.set_max_entries(800).expect("a lower bound");
    evicting.set_search_timeout(std::time::Duration::from_secs(1)).expect("a limit");
    whole::run(&node);
    node.set_origin(7).expect("origin");
    let never = distributed.wait_applied(u64::MAX, Some(Instant::now()));
    assert!(matches!(never, Err(vug::Error::AckTimeout { .. })), "{never:?}");
    bridge(&report, &node, &distributed);
    after_deaths(&report, home, &node, &local);
    expire(&report, &local);
    recordless(home, &crowd);
    drop((local, distributed, crowd, events));
}

/// Every kind of write, most of them a few times.
fn entries(report: &Report, region: &Region) {
    for n in 0..20 {
        report.put(region, &format!("entry-{n}"), n, 100);
    }
    for n in 0..20 {
        report.put(region, &format!("entry-{n}"), 100 + n, 200);
    }
    for n in 0..18 {
        report.destroy(region, &format!("entry-{n}"));
    }
    for n in 0..18 {
        let key = format!("entry-{n}");
        report.around(region, &key, Some(200 + n), || {
            region.create(key.as_bytes(), &encode(200 + n, 50)).expect("create")
        });
        let token = region.token(key.as_bytes()).expect("token").expect("there");
        report.around(region, &key, Some(300 + n), || {
            let value = encode(300 + n, 60);
            match region.compare_and_swap(key.as_bytes(), token, &value).expect("cas") {
                Swap::Swapped(outcome) => outcome,
                Swap::Changed(found) => panic!("changed to {found:?}"),
            }
        });
        report.around(region, &key, Some(400 + n), || {
            let replaced = region.replace(key.as_bytes(), &encode(400 + n, 70));
            replaced.expect("replace").expect("there")
        });
    }
}

/// More guards than a thread has hazard words, so that the last ones are pins.
fn guards(region: &Region) {
    let held: Vec<_> =
        (0..8).map(|n| region.get(format!("entry-{n}").as_bytes()).expect("get")).collect();
    let owned = region.get_owned(b"entry-0").expect("get");
    assert!(owned.is_some() && held.iter().all(Option::is_some));
}

/// More threads at a time than a process keeps descriptors for.
fn threads(region: &Region) {
    let all = std::sync::Barrier::new(40);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                assert!(region.contains_key(b"entry-0").expect("token"));
                all.wait();
            });
        }
    });
}

/// Writes for threads that wait for each change, and most of the time sleep by then.
fn listen(report: &Report, region: &Region) {
    const CHANGES: u64 = 300;
    let listener = region.listen(ListenOptions::new(), |_| ()).expect("a thread");
    drop(listener);
    let mut events = region.subscribe();
    let heard = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = None;
            while heard.load(Ordering::SeqCst) < CHANGES {
                let until = Some(Instant::now() + Duration::from_secs(1));
                match region.wait_for_change(b"listened", seen, until).expect("wait") {
                    Waited::Changed(token) => seen = token,
                    Waited::TimedOut => {}
                }
            }
        });
        scope.spawn(|| {
            while heard.load(Ordering::SeqCst) < CHANGES {
                events.wait(None).expect("wait").expect("a change");
                heard.fetch_add(1, Ordering::SeqCst);
            }
        });
        for n in 0..CHANGES {
            while heard.load(Ordering::SeqCst) < n {
                std::thread::yield_now();
            }
            report.put(region, "listened", n, 20);
        }
    });
}

/// Several times the memory of the region through a few keys: takes, seals and reclaims segments.
fn overwrite(report: &Report, region: &Region) {
    for n in 0..3000 {
        report.put(region, &format!("over-{}", n % 30), n, 1000);
    }
}

/// Fills most of a region and overwrites entries here and there, so that no segment dies by itself:
/// writes have to clean, and maintenance has something to do.
fn clean(report: &Report, region: &Region) {
    const LIVE: u64 = 1000;
    let mut random: u64 = 0x2545_f491_4f6c_dd1d;
    let key = |n: u64| format!("live-{n}");
    for n in 0..LIVE {
        report.put(region, &key(n), n, 1000);
    }
    for n in 0..1500 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        report.put(region, &key((random >> 33) % LIVE), n, 1000);
    }
    let numbers = region.statistics();
    assert!(numbers.counters.foreground_cleans > 0, "{numbers:#?}");
    region.maintain(&MaintainOptions::thorough()).expect("maintain");
    for n in 0..LIVE {
        report.destroy(region, &key(n));
    }
}

/// Records of three segments: they come, go, and are left by others that died with them.
fn large(report: &Report, home: &Path, region: &Region) {
    let free = || _ = region.maintain(&MaintainOptions::default()).expect("maintain");
    for n in 0..3 {
        report.put(region, "large", n, LARGE);
    }
    report.destroy(region, "large");
    free();
    // In its third claim it begins where a run began before, and cannot say so any more.
    for at in ["append.claimed:3", "run.joined", "run.announced", "run.committed"] {
        sacrifice(report, home, region, at, "large", 7);
        region.recover().expect("recover");
        free();
    }
    report.put(region, "large", 8, LARGE);
    report.destroy(region, "large");
    free();
    for at in ["release.claimed", "release.punched"] {
        sacrifice(report, home, region, at, "large", 9);
        region.recover().expect("recover");
        report.destroy(region, "large");
        free();
    }
    region.release_memory().expect("release");
}

/// Sends entries through an evicting region, first more bytes than it has, then more entries. Some
/// are used again and again. Nothing is reported: any entry may be gone.
pub(super) fn evict(region: &Region) {
    for (entries, len) in [(800, 1000), (1200, 24)] {
        for n in 0..entries {
            let key = format!("evicted-{n}");
            region.put(key.as_bytes(), &encode(n, len)).expect("put");
            for hot in [n / 2, n % 20] {
                if let Some(value) = region.get(format!("evicted-{hot}").as_bytes()).expect("get") {
                    assert_eq!(decode(&value), hot);
                }
            }
        }
    }
    let entries = region.len().expect("len");
    assert!(entries <= 900 + 16, "{entries}: {:#?}", region.statistics());
}

fn bridge(report: &Report, node: &Node, region: &Region) {
    let seat = node.bridge_seat().expect("no other bridge");
    let feed = seat.feed(region).expect("feed");
    let mut tombstones = Vec::new();
    for n in 0..20 {
        let key = format!("gone-{n}");
        report.put(region, &key, n, 100);
        tombstones.push((key.clone(), report.destroy(region, &key).token));
    }
    feed.drain(feed.oldest(), |_| ControlFlow::Continue(())).expect("drain");
    for (key, token) in &tombstones {
        let purged = feed.purge(key.as_bytes(), token.version, token.origin);
        assert!(purged.expect("purge"));
    }
    for n in 0..20 {
        let key = format!("applied-{n}");
        report.attempt(region, &key, Some(n));
        let change = Change {
            position: 0,
            key: key.as_bytes(),
            value: &encode(n, 100),
            kind: Kind::Value,
            version: 1000 + n,
            origin: 3,
            deadline: None,
            expiration: false,
            created: true,
            bulk: false,
        };
        feed.apply(change).expect("apply");
        println!("ack {}", 1000 + n);
    }
    let closed = feed.close_time().expect("close time");
    let state = OriginState { origin: 3, epoch: 1, position: 20, closed };
    feed.set_origin_state(state).expect("room");
    feed.note_departure(9, 1, 2).expect("note");
    feed.publish(20, 20, 20).expect("publish");
    for n in 0..3 {
        ring(report, &seat, region, n);
    }
}

fn ring(report: &Report, seat: &Seat, region: &Region, n: u64) {
    seat.arm().expect("arm");
    report.put(region, "rings", n, 10);
    seat.quiet().expect("quiet");
    seat.disarm().expect("disarm");
}

/// Entries that expire, in the time of this process alone: whoever looks later may find them.
fn expire(report: &Report, region: &Region) {
    const DAY: Duration = Duration::from_secs(86_400);
    region.set_entry_ttl(Some(Expiry::destroy(DAY))).expect("a time to live");
    region.set_entry_idle(Some(Expiry::destroy(DAY))).expect("an idle time");
    let minute = WriteOptions::ttl(Duration::from_secs(60));
    // More than a segment of them.
    for n in 0..150 {
        let key = format!("expiring-{n}");
        report.attempt(region, &key, Some(n));
        report.attempt(region, &key, None);
        region.put_with(key.as_bytes(), &encode(n, 1000), &minute).expect("put");
    }
    vug::advance_clock(DAY / 12);
    assert!(region.get(b"entry-0").expect("get").is_some());
    let swept = region.sweep(usize::MAX).expect("sweep");
    assert!(swept.expired >= 150, "{swept:?}");
    region.set_entry_ttl(None).expect("no time to live");
    region.set_entry_idle(None).expect("no idle time");
}

/// Meets what others left when they died.
/// Another process dies where it destroyed an entry to which nobody listens.
fn recordless(home: &Path, region: &Region) {
    region.put(b"recordless", b"here").expect("put");
    let program = std::env::current_exe().expect("this program");
    let status = Command::new(program)
        .args(["destroy".as_ref(), home.as_os_str(), region.name().as_ref(), "recordless".as_ref()])
        .env_remove("VUG_CRASH_LIST")
        .env("VUG_CRASH_AT", "write.replaced")
        .status();
    assert_eq!(status.expect("it starts").signal(), Some(nix::libc::SIGKILL));
    region.recover().expect("recover");
    assert!(!region.contains_key(b"recordless").expect("token"));
}

fn after_deaths(report: &Report, home: &Path, node: &Node, region: &Region) {
    // The next insert into the bucket has to finish the dead one's.
    sacrifice(report, home, region, "insert.claimed", "helped", 1);
    report.put(region, "helped", 2, 100);
    report.put(region, "replaced", 1, 100);
    // Who attaches recovers, so each death is recovered before the next one comes.
    region.recover().expect("recover");
    sacrifice(report, home, region, "write.replaced", "replaced", 2);
    region.recover().expect("recover");
    sacrifice(report, home, region, "insert.claimed", "unfinished", 1);
    region.recover().expect("recover");
    sacrifice(report, home, region, "pin.set", "replaced", 3);
    region.recover().expect("recover");
    // In a segment that is filled yet, and of which nobody would find out what it lost.
    report.put(region, "replaced", 4, 100);
    sacrifice(report, home, region, "retire.marked", "replaced", 5);
    region.recover().expect("recover");
    // An entry that is not counted.
    let evicting = node.region(EVICTING).open().expect("open");
    sacrifice(report, home, &evicting, "insert.finished", "uncounted", 1);
    evicting.recover().expect("recover");
    evicting.maintain(&MaintainOptions::default()).expect("maintain");
    node.recover().expect("recover");
}

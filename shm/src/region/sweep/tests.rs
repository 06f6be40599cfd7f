use std::time::Duration;

use super::*;
use crate::layout::word::SegmentState;
use crate::region::WriteOptions;
use crate::{DataPolicy, Expiry, Node, Notice, Scope};
use tempfile::TempDir;

fn region(max_bytes: u64) -> (TempDir, Region) {
    region_of(max_bytes, Scope::Local)
}

/// Of a distributed region the tombstones stay, so no event is lost.
fn region_of(max_bytes: u64, scope: Scope) -> (TempDir, Region) {
    let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
    let node = Node::open(home.path()).unwrap();
    let builder = node.region("r").max_bytes(max_bytes).segment_bytes(64 << 10);
    let builder = builder.scope(scope).data_policy(DataPolicy::Replicate);
    (home, builder.create().unwrap())
}

fn pass(seconds: u64) {
    clock::advance(seconds * 1_000_000);
}

fn ttl(seconds: u64) -> WriteOptions {
    WriteOptions::ttl(Duration::from_secs(seconds))
}

#[test]
fn a_region_without_expiry_is_not_looked_at() {
    let (_home, region) = region(1 << 20);
    region.put(b"k", b"v").unwrap();
    assert_eq!(region.sweep(10).unwrap(), Swept { end: true, ..Swept::default() });
}

#[test]
fn a_budget_bounds_a_sweep_and_the_next_goes_on() {
    let (_home, region) = region(4 << 20);
    for n in 0..1000_u32 {
        region.put_with(&n.to_le_bytes(), b"v", &ttl(100)).unwrap();
    }
    pass(101);
    let (mut sweeps, mut expired) = (0, 0);
    while expired < 1000 {
        // The records are in an active segment, so it is the index that is swept.
        let swept = region.sweep(100).unwrap();
        assert!(swept.seen <= 100 && swept.expired <= 100, "{swept:?}");
        expired += swept.expired;
        sweeps += 1;
        assert!(sweeps < 100, "{expired} after {sweeps} sweeps");
    }
    assert_eq!(region.len().unwrap(), 0);
    assert_eq!(region.statistics().counters.expired, 1000);
}

#[test]
fn segments_of_a_class_die_whole() {
    let (_home, region) = region(16 << 20);
    let value = [7; 1000];
    for n in 0..500_u32 {
        region.put_with(&[b"s", &n.to_le_bytes()[..]].concat(), &value, &ttl(10)).unwrap();
        region.put_with(&[b"l", &n.to_le_bytes()[..]].concat(), &value, &ttl(10_000)).unwrap();
        region.put(&[b"p", &n.to_le_bytes()[..]].concat(), &value).unwrap();
    }
    pass(20);
    let (mapped, now) = (&region.mapped, clock::coarse_micros());
    let policy = Policy::read(mapped.words());
    let due = |now| (0..mapped.log.segments()).filter(move |&s| mapped.is_due(s, policy, now));
    let soon: Vec<u32> = due(now).collect();
    // 500 records of about a KiB each fill eight segments of their own, and begin a ninth.
    assert_eq!(soon.len(), 500 / ((64 << 10) / 1048), "{soon:?}");
    let mut swept = Swept::default();
    mapped.sweep_segments(u64::MAX, &mut swept).unwrap();
    assert_eq!((swept.seen, swept.stuck), (swept.expired, 0));
    for &segment in &soon {
        let header = mapped.log.header(segment).unwrap();
        assert_eq!(header.dead.load(Relaxed), mapped.log.committed(segment) as u64);
    }
    assert_eq!(due(now).count(), 0);
    assert_eq!(region.sweep(usize::MAX).unwrap().expired + swept.expired, 500);
    assert_eq!(region.len().unwrap(), 1000);
    // They are free again as a whole.
    let context = mapped.context().unwrap();
    assert_eq!(mapped.reclaim(&context, false).unwrap(), soon.len() as u64);
    let free = |&&s: &&u32| mapped.log.state(s).state() == Some(SegmentState::Free);
    assert_eq!(soon.iter().filter(free).count(), soon.len());
}

#[test]
fn with_a_time_to_live_of_the_region_segments_die_in_order() {
    let (_home, region) = region(8 << 20);
    region.set_entry_ttl(Some(Expiry::destroy(Duration::from_secs(10)))).unwrap();
    for n in 0..200_u32 {
        region.put(&n.to_le_bytes(), &[7; 1000]).unwrap();
        if n == 99 {
            pass(8);
        }
    }
    pass(5);
    let mut swept = Swept::default();
    region.mapped.sweep_segments(u64::MAX, &mut swept).unwrap();
    assert!((50..=100).contains(&swept.expired), "{swept:?}");
    assert_eq!(swept.expired, swept.seen);
}

#[test]
fn a_full_region_sweeps_before_it_refuses() {
    let (_home, region) = region(1 << 20);
    let value = vec![7; 8000];
    let fill = |options: &WriteOptions| {
        for n in 0_u64.. {
            match region.put_with(&n.to_le_bytes(), &value, options) {
                Ok(_) => {}
                Err(Error::OutOfSpace { .. }) => return n,
                Err(error) => panic!("{error}"),
            }
        }
        unreachable!()
    };
    let room = fill(&ttl(60));
    assert!(region.put(b"one more", &value).is_err());
    pass(61);
    region.put(b"one more", &value).unwrap();
    assert_eq!(region.statistics().counters.expired, room);
}

#[test]
fn a_full_region_with_listeners_can_expire_too() {
    let (_home, region) = region(1 << 20);
    let mut subscription = region.subscribe();
    let value = vec![7; 8000];
    let mut n = 0_u64;
    while region.put_with(&n.to_le_bytes(), &value, &ttl(60)).is_ok() {
        n += 1;
    }
    pass(61);
    while let Some(notice) = subscription.poll().unwrap() {
        assert!(matches!(notice, Notice::Event(_) | Notice::Lapped { .. }));
    }
    assert_eq!(region.sweep(usize::MAX).unwrap().expired, n);
    let mut told = 0;
    while let Some(notice) = subscription.poll().unwrap() {
        match notice {
            Notice::Event(event) => assert!(event.expiration && event.value.is_none()),
            other => assert!(matches!(other, Notice::Lapped { .. })),
        }
        told += 1;
    }
    assert!(told > 0);
    assert_eq!(region.len().unwrap(), 0);
}

#[test]
fn sweepers_beside_each_other_expire_every_entry_once() {
    let (_home, region) = region_of(8 << 20, Scope::DistributedNoAck);
    let mut subscription = region.subscribe();
    for n in 0..2000_u32 {
        region.put_with(&n.to_le_bytes(), b"value", &ttl(30)).unwrap();
    }
    while subscription.poll().unwrap().is_some() {}
    let expired: u64 = std::thread::scope(|scope| {
        let sweep = || {
            // The clock of tests is the thread's own.
            pass(31);
            let mut expired = 0;
            loop {
                let swept = region.sweep(50).unwrap();
                expired += swept.expired;
                if region.len().unwrap() == 0 {
                    return expired;
                }
            }
        };
        let sweepers: Vec<_> = (0..4).map(|_| scope.spawn(sweep)).collect();
        sweepers.into_iter().map(|sweeper| sweeper.join().unwrap()).sum()
    });
    assert_eq!(expired, 2000);
    let mut told = std::collections::BTreeSet::new();
    while let Some(notice) = subscription.poll().unwrap() {
        let Notice::Event(event) = notice else { panic!("{notice:?}") };
        assert!(event.expiration);
        assert!(told.insert(event.key), "an entry expired twice");
    }
    assert_eq!(told.len(), 2000);
}

/// A sweep looks at segments and entries under a guard's hazard word. A write that finds the region
/// full while its thread holds as many guards as it can said that there were too many of them.
#[test]
fn a_full_region_says_so_to_a_thread_with_many_guards() {
    let (_home, region) = region(1 << 20);
    let mut count = 0_u32;
    while region.put_with(&count.to_le_bytes(), &[0; 3000], &ttl(10)).is_ok() {
        count += 1;
    }
    let guards: Vec<_> = (0..5_u32).map(|n| region.get(&n.to_le_bytes()).unwrap()).collect();
    assert!(guards.iter().all(Option::is_some));
    pass(11);
    let put = region.put(b"k", &[0; 3000]);
    assert!(matches!(put, Err(Error::OutOfSpace { .. })), "{put:?}");
    drop(guards);
    region.put(b"k", &[0; 3000]).unwrap();
}

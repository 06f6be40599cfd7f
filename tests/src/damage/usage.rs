//! Everything that can be done with a region that may be damaged.

use super::Random;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};
use vug::bridge::{Change, OriginState};
use vug::{Kind, MaintainOptions, Node, Region, Swap, WriteOptions};

/// More entries than any shape has: an iteration that goes on is endless.
const MANY: usize = 20_000;

/// Uses a region in all ways. What fails is right; what matters is that every call returns.
///
/// # Panics
/// When an iteration does not end.
pub fn exercise(node: &Node, region: &Region, random: &mut Random) {
    let held = region.get(&7_u32.to_le_bytes()).ok().flatten();
    let owned = region.get_owned(&8_u32.to_le_bytes()).ok().flatten();
    let mut events = region.subscribe();
    for _ in 0..40 {
        one(region, random);
    }
    touch(held.as_deref().unwrap_or_default());
    touch(owned.as_deref().unwrap_or_default());
    drop((held, owned));
    visit(region);
    for _ in 0..100 {
        if !matches!(events.poll(), Ok(Some(_))) {
            break;
        }
    }
    let _ = (region.len(), region.is_empty(), region.statistics());
    if random.below(4) == 0 {
        bridge(node, region, random);
    }
    if random.below(8) == 0 {
        upkeep(region, random);
    }
    let _ = region.recover();
    for _ in 0..10 {
        one(region, random);
    }
    if random.below(8) == 0 {
        let _ = node.recover();
    }
}

/// The same for who may only read; it writes nothing, so the damage is still there.
///
/// # Panics
/// As [`exercise`].
pub fn read_only(home: &Path, name: &str, random: &mut Random) {
    let Ok(node) = Node::open_read_only(home) else { return };
    let Ok(region) = node.region(name) else { return };
    for _ in 0..20 {
        let key = (random.below(160) as u32).to_le_bytes();
        if let Ok(Some(entry)) = region.get(&key) {
            touch(&entry.value);
        }
        let _ = (region.token(&key), region.contains_key(&key));
    }
    let mut seen = 0;
    for entry in region.iter() {
        let Ok(entry) = entry else { break };
        touch(&entry.value);
        seen += 1;
        assert!(seen < MANY, "the iteration does not end");
    }
    let _ = (region.len(), region.statistics(), region.pins());
}

/// Reads every byte.
fn touch(value: &[u8]) -> u8 {
    std::hint::black_box(value.iter().fold(0, |sum, byte| sum ^ byte))
}

fn one(region: &Region, random: &mut Random) {
    let key = match random.below(16) {
        0 => b"victim".to_vec(),
        1..5 => (random.below(4500) as u32).to_le_bytes().to_vec(),
        _ => (random.below(160) as u32).to_le_bytes().to_vec(),
    };
    let value = vec![7; random.below(200)];
    match random.below(22) {
        15 => drop(region.increment(&key, 3)),
        16 => drop(region.update(&key, |old| old.map(<[u8]>::to_vec))),
        17 => drop(region.remove_if_value(&key, &value)),
        18 => drop(region.put_if_absent(&key, &value)),
        19 if random.below(2) == 0 => handle(region, &key),
        19 => many(region, random),
        20 => drop(region.put_with(&key, &value, &WriteOptions::ttl(Duration::from_micros(50)))),
        // Both look for room everywhere, which takes as long as a hundred others.
        21 if random.below(64) == 0 => drop(region.put(&key, &vec![5; random.below(300_000)])),
        0..3 => drop(region.get(&key).map(|found| found.map(|value| touch(&value)))),
        3 => drop(region.get_owned(&key).map(|found| found.map(|value| touch(&value)))),
        4 => drop(region.get_into(&key, &mut Vec::new())),
        5 => drop(region.contains_key(&key)),
        6..8 => drop(region.put(&key, &value)),
        8 if random.below(8) == 0 => drop(region.put(&key, &vec![3; random.below(70_000)])),
        9 => drop(region.create(&key, &value)),
        10 => drop(region.replace(&key, &value)),
        11 => drop(swap(region, &key, &value)),
        12 => drop(region.destroy(&key)),
        13 => drop(region.put_with(&key, &value, &WriteOptions::ttl(Duration::from_secs(60)))),
        14 => drop(region.sweep(100)),
        _ => drop(region.remove(&key)),
    }
}

fn handle(region: &Region, key: &[u8]) {
    let Ok(handle) = region.handle(key) else { return };
    drop(handle.get().map(|found| found.map(|value| touch(&value))));
    drop(region.put(key, b"changed"));
    let _ = (handle.get_into(&mut Vec::new()), handle.token(), handle.read(&mut [0; 16]));
}

fn many(region: &Region, random: &mut Random) {
    let keys: Vec<[u8; 4]> = (0..24).map(|_| (random.below(170) as u32).to_le_bytes()).collect();
    let _ = region.get_many(&keys, |_, entry| {
        if let Some(entry) = entry {
            touch(entry.value);
        }
    });
}

/// What others do now and then.
fn upkeep(region: &Region, random: &mut Random) {
    let mut options = MaintainOptions::default();
    options.compact = random.below(2) == 0;
    let _ = region.maintain(&options);
    let _ = region.sweep(500);
    let _ = region.pins();
    let soon = Instant::now() + Duration::from_micros(20);
    let _ = region.wait_for_change(&[1, 0, 0, 0], None, Some(soon));
    let _ = region.wait_for_region_change(region.position(), Some(soon));
}

fn swap(region: &Region, key: &[u8], value: &[u8]) -> vug::Result<Option<Swap>> {
    let Some(token) = region.token(key)? else {
        return Ok(None);
    };
    region.compare_and_swap(key, token, value).map(Some)
}

fn visit(region: &Region) {
    let mut seen = 0;
    for entry in region.iter() {
        let Ok(entry) = entry else { break };
        touch(&entry.value);
        seen += 1;
        assert!(seen < MANY, "the iteration does not end");
    }
    let mut seen = 0;
    let _ = region.scan(|view| {
        touch(view.value);
        seen += 1;
        assert!(seen < MANY, "the scan does not end");
        ControlFlow::Continue(())
    });
}

fn bridge(node: &Node, region: &Region, random: &mut Random) {
    let Ok(seat) = node.bridge_seat() else { return };
    let feed = seat.feed(region).expect("feed");
    let mut left = MANY;
    let _ = feed.drain(feed.oldest(), |_| {
        left -= 1;
        if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let key = (random.below(160) as u32).to_le_bytes();
    let change = Change {
        position: 0,
        key: &key,
        value: b"from afar",
        kind: Kind::Value,
        version: 1 << 40,
        origin: 9,
        deadline: None,
        expiration: false,
        created: true,
        bulk: false,
    };
    let _ = feed.apply(change);
    let _ = feed.purge(&key, 1 << 40, 9);
    let mut left = MANY;
    let _ = feed.scan(0, |_| {
        left -= 1;
        assert!(left > 0, "the scan does not end");
        ControlFlow::Continue(())
    });
    let closed = feed.close_time().expect("close time");
    let state = OriginState { origin: 9, epoch: 1, position: 3, closed };
    let _ = feed.set_origin_state(state);
    feed.publish(1, 1, 1).expect("publish");
    let _ = (feed.origins(), feed.watermarks(), feed.slots_in_use(), feed.tail());
    seat.quiet().expect("quiet");
}

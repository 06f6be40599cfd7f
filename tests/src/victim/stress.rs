//! A process that does everything to the keys that all share, and follows what the others do.

use super::oracle::encode;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use vug::{Error, Kind, MaintainOptions, Node, Notice, Region, Subscription, WriteOptions};

/// The region that all write to and follow.
pub const FOLLOWED: &str = "followed";
/// Keys that all write.
const SHARED: u64 = 24;
/// Keys of entries that expire; their names begin with `mortal`.
const MORTAL: u64 = 8;

/// A region that is full, and an entry that is not as the operation wants it, refuse.
fn unless_refused<T>(result: vug::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::OutOfSpace { .. } | Error::EntryExists { .. } | Error::EntryNotFound { .. }) => {
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Takes the events that are there, which tell the versions of a key in their order.
fn follow(events: &mut Subscription, versions: &mut HashMap<Vec<u8>, u64>) {
    while let Some(notice) = events.poll().expect("poll") {
        match notice {
            Notice::Event(event) if event.kind.is_of_region() => {}
            Notice::Event(event) => {
                let last = versions.insert(event.key.clone(), event.token.version).unwrap_or(0);
                assert!(last < event.token.version, "after version {last}: {event:?}");
            }
            _ => versions.clear(),
        }
    }
}

/// Works until it is killed. `start` is above all tags that the place has used.
pub(super) fn run(home: &Path, start: u64) {
    let node = Node::open(home).expect("open");
    let region = node.region(FOLLOWED).open().expect("open");
    let (mut events, mut versions) = (region.subscribe(), HashMap::new());
    let mut random = start.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for tag in start.. {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        change(&region, random, tag);
        if tag.is_multiple_of(8) {
            follow(&mut events, &mut versions);
            // Writers that never rest overwrite everything before anybody has read it.
            std::thread::sleep(Duration::from_micros(random >> 54));
        }
    }
}

fn change(region: &Region, random: u64, tag: u64) {
    let key = format!("shared-{}", (random >> 20) % SHARED);
    let key = key.as_bytes();
    let value = encode(tag, 8 + (random >> 32) as usize % 700);
    let token = || region.token(key).expect("token");
    match (random >> 8) % 64 {
        0..24 => _ = unless_refused(region.put(key, &value)),
        24..28 => _ = unless_refused(region.create(key, &value)),
        28..36 => _ = unless_refused(region.remove(key)),
        36..40 => {
            let token = token().filter(|token| token.kind == Kind::Value);
            token.map(|token| unless_refused(region.compare_and_swap(key, token, &value)));
        }
        40..44 => _ = unless_refused(region.invalidate(key)),
        44..48 => _ = token().map(|token| unless_refused(region.remove_if(key, token))),
        48..52 => _ = unless_refused(region.replace(key, &value)),
        52..56 => {
            let soon = WriteOptions::ttl(Duration::from_micros(1 + (random >> 40) % 5000));
            let key = format!("mortal-{}", (random >> 20) % MORTAL);
            unless_refused(region.put_with(key.as_bytes(), &value, &soon));
        }
        56..58 => _ = unless_refused(region.sweep(100)),
        58..61 => {
            let keys: Vec<String> =
                (0..4).map(|n| format!("shared-{}", ((random >> 20) + n * 7) % SHARED)).collect();
            let entries: Vec<(&str, &[u8])> =
                keys.iter().map(|key| (&key[..], &value[..])).collect();
            unless_refused(region.put_all(&entries));
        }
        61 if random >> 61 == 0 => {
            region.maintain(&MaintainOptions::thorough()).expect("maintain");
        }
        62 if random >> 58 == 0 => _ = unless_refused(region.clear()),
        _ => _ = region.get(key).expect("get"),
    }
}

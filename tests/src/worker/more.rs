//! Requests about entries without a value, whole regions, time, events, and reading only.

use std::time::Duration;

use vug::{Node, Outcome, Region, Subscription};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{done, number};
use crate::victim::encode;

pub(super) fn told(events: Option<&mut Subscription>) -> vug::Result<String> {
    let Some(events) = events else { return Ok("error 0 listen first".into()) };
    Ok(format!("ok {}", crate::told::told(events)?.join(" ")))
}

pub(super) fn run(region: &Region, words: &[&str]) -> vug::Result<String> {
    match *words {
        [operation, key] if operation != "advance" => on_key(region, operation, key.as_bytes()),
        ["advance", seconds] => {
            vug::advance_clock(Duration::from_secs(number(seconds)));
            Ok("ok".into())
        }
        ["put-all", prefix, count] => {
            let entry = |n: u64| (format!("{prefix}-{n}"), n.to_string());
            let entries: Vec<_> = (0..number(count)).map(entry).collect();
            region.put_all(&entries)?.all().map(|_| "ok".into())
        }
        ["count-up", key, last] => {
            for n in 1..=number(last) {
                region.put(key.as_bytes(), n.to_string().as_bytes())?;
            }
            Ok("ok".into())
        }
        ["digest"] => digest(region),
        ["sweep"] => Ok(format!("ok {}", region.sweep(usize::MAX)?.expired)),
        ["local-destroy-region"] => region.local_destroy_region().map(|()| "ok".into()),
        _ => Ok(format!("error 0 unknown request: {}", words.join(" "))),
    }
}

/// Reads all values of [`encode`] without the right to write, again and again.
pub(super) fn read_only(home: &str, name: &str, passes: u64) -> vug::Result<String> {
    let region = Node::open_read_only(home)?.region(name)?;
    let mut value = Vec::new();
    let mut seen = 0_u64;
    for _ in 0..passes {
        for key in 0..400_u64 {
            if region.get_into(&key.to_le_bytes(), &mut value)?.is_some() {
                if !is_whole(&value) {
                    return Ok(format!("error 0 torn value of {} bytes", value.len()));
                }
                seen += 1;
            }
        }
        for entry in region.iter() {
            if !is_whole(&entry?.value) {
                return Ok("error 0 torn value in a walk".into());
            }
        }
    }
    Ok(format!("ok {seen}"))
}

fn is_whole(value: &[u8]) -> bool {
    let Some(tag) = value.first_chunk() else { return false };
    value == encode(u64::from_le_bytes(*tag), value.len())
}

fn on_key(region: &Region, operation: &str, key: &[u8]) -> vug::Result<String> {
    let changed = |outcome: Option<Outcome>| outcome.map_or("none".into(), done);
    match operation {
        "token" => Ok(region
            .token(key)?
            .map_or("none".into(), |token| format!("ok {} {}", token.version, token.origin))),
        "contains" => Ok(format!("ok {}", region.contains_key(key)?)),
        "create-invalid" => region.create_invalid(key).map(done),
        "invalidate" => region.invalidate(key).map(changed),
        "local-invalidate" => region.local_invalidate(key).map(changed),
        "destroy" => region.destroy(key).map(done),
        "local-destroy" => region.local_destroy(key).map(done),
        _ => Ok(format!("error 0 unknown request: {operation}")),
    }
}

fn digest(region: &Region) -> vug::Result<String> {
    let (mut count, mut sum) = (0_u64, 0_u64);
    for entry in region.iter() {
        let entry = entry?;
        count += 1;
        sum = sum.wrapping_add(xxh3_64_with_seed(&entry.value, xxh3_64(&entry.key)));
    }
    Ok(format!("ok {count} {sum}"))
}

//! The arguments of a step.

use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;
use vug::{Expiry, ExpiryAction, RegionBuilder, WriteOptions};

use super::bytes::bytes;

/// The name of the region that a step is about.
pub(super) fn region(step: &Value) -> &str {
    step.get("region").map_or("r", |name| name.as_str().expect("the name of a region"))
}

pub(super) fn text<'s>(step: &'s Value, name: &str) -> &'s str {
    step[name].as_str().unwrap_or_else(|| panic!("`{name}` is missing in {step}"))
}

pub(super) fn number(step: &Value, name: &str) -> i64 {
    step[name].as_i64().unwrap_or_else(|| panic!("`{name}` is missing in {step}"))
}

pub(super) fn blob(step: &Value, name: &str) -> Vec<u8> {
    bytes(&step[name]).unwrap_or_else(|| panic!("`{name}` is missing in {step}"))
}

pub(super) fn blobs(step: &Value, name: &str) -> Vec<Vec<u8>> {
    let list = step[name].as_array().unwrap_or_else(|| panic!("`{name}` is missing in {step}"));
    list.iter().map(|value| bytes(value).expect("bytes")).collect()
}

/// A list of key and value.
pub(super) fn pairs(step: &Value, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let list = step[name].as_array().unwrap_or_else(|| panic!("`{name}` is missing in {step}"));
    let part = |pair: &Value, at: usize| bytes(&pair[at]).expect("a pair of bytes");
    list.iter().map(|pair| (part(pair, 0), part(pair, 1))).collect()
}

pub(super) fn options(step: &Value) -> WriteOptions {
    match step.get("ttl_ms") {
        Some(ms) => WriteOptions::ttl(Duration::from_millis(ms.as_u64().expect("milliseconds"))),
        None => WriteOptions::default(),
    }
}

/// A time and an action; `null` is none.
pub(super) fn expiry(value: &Value) -> Option<Expiry> {
    let ms = value.get("ms")?.as_u64().expect("milliseconds");
    let action = choice::<ExpiryAction>(&value["action"]);
    Some(Expiry { after: Duration::from_millis(ms), action })
}

fn choice<T: FromStr<Err = String>>(value: &Value) -> T {
    value.as_str().expect("the name of a choice").parse().expect("a known choice")
}

/// Sets the attributes that a step names. Shortcut, data policy and scope come first, in this
/// order.
pub(super) fn attributes<'n>(mut builder: RegionBuilder<'n>, step: &Value) -> RegionBuilder<'n> {
    let Some(given) = step.get("attributes") else { return builder };
    let given = given.as_object().expect("attributes by name");
    let rank = |name: &str| ["shortcut", "data_policy", "scope"].iter().position(|f| *f == name);
    let mut names: Vec<&String> = given.keys().collect();
    names.sort_by_key(|name| rank(name).unwrap_or(usize::MAX));
    for name in names {
        builder = attribute(builder, name, &given[name]);
    }
    builder
}

fn attribute<'n>(builder: RegionBuilder<'n>, name: &str, value: &Value) -> RegionBuilder<'n> {
    let number = || value.as_u64().expect("a number");
    let flag = || value.as_bool().expect("true or false");
    let expires = || expiry(value).expect("a time and an action");
    match name {
        "shortcut" => builder.shortcut(choice(value)),
        "data_policy" => builder.data_policy(choice(value)),
        "scope" => builder.scope(choice(value)),
        "max_bytes" => builder.max_bytes(number()),
        "segment_bytes" => builder.segment_bytes(number()),
        "alignment" => builder.alignment(number()),
        "eviction" => builder.eviction(choice(value)),
        "max_entries" => builder.max_entries(number()),
        "interest" => builder.interest(choice(value)),
        "old_values" => builder.old_values(flag()),
        "early_ack" => builder.early_ack(flag()),
        "concurrency_checks" => builder.concurrency_checks(flag()),
        "entry_ttl" => builder.entry_ttl(expires()),
        "entry_idle" => builder.entry_idle(expires()),
        _ => panic!("`{name}` is no attribute"),
    }
}

//! Results as JSON.

use serde_json::{Map, Value, json};
use vug::{
    Attributes, Bulk, EntryInfo, Event, Expiry, Kind, Notice, OldValue, Outcome, PutIfAbsent, Swap,
    Token,
};

use super::bytes::show;

pub(super) fn optional(value: Option<&[u8]>) -> Value {
    value.map_or(Value::Null, show)
}

pub(super) fn kind(token: Option<Token>) -> Value {
    token.map_or(Value::Null, |token| json!(kind_name(token.kind)))
}

pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Value => "value",
        Kind::Invalid => "invalid",
        Kind::LocalInvalid => "local-invalid",
        Kind::Tombstone => "tombstone",
        Kind::Transit => "transit",
    }
}

pub(super) fn outcome(outcome: &Outcome) -> Value {
    json!({ "created": outcome.created })
}

pub(super) fn swap(swap: &Swap) -> Value {
    match swap {
        Swap::Swapped(_) => json!({ "done": true }),
        Swap::Changed(found) => json!({ "done": false, "found": kind(*found) }),
    }
}

pub(super) fn put_if_absent(put: &PutIfAbsent) -> Value {
    match put {
        PutIfAbsent::Created(_) => json!({ "created": true }),
        PutIfAbsent::Present { value, .. } => {
            json!({ "created": false, "value": optional(value.as_deref()) })
        }
    }
}

/// A result for each key; those that failed by their code.
pub(super) fn bulk<T>(bulk: &Bulk<T>, each: impl Fn(&T) -> Value) -> Value {
    let one = |result: &vug::Result<T>| match result {
        Ok(result) => each(result),
        Err(error) => json!({ "error": error.code() }),
    };
    bulk.results.iter().map(one).collect()
}

pub(super) fn entry(entry: &EntryInfo) -> Value {
    json!({
        "kind": kind_name(entry.token.kind),
        "value": optional(entry.value.as_deref()),
        "expires": entry.expires.is_some(),
    })
}

pub(super) fn notice(notice: &Notice) -> Value {
    match notice {
        Notice::Event(told) => event(told),
        Notice::Lapped { .. } => json!({ "kind": "lapped" }),
        Notice::InSync { .. } => json!({ "kind": "in-sync" }),
        other => panic!("the suite does not know {other:?}"),
    }
}

fn event(event: &Event) -> Value {
    let mut fields = Map::new();
    fields.insert("kind".into(), json!(event.kind.name()));
    if !event.kind.is_of_region() {
        fields.insert("key".into(), show(&event.key));
        fields.insert("value".into(), optional(event.value.as_deref()));
    }
    match &event.old {
        OldValue::None => fields.insert("old".into(), Value::Null),
        OldValue::Value(value) => fields.insert("old".into(), show(value)),
        OldValue::NotAvailable => None,
    };
    for (name, set) in [("bulk", event.bulk), ("expired", event.expiration)] {
        if set {
            fields.insert(name.into(), json!(true));
        }
    }
    Value::Object(fields)
}

pub(super) fn attributes(attributes: &Attributes) -> Value {
    json!({
        "data_policy": attributes.data_policy.to_string(),
        "scope": attributes.scope.to_string(),
        "early_ack": attributes.early_ack,
        "concurrency_checks": attributes.concurrency_checks,
        "interest": attributes.interest.to_string(),
        "old_values": attributes.old_values,
        "max_bytes": attributes.max_bytes,
        "segment_bytes": attributes.segment_bytes,
        "alignment": attributes.alignment,
        "entry_ttl": expiry(attributes.entry_ttl),
        "entry_idle": expiry(attributes.entry_idle),
        "eviction": attributes.eviction.to_string(),
        "max_entries": attributes.max_entries,
    })
}

fn expiry(expiry: Option<Expiry>) -> Value {
    expiry.map_or(Value::Null, |expiry| {
        json!({ "ms": expiry.after.as_millis() as u64, "action": expiry.action.to_string() })
    })
}

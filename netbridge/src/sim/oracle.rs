//! What must be true, always and in the end.

use std::collections::BTreeMap;

use super::model::Entry;
use super::world::{Node, World};
use crate::engine::status::Status;
use crate::replica::store::State;
use crate::wire::record::Kind;

/// Remembers what has been released to writers.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    released: BTreeMap<(usize, usize), u64>,
}

impl Oracle {
    pub(super) fn reset(&mut self, n: usize) {
        self.released.retain(|(node, _), _| *node != n);
    }

    /// A newly released position is applied on every member that counts for it.
    pub(super) fn check_watermarks(&mut self, n: usize, status: &Status, nodes: &[Node]) {
        let store = nodes[n].store.borrow();
        for (i, region) in store.regions.iter().enumerate() {
            let applied = region.watermarks.2;
            let from = self.released.insert((n, i), applied).unwrap_or(0);
            if applied == from {
                continue;
            }
            let Some(seen) = status.regions.iter().find(|r| r.name == region.info.name) else {
                continue;
            };
            let fresh = region
                .log
                .iter()
                .filter(|l| l.position.is_some_and(|p| (from..applied).contains(&p)));
            for logged in fresh {
                let position = logged.position.unwrap();
                let counts = seen.members.iter().filter(|m| m.counts_from <= position);
                for member in counts {
                    let peer = &nodes[usize::from(member.origin) - 1];
                    if peer.resets > 0 {
                        continue;
                    }
                    let peer = peer.store.borrow();
                    let other = peer.regions.iter().find(|r| r.info.name == region.info.name);
                    let there = other.and_then(|r| r.table.get(&logged.key));
                    // Or a tombstone has come and gone since.
                    let forgotten = other.is_some_and(|r| logged.entry.version <= r.horizon);
                    let ok = there.map_or(forgotten, |e| at_least(e, &logged.entry));
                    assert!(
                        ok,
                        "node {n} region {i}: position {position} was released, node {} has \
                         {there:?} instead of {logged:?}; released {from}..{applied}: {seen:#?}",
                        member.origin
                    );
                }
            }
        }
    }
}

fn at_least(e: &Entry, than: &Entry) -> bool {
    (e.version, e.origin) >= (than.version, than.origin)
}

impl World {
    /// The newest of everything ever written on stores that still exist.
    fn expected(&self, region: usize) -> BTreeMap<u32, Entry> {
        let mut newest: BTreeMap<u32, Entry> = BTreeMap::new();
        for n in 0..self.nodes.len() {
            for logged in &self.region(n, region).log {
                let known = newest.get(&logged.key);
                if known.is_none_or(|e| at_least(&logged.entry, e)) {
                    newest.insert(logged.key, logged.entry.clone());
                }
            }
        }
        newest
    }

    /// Why the world is not in its final state, if it is not. With `exact`, every table is the
    /// newest of all writes. Without, stores were lost: what a lost machine wrote may be lost with
    /// it, everything else must be everywhere; in any case all tables are the same.
    pub(super) fn unfinished(&self, exact: bool) -> Option<String> {
        for region in 0..self.plan.regions.len() {
            let expected = self.expected(region);
            let first = self.region(0, region).table.clone();
            for n in 0..self.nodes.len() {
                let r = self.region(n, region);
                if r.state != State::Ready || r.watermarks.2 != r.tail {
                    let (state, marks, tail) = (r.state, r.watermarks, r.tail);
                    return Some(format!("node {n} region {region}: {state:?} {marks:?} {tail}"));
                }
                if let Some(key) = difference(&r.table, &first) {
                    let (a, b) = (r.table.get(&key), first.get(&key));
                    return Some(format!("region {region} key {key}: {n}: {a:?}, 0: {b:?}"));
                }
                for (key, entry) in &expected {
                    let there = r.table.get(key);
                    let forgotten = entry.kind == Kind::Tombstone && entry.version <= r.horizon;
                    let ok = match there {
                        None => forgotten || (!exact && entry.version <= r.horizon),
                        Some(there) if exact => there == entry,
                        Some(there) => at_least(there, entry),
                    };
                    if !ok {
                        return Some(format!(
                            "region {region} key {key}: {n}: {there:?} instead of {entry:?}"
                        ));
                    }
                }
                if exact && r.table.keys().any(|key| !expected.contains_key(key)) {
                    return Some(format!("region {region}: {n} has keys nobody wrote"));
                }
            }
        }
        None
    }

    /// Everything for a failure message.
    pub(super) fn picture(&self) -> String {
        let one = |(n, node): (usize, &Node)| {
            let status = node.engine.as_ref().map(|e| e.status());
            format!("node {n}: {status:#?}\nalerts: {:#?}\n", node.alerts)
        };
        self.nodes.iter().enumerate().map(one).collect()
    }
}

fn difference(a: &BTreeMap<u32, Entry>, b: &BTreeMap<u32, Entry>) -> Option<u32> {
    // Tombstones are forgotten here a little earlier than there.
    let live = |e: &&Entry| e.kind != Kind::Tombstone;
    let differ = |k: &&u32| a.get(*k).filter(live) != b.get(*k).filter(live);
    a.keys().chain(b.keys()).find(differ).copied()
}

//! Random operations on a region and on a `BTreeMap` give the same answers.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use vug::{Error, MaintainOptions, Node, PutIfAbsent, Region, Swap, Token, WriteOptions};
use vug_tests::{TempHome, assert_clean};

const MAX_BYTES: u64 = 4 << 20;
const SEGMENT_BYTES: u64 = 64 << 10;

#[derive(Debug, Clone)]
enum Operation {
    Put(u8, usize),
    /// A put with so many seconds to live.
    PutFor(u8, usize, u64),
    /// So many seconds go by.
    Pass(u64),
    Sweep,
    Create(u8, usize),
    Replace(u8, usize),
    Swap(u8, usize),
    SwapStale(u8, u8, usize),
    PutIfAbsent(u8, usize),
    RemoveIf(u8, u8),
    Update(u8, usize),
    GetMany,
    Maintain(bool),
    /// A value of several segments.
    PutHuge(u8),
    Destroy(u8),
    Remove(u8),
    Get(u8),
    GetInto(u8),
    Contains(u8),
    Length,
    Iterate,
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = 0..24u8;
    let len = prop_oneof![0..64usize, 0..3000usize, Just(30_000usize)];
    prop_oneof![
        6 => (key.clone(), len.clone()).prop_map(|(k, n)| Operation::Put(k, n)),
        3 => (key.clone(), len.clone(), 1..9u64).prop_map(|(k, n, s)| Operation::PutFor(k, n, s)),
        2 => (1..5u64).prop_map(Operation::Pass),
        1 => Just(Operation::Sweep),
        2 => (key.clone(), len.clone()).prop_map(|(k, n)| Operation::Create(k, n)),
        2 => (key.clone(), len.clone()).prop_map(|(k, n)| Operation::Replace(k, n)),
        2 => (key.clone(), len.clone()).prop_map(|(k, n)| Operation::Swap(k, n)),
        2 => (key.clone(), len.clone()).prop_map(|(k, n)| Operation::PutIfAbsent(k, n)),
        2 => (key.clone(), len.clone()).prop_map(|(k, n)| Operation::Update(k, n)),
        1 => (key.clone(), key.clone(), len).prop_map(|(k, o, n)| Operation::SwapStale(k, o, n)),
        2 => (key.clone(), key.clone()).prop_map(|(k, o)| Operation::RemoveIf(k, o)),
        1 => key.clone().prop_map(Operation::PutHuge),
        1 => Just(Operation::GetMany),
        1 => prop::bool::ANY.prop_map(Operation::Maintain),
        2 => key.clone().prop_map(Operation::Destroy),
        2 => key.clone().prop_map(Operation::Remove),
        4 => key.clone().prop_map(Operation::Get),
        2 => key.clone().prop_map(Operation::GetInto),
        1 => key.prop_map(Operation::Contains),
        1 => Just(Operation::Length),
        1 => Just(Operation::Iterate),
        1 => Just(Operation::Reopen),
    ]
}

/// The region under test beside the map that says what it should contain.
struct Pair {
    home: TempHome,
    region: Region,
    map: BTreeMap<Vec<u8>, (Vec<u8>, Token)>,
    writes: u64,
    /// Seconds that went by, as this test counts them.
    now: u64,
    /// When entries of the map expire: half a second after `now` had this value.
    deadlines: BTreeMap<Vec<u8>, u64>,
}

impl Pair {
    fn new() -> Pair {
        let home = TempHome::new();
        let node = home.node();
        let builder = node.region("model").max_bytes(MAX_BYTES).segment_bytes(SEGMENT_BYTES);
        let region = builder.create().expect("a new region");
        Pair { home, region, map: BTreeMap::new(), writes: 0, now: 0, deadlines: BTreeMap::new() }
    }

    fn run(&mut self, operation: &Operation) {
        match *operation {
            Operation::Put(key, len) => {
                let (key, value) = (name(key), self.value(len));
                let outcome = self.region.put(&key, &value).expect("put");
                assert_eq!(outcome.created, !self.map.contains_key(&key));
                self.wrote(key, value, outcome.token);
            }
            Operation::PutFor(key, len, seconds) => {
                let (key, value) = (name(key), self.value(len));
                // Half a second more: what time the test itself takes does not matter.
                let life = WriteOptions::ttl(Duration::from_millis(seconds * 1000 + 500));
                let outcome = self.region.put_with(&key, &value, &life).expect("put");
                assert_eq!(outcome.created, !self.map.contains_key(&key));
                self.wrote(key.clone(), value, outcome.token);
                self.deadlines.insert(key, self.now + seconds);
            }
            Operation::Pass(seconds) => {
                vug::advance_clock(Duration::from_secs(seconds));
                self.now += seconds;
                let now = self.now;
                self.deadlines.retain(|key, deadline| {
                    if *deadline < now {
                        self.map.remove(key);
                    }
                    *deadline >= now
                });
            }
            Operation::Sweep => {
                self.region.sweep(usize::MAX).expect("sweep");
                assert_eq!(self.region.len().expect("len"), self.map.len() as u64);
            }
            Operation::Create(key, len) => self.create(name(key), len),
            Operation::Replace(key, len) => self.replace(name(key), len),
            Operation::Swap(key, len) => {
                let key = name(key);
                let token = self.region.token(&key).expect("token");
                assert_eq!(token, self.map.get(&key).map(|(_, token)| *token));
                if let Some(token) = token {
                    self.swap(key, token, len);
                }
            }
            Operation::SwapStale(key, other, len) => {
                if let Some((_, token)) = self.map.get(&name(other)).cloned() {
                    self.swap(name(key), token, len);
                }
            }
            Operation::PutIfAbsent(key, len) => self.put_if_absent(name(key), len),
            Operation::RemoveIf(key, other) => self.remove_if(&name(key), &name(other)),
            Operation::Update(key, len) => self.update(name(key), len),
            Operation::GetMany => self.get_many(),
            Operation::Maintain(compact) => {
                let mut options = MaintainOptions::default();
                options.compact = compact;
                self.region.maintain(&options).expect("maintain");
            }
            Operation::PutHuge(key) => self.put_huge(name(key)),
            Operation::Destroy(key) => self.destroy(&name(key)),
            Operation::Remove(key) => {
                let removed = self.region.remove(&name(key)).expect("remove");
                assert_eq!(removed.is_some(), self.map.remove(&name(key)).is_some());
            }
            Operation::Get(key) => self.get(&name(key)),
            Operation::GetInto(key) => self.get_into(&name(key)),
            Operation::Contains(key) => {
                let key = name(key);
                let contains = self.region.contains_key(&key).expect("contains_key");
                assert_eq!(contains, self.map.contains_key(&key));
            }
            Operation::Length => {
                // Expired entries count until they are swept.
                assert!(self.region.len().expect("len") >= self.map.len() as u64);
            }
            Operation::Iterate => self.iterate(),
            Operation::Reopen => self.reopen(),
        }
    }

    /// Bytes that differ from write to write, so that a stale value is noticed.
    fn value(&mut self, len: usize) -> Vec<u8> {
        self.writes += 1;
        self.writes.to_le_bytes().into_iter().cycle().take(len).collect()
    }

    fn wrote(&mut self, key: Vec<u8>, value: Vec<u8>, token: Token) {
        self.deadlines.remove(&key);
        if let Some((_, before)) = self.map.insert(key, (value, token)) {
            assert!(token > before, "versions grow: {before:?}, then {token:?}");
        }
    }

    fn create(&mut self, key: Vec<u8>, len: usize) {
        let value = self.value(len);
        match self.region.create(&key, &value) {
            Ok(outcome) => {
                assert!(outcome.created && !self.map.contains_key(&key));
                self.wrote(key, value, outcome.token);
            }
            Err(Error::EntryExists { .. }) => assert!(self.map.contains_key(&key)),
            Err(error) => panic!("create: {error}"),
        }
    }

    fn put_if_absent(&mut self, key: Vec<u8>, len: usize) {
        let value = self.value(len);
        match self.region.put_if_absent(&key, &value).expect("put_if_absent") {
            PutIfAbsent::Created(outcome) => {
                assert!(!self.map.contains_key(&key));
                self.wrote(key, value, outcome.token);
            }
            PutIfAbsent::Present { token, value } => {
                assert_eq!(self.map.get(&key), value.map(|value| (value, token)).as_ref());
            }
        }
    }

    /// With the token that another key has, perhaps the same.
    fn remove_if(&mut self, key: &[u8], other: &[u8]) {
        let Some((_, token)) = self.map.get(other).cloned() else { return };
        let current = self.map.get(key).map(|(_, token)| *token);
        match self.region.remove_if(key, token).expect("remove_if") {
            Swap::Swapped(_) => {
                assert_eq!(current, Some(token));
                self.map.remove(key);
            }
            Swap::Changed(found) => assert_eq!((found, found == Some(token)), (current, false)),
        }
    }

    fn update(&mut self, key: Vec<u8>, len: usize) {
        let value = self.value(len);
        let before = self.map.get(&key).map(|(value, _)| value.clone());
        let updated = self.region.update(&key, |old| {
            assert_eq!(old, before.as_deref());
            old.map(|_| value.clone())
        });
        let updated = updated.expect("update");
        assert_eq!(updated.is_some(), before.is_some());
        if let Some(outcome) = updated {
            self.wrote(key, value, outcome.token);
        }
    }

    fn get_many(&self) {
        let keys: Vec<Vec<u8>> = (0..24).map(name).collect();
        let found = self.region.get_all(&keys).expect("get_all");
        let expected = keys.iter().map(|key| self.map.get(key).map(|(value, _)| value.clone()));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }

    /// There may be no window for it, even where there is room.
    fn put_huge(&mut self, key: Vec<u8>) {
        let value = self.value(3 * SEGMENT_BYTES as usize);
        match self.region.put(&key, &value) {
            Ok(outcome) => self.wrote(key, value, outcome.token),
            Err(Error::OutOfSpace { .. }) => {}
            Err(error) => panic!("put: {error}"),
        }
    }

    fn replace(&mut self, key: Vec<u8>, len: usize) {
        let value = self.value(len);
        let outcome = self.region.replace(&key, &value).expect("replace");
        assert_eq!(outcome.is_some(), self.map.contains_key(&key));
        if let Some(outcome) = outcome {
            assert!(!outcome.created);
            self.wrote(key, value, outcome.token);
        }
    }

    fn swap(&mut self, key: Vec<u8>, expected: Token, len: usize) {
        let value = self.value(len);
        let current = self.map.get(&key).map(|(_, token)| *token);
        match self.region.compare_and_swap(&key, expected, &value).expect("compare_and_swap") {
            Swap::Swapped(outcome) => {
                assert_eq!(current, Some(expected));
                self.wrote(key, value, outcome.token);
            }
            Swap::Changed(found) => {
                assert_eq!(found, current);
                assert_ne!(current, Some(expected));
            }
        }
    }

    fn destroy(&mut self, key: &[u8]) {
        match self.region.destroy(key) {
            Ok(_) => assert!(self.map.remove(key).is_some()),
            Err(Error::EntryNotFound { .. }) => assert!(!self.map.contains_key(key)),
            Err(error) => panic!("destroy: {error}"),
        }
    }

    fn get(&self, key: &[u8]) {
        let guard = self.region.get(key).expect("get");
        let expected = self.map.get(key);
        assert_eq!(guard.as_deref(), expected.map(|(value, _)| value.as_slice()));
        if let Some(guard) = guard {
            assert_eq!(guard.key(), key);
            assert_eq!(Some(guard.token()), expected.map(|(_, token)| *token));
        }
    }

    fn get_into(&self, key: &[u8]) {
        let mut value = b"what was there before".to_vec();
        let token = self.region.get_into(key, &mut value).expect("get_into");
        let expected = self.map.get(key);
        assert_eq!(token, expected.map(|(_, token)| *token));
        if let Some((expected, _)) = expected {
            assert_eq!(value, *expected);
        }
    }

    fn iterate(&self) {
        let mut seen = BTreeMap::new();
        for entry in self.region.iter() {
            let entry = entry.expect("iteration");
            let again = seen.insert(entry.key, (entry.value, entry.token));
            assert!(again.is_none(), "seen twice although nobody writes");
        }
        assert_eq!(seen, self.map);
    }

    fn reopen(&mut self) {
        let path = self.region.path().to_owned();
        let node = Node::open(self.home.path()).expect("the node opens again");
        self.region = node.region("model").open().expect("the region opens again");
        assert_eq!(self.region.path(), path);
    }
}

fn name(key: u8) -> Vec<u8> {
    // Lengths from 1 to 24 x 24 bytes, so that records of all alignments occur.
    vec![b'a' + key; 1 + usize::from(key) * usize::from(key)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_region_is_a_map(operations in prop::collection::vec(operation(), 1..300)) {
        let mut pair = Pair::new();
        for operation in &operations {
            pair.run(operation);
        }
        pair.iterate();
        pair.run(&Operation::Sweep);
        let report = assert_clean(pair.region.path());
        if let Some(report) = report {
            prop_assert_eq!(report.entries, pair.map.len() as u64);
        }
    }
}

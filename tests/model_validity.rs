//! Random operations on entries with and without values, on many keys and on the whole region give
//! the answers that a `BTreeMap` gives.

use proptest::prelude::*;
use std::collections::BTreeMap;
use vug::{Error, Kind, Region};
use vug_tests::{TempHome, assert_clean};

const KEYS: u8 = 16;

#[derive(Debug, Clone)]
enum Operation {
    Put(u8),
    Create(u8),
    CreateInvalid(u8),
    Invalidate(u8),
    LocalInvalidate(u8),
    LocalDestroy(u8),
    Replace(u8),
    SwapValue(u8),
    Increment(u8),
    PutAll(Vec<u8>),
    RemoveAll(Vec<u8>),
    Clear,
    InvalidateRegion(bool),
    Look(u8),
    LookAtAll,
    /// Another process goes on: a second member with a mapping of its own.
    Other,
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = 0..KEYS;
    let keys = prop::collection::vec(0..KEYS, 0..40);
    prop_oneof![
        6 => key.clone().prop_map(Operation::Put),
        2 => key.clone().prop_map(Operation::Create),
        2 => key.clone().prop_map(Operation::CreateInvalid),
        3 => key.clone().prop_map(Operation::Invalidate),
        1 => key.clone().prop_map(Operation::LocalInvalidate),
        2 => key.clone().prop_map(Operation::LocalDestroy),
        2 => key.clone().prop_map(Operation::Replace),
        2 => key.clone().prop_map(Operation::SwapValue),
        2 => key.clone().prop_map(Operation::Increment),
        2 => keys.clone().prop_map(Operation::PutAll),
        1 => keys.prop_map(Operation::RemoveAll),
        1 => Just(Operation::Clear),
        1 => prop::bool::ANY.prop_map(Operation::InvalidateRegion),
        4 => key.prop_map(Operation::Look),
        2 => Just(Operation::LookAtAll),
        1 => Just(Operation::Other),
    ]
}

/// A region beside the map that says what it holds; `None` is an invalid entry.
struct Pair {
    _home: TempHome,
    regions: [Region; 2],
    current: usize,
    map: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    writes: i64,
}

impl Pair {
    fn new() -> Pair {
        let home = TempHome::new();
        let first = home.node().region("model").max_bytes(2 << 20).create().expect("a region");
        let second = home.node().region("model").open().expect("the region");
        let (map, regions) = (BTreeMap::new(), [first, second]);
        Pair { _home: home, regions, current: 0, map, writes: 0 }
    }

    fn region(&self) -> Region {
        self.regions[self.current].clone()
    }

    fn value(&mut self) -> Vec<u8> {
        self.writes += 1;
        self.writes.to_le_bytes().to_vec()
    }

    fn run(&mut self, operation: &Operation) {
        let region = self.region();
        match operation {
            Operation::Put(key) => {
                let (key, value) = (name(*key), self.value());
                let outcome = region.put(&key, &value).expect("put");
                assert_eq!(outcome.created, self.map.insert(key, Some(value)).is_none());
            }
            Operation::Create(key) => {
                let value = self.value();
                let created = region.create(&name(*key), &value);
                self.created(name(*key), Some(value), created.map(|outcome| outcome.token.kind));
            }
            Operation::CreateInvalid(key) => {
                let created = region.create_invalid(&name(*key));
                self.created(name(*key), None, created.map(|outcome| outcome.token.kind));
            }
            Operation::Invalidate(key) => self.invalidated(*key, region.invalidate(&name(*key))),
            Operation::LocalInvalidate(key) => {
                self.invalidated(*key, region.local_invalidate(&name(*key)));
            }
            Operation::LocalDestroy(key) => match region.local_destroy(&name(*key)) {
                Ok(_) => assert!(self.map.remove(&name(*key)).is_some()),
                Err(Error::EntryNotFound { .. }) => assert!(!self.map.contains_key(&name(*key))),
                Err(error) => panic!("{error}"),
            },
            Operation::Replace(key) => {
                let (key, value) = (name(*key), self.value());
                let replaced = region.replace(&key, &value).expect("replace").is_some();
                assert_eq!(replaced, self.map.contains_key(&key));
                if replaced {
                    self.map.insert(key, Some(value));
                }
            }
            Operation::SwapValue(key) => {
                let (key, value) = (name(*key), self.value());
                let (outcome, old) = region.swap_value(&key, &value).expect("swap");
                let before = self.map.insert(key, Some(value));
                assert_eq!((outcome.created, old), (before.is_none(), before.flatten()));
            }
            Operation::Increment(key) => self.increment(&region, name(*key)),
            Operation::PutAll(keys) => self.put_all(&region, keys),
            Operation::RemoveAll(keys) => {
                let keys: Vec<Vec<u8>> = keys.iter().copied().map(name).collect();
                let removed = region.remove_all(&keys).expect("valid").all().expect("all done");
                for (key, removed) in keys.iter().zip(removed) {
                    assert_eq!(removed.is_some(), self.map.remove(key).is_some());
                }
            }
            Operation::Clear => {
                region.clear().expect("clear");
                self.map.clear();
            }
            Operation::InvalidateRegion(local) => {
                let done = if *local {
                    region.local_invalidate_region()
                } else {
                    region.invalidate_region()
                };
                done.expect("invalidate");
                self.map.values_mut().for_each(|value| *value = None);
            }
            Operation::Look(key) => self.look(&region, &name(*key)),
            Operation::LookAtAll => self.look_at_all(&region),
            Operation::Other => self.current = 1 - self.current,
        }
    }

    fn created(&mut self, key: Vec<u8>, value: Option<Vec<u8>>, created: vug::Result<Kind>) {
        match created {
            Ok(kind) => {
                assert_eq!(kind == Kind::Value, value.is_some());
                assert!(self.map.insert(key, value).is_none());
            }
            Err(Error::EntryExists { .. }) => assert!(self.map.contains_key(&key)),
            Err(error) => panic!("{error}"),
        }
    }

    fn invalidated(&mut self, key: u8, done: vug::Result<Option<vug::Outcome>>) {
        match (done, self.map.get_mut(&name(key))) {
            (Ok(outcome), Some(value)) => assert_eq!(outcome.is_some(), value.take().is_some()),
            (Err(Error::EntryNotFound { .. }), None) => {}
            (done, value) => panic!("{done:?} {value:?}"),
        }
    }

    fn increment(&mut self, region: &Region, key: Vec<u8>) {
        match (region.increment(&key, 1), self.map.get(&key)) {
            (Ok(sum), before) => {
                let before = before.map(|value| value.clone().expect("invalid counts as nothing"));
                let before = before.map_or(0, |v| i64::from_le_bytes(v.try_into().expect("eight")));
                assert_eq!(sum, before + 1);
                self.map.insert(key, Some(sum.to_le_bytes().to_vec()));
            }
            (Err(Error::NotACounter { len: None, .. }), Some(None)) => {}
            (done, found) => panic!("{done:?} {found:?}"),
        }
    }

    fn put_all(&mut self, region: &Region, keys: &[u8]) {
        let entries: Vec<(Vec<u8>, Vec<u8>)> =
            keys.iter().map(|&key| (name(key), self.value())).collect();
        let outcomes = region.put_all(&entries).expect("valid").all().expect("all done");
        for ((key, value), outcome) in entries.into_iter().zip(outcomes) {
            assert_eq!(outcome.created, self.map.insert(key, Some(value)).is_none());
        }
    }

    fn look(&self, region: &Region, key: &[u8]) {
        let expected = self.map.get(key);
        let value = expected.and_then(Option::as_deref);
        assert_eq!(region.get(key).expect("get").as_deref(), value);
        assert_eq!(region.contains_key(key).expect("look"), expected.is_some());
        assert_eq!(region.contains_value_for_key(key).expect("look"), value.is_some());
        let entry = region.entry(key).expect("look");
        assert_eq!(entry.map(|entry| entry.value).as_ref(), expected);
    }

    fn look_at_all(&self, region: &Region) {
        (0..KEYS).for_each(|key| self.look(region, &name(key)));
        assert_eq!(region.len().expect("len"), self.map.len() as u64);
        let mut keys = region.keys().collect::<vug::Result<Vec<_>>>().expect("keys");
        keys.sort();
        assert!(keys.iter().eq(self.map.keys()));
        let values: BTreeMap<_, _> =
            region.iter().map(|e| e.expect("entry")).map(|e| (e.key, e.value)).collect();
        let expected = self.map.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        assert!(values.iter().eq(expected));
    }
}

fn name(key: u8) -> Vec<u8> {
    vec![b'a' + key; 1 + usize::from(key)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_region_is_a_map_of_values_and_of_nothing(
        operations in prop::collection::vec(operation(), 1..300)
    ) {
        let mut pair = Pair::new();
        for operation in &operations {
            pair.run(operation);
        }
        let region = pair.region();
        pair.look_at_all(&region);
        if let Some(report) = assert_clean(region.path()) {
            prop_assert_eq!(report.entries, pair.map.len() as u64);
        }
    }
}

//! Two insert one key, and one of them dies in the middle: there is one entry, and it does not come
//! back after it was destroyed.

use crate::stopped::nursery;
use vug::{Error, Region};
use vug_tests::assert_clean;
use vug_tests::victim::{LOCAL, Nursery, decode, encode};

/// What a survivor finds when the other insert died there: its entry, or nothing.
const DEATHS: [(&str, bool); 3] =
    [("insert.described", false), ("insert.claimed", true), ("insert.published", true)];

fn copies(region: &Region, key: &[u8]) -> usize {
    region.iter().filter(|entry| entry.as_ref().expect("entry").key == key).count()
}

#[test]
fn case_02_one_inserter_dies_between_header_and_slot() {
    let nursery = nursery();
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    for round in 0..12 {
        for (at, takes_place) in DEATHS {
            let name = format!("key-{round}-{at}");
            let key = name.as_bytes();
            // Both are attached before one dies: who attaches recovers.
            Nursery::let_die(nursery.start_writer(LOCAL, &name, at));
            match region.create(key, &encode(2, 100)) {
                Ok(outcome) => assert!(outcome.created && !takes_place, "{at}"),
                Err(Error::EntryExists { .. }) => assert!(takes_place, "{at}"),
                Err(error) => panic!("{error}"),
            }
            let found = region.get(key).expect("get").map(|value| decode(&value));
            assert_eq!(found, Some(if takes_place { 1 } else { 2 }), "{at}");
            assert_eq!(copies(&region, key), 1, "{at}");
            region.destroy(key).expect("destroy");
            assert!(region.get(key).expect("get").is_none(), "{at}");
            node.recover().expect("recover");
            assert!(region.get(key).expect("get").is_none(), "{at}: it came back");
            assert_eq!(copies(&region, key), 0, "{at}");
        }
    }
    assert_clean(region.path());
}

#[test]
fn case_02_both_inserters_die() {
    let nursery = nursery();
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    for (first, _) in DEATHS {
        for (second, _) in DEATHS {
            let name = format!("{first}-{second}");
            let writers = [first, second].map(|at| nursery.start_writer(LOCAL, &name, at));
            for (n, mut writer) in writers.into_iter().enumerate() {
                drop(writer.stdin.take());
                let status = writer.wait().expect("it ends");
                // The second one finds the first one's insert and replaces it, so that it does not
                // come to its own point.
                assert!(n == 1 || !status.success(), "{name}");
            }
            node.recover().expect("recover");
            assert!(copies(&region, name.as_bytes()) <= 1, "{name}");
            region.remove(name.as_bytes()).expect("remove");
            assert_eq!(copies(&region, name.as_bytes()), 0, "{name}");
            assert_clean(region.path());
        }
    }
}

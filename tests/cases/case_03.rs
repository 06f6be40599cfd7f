//! Who was stopped in the middle of a step, and goes on long after the world has changed, changes
//! nothing that is not its own.

use crate::stopped::{Stopped, nursery};
use vug_tests::assert_clean;
use vug_tests::victim::{LOCAL, decode, encode};

/// Enough keys for one of them to meet any bucket of the first table.
const CROWD: u64 = 5000;

#[test]
fn case_03_stale_helper() {
    let crowd = |n: u64| format!("crowd-{n}").into_bytes();
    for round in 0..3 {
        // Each time with the first table: the crowd would miss many buckets of a larger one.
        let nursery = nursery();
        let node = nursery.node();
        let region = node.region("crowd").open().expect("open");
        let key = format!("owner-{round}");
        let owner = Stopped::writing(&nursery, "crowd", &key, "insert.claimed");
        let owner = owner.expect("an insert gets there");
        // It writes until it meets the pending insert, reads its descriptor, and stops there.
        let mut meet = nursery.command("flood", &["crowd", &format!("helper-{round}")]);
        meet.arg(CROWD.to_string());
        let helper = Stopped::at(meet, "help.read").expect("it meets the insert");
        owner.resume();
        assert_eq!(region.get(key.as_bytes()).expect("get").map(|v| decode(&v)), Some(1));
        // The slot becomes empty, and then that of other keys.
        region.destroy(key.as_bytes()).expect("destroy");
        let mut stored = Vec::new();
        for n in 0..CROWD {
            match region.put(&crowd(n), &encode(n, 8)) {
                Ok(_) => stored.push(n),
                Err(vug::Error::OutOfSpace { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(stored.len() > 1000, "{}", stored.len());
        stored.retain(|n| *n % 2 == 0 || region.remove(&crowd(*n)).expect("remove").is_none());
        helper.resume();
        assert!(region.get(key.as_bytes()).expect("get").is_none(), "it came back");
        for n in stored {
            let found = region.get(&crowd(n)).expect("get").map(|value| decode(&value));
            assert_eq!(found, Some(n));
            region.remove(&crowd(n)).expect("remove");
        }
        nursery_sweep(&region);
        node.recover().expect("recover");
        assert_clean(region.path());
    }
}

/// Removes what the helper wrote.
fn nursery_sweep(region: &vug::Region) {
    let keys: Vec<Vec<u8>> = region.iter().map(|entry| entry.expect("entry").key).collect();
    for key in keys {
        region.remove(&key).expect("remove");
    }
}

/// A replacing write stops before its CAS; meanwhile its key changes and all memory that is not
/// protected is used again many times.
#[test]
fn case_03_stale_replace() {
    let long = std::env::var_os("VUG_LONG").is_some();
    // The generation of a slot word has 14 bits.
    let generations = if long { 17_000 } else { 60 };
    for at in ["write.intended", "append.committed", "write.replaced"] {
        let nursery = nursery();
        let node = nursery.node();
        let region = node.region(LOCAL).open().expect("open");
        region.put(b"stale", &encode(7, 100)).expect("put");
        let writer = Stopped::writing(&nursery, LOCAL, "stale", at).expect("it gets there");
        let published = at == "write.replaced";
        region.put(b"stale", &encode(8, 100)).expect("put");
        let segments = u64::from(region.statistics().segments_total);
        let mut neighbours = 0;
        for n in 0..generations * segments * 2 {
            region.put(b"flood", &encode(n, 31_000)).expect("put");
            neighbours = n;
        }
        let seen =
            |region: &vug::Region| region.get(b"stale").expect("get").map(|value| decode(&value));
        assert_eq!(seen(&region), Some(8), "{at}");
        writer.resume();
        // Its write takes place now, or took place before the other one.
        assert_eq!(seen(&region), Some(if published { 8 } else { 1 }), "{at}");
        let flood = region.get(b"flood").expect("get").map(|value| decode(&value));
        assert_eq!(flood, Some(neighbours), "{at}");
        node.recover().expect("recover");
        assert_clean(region.path());
    }
}

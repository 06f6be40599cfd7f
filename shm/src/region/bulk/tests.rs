use tempfile::TempDir;

use crate::Node;
use crate::error::Error;
use crate::region::Region;
use crate::region::attributes::DataPolicy;

fn region(home: &TempDir) -> Region {
    let node = Node::open(home.path()).expect("a node");
    node.region("r").max_bytes(1 << 20).create().expect("a region")
}

fn home() -> TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a home")
}

#[test]
fn each_key_has_its_result() {
    let home = home();
    let region = region(&home);
    region.put(b"key-3", b"old").expect("put");
    let entries: Vec<(String, String)> =
        (0..100).map(|n| (format!("key-{n}"), format!("value-{n}"))).collect();
    let outcomes = region.put_all(&entries).expect("valid").all().expect("all done");
    let created: Vec<bool> = outcomes.iter().map(|outcome| outcome.created).collect();
    assert_eq!(created.iter().filter(|created| !**created).count(), 1);
    assert!(!created[3]);
    let keys: Vec<&str> = ["key-1", "none", "key-99", "key-1"].into();
    let values = region.get_all(&keys).expect("get");
    let texts: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
    let (first, last) = (Some(&b"value-1"[..]), Some(&b"value-99"[..]));
    assert_eq!(texts, [first, None, last, first]);
    let removed = region.remove_all(&keys).expect("valid").all().expect("all done");
    let removed: Vec<bool> = removed.iter().map(Option::is_some).collect();
    assert_eq!(removed, [true, false, true, false]);
    assert_eq!(region.len().expect("len"), 98);
    assert!(region.remove_all::<&str>(&[]).expect("valid").all().expect("nothing").is_empty());
}

#[test]
fn nothing_is_done_if_one_entry_is_impossible() {
    let home = home();
    let region = region(&home);
    let huge = vec![0; region.max_value_len(1) + 1];
    let entries: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"b", &huge), (b"c", b"3")];
    assert!(matches!(region.put_all(&entries), Err(Error::ValueTooLarge { .. })));
    let entries: [(&[u8], &[u8]); 2] = [(b"a", b"1"), (b"", b"2")];
    assert!(matches!(region.put_all(&entries), Err(Error::InvalidKey { len: 0 })));
    assert!(matches!(region.remove_all(&[&b"a"[..], b""]), Err(Error::InvalidKey { len: 0 })));
    assert!(region.is_empty().expect("len"));
}

#[test]
fn what_fails_is_named_and_the_rest_is_done() {
    let home = home();
    let region = region(&home);
    let value = vec![1; 60_000];
    let entries: Vec<(String, &[u8])> = (0..40).map(|n| (format!("k{n}"), &value[..])).collect();
    let bulk = region.put_all(&entries).expect("valid");
    let failed: Vec<usize> = bulk.failures().map(|(number, _)| number).collect();
    assert!(!failed.is_empty() && failed.len() < 40, "{failed:?}");
    assert!(bulk.failures().all(|(_, error)| matches!(error, Error::OutOfSpace { .. })));
    for (number, (key, _)) in entries.iter().enumerate() {
        let there = region.contains_key(key.as_bytes()).expect("look");
        assert_eq!(there, !failed.contains(&number), "{key}");
    }
    let done = bulk.done();
    match bulk.all() {
        Err(Error::BulkFailed { done: told, failed: of, first, source, .. }) => {
            assert_eq!((told, of, first), (done, failed.len(), failed[0]));
            assert!(matches!(*source, Error::OutOfSpace { .. }));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_distributed_bulk_waits_once() {
    let home = home();
    let node = Node::open(home.path()).expect("a node");
    let region = node.region("r").data_policy(DataPolicy::Replicate).create().expect("a region");
    let bulk = region.put_all(&[("a", "1"), ("b", "2")]).expect("valid");
    assert!(bulk.acknowledged.is_ok(), "nobody to wait for");
    assert_eq!(bulk.all().expect("all done").len(), 2);
    let seat = node.bridge_seat().expect("the seat");
    let _feed = seat.feed(&region).expect("feed");
    let options = crate::WriteOptions::ack_within(std::time::Duration::from_millis(20));
    let bulk = region.put_all_with(&[("a", "3"), ("c", "4")], &options).expect("valid");
    assert!(matches!(bulk.acknowledged, Err(Error::AckTimeout { .. })));
    assert_eq!(bulk.done(), 2);
    assert_eq!(region.len().expect("len"), 3);
}

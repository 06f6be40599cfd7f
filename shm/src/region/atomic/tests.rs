use super::*;
use crate::Node;
use crate::region::attributes::Scope;
use tempfile::TempDir;

fn new_region() -> (TempDir, Node, Region) {
    let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
    let node = Node::open(home.path()).unwrap();
    let region = node.region("r").max_bytes(1 << 20).create().unwrap();
    (home, node, region)
}

fn value(region: &Region, key: &[u8]) -> Option<Vec<u8>> {
    region.get(key).unwrap().map(|value| value.to_vec())
}

#[test]
fn put_if_absent_tells_what_is_there() {
    let (_home, _node, region) = new_region();
    let PutIfAbsent::Created(outcome) = region.put_if_absent(b"k", b"one").unwrap() else {
        panic!("the key was absent");
    };
    assert!(outcome.created);
    let present = region.put_if_absent(b"k", b"two").unwrap();
    let expected = PutIfAbsent::Present { token: outcome.token, value: Some(b"one".to_vec()) };
    assert_eq!(present, expected);
    region.remove(b"k").unwrap();
    assert!(matches!(region.put_if_absent(b"k", b"two").unwrap(), PutIfAbsent::Created(_)));
    assert_eq!(value(&region, b"k").as_deref(), Some(&b"two"[..]));
}

#[test]
fn conditional_changes_need_exactly_what_they_expect() {
    let (_home, _node, region) = new_region();
    assert_eq!(region.replace_if(b"k", b"", b"x").unwrap(), Swap::Changed(None));
    assert_eq!(region.remove_if_value(b"k", b"").unwrap(), Swap::Changed(None));
    let first = region.put(b"k", b"one").unwrap().token;
    assert_eq!(region.replace_if(b"k", b"two", b"x").unwrap(), Swap::Changed(Some(first)));
    let Swap::Swapped(second) = region.replace_if(b"k", b"one", b"two").unwrap() else {
        panic!("the value is the expected one");
    };
    assert_eq!(region.remove_if(b"k", first).unwrap(), Swap::Changed(Some(second.token)));
    assert_eq!(region.remove_if_value(b"k", b"one").unwrap(), Swap::Changed(Some(second.token)));
    assert!(matches!(region.remove_if_value(b"k", b"two").unwrap(), Swap::Swapped(_)));
    assert_eq!(value(&region, b"k"), None);
    // The same bytes again are another state.
    let third = region.put(b"k", b"one").unwrap().token;
    assert_ne!(first, third);
    assert_eq!(region.remove_if(b"k", first).unwrap(), Swap::Changed(Some(third)));
    assert!(matches!(region.remove_if(b"k", third).unwrap(), Swap::Swapped(_)));
}

#[test]
fn counters_are_eight_bytes_and_never_wrap() {
    let (_home, _node, region) = new_region();
    assert_eq!(region.increment(b"n", 5).unwrap(), 5);
    assert_eq!(region.increment(b"n", -7).unwrap(), -2);
    assert_eq!(value(&region, b"n"), Some((-2_i64).to_le_bytes().to_vec()));
    region.put(b"n", &(i64::MAX - 1).to_le_bytes()).unwrap();
    assert_eq!(region.increment(b"n", 1).unwrap(), i64::MAX);
    let refused = region.increment(b"n", 1);
    const MAX: i128 = i64::MAX as i128;
    assert!(matches!(refused, Err(Error::CounterOverflow { value: MAX, delta: 1, .. })));
    assert_eq!(region.increment(b"n", 0).unwrap(), i64::MAX);
    region.put(b"n", b"17").unwrap();
    let refused = region.increment(b"n", 1);
    assert!(matches!(refused, Err(Error::NotACounter { len: Some(2), .. })));
    assert_eq!(value(&region, b"n").as_deref(), Some(&b"17"[..]));
}

#[test]
fn an_update_begins_again_when_somebody_was_faster() {
    let (_home, _node, region) = new_region();
    let mut calls = 0;
    let outcome = region.update(b"k", |old| {
        calls += 1;
        if calls == 1 {
            region.put(b"k", b"theirs").unwrap();
        }
        Some([old.unwrap_or(b"nothing"), b"+"].concat())
    });
    assert!(!outcome.unwrap().unwrap().created);
    assert_eq!(calls, 2);
    assert_eq!(value(&region, b"k").as_deref(), Some(&b"theirs+"[..]));
    assert_eq!(region.update(b"k", |_| None).unwrap(), None);
    assert!(region.update(b"new", |old| Some(vec![u8::from(old.is_some())])).unwrap().is_some());
    assert_eq!(value(&region, b"new"), Some(vec![0]));
}

#[test]
fn threads_lose_no_increment() {
    let (_home, _node, region) = new_region();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5000 {
                    region.increment(b"n", 1).unwrap();
                    region
                        .update(b"m", |old| {
                            let old =
                                old.map_or(0, |old| u32::from_le_bytes(old.try_into().unwrap()));
                            Some((old + 1).to_le_bytes().to_vec())
                        })
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(region.increment(b"n", 0).unwrap(), 20_000);
    assert_eq!(value(&region, b"m"), Some(20_000_u32.to_le_bytes().to_vec()));
}

/// A token taken before the node got its number says origin 0, and still names the entry.
#[test]
fn tokens_outlive_the_numbering_of_the_node() {
    let (_home, node, region) = new_region();
    let (first, second) = (region.put(b"a", b"1").unwrap().token, region.put(b"b", b"1").unwrap());
    assert_eq!(first.origin, 0);
    node.set_origin(7).unwrap();
    assert_eq!(region.token(b"a").unwrap().unwrap().origin, 7);
    let Swap::Swapped(outcome) = region.compare_and_swap(b"a", first, b"2").unwrap() else {
        panic!("nothing happened to the entry");
    };
    assert_eq!(outcome.token.origin, 7);
    assert_eq!(
        region.compare_and_swap(b"a", first, b"3").unwrap(),
        Swap::Changed(Some(outcome.token))
    );
    assert!(matches!(region.remove_if(b"b", second.token).unwrap(), Swap::Swapped(_)));
}

#[test]
fn only_nodes_that_know_all_entries_may_decide() {
    let attributes =
        |data_policy, scope| Attributes { data_policy, scope, ..Attributes::default() };
    use DataPolicy::{Empty, Normal, PersistentReplicate, Preloaded, Replicate};
    for policy in [Normal, Replicate, Preloaded, PersistentReplicate] {
        assert_eq!(refusal(&attributes(policy, Scope::Local)), None);
    }
    for scope in [Scope::DistributedNoAck, Scope::DistributedAck, Scope::Global] {
        for policy in [Empty, Normal, Preloaded] {
            assert_eq!(refusal(&attributes(policy, scope)), Some(policy));
        }
        for policy in [Replicate, PersistentReplicate] {
            assert_eq!(refusal(&attributes(policy, scope)), None);
        }
    }
}

#[test]
fn a_look_and_a_write_that_never_agree_are_damage() {
    let (_home, _node, region) = new_region();
    let [one, two] = [b"one", b"two"].map(|value| region.put(b"k", value).unwrap().token);
    let mut rounds = Rounds::new(&region);
    for _ in 0..SURELY_DAMAGED {
        rounds.again(Some(one), Some(two)).unwrap();
        rounds.again(Some(two), None).unwrap();
    }
    for _ in 1..SURELY_DAMAGED {
        rounds.again(Some(two), Some(one)).unwrap();
    }
    assert!(matches!(rounds.again(Some(two), Some(one)), Err(Error::Damaged { .. })));
}

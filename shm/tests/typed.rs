//! Typed regions: values read in place, and what is said when the types are not those of the
//! region.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vug::typed::{Entry, Notice, PutIfAbsent, Region, Schema};
use vug::zerocopy::byteorder::big_endian::U32;
use vug::{Error, Node, Swap};

vug::record! {
    /// What an instrument costs.
    #[derive(Default)]
    struct Quote { bid: f64, ask: f64 }

    struct Trade { instrument: U32, venue: U32 }

    #[repr(align(64))]
    struct Line { words: [u64; 8] }
}

fn home() -> (TempDir, Node) {
    let dir = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("tempdir");
    let node = Node::open(dir.path()).expect("open");
    (dir, node)
}

fn quotes(node: &Node) -> Region<str, Quote> {
    node.region("quotes").max_bytes(1 << 20).typed().open_or_create().expect("region")
}

const QUOTE: Quote = Quote { bid: 1.0, ask: 2.0 };

#[test]
fn values_are_read_in_place() {
    let (_dir, node) = home();
    let quotes = quotes(&node);
    assert!(quotes.get("VUG").expect("get").is_none());
    let outcome = quotes.put("VUG", &QUOTE).expect("put");
    let guard = quotes.get("VUG").expect("get").expect("a value");
    assert_eq!(guard.ask, 2.0);
    assert_eq!(guard.token(), outcome.token);
    assert_eq!(guard.bytes().len(), 16);
    let owned = quotes.get_owned("VUG").expect("get").expect("a value");
    let there = std::thread::spawn(move || *owned).join().expect("thread");
    assert_eq!(there, QUOTE);
    assert_eq!(quotes.get_copy("VUG").expect("get"), Some(QUOTE));
    let handle = quotes.handle("VUG").expect("handle");
    assert_eq!(handle.read().expect("read"), Some(QUOTE));
    assert_eq!(*handle.get().expect("get").expect("a value"), QUOTE);
    quotes.put("VUG", &Quote { bid: 3.0, ask: 4.0 }).expect("put");
    assert_eq!((guard.bid, handle.read().expect("read").expect("a value").bid), (1.0, 3.0));
}

#[test]
fn every_operation_has_its_typed_form() {
    let (_dir, node) = home();
    let quotes = quotes(&node);
    let other = Quote { bid: 5.0, ask: 6.0 };
    let created = quotes.create("A", &QUOTE).expect("create");
    assert!(matches!(quotes.create("A", &QUOTE), Err(Error::EntryExists { .. })));
    let present = PutIfAbsent::Present { token: created.token, value: Some(QUOTE) };
    assert_eq!(quotes.put_if_absent("A", &other).expect("put"), present);
    assert!(matches!(quotes.put_if_absent("B", &other), Ok(PutIfAbsent::Created(_))));
    assert!(quotes.replace("C", &QUOTE).expect("replace").is_none());
    assert!(matches!(quotes.replace_if("A", &other, &QUOTE), Ok(Swap::Changed(_))));
    let swapped = quotes.compare_and_swap("A", created.token, &other).expect("swap");
    let Swap::Swapped(outcome) = swapped else { panic!("{swapped:?}") };
    assert_eq!(quotes.token("A").expect("token"), Some(outcome.token));
    let doubled = quotes.update("A", |old| old.map(|old| Quote { bid: old.bid * 2.0, ..*old }));
    assert!(doubled.expect("update").is_some());
    assert_eq!(quotes.get_copy("A").expect("get"), Some(Quote { bid: 10.0, ask: 6.0 }));
    let mut read = quotes.get_all(&["A", "C", "B"]).expect("get").into_iter();
    let (first, second, third) = (read.next(), read.next(), read.next());
    assert_eq!(first.flatten().map(|quote| quote.bid), Some(10.0));
    assert_eq!((second, third), (Some(None), Some(Some(other))));
    let mut all: Vec<Entry<String, Quote>> = quotes.iter().map(|e| e.expect("entry")).collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(all.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    let mut sum = 0.0;
    let add = |_: &str, quote: &Quote, _| {
        sum += quote.bid;
        ControlFlow::Continue(())
    };
    quotes.scan(add).expect("scan");
    assert_eq!(sum, 15.0);
    assert!(matches!(quotes.remove_if_value("B", &QUOTE), Ok(Swap::Changed(_))));
    assert!(quotes.remove("B").expect("remove").is_some());
    assert!(matches!(quotes.destroy("B"), Err(Error::EntryNotFound { .. })));
    assert_eq!(quotes.len().expect("len"), 1);
}

#[test]
fn many_entries_at_a_time_and_none() {
    let (_dir, node) = home();
    let quotes = quotes(&node);
    let put = quotes.put_all(&[("A", QUOTE), ("B", QUOTE), ("C", QUOTE)]).expect("put");
    assert_eq!(put.all().expect("all").len(), 3);
    let removed = quotes.remove_all(&["B", "D"]).expect("remove").all().expect("all");
    assert!(removed[0].is_some() && removed[1].is_none());
    assert!(quotes.invalidate("A").expect("invalidate").is_some());
    assert!(quotes.contains_key("A").expect("contains"));
    assert!(!quotes.contains_value_for_key("A").expect("contains"));
    let invalid = quotes.get_versioned("A").expect("get").expect("present");
    assert_eq!((invalid.0, quotes.get_copy("A").expect("get")), (None, None));
    assert!(quotes.create_invalid("A").is_err());
    quotes.clear().expect("clear");
    assert!(quotes.is_empty().expect("len"));
}

#[test]
fn changes_arrive_with_their_types() {
    let (_dir, node) = home();
    let quotes = quotes(&node);
    let mut changes = quotes.subscribe();
    quotes.put("VUG", &QUOTE).expect("put");
    quotes.untyped().put(b"odd", b"no quote").expect("put");
    quotes.remove("VUG").expect("remove");
    let deadline = Some(Instant::now() + Duration::from_secs(60));
    let mut next = || changes.wait(deadline);
    let Ok(Some(Notice::Event(event))) = next() else { panic!("no event") };
    assert_eq!((event.key.as_str(), event.value), ("VUG", Some(QUOTE)));
    assert!(matches!(next(), Err(Error::NotOfType { part: "value", len: 8, .. })));
    let Ok(Some(Notice::Event(event))) = next() else { panic!("no event") };
    assert_eq!((event.key.as_str(), event.value), ("VUG", None));
}

#[test]
fn slices_have_any_length() {
    let (_dir, node) = home();
    let paths = node.region("paths").max_bytes(1 << 20).typed::<u64, [f32]>().create();
    let paths = paths.expect("create");
    paths.put(&7, &[1.0, 2.0, 3.0]).expect("put");
    paths.put(&8, &[]).expect("put");
    assert_eq!(*paths.get(&7).expect("get").expect("a value"), [1.0, 2.0, 3.0]);
    assert!(paths.get(&8).expect("get").expect("a value").is_empty());
    paths.untyped().put(&9_u64.to_be_bytes(), b"12345").expect("put");
    let error = paths.get(&9).expect_err("five bytes are no numbers");
    assert_eq!(error.to_string(), "a value of 5 bytes in region paths is no [f32]");
    let names = node.region("names").max_bytes(1 << 20).typed::<Trade, [u8]>().create();
    let names = names.expect("create");
    let key = Trade { instrument: 7.into(), venue: 1.into() };
    names.put(&key, b"seven").expect("put");
    let found = names.untyped().get(&[0, 0, 0, 7, 0, 0, 0, 1]).expect("get");
    assert_eq!(&*found.expect("a value"), b"seven");
}

#[test]
fn numbers_count() {
    let (_dir, node) = home();
    let counters = node.region("counters").max_bytes(1 << 20).typed::<str, i64>().create();
    let counters = counters.expect("create");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| drop(counters.increment("hits", 2))));
        }
    });
    assert_eq!(counters.untyped().increment(b"hits", 1).expect("increment"), 4001);
    let small = node.region("small").max_bytes(1 << 20).typed::<str, u8>().create();
    let small = small.expect("create");
    assert_eq!(small.increment("n", 250).expect("increment"), 250);
    let error = small.increment("n", 6).expect_err("256 is no u8");
    assert!(matches!(error, Error::CounterOverflow { value: 250, delta: 6, .. }));
    assert_eq!(small.get_copy("n").expect("get"), Some(250));
}

#[test]
fn other_types_are_told_apart() {
    let (_dir, node) = home();
    drop(quotes(&node));
    mod later {
        vug::record! { pub(super) struct Quote { pub(super) bid: f32, pub(super) time: f32,
        pub(super) ask: f64 } }
    }
    let error = node.typed::<u32, later::Quote>("quotes").open().expect_err("other types");
    assert_eq!(error.code(), 209);
    assert_eq!(
        error.to_string(),
        "region quotes: these two types differ: u32 -> Quote { bid: f32 at 0, time: f32 at 4, \
         ask: f64 at 8 } (16 bytes), found str -> Quote { bid: f64 at 0, ask: f64 at 8 } (16 \
         bytes): key is str, asked for u32; bid is f64 at 0, asked for f32 at 0; \
         time is missing, asked for f32 at 4"
    );
    let untyped = node.region("quotes").open().expect("bytes are always allowed");
    assert_eq!(untyped.schema(), Some(format!("str -> {}", Quote::shape()).as_str()));
    assert!(Region::<str, later::Quote>::from_untyped(untyped.clone()).is_err());
    assert!(Region::<String, Quote>::from_untyped(untyped).is_ok());
    let read_only = Node::open_read_only(node.home()).expect("open");
    let read_only = read_only.region("quotes").expect("open");
    assert!(read_only.schema().is_some_and(|schema| schema.starts_with("str -> Quote")));
    let report = vug::check::check_file(&read_only.path()).expect("audit");
    assert!(report.is_clean(), "{:?}", report.problems);
}

#[test]
fn regions_made_without_types_are_taken_only_on_request() {
    let (_dir, node) = home();
    let bytes = node.region("bytes").max_bytes(1 << 20).create().expect("create");
    assert_eq!(bytes.schema(), None);
    bytes.put(b"odd", b"x").expect("put");
    let error = node.typed::<str, Quote>("bytes").open().expect_err("no types");
    assert!(matches!(&error, Error::SchemaMismatch { found: None, .. }), "{error:?}");
    let quotes = Region::<str, Quote>::from_untyped(bytes).expect("trusted");
    quotes.put("VUG", &QUOTE).expect("put");
    assert!(matches!(quotes.get("odd"), Err(Error::NotOfType { len: 1, .. })));
    assert!(matches!(quotes.get_copy("odd"), Err(Error::NotOfType { .. })));
    let handle = quotes.handle("odd").expect("handle");
    assert!(matches!(handle.read(), Err(Error::NotOfType { .. })));
    assert!(matches!(handle.get().map(|_| ()), Err(Error::NotOfType { .. })));
    assert_eq!(quotes.iter().filter(Result::is_ok).count(), 1);
    let mut seen = Vec::new();
    let many =
        quotes.get_many(&["odd", "VUG"], |number, quote| seen.push((number, quote.copied())));
    assert!(matches!(many, Err(Error::NotOfType { .. })));
    assert_eq!(seen, [(1, Some(QUOTE))]);
}

#[test]
fn alignment_is_that_of_the_type_or_refused() {
    let (_dir, node) = home();
    let lines = node.region("lines").max_bytes(1 << 20).typed::<u8, Line>().create();
    let lines = lines.expect("create");
    assert_eq!(lines.untyped().attributes().alignment, 64);
    lines.put(&1, &Line { words: [7; 8] }).expect("put");
    let guard = lines.get(&1).expect("get").expect("a value");
    assert_eq!(std::ptr::from_ref(&*guard).addr() % 64, 0);
    assert!(node.typed::<u8, Line>("lines").open().is_ok(), "none is asked for");
    let small = node.region("small").max_bytes(1 << 20).alignment(32).typed::<u8, Line>();
    let error = small.create().expect_err("too small");
    assert_eq!(
        error.to_string(),
        "region small cannot have these attributes: Line { words: [u64; 8] at 0 } (64 bytes) needs \
         alignment 64, but values begin at multiples of 32"
    );
    let bytes = node.region("small").max_bytes(1 << 20).create().expect("create");
    assert_eq!(Region::<u8, Line>::from_untyped(bytes).expect_err("too small").code(), 204);
}

#[test]
fn a_description_that_does_not_fit_is_refused() {
    #[derive(Debug)]
    struct Long;
    let (_dir, node) = home();
    impl vug::typed::Key for Long {
        type Bytes<'a> = [u8; 1];
        type View<'a> = ();
        type Owned = ();
        const LEN: Option<usize> = Some(1);
        fn key_shape() -> vug::typed::Shape {
            let name: &'static str = "x".repeat(4000).leak();
            vug::typed::Shape::plain(name)
        }
        fn to_bytes(&self) -> [u8; 1] {
            [0]
        }
        fn of_bytes(_: &[u8]) -> Option<()> {
            Some(())
        }
    }
    let error = node.typed::<Long, u8>("long").create().expect_err("too long");
    assert!(error.to_string().contains("4006 bytes, at most 3584 fit"), "{error}");
}

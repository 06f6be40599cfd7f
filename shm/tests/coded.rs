//! Values that go through a codec.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use vug::typed::{Codec, Coded, Json, Notice, Postcard, PutIfAbsent};
use vug::{Error, ListenOptions, Node, Swap, Waited};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Person {
    name: String,
    tags: BTreeMap<String, Option<f64>>,
}

fn home() -> (TempDir, Node) {
    let dir = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("tempdir");
    let node = Node::open(dir.path()).expect("open");
    (dir, node)
}

fn person(name: &str) -> Person {
    let tags = [("size".into(), Some(1.5)), ("age".into(), None)];
    Person { name: name.into(), tags: tags.into() }
}

fn every_operation_with<C: Codec + 'static>() {
    let (_dir, node) = home();
    let people: Coded<str, Person, C> =
        node.region("people").max_bytes(1 << 20).coded("person-1").create().expect("create");
    assert_eq!(people.get("ada").expect("get"), None);
    let created = people.create("ada", &person("Ada")).expect("create");
    assert_eq!(people.get("ada").expect("get"), Some(person("Ada")));
    assert!(matches!(people.create("ada", &person("B")), Err(Error::EntryExists { .. })));
    let swapped = people.compare_and_swap("ada", created.token, &person("Eve"));
    assert!(matches!(swapped, Ok(Swap::Swapped(_))));
    let renamed = people.update("ada", |old| Some(Person { name: "Zoe".into(), ..old? }));
    assert!(renamed.expect("update").is_some());
    assert!(people.update("none", |old| old).expect("update").is_none());
    people.put("ben", &person("Ben")).expect("put");
    let found = people.get_all(&["ben", "none", "ada"]).expect("get");
    assert_eq!(found, [Some(person("Ben")), None, Some(person("Zoe"))]);
    let names: Vec<_> = people.iter().map(|entry| entry.expect("entry").value.name).collect();
    assert_eq!(names.len(), 2);
    let mut told = people.subscribe();
    let (send, heard) = std::sync::mpsc::channel();
    let listener = people.listen(ListenOptions::new(), move |notice| {
        send.send(notice.is_ok()).expect("somebody hears");
    });
    let listener = listener.expect("listen");
    people.put("ben", &person("Bob")).expect("put");
    people.untyped().put(b"ben", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").expect("put");
    let Some(Notice::Event(event)) = told.poll().expect("poll") else { panic!("an event") };
    assert_eq!((event.key.as_str(), event.value), ("ben", Some(person("Bob"))));
    assert!(matches!(told.poll(), Err(Error::Codec { .. })));
    assert!(matches!(told.poll(), Ok(None)));
    assert_eq!((heard.recv(), heard.recv()), (Ok(true), Ok(false)));
    drop(listener);
    assert!(people.remove("ben").expect("remove").is_some());
    assert!(people.replace("ben", &person("Ben")).expect("replace").is_none());

    people.untyped().put(b"odd", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").expect("put");
    let error = people.get("odd").expect_err("no person");
    assert_eq!(error.code(), 408);
    assert!(error.to_string().contains(C::NAME), "{error}");
    let mut called = false;
    let update = people.update("odd", |old| {
        called = true;
        old
    });
    assert!(matches!(update, Err(Error::Codec { .. })) && !called);
    assert_eq!(people.iter().filter(Result::is_ok).count(), 1);
}

fn every_condition_with<C: Codec>() {
    let (_dir, node) = home();
    let people: Coded<str, Person, C> =
        node.region("people").max_bytes(1 << 20).coded("person-1").create().expect("create");
    assert!(people.is_empty().expect("len") && !people.contains_key("ada").expect("a look"));
    let created = people.put_if_absent("ada", &person("Ada")).expect("put");
    let PutIfAbsent::Created(created) = created else { panic!("{created:?}") };
    let present = people.put_if_absent("ada", &person("Eve")).expect("put");
    let value = Some(person("Ada"));
    assert_eq!(present, PutIfAbsent::Present { token: created.token, value });
    let changed = people.replace_if("ada", &person("Eve"), &person("Zoe")).expect("replace");
    assert_eq!(changed, Swap::Changed(Some(created.token)));
    let done = people.replace_if("ada", &person("Ada"), &person("Zoe")).expect("replace");
    assert!(matches!(done, Swap::Swapped(_)));
    let changed = people.remove_if("ada", created.token).expect("remove");
    assert!(matches!(changed, Swap::Changed(Some(_))));
    assert!(people.invalidate("ada").expect("invalidate").is_some());
    assert!(people.contains_key("ada").expect("a look"));
    assert!(!people.contains_value_for_key("ada").expect("a look"));
    let invalid = people.put_if_absent("ada", &person("Eve")).expect("put");
    assert!(matches!(invalid, PutIfAbsent::Present { value: None, .. }));
    people.destroy("ada").expect("destroy");
    assert!(matches!(people.destroy("ada"), Err(Error::EntryNotFound { .. })));
    people.create_invalid("ada").expect("create");
    assert!(people.remove("ada").expect("remove").is_some());

    let entries = [("ben", person("Ben")), ("cid", person("Cid"))];
    let done = people.put_all(&entries).expect("put").all().expect("both");
    assert_eq!((done.len(), people.len().expect("len")), (2, 2));
    let changed = people.remove_if_value("ben", &person("Cid")).expect("remove");
    assert!(matches!(changed, Swap::Changed(Some(_))));
    let done = people.remove_if_value("ben", &person("Ben")).expect("remove");
    assert!(matches!(done, Swap::Swapped(_)));
    let now = Some(std::time::Instant::now());
    let waited = people.wait_for_change("cid", None, now).expect("wait");
    assert!(matches!(waited, Waited::Changed(Some(_))));
    let removed = people.remove_all(&["ben", "cid"]).expect("remove").all().expect("both");
    assert_eq!(removed.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    people.put("dan", &person("Dan")).expect("put");
    people.clear().expect("clear");
    assert!(people.is_empty().expect("len"));
}

#[test]
fn conditions_and_many_entries() {
    every_condition_with::<Postcard>();
    every_condition_with::<Json>();
}

#[test]
fn postcard_has_every_operation() {
    every_operation_with::<Postcard>();
}

#[test]
fn json_has_every_operation() {
    every_operation_with::<Json>();
}

#[test]
fn codec_and_name_of_the_type_are_compared() {
    let (_dir, node) = home();
    let builder = || node.region("people").max_bytes(1 << 20);
    let people = builder().coded::<str, Person, Json>("person-1").open_or_create();
    people.expect("create").put("ada", &person("Ada")).expect("put");
    let bytes = builder().open().expect("open").get(b"ada").expect("get").map(|g| g.to_vec());
    let text = br#"{"name":"Ada","tags":{"age":null,"size":1.5}}"#;
    assert_eq!(bytes.as_deref(), Some(text.as_slice()));
    let error = builder().coded::<str, Person, Postcard>("person-1").open().expect_err("json");
    assert_eq!(
        error.to_string(),
        "region people: these two types differ: str -> postcard:person-1, found \
         str -> json:person-1: value is json:person-1, asked for postcard:person-1"
    );
    assert!(builder().coded::<str, Person, Json>("person-2").open().is_err());
    assert!(builder().coded::<u64, Person, Json>("person-1").open().is_err());
    let error = builder().coded::<str, Person, Json>("a person").open().expect_err("two words");
    assert_eq!(error.code(), 204);
}

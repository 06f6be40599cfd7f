//! What arrives from another node, by what the receiving copy stores and wants to hear: one table.
//!
//! Each row is an operation of a replicate M1, each column a receiver M2. A cell says what M2 has
//! afterwards, and what its listeners heard.

use crate::net::{E, Like, N, Net, P, R, Scene, told};

/// What M2 is like, by the columns of the table.
const RECEIVERS: [(&str, Like); 6] = [
    ("empty", E),
    ("empty+all", E.all()),
    ("normal", N),
    ("normal+all", N.all()),
    ("preloaded", P),
    ("replicate", R),
];

/// How the key is at M2 when the operation comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Unknown,
    Value,
    Invalid,
}

/// What M1 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    /// Of a key that is not at M1.
    Create,
    /// Of one that is.
    Update,
    CreateInvalid,
    Invalidate,
    Destroy,
}

/// `-` absent, `!` invalid, else the value; then the event, `-` for none.
type Cell = (&'static str, &'static str);

use Before::{Invalid, Unknown, Value};
use Operation::{Create, CreateInvalid, Destroy, Invalidate, Update};

const DEAF: Cell = ("-", "-");

/// Rows of regions.md 1.3; the columns are those of `RECEIVERS`.
const TABLE: [(Operation, Before, [Cell; 6]); 9] = [
    (
        Create,
        Unknown,
        [
            DEAF,
            ("-", "create:k:b:?:node-1"),
            DEAF,
            ("b", "create:k:b:-:node-1"),
            DEAF,
            ("b", "create:k:b:-:node-1"),
        ],
    ),
    (
        Update,
        Unknown,
        [
            DEAF,
            ("-", "update:k:b:?:node-1"),
            DEAF,
            ("b", "create:k:b:-:node-1"),
            DEAF,
            ("b", "create:k:b:-:node-1"),
        ],
    ),
    (
        Update,
        Value,
        [
            DEAF,
            ("-", "update:k:b:?:node-1"),
            ("b", "update:k:b:?:node-1"),
            ("b", "update:k:b:?:node-1"),
            ("b", "update:k:b:?:node-1"),
            ("b", "update:k:b:?:node-1"),
        ],
    ),
    (
        Update,
        Invalid,
        [
            DEAF,
            ("-", "update:k:b:?:node-1"),
            ("b", "update:k:b:?:node-1"),
            ("b", "update:k:b:?:node-1"),
            ("b", "update:k:b:?:node-1"),
            ("b", "update:k:b:?:node-1"),
        ],
    ),
    (
        CreateInvalid,
        Unknown,
        [
            DEAF,
            ("-", "create:k:-:?:node-1"),
            DEAF,
            ("!", "create:k:-:-:node-1"),
            DEAF,
            ("!", "create:k:-:-:node-1"),
        ],
    ),
    (
        Invalidate,
        Unknown,
        [
            DEAF,
            ("-", "invalidate:k:-:?:node-1"),
            DEAF,
            DEAF,
            DEAF,
            ("!", "invalidate:k:-:?:node-1"),
        ],
    ),
    (
        Invalidate,
        Value,
        [
            DEAF,
            ("-", "invalidate:k:-:?:node-1"),
            ("!", "invalidate:k:-:?:node-1"),
            ("!", "invalidate:k:-:?:node-1"),
            ("!", "invalidate:k:-:?:node-1"),
            ("!", "invalidate:k:-:?:node-1"),
        ],
    ),
    (Destroy, Unknown, [DEAF, ("-", "destroy:k:-:?:node-1"), DEAF, DEAF, DEAF, DEAF]),
    (
        Destroy,
        Value,
        [
            DEAF,
            ("-", "destroy:k:-:?:node-1"),
            ("-", "destroy:k:-:?:node-1"),
            ("-", "destroy:k:-:?:node-1"),
            ("-", "destroy:k:-:?:node-1"),
            ("-", "destroy:k:-:?:node-1"),
        ],
    ),
];

/// Makes the key at M1 and M2 what the row begins with. A key that M1 has and M2 has not is one
/// that a third node, which M2 does not know, once gave M1: here a bridge seat of its own does.
fn prepare(key: &str, operation: Operation, before: Before, m1: &Scene, m2: &Scene, like: Like) {
    let stores = like.policy != vug::DataPolicy::Empty;
    match before {
        Unknown if operation == Create || operation == CreateInvalid => {}
        Unknown => {
            m1.set(key, "a");
            let learnt = stores && m2.has(key);
            if learnt && !like.policy.is_replicate() {
                m2.local_destroy(key.as_bytes()).expect("leave it to the others");
            }
        }
        Value => {
            m1.set(key, "a");
            if stores && !m2.has(key) {
                m2.value(key).expect("found elsewhere");
            }
        }
        Invalid => {
            m1.set(key, "a");
            if stores && !m2.has(key) {
                m2.value(key).expect("found elsewhere");
            }
            m1.invalidate(key.as_bytes()).expect("invalidate");
        }
    }
}

fn act(key: &str, operation: Operation, m1: &Scene) {
    let bytes = key.as_bytes();
    match operation {
        Create => drop(m1.create(bytes, b"b").expect("create")),
        Update => m1.set(key, "b"),
        CreateInvalid => drop(m1.create_invalid(bytes).expect("create")),
        Invalidate => drop(m1.invalidate(bytes).expect("invalidate")),
        Destroy => drop(m1.destroy(bytes).expect("destroy")),
    }
}

fn state(key: &str, scene: &Scene) -> String {
    let found = scene.entry(key.as_bytes()).expect("look");
    match found {
        None => "-".into(),
        Some(entry) => {
            entry.value.map_or("!".into(), |value| String::from_utf8_lossy(&value).into_owned())
        }
    }
}

#[test]
fn what_arrives_does_what_the_table_says() {
    for (column, (name, like)) in RECEIVERS.into_iter().enumerate() {
        let (_net, [m1, m2]) = Net::of([R, like]);
        for (operation, before, cells) in TABLE {
            // A replicate cannot lack what another has.
            let impossible = like.policy.is_replicate()
                && before == Unknown
                && !matches!(operation, Create | CreateInvalid);
            if impossible {
                continue;
            }
            let (has, event) = cells[column];
            prepare("k", operation, before, &m1, &m2, like);
            let mut events = m2.subscribe();
            act("k", operation, &m1);
            let heard = told(&mut events).join(" ");
            let heard = if heard.is_empty() { "-".into() } else { heard };
            let found = (state("k", &m2), heard);
            assert_eq!(
                found,
                (has.to_owned(), event.to_owned()),
                "{operation:?} of a key that is {before:?} at {name}"
            );
            m1.clear().expect("clear");
            assert_eq!((m1.entries(), m2.entries()), (0, 0), "{name} is cleared");
        }
    }
}

/// What M1 may do, by what it is: the name of the error, or what became of the key here and at a
/// replicate M2.
#[test]
fn what_a_node_may_do_follows_from_its_policy() {
    const EXISTS: u16 = 401;
    const NOT_FOUND: u16 = 402;
    const NOT_ALLOWED: u16 = 403;
    let code = |result: vug::Result<()>| result.err().map_or(0, |error| error.code());
    for (name, like) in RECEIVERS {
        let (_net, [m1, m2]) = Net::of([like, R]);
        let (empty, replicate) = (name.starts_with("empty"), name == "replicate");
        // Put: stored here unless the policy says nothing is; always at the replicate.
        let mut events = m1.subscribe();
        m1.set("k", "a");
        m1.set("k", "b");
        let second = if empty { "create:k:b:?:me" } else { "update:k:b:?:me" };
        let old = if empty { "?" } else { "-" };
        assert_eq!(told(&mut events), [format!("create:k:a:{old}:me"), second.into()], "{name}");
        assert_eq!(state("k", &m1), if empty { "-" } else { "b" }, "{name}");
        assert_eq!(state("k", &m2), "b", "{name}");
        assert_eq!(m1.value("k").as_deref(), Some("b"), "{name} finds it");
        assert_eq!(m1.entries(), u64::from(!empty), "{name}");
        // Create of what is here.
        let exists = code(m1.create(b"k", b"c").map(drop));
        assert_eq!(exists, if empty { 0 } else { EXISTS }, "{name}");
        // The local forms.
        let local = code(m1.local_invalidate(b"k").map(drop));
        let wanted = match (empty, replicate) {
            (true, _) => NOT_FOUND,
            (_, true) => NOT_ALLOWED,
            _ => 0,
        };
        assert_eq!(local, wanted, "{name}");
        assert_eq!(code(m1.local_destroy(b"k").map(drop)), wanted, "{name}");
        assert_eq!(code(m1.local_clear()), if replicate { NOT_ALLOWED } else { 0 }, "{name}");
        let whole = code(m1.local_invalidate_region());
        assert_eq!(whole, if replicate { NOT_ALLOWED } else { 0 }, "{name}");
        assert!(m2.has("k"), "{name} keeps it elsewhere");
        // Atomic operations need to know the entry.
        let refused = if replicate { 0 } else { NOT_ALLOWED };
        assert_eq!(code(m1.put_if_absent(b"j", b"a").map(drop)), refused, "{name}");
        assert_eq!(code(m1.replace(b"j", b"a").map(drop)), refused, "{name}");
        // Destroy of what only the replicate has: it decides.
        m2.set("r", "a");
        assert_eq!(code(m1.invalidate(b"r").map(drop)), 0, "{name}");
        assert_eq!(state("r", &m2), "!", "{name}");
        assert_eq!(code(m1.destroy(b"r").map(drop)), 0, "{name}");
        assert_eq!(state("r", &m2), "-", "{name}");
        assert_eq!(code(m1.destroy(b"r").map(drop)), if empty { 0 } else { NOT_FOUND }, "{name}");
        assert!(m1.remove(b"r").expect("remove").is_none() || empty, "{name}");
    }
}

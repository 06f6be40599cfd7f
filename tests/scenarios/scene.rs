//! One node with a region, and the other processes that have it open.

use std::ops::Deref;

use vug::{DataPolicy, Error, Node, Region, RegionBuilder, Scope, Subscription};
use vug_tests::{Answer, TempHome, Worker};

use crate::WORKER;

/// Name of the region.
pub(crate) const NAME: &str = "scene";

/// A region of a node, as this process has it open. The fields are dropped in their order.
pub(crate) struct Scene {
    pub(crate) region: Region,
    pub(crate) node: Node,
    pub(crate) home: TempHome,
}

impl Scene {
    /// A region of local scope with the default data policy, `normal`.
    pub(crate) fn local() -> Self {
        Self::with(|builder| builder)
    }

    /// A distributed replicate on a node that has no others to talk to.
    pub(crate) fn replicate() -> Self {
        Self::with(|builder| builder.data_policy(DataPolicy::Replicate))
    }

    /// A region of local scope that stores nothing.
    pub(crate) fn empty() -> Self {
        Self::with(|builder| builder.data_policy(DataPolicy::Empty).scope(Scope::Local))
    }

    /// A region as `attributes` makes it; 16 MiB unless that says else.
    pub(crate) fn with(
        attributes: impl for<'n> FnOnce(RegionBuilder<'n>) -> RegionBuilder<'n>,
    ) -> Self {
        let home = TempHome::new();
        let node = home.node();
        let builder = attributes(node.region(NAME).max_bytes(16 << 20));
        let region = builder.create().expect("a region");
        Self { region, node, home }
    }

    /// Another process that has the region open.
    pub(crate) fn other(&self) -> Worker {
        Worker::open(WORKER, self.home.path(), NAME)
    }

    /// The value of a key as text.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let found = self.region.get(key.as_bytes()).expect("get");
        found.map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    /// Puts a text under a key.
    pub(crate) fn set(&self, key: &str, value: &str) {
        self.region.put(key.as_bytes(), value.as_bytes()).expect("put");
    }

    /// Whether the key is there, with a value or without.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.region.contains_key(key.as_bytes()).expect("look")
    }

    /// Number of entries.
    pub(crate) fn entries(&self) -> u64 {
        self.region.len().expect("len")
    }
}

impl Deref for Scene {
    type Target = Region;

    fn deref(&self) -> &Region {
        &self.region
    }
}

/// What a subscription of this process has to tell.
pub(crate) fn told(events: &mut Subscription) -> Vec<String> {
    vug_tests::told::told(events).expect("the region can be followed")
}

/// An `ok` answer.
pub(crate) fn ok(words: &str) -> Answer {
    Answer::Ok(words.split_whitespace().map(str::to_owned).collect())
}

/// Asks for something that must succeed; returns the words of the answer.
pub(crate) fn done(worker: &mut Worker, request: &str) -> Vec<String> {
    match worker.ask(request) {
        Answer::Ok(words) => words,
        other => panic!("{request}: {other:?}"),
    }
}

/// Code of the error that a request ends with.
pub(crate) fn refused(worker: &mut Worker, request: &str) -> u16 {
    match worker.ask(request) {
        Answer::Error(code, _) => code,
        other => panic!("{request}: {other:?}"),
    }
}

/// Code of the error of an operation of this process; 0 if it succeeded.
pub(crate) fn code<T>(result: vug::Result<T>) -> u16 {
    result.err().as_ref().map_or(0, Error::code)
}

pub(crate) const ATTRIBUTES_DIFFER: u16 = 207;
pub(crate) const INVALID_ATTRIBUTES: u16 = 204;
pub(crate) const ENTRY_EXISTS: u16 = 401;
pub(crate) const ENTRY_NOT_FOUND: u16 = 402;
pub(crate) const NOT_ALLOWED: u16 = 403;
pub(crate) const INVALID_REGION_NAME: u16 = 201;
pub(crate) const NOT_BUILT_YET: u16 = 208;
pub(crate) const REGION_EXISTS: u16 = 205;
pub(crate) const REGION_NOT_FOUND: u16 = 206;
pub(crate) const REGION_DESTROYED: u16 = 409;
pub(crate) const REGION_CLOSED: u16 = 410;

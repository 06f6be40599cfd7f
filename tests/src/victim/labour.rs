//! A process that does a bit of everything in every region of its home, until it is done or dead.

use super::oracle::{Report, encode};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};
use vug::{
    Error, Eviction, Expiry, Kind, MaintainOptions, Node, Outcome, PutIfAbsent, Region, Swap,
    Token, WriteOptions,
};

/// Keys that it alone writes, in each region.
const OWN: u64 = 16;
/// Keys that all write.
const SHARED: u64 = 8;
/// Tiny entries that all write; the first index has room for a fraction of them.
const CROWD: u64 = 30_000;
/// Operations of a life that nobody ends.
const LIFE: u64 = 400;
/// A region whose entries expire.
const MORTAL: &str = "mortal";

/// Works in the place `slot`; `first` is above all tags that the place has used.
pub(super) fn run(home: &Path, slot: &str, first: u64) {
    let node = Node::open(home).expect("open");
    let mut labourer = Labourer { slot, random: first.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 };
    if labourer.below(4) == 0 {
        node.recover().expect("recover");
    }
    let names = node.regions().expect("names");
    let regions: Vec<Region> =
        names.iter().map(|name| node.region(name).open().expect("open")).collect();
    let mut events = regions[labourer.below(regions.len() as u64) as usize].subscribe();
    for tag in first..first + LIFE {
        let region = &regions[labourer.below(regions.len() as u64) as usize];
        match labourer.below(16) {
            0..7 if keeps_its_entries(region) => labourer.write_own(region, tag),
            0..10 => labourer.write_shared(region, tag),
            10 => labourer.crowd(region),
            11..14 => labourer.read(region),
            14 => drop(events.poll().expect("poll")),
            _ => labourer.rare(&node, region),
        }
    }
}

/// Whether entries stay until somebody removes them, so that something can be said of them.
pub fn keeps_its_entries(region: &Region) -> bool {
    let attributes = region.attributes();
    attributes.eviction == Eviction::None && region.name() != MORTAL
}

struct Labourer<'s> {
    slot: &'s str,
    random: u64,
}

/// A region that is full has refused, and done nothing.
fn unless_full<T>(result: vug::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::OutOfSpace { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn swapped(swap: Swap) -> Option<Outcome> {
    match swap {
        Swap::Swapped(outcome) => Some(outcome),
        Swap::Changed(_) => None,
    }
}

impl Labourer<'_> {
    fn below(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % end
    }

    fn len(&mut self) -> usize {
        let small = 8 + self.below(300) as usize;
        match self.below(48) {
            0 => small * 60,
            // Several segments.
            1 => 70_000 + small * 500,
            _ => small,
        }
    }

    /// A write to a key of its own: what it says of it must hold whenever it dies.
    fn write_own(&mut self, region: &Region, tag: u64) {
        let number = self.below(OWN);
        let key = format!("own-{}-{number}", self.slot);
        let bytes = key.as_bytes();
        let value = encode(tag, self.len());
        let token = region.token(bytes).expect("token");
        // Who died in this place before may have an insert that is finished only now; then the
        // conditional operations find another state than was just seen, and refuse.
        let choice = self.below(8);
        let Some(token) = token.filter(|token| token.kind == Kind::Value) else {
            return self.create_own(region, &key, tag, &value, choice);
        };
        match choice {
            0 | 1 => {
                Report.maybe(region, &key, None, || unless_full(region.remove(bytes)).flatten());
            }
            2 => {
                Report.maybe(region, &key, None, || {
                    unless_full(region.remove_if(bytes, token)).and_then(swapped)
                });
            }
            3 => {
                Report.maybe(region, &key, Some(tag), || {
                    unless_full(region.compare_and_swap(bytes, token, &value)).and_then(swapped)
                });
            }
            4 => {
                Report.maybe(region, &key, Some(tag), || {
                    unless_full(region.replace(bytes, &value)).flatten()
                });
            }
            _ => {
                Report.maybe(region, &key, Some(tag), || unless_full(region.put(bytes, &value)));
            }
        }
    }

    fn create_own(&mut self, region: &Region, key: &str, tag: u64, value: &[u8], choice: u64) {
        let bytes = key.as_bytes();
        Report.maybe(region, key, Some(tag), || match choice {
            0..3 => match region.create(bytes, value) {
                Err(Error::EntryExists { .. }) => None,
                other => unless_full(other),
            },
            3 => match unless_full(region.put_if_absent(bytes, value)) {
                Some(PutIfAbsent::Created(outcome)) => Some(outcome),
                _ => None,
            },
            _ => unless_full(region.put(bytes, value)),
        });
    }

    /// A write that others may undo at once.
    fn write_shared(&mut self, region: &Region, tag: u64) {
        let key = format!("shared-{}", self.below(SHARED));
        let key = key.as_bytes();
        let value = encode(tag, self.len());
        let token = |region: &Region| -> Option<Token> { region.token(key).expect("token") };
        match self.below(12) {
            0..4 => drop(unless_full(region.put(key, &value))),
            10 => {
                let ttl = WriteOptions::ttl(Duration::from_micros(self.below(20_000) + 1));
                unless_full(region.put_with(b"short-lived", &value, &ttl));
            }
            11 => {
                unless_full(region.update(key, |old| old.map(|_| value.clone())));
            }
            4 | 5 => drop(unless_full(region.remove(key))),
            6 => drop(
                token(region).map(|seen| unless_full(region.compare_and_swap(key, seen, &value))),
            ),
            7 => drop(token(region).map(|seen| unless_full(region.remove_if(key, seen)))),
            8 => drop(unless_full(region.put_if_absent(key, &value))),
            _ => drop(unless_full(region.increment(b"count", 1))),
        }
    }

    /// Tiny entries that make chains long and the index grow, and go again.
    fn crowd(&mut self, region: &Region) {
        for step in 0..4 {
            let first = self.below(CROWD);
            for n in first..first + 20 {
                let key = format!("crowd-{n}");
                if step < 3 {
                    unless_full(region.put(key.as_bytes(), b"crowd"));
                } else {
                    unless_full(region.remove(key.as_bytes()));
                }
            }
        }
    }

    fn read(&mut self, region: &Region) {
        let key = format!("shared-{}", self.below(SHARED));
        let guard = region.get(key.as_bytes()).expect("get");
        let owned = region.get_owned(key.as_bytes()).expect("get");
        for value in guard.as_deref().into_iter().chain(owned.as_deref()) {
            super::oracle::decode(value);
        }
        let keys: Vec<String> = (0..SHARED).map(|n| format!("shared-{n}")).collect();
        let each = |_, entry: Option<vug::EntryView<'_>>| {
            if let Some(entry) = entry {
                super::oracle::decode(entry.value);
            }
        };
        region.get_many(&keys, each).expect("get_many");
    }

    fn rare(&mut self, node: &Node, region: &Region) {
        match self.below(14) {
            12 if !keeps_its_entries(region) => drop(unless_full(region.clear())),
            13 => self.watch(node, region),
            10 => self.serve(node, region),
            11 if region.name() == MORTAL => {
                let ttl = Expiry::destroy(Duration::from_micros(1 + self.below(30_000)));
                region.set_entry_ttl(Some(ttl)).expect("a time");
            }
            6 | 7 => {
                let mut options = MaintainOptions::default();
                options.compact = self.below(2) == 0;
                region.maintain(&options).expect("maintain");
                if options.compact {
                    region.release_memory().expect("release");
                }
            }
            8 => drop(unless_full(region.sweep(1000))),
            9 => {
                let soon = Instant::now() + Duration::from_micros(self.below(300));
                region.wait_for_change(b"shared-1", None, Some(soon)).expect("wait");
            }
            0 => drop(region.recover().expect("recover")),
            1 => {
                let mut left = 50;
                let visit = region.scan(|_| {
                    left -= 1;
                    if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
                visit.expect("scan");
            }
            2 => drop(region.len().expect("len")),
            3 => drop(node.members()),
            4 => self.visit(node, region),
            _ => {
                // Threads of its own come and go with their descriptors.
                let key = format!("shared-{}", self.below(SHARED));
                std::thread::scope(|scope| {
                    scope.spawn(|| unless_full(region.put(key.as_bytes(), &encode(1, 64))));
                });
            }
        }
    }

    /// Does what a bridge does, if there is none.
    fn serve(&mut self, node: &Node, region: &Region) {
        let Ok(seat) = node.bridge_seat() else { return };
        let feed = seat.feed(region).expect("feed");
        let mut left = 100;
        let drained = feed.drain(feed.oldest(), |_| {
            left -= 1;
            if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        drained.expect("drain");
        seat.arm().expect("arm");
        unless_full(region.put(b"shared-0", &encode(3, 30)));
        seat.quiet().expect("quiet");
        seat.disarm().expect("disarm");
    }

    /// Reads as one who may not write: it holds memory by a lock that goes with it.
    fn watch(&mut self, node: &Node, region: &Region) {
        let reader = Node::open_read_only(node.home()).expect("open");
        let region = reader.region(region.name()).expect("open");
        let mut value = Vec::new();
        for n in 0..SHARED {
            let key = format!("shared-{n}");
            let found = region.get_into(key.as_bytes(), &mut value).expect("get");
            if found.is_some_and(|token| token.kind == Kind::Value) {
                super::oracle::decode(&value);
            }
        }
    }

    /// Comes and goes as a second member of the process.
    fn visit(&mut self, node: &Node, region: &Region) {
        let other = Node::open(node.home()).expect("open");
        let again = other.region(region.name()).open().expect("open");
        drop(again.get(b"shared-0").expect("get"));
    }
}

//! What a victim said it did, and what a region may therefore hold.

use std::collections::BTreeMap;
use std::io::Write;
use vug::{Kind, Node, Outcome, Region};

/// The bytes of a value: its tag again and again, so that a torn value is recognised.
pub fn encode(tag: u64, len: usize) -> Vec<u8> {
    tag.to_le_bytes().iter().copied().cycle().take(len).collect()
}

/// The tag of a value.
///
/// # Panics
/// When the bytes are not those of one value.
pub fn decode(value: &[u8]) -> u64 {
    let tag: [u8; 8] = value[..8].try_into().expect("eight bytes");
    let tag = u64::from_le_bytes(tag);
    assert_eq!(value, encode(tag, value.len()), "torn value");
    tag
}

/// Prints what a victim does.
#[derive(Debug, Default)]
pub struct Report;

impl Report {
    fn line(text: &str) {
        // A closed pipe means that the test has ended; the victim ends with it.
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).expect("the test listens");
    }

    /// Puts a value and reports it.
    ///
    /// # Panics
    /// When the write fails.
    pub fn put(&self, region: &Region, key: &str, tag: u64, len: usize) -> Outcome {
        self.around(region, key, Some(tag), || {
            region
                .put(key.as_bytes(), &encode(tag, len))
                .unwrap_or_else(|error| panic!("put of {tag}: {error}: {:#?}", region.statistics()))
        })
    }

    /// Destroys an entry that is there and reports it.
    ///
    /// # Panics
    /// When the write fails.
    pub fn destroy(&self, region: &Region, key: &str) -> Outcome {
        let key_bytes = key.as_bytes();
        self.around(region, key, None, || region.destroy(key_bytes).expect("destroy"))
    }

    /// Reports a write done by `f`.
    pub fn around(
        &self,
        region: &Region,
        key: &str,
        tag: Option<u64>,
        f: impl FnOnce() -> Outcome,
    ) -> Outcome {
        self.attempt(region, key, tag);
        let outcome = f();
        Self::line(&format!("ack {}\n", outcome.token.version));
        outcome
    }

    /// Reports a write that `f` may find refused.
    pub fn maybe(
        &self,
        region: &Region,
        key: &str,
        tag: Option<u64>,
        f: impl FnOnce() -> Option<Outcome>,
    ) {
        self.attempt(region, key, tag);
        if let Some(outcome) = f() {
            Self::line(&format!("ack {}\n", outcome.token.version));
        }
    }

    /// Reports a write that may or may not take place.
    pub fn attempt(&self, region: &Region, key: &str, tag: Option<u64>) {
        let tag = tag.map_or_else(|| "-".to_owned(), |tag| tag.to_string());
        Self::line(&format!("try {} {key} {tag}\n", region.name()));
    }
}

/// What is known of one key. `None` = absent.
#[derive(Debug, Clone, Default)]
struct Fate {
    acknowledged: Option<u64>,
    version: u64,
    /// Tried since, by victims that died before they could say what became of it.
    open: Vec<Option<u64>>,
}

/// What victims have said so far.
#[derive(Debug, Clone, Default)]
pub struct Oracle {
    fates: BTreeMap<(String, String), Fate>,
    trying: Option<((String, String), Option<u64>)>,
    acknowledged: u64,
}

impl Oracle {
    /// Takes in one line of a victim's report. Each victim has an oracle of its own or follows the
    /// death of the one before.
    ///
    /// # Panics
    /// When the line is none of a report.
    pub fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["try", region, key, tag] => {
                let place = ((*region).to_owned(), (*key).to_owned());
                let tag = (*tag != "-").then(|| tag.parse().expect("a tag"));
                self.fates.entry(place.clone()).or_default().open.push(tag);
                self.trying = Some((place, tag));
            }
            ["ack", version] => {
                let (place, tag) = self.trying.take().expect("a try comes first");
                let fate = self.fates.entry(place).or_default();
                fate.acknowledged = tag;
                fate.version = version.parse().expect("a version");
                fate.open.clear();
                self.acknowledged += 1;
            }
            _ => panic!("a victim said {line:?}"),
        }
    }

    /// Writes that were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Compares with what the regions hold.
    ///
    /// # Panics
    /// When an acknowledged write is lost, an entry has a value that nobody tried to give it, or a
    /// version went back.
    pub fn verify(&self, node: &Node) {
        for ((region, key), fate) in &self.fates {
            let region = node.region(region).open().expect("open");
            let entry = region.get(key.as_bytes()).expect("get");
            let found = entry.as_deref().map(decode);
            let allowed = found == fate.acknowledged || fate.open.contains(&found);
            assert!(allowed, "{} {key}: {found:?} after {fate:?}", region.name());
            if let Some(entry) = &entry {
                assert_eq!(entry.token().kind, Kind::Value);
                assert!(
                    fate.acknowledged.is_none() || entry.token().version >= fate.version,
                    "{} {key}: version {} after {fate:?}",
                    region.name(),
                    entry.token().version
                );
            }
        }
    }
}

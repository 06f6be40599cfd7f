//! Which entries of a region a command is about.

use regex::bytes::Regex;
use vug::{Entry, Region};

use crate::args::Selected;
use crate::bytes;
use crate::failure::Failure;

/// Entries by their keys: all conditions hold.
#[derive(Debug)]
pub(crate) struct Selection {
    prefix: Vec<u8>,
    pattern: Option<Regex>,
}

impl Selection {
    pub(crate) fn new(args: &Selected, hex: bool) -> Result<Self, Failure> {
        let prefix = match &args.prefix {
            Some(prefix) => bytes::argument(prefix, hex, "prefix")?,
            None => Vec::new(),
        };
        Ok(Self { prefix, pattern: args.matching.clone() })
    }

    fn has(&self, key: &[u8]) -> bool {
        let matches = |pattern: &Regex| pattern.is_match(key);
        key.starts_with(&self.prefix) && self.pattern.as_ref().is_none_or(matches)
    }

    /// Copies of the entries that have a value, in no order, while writers go on.
    pub(crate) fn of<'r>(
        &'r self,
        region: &'r Region,
    ) -> impl Iterator<Item = vug::Result<Entry>> + 'r {
        region.iter().filter(|entry| entry.as_ref().map_or(true, |entry| self.has(&entry.key)))
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.prefix[..], &self.pattern) {
            ([], None) => f.write_str("all keys"),
            (prefix, None) => write!(f, "keys that begin with `{}`", bytes::escaped(prefix)),
            ([], Some(pattern)) => write!(f, "keys that match `{pattern}`"),
            (prefix, Some(pattern)) => {
                let prefix = bytes::escaped(prefix);
                write!(f, "keys that begin with `{prefix}` and match `{pattern}`")
            }
        }
    }
}

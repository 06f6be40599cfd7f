//! Which entries of a region a command is about.

use std::time::UNIX_EPOCH;

use regex::bytes::Regex;
use vug::{Entry, EntryInfo, Region, Token};

use super::Shown;
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

    /// Copies of the entries, in no order, while writers go on. With `meta` also those without
    /// value, and when each expires.
    pub(crate) fn of<'r>(
        &'r self,
        region: &'r Region,
        meta: bool,
    ) -> Box<dyn Iterator<Item = vug::Result<Listed>> + 'r> {
        if !meta {
            let wanted = |entry: &vug::Result<Entry>| {
                entry.as_ref().map_or(true, |entry| self.has(&entry.key))
            };
            return Box::new(region.iter().filter(wanted).map(|entry| Ok(Listed::of(entry?))));
        }
        let wanted = |key: &vug::Result<Vec<u8>>| key.as_ref().map_or(true, |key| self.has(key));
        let look = |key: vug::Result<Vec<u8>>| {
            let key = key?;
            // It may have been removed since its key was seen.
            Ok(region.entry(&key)?.map(|entry| Listed::known(key, entry)))
        };
        Box::new(region.keys().filter(wanted).filter_map(move |key| look(key).transpose()))
    }
}

/// A copy of an entry.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) token: Token,
    /// When it expires by itself, in milliseconds since 1970, if that was asked for.
    pub(crate) expires: Option<u64>,
}

impl Listed {
    fn of(entry: Entry) -> Self {
        let Entry { key, value, token } = entry;
        Self { key, value: Some(value), token, expires: None }
    }

    pub(crate) fn known(key: Vec<u8>, entry: EntryInfo) -> Self {
        let since = entry.expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let expires = since.map(|since| since.as_millis() as u64);
        Self { key, value: entry.value, token: entry.token, expires }
    }

    pub(crate) fn shown(&self) -> Shown<'_> {
        Shown {
            key: &self.key,
            value: self.value.as_deref(),
            token: Some(self.token),
            expires: self.expires,
        }
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

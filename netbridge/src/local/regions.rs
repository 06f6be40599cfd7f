//! Which region files the home directory holds, and the feeds of the distributed ones.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use vug::bridge::{Feed, Seat};

use super::convert;
use crate::replica::store::{RegionId, RegionInfo, Scope};

/// Tells a region file from another that took its name.
type FileId = (u64, u64);

#[derive(Debug)]
struct Known {
    file: FileId,
    /// `None` for a region that is not distributed: it is not kept open.
    id: Option<RegionId>,
}

#[derive(Debug)]
struct Open {
    feed: Feed,
    info: RegionInfo,
}

/// All regions of the node, as of the last look.
#[derive(Debug, Default)]
pub(super) struct Regions {
    known: BTreeMap<String, Known>,
    open: BTreeMap<RegionId, Open>,
    unusable: BTreeMap<String, String>,
    last_id: u32,
    generation: u64,
    directory: Option<(i64, i64)>,
}

impl Regions {
    /// Whether names came or went since the last look.
    pub(super) fn directory_changed(&self, home: &Path) -> bool {
        self.directory.is_none() || self.directory != change_time(home)
    }

    /// Looks at every file.
    pub(super) fn refresh(&mut self, node: &vug::Node, seat: &Seat) -> Result<(), vug::Error> {
        // Taken before the names are read: a file that comes in between is seen next time.
        self.directory = change_time(node.home());
        let names = node.regions()?;
        self.unusable.retain(|name, _| names.contains(name));
        let gone: Vec<String> =
            self.known.keys().filter(|name| !names.contains(name)).cloned().collect();
        for name in gone {
            self.forget(&name);
        }
        for name in names {
            let file = file_id(&node.home().join(format!("{name}.region")));
            match self.known.get(&name) {
                Some(known) if Some(known.file) == file => continue,
                Some(_) => self.forget(&name),
                None => {}
            }
            self.learn(node, seat, name);
        }
        Ok(())
    }

    fn forget(&mut self, name: &str) {
        let Some(known) = self.known.remove(name) else {
            return;
        };
        if let Some(id) = known.id {
            self.open.remove(&id);
            self.generation += 1;
            tracing::info!(region = name, "region is gone");
        }
    }

    fn learn(&mut self, node: &vug::Node, seat: &Seat, name: String) {
        let region = match node.region(&name).open() {
            Ok(region) => region,
            // Removed since its name was read.
            Err(vug::Error::RegionNotFound { .. }) => return,
            Err(error) => {
                self.cannot_use(name, convert::store_error(&error).to_string());
                return;
            }
        };
        self.unusable.remove(&name);
        let Some(file) = file_id(region.path()) else {
            return;
        };
        let attributes = region.attributes();
        let policy = convert::policy(attributes.data_policy);
        let (Some(policy), Some(scope)) = (policy, convert::scope(attributes.scope)) else {
            self.cannot_use(name, "its attributes need a newer bridge".into());
            return;
        };
        if scope == Scope::Local {
            self.known.insert(name, Known { file, id: None });
            return;
        }
        let feed = match seat.feed(&region) {
            Ok(feed) => feed,
            Err(error) => {
                self.cannot_use(name, convert::store_error(&error).to_string());
                return;
            }
        };
        self.last_id += 1;
        self.generation += 1;
        let id = RegionId(self.last_id);
        tracing::info!(region = name, scope = %attributes.scope, "region is distributed");
        let info = RegionInfo {
            id,
            name: name.clone(),
            policy,
            scope,
            concurrency_checks: attributes.concurrency_checks,
            interest: convert::interest(attributes.interest),
            epoch: feed.epoch(),
            early_ack: attributes.early_ack,
        };
        self.open.insert(id, Open { feed, info });
        self.known.insert(name, Known { file, id: Some(id) });
    }

    /// Reports a problem once, however often the file is looked at.
    fn cannot_use(&mut self, name: String, problem: String) {
        if self.unusable.get(&name) != Some(&problem) {
            tracing::warn!(region = name, problem, "cannot open region");
            self.unusable.insert(name, problem);
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn infos(&self) -> Vec<RegionInfo> {
        self.open.values().map(|open| open.info.clone()).collect()
    }

    pub(super) fn of_incarnation(&self, epoch: u64) -> Option<RegionId> {
        self.open.values().map(|open| &open.info).find(|info| info.epoch == epoch).map(|i| i.id)
    }

    pub(super) fn feed(&self, id: RegionId) -> Option<&Feed> {
        self.open.get(&id).map(|open| &open.feed)
    }

    /// Tails only grow, so their sum changes with any of them.
    pub(super) fn progress(&self) -> u64 {
        let tails = self.open.values().map(|open| open.feed.tail());
        tails.fold(self.generation, u64::wrapping_add)
    }

    pub(super) fn unusable(&self) -> Vec<(String, String)> {
        self.unusable.iter().map(|(name, why)| (name.clone(), why.clone())).collect()
    }
}

fn change_time(directory: &Path) -> Option<(i64, i64)> {
    let metadata = fs::metadata(directory).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec()))
}

fn file_id(path: &Path) -> Option<FileId> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

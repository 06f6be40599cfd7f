//! What is not as it should be with a node, why it matters, and what to do about it.
//!
//! An examination reads files and the system's settings. It joins nothing and changes nothing;
//! [`mend`] does one of the remedies that are safe.

#![forbid(unsafe_code)]

mod figures;
mod home;
mod region;
mod system;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::doctor::figures::{Bytes, Count};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::recover::Recovery;
use crate::region::maintain::{MaintainOptions, Maintenance};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Costs memory or time, or will fail one day.
    Warning,
    /// Something fails, or is damaged.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// A remedy that [`mend`] knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fix {
    /// Finish or undo what dead members left. Loses nothing.
    Recover,
    /// Take out of a region what has expired, copy what lives in mostly dead segments together, and
    /// give the memory that is free then back to the system. Loses nothing.
    Maintain(String),
    /// Remove a file that nobody can use any more.
    Remove(PathBuf),
}

impl Fix {
    /// Whether it destroys something, so that somebody should be asked first.
    pub fn needs_consent(&self) -> bool {
        matches!(self, Self::Remove(_))
    }
}

/// What is to be done, as in "this would ...".
impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recover => f.write_str("recover dead members"),
            Self::Maintain(region) => write!(f, "clean region {region} and release free memory"),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
        }
    }
}

/// What [`mend`] has done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mended {
    /// Dead members and threads were recovered, perhaps none: somebody else may have done it.
    Recovered(Recovery),
    /// A region was maintained.
    Maintained {
        /// Its name.
        region: String,
        /// What was cleaned and swept.
        done: Maintenance,
        /// Bytes that went back to the system.
        released: u64,
    },
    /// A file is gone.
    Removed(PathBuf),
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovered(of) => {
                write!(f, "recovered {} dead members, {} threads", of.members, of.threads)
            }
            Self::Maintained { region, done, released } => {
                let expired = done.swept.expired;
                write!(
                    f,
                    "region {region}: took {} expired entries out, moved {} out of {} segments, \
                     freed {} segments, gave {} back to the system",
                    Count(expired),
                    Bytes(done.bytes_moved),
                    Count(done.segments_cleaned),
                    Count(done.segments_freed),
                    Bytes(*released)
                )
            }
            Self::Removed(path) => write!(f, "removed {}", path.display()),
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Stable name of this kind of finding, such as `dead-member`.
    pub kind: &'static str,
    /// Where: a file, a region, a setting of the system.
    pub place: String,
    /// What was found.
    pub what: String,
    /// What to do about it; empty if there is nothing to do.
    pub remedy: String,
    /// What [`mend`] can do about it.
    pub fix: Option<Fix>,
}

impl Finding {
    fn new(severity: Severity, kind: &'static str, place: impl fmt::Display) -> Self {
        let (place, what, remedy) = (place.to_string(), String::new(), String::new());
        Self { severity, kind, place, what, remedy, fix: None }
    }

    fn what(mut self, what: impl fmt::Display) -> Self {
        self.what = what.to_string();
        self
    }

    fn remedy(mut self, remedy: impl fmt::Display) -> Self {
        self.remedy = remedy.to_string();
        self
    }

    fn fixed_by(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// Between the two looks that tell a guard that is kept from one that is used.
pub const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// Examines a home directory, the regions in it, and what the system allows. Worst first.
///
/// Takes at least [`BETWEEN_LOOKS`], and the audit of every region: see
/// [`check_file`](crate::check::check_file).
///
/// # Errors
/// `Io` if the directory cannot be read. Whatever is wrong with a file is a finding.
pub fn examine(home: &Path) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    let files = home::files(home, &mut found)?;
    home::members(home, &files, &mut found);
    let before = region::look(&files);
    std::thread::sleep(BETWEEN_LOOKS);
    let regions = region::examine(&files, &before, &mut found);
    system::examine(home, &regions, &mut found);
    found.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.place.cmp(&b.place)));
    Ok(found)
}

/// Does what a finding offers.
///
/// # Errors
/// Those of [`Node::open`], [`Node::recover`] and [`Region::maintain`](crate::Region::maintain);
/// `RegionNotFound`, `Io`.
pub fn mend(home: &Path, fix: &Fix) -> Result<Mended> {
    match fix {
        Fix::Recover => Ok(Mended::Recovered(Node::open(home)?.recover()?)),
        Fix::Maintain(name) => {
            let region = Node::open(home)?.region(name).open()?;
            let done = region.maintain(&MaintainOptions::thorough())?;
            let released = region.release_memory()?;
            Ok(Mended::Maintained { region: name.clone(), done, released })
        }
        Fix::Remove(path) => std::fs::remove_file(path)
            .map(|()| Mended::Removed(path.clone()))
            .map_err(|source| Error::Io { op: "remove", path: path.clone(), source }),
    }
}

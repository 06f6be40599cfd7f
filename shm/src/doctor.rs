//! What is not as it should be with a node, why it matters, and what to do about it.
//!
//! An examination reads files and the system's settings. It joins nothing and changes nothing;
//! [`mend`] does one of the remedies that are safe.

#![forbid(unsafe_code)]

mod home;
mod region;
mod system;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::node::Node;

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
    /// Remove a file that nobody can use any more.
    Remove(PathBuf),
}

impl Fix {
    /// Whether it destroys something, so that somebody should be asked first.
    pub fn needs_consent(&self) -> bool {
        matches!(self, Self::Remove(_))
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
/// Those of [`Node::open`] and [`Node::recover`]; `Io`.
pub fn mend(home: &Path, fix: &Fix) -> Result<()> {
    match fix {
        Fix::Recover => Node::open(home)?.recover().map(|_| ()),
        Fix::Remove(path) => std::fs::remove_file(path).map_err(|source| Error::Io {
            op: "remove",
            path: path.clone(),
            source,
        }),
    }
}

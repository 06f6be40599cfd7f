//! The home directory: its permissions, its files, and the members of the node.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check::usage::residents;
use crate::doctor::{Finding, Fix, Severity};
use crate::error::{Error, Result};
use crate::region::file::EXTENSION;

/// A temporary file younger than this may have a creator that lives.
const FRESH: Duration = Duration::from_secs(60);

/// The files of a node.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) node: Option<PathBuf>,
    /// Names and files of regions.
    pub(super) regions: Vec<(String, PathBuf)>,
}

/// Lists the home directory.
pub(super) fn files(home: &Path, found: &mut Vec<Finding>) -> Result<Files> {
    let io = |source| Error::Io { op: "read", path: home.into(), source };
    let about = std::fs::metadata(home).map_err(io)?;
    if about.mode() & 0o077 != 0 {
        let mode = about.mode() & 0o7777;
        let all = about.mode() & 0o007 != 0;
        let severity = if all { Severity::Warning } else { Severity::Info };
        found.push(
            Finding::new(severity, "permissions", home.display())
                .what(format_args!("mode {mode:04o}: others may enter"))
                .remedy("chmod 0700, unless the group is meant to share the node"),
        );
    }
    let mut files = Files::default();
    for entry in std::fs::read_dir(home).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let Ok(file) = path.symlink_metadata() else { continue };
        if file.uid() != about.uid() {
            found.push(
                Finding::new(Severity::Critical, "owner", path.display())
                    .what(format_args!(
                        "belongs to user {}, the directory to user {}",
                        file.uid(),
                        about.uid()
                    ))
                    .remedy("find out who put it there; it is not used"),
            );
        }
        match name.strip_suffix(&format!(".{EXTENSION}")) {
            _ if name == "node" => files.node = Some(path),
            _ if name == "bell" => {}
            _ if name.starts_with('.') => temporary(&path, &file, found),
            Some(region) => files.regions.push((region.to_owned(), path)),
            None => found.push(
                Finding::new(Severity::Info, "foreign-file", path.display())
                    .what("is no file of vug")
                    .remedy("keep other files elsewhere"),
            ),
        }
    }
    files.regions.sort();
    Ok(files)
}

/// `.name.<random>`: a creator that was killed leaves it where files need a name.
fn temporary(path: &Path, file: &std::fs::Metadata, found: &mut Vec<Finding>) {
    let age = file.modified().ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
    if age < FRESH {
        return;
    }
    found.push(
        Finding::new(Severity::Warning, "temporary-file", path.display())
            .what(format_args!("{} bytes that a killed creator left", file.len()))
            .remedy("remove it")
            .fixed_by(Fix::Remove(path.into())),
    );
}

/// The members of the node: who is dead, who is stopped, how many there can be.
pub(super) fn members(home: &Path, files: &Files, found: &mut Vec<Finding>) {
    let Some(path) = &files.node else {
        let empty = files.regions.is_empty();
        let severity = if empty { Severity::Info } else { Severity::Critical };
        found.push(
            Finding::new(severity, "no-node-file", home.display())
                .what("there is no node file")
                .remedy("whoever opens the directory makes one; regions of another are refused"),
        );
        return;
    };
    let (members, places) = match residents(path) {
        Ok(members) => members,
        Err(error) => return found.push(unusable(path, &error)),
    };
    for member in members.iter().filter(|member| member.is_dead) {
        found.push(
            Finding::new(Severity::Warning, "dead-member", path.display())
                .what(format_args!("member {:#x} (pid {}) is dead", member.id, member.pid))
                .remedy("`vug recover` frees what it held; so does the next one that attaches")
                .fixed_by(Fix::Recover),
        );
    }
    for member in members.iter().filter(|member| !member.is_dead && member.is_visible) {
        if is_stopped(member.pid) {
            found.push(
                Finding::new(Severity::Warning, "stopped-member", path.display())
                    .what(format_args!("member {:#x} (pid {}) is stopped", member.id, member.pid))
                    .remedy("let it go on or kill it: it keeps the segments that it reads"),
            );
        }
    }
    if members.len() * 10 > places * 9 {
        found.push(
            Finding::new(Severity::Warning, "members", path.display())
                .what(format_args!("{} of {places} places for members are taken", members.len()))
                .remedy("open the node once per process, and keep it open"),
        );
    }
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name stands in parentheses and may contain anything; the state follows the last one.
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['T', 't']))
}

/// A file that cannot be used at all.
pub(super) fn unusable(path: &Path, error: &Error) -> Finding {
    let finding = Finding::new(Severity::Critical, "unusable-file", path.display()).what(error);
    match error {
        Error::OtherBoot { .. } | Error::OtherNode { .. } => {
            let finding = Finding { severity: Severity::Warning, kind: "stale-file", ..finding };
            finding
                .remedy("remove it: nobody can open it any more")
                .fixed_by(Fix::Remove(path.into()))
        }
        _ => finding.remedy(error.help()),
    }
}

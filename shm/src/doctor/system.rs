//! What the system gives: memory behind the file system, limits of the process, huge pages.

use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;

use crate::doctor::region::Examined;
use crate::doctor::{Finding, Severity};

/// Descriptors that a process with `regions` open regions needs beside its own.
fn descriptors(regions: usize) -> u64 {
    regions as u64 * 2 + 8
}

/// Examines the system with respect to the regions of a node.
pub(super) fn examine(home: &Path, regions: &[Examined], found: &mut Vec<Finding>) {
    file_system(home, regions, found);
    if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < descriptors(regions.len()) + 32
    {
        found.push(
            Finding::new(Severity::Warning, "descriptors", "RLIMIT_NOFILE")
                .what(format_args!("{soft} files may be open, {} regions need them", regions.len()))
                .remedy("ulimit -n"),
        );
    }
    let maps = number("/proc/sys/vm/max_map_count");
    if maps.is_some_and(|maps| maps < 1024 + 2 * regions.len() as u64) {
        found.push(
            Finding::new(Severity::Warning, "mappings", "vm.max_map_count")
                .what(format_args!("{} mappings per process", maps.unwrap_or_default()))
                .remedy("sysctl vm.max_map_count=65530"),
        );
    }
    huge_pages(home, found);
}

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Memory that regions may still take against memory that the file system has.
fn file_system(home: &Path, regions: &[Examined], found: &mut Vec<Finding>) {
    let Ok(about) = statvfs(home) else { return };
    let unit = about.fragment_size();
    let (size, free) = (about.blocks() * unit, about.blocks_available() * unit);
    let place = format!("file system of {}", home.display());
    let memory = std::fs::File::open(home).and_then(|dir| crate::os::file::is_memory_backed(&dir));
    if memory.is_ok_and(|memory| !memory) {
        found.push(
            Finding::new(Severity::Warning, "disk", &place)
                .what("does not live in memory: every store may wait for a disk")
                .remedy("use a home directory in a tmpfs such as /dev/shm"),
        );
    }
    let bound: u64 = regions.iter().map(|region| region.max_bytes).sum();
    let backed: u64 = regions.iter().map(|region| region.backed).sum();
    // The size of a file system without bound is 0.
    if size > 0 && bound.saturating_sub(backed) > free {
        found.push(
            Finding::new(Severity::Warning, "file-system-size", &place)
                .what(format_args!(
                    "regions may grow by {} bytes, {free} of {size} are free",
                    bound.saturating_sub(backed)
                ))
                .remedy(
                    "mount -o remount,size=... or smaller regions; else FileSystemFull one day",
                ),
        );
    }
    if size > 0 && free < size / 20 {
        found.push(
            Finding::new(Severity::Critical, "file-system-full", &place)
                .what(format_args!("{free} of {size} bytes are free"))
                .remedy("remove regions or files, or make the file system larger"),
        );
    }
}

/// The setting in brackets: `always [madvise] never`.
fn chosen(text: &str) -> Option<&str> {
    text.split_once('[')?.1.split_once(']').map(|(chosen, _)| chosen)
}

/// The `huge=` option of the file system that `home` is on.
fn mounted_with(home: &Path) -> Option<String> {
    let home = home.canonicalize().ok()?;
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts = table.lines().filter_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        home.starts_with(point).then(|| (point.len(), system.to_owned()))
    });
    // The innermost mount; of several on one point the last.
    let (_, system) = mounts.max_by_key(|(len, _)| *len)?;
    let options = system.split(' ').nth(2)?.split(',');
    options.filter_map(|option| option.strip_prefix("huge=")).next_back().map(str::to_owned)
}

fn huge_pages(home: &Path, found: &mut Vec<Finding>) {
    const SETTING: &str = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
    let text = std::fs::read_to_string(SETTING).unwrap_or_default();
    let Some(setting) = chosen(&text) else { return };
    let mounted = mounted_with(home).unwrap_or_else(|| "never".into());
    let forced = setting == "force";
    // `advise` asks the mapping, but memory is taken by fallocate, which knows none.
    let given = matches!(mounted.as_str(), "always" | "within_size");
    if setting != "deny" && (forced || given) {
        return;
    }
    found.push(
        Finding::new(Severity::Info, "huge-pages", SETTING)
            .what(format_args!("is `{setting}`, the file system is mounted with huge={mounted}"))
            .remedy(
                "for large regions: mount -o remount,huge=within_size on the tmpfs; about a third \
                 faster with 1 GiB",
            ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_in_brackets() {
        assert_eq!(chosen("always within_size advise [never] deny force"), Some("never"));
        assert_eq!(chosen(""), None);
        assert_eq!(mounted_with(Path::new("/no/such/directory")), None);
    }
}

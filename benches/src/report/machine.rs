//! Where and with what a run was taken.

use serde::Serialize;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// A fact with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// What it is.
    pub name: String,
    /// How it is.
    pub value: String,
}

fn named(name: &str, value: impl Into<String>) -> Named {
    Named { name: name.into(), value: value.into() }
}

/// Processor, memory, kernel, huge pages.
pub fn machine() -> Vec<Named> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map_or("unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let chosen = |path: &str| {
        let text = read(path);
        let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        inside.map_or_else(|| "unknown".to_owned(), |(chosen, _)| chosen.to_owned())
    };
    let cpu = read("/proc/cpuinfo");
    let count = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let cache = read("/sys/devices/system/cpu/cpu0/cache/index3/size");
    let cache =
        if cache.is_empty() { "unknown L3".to_owned() } else { format!("{} L3", cache.trim()) };
    let huge = "/sys/kernel/mm/transparent_hugepage";
    let kib = field(&read("/proc/meminfo"), "MemTotal");
    let kib = kib.strip_suffix(" kB").and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    vec![
        named("processors", format!("{count} x {} ({cache})", field(&cpu, "model name"))),
        named("memory", format!("{:.1} GiB", kib as f64 / f64::from(1 << 20))),
        named("kernel", format!("Linux {}", read("/proc/sys/kernel/osrelease").trim())),
        named(
            "huge pages",
            format!(
                "heap {}, shared memory {}",
                chosen(&format!("{huge}/enabled")),
                chosen(&format!("{huge}/shmem_enabled"))
            ),
        ),
        named(
            "virtual",
            if cpu.contains(" hypervisor") { "virtual machine" } else { "bare metal" },
        ),
    ]
}

/// The first line that a program prints, if it is there.
pub fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// Compiler and vug.
pub(super) fn tools() -> Vec<Named> {
    let compiler = said("rustc", &["--version"]).unwrap_or_else(|| "unknown".into());
    vec![
        named("vug", env!("CARGO_PKG_VERSION")),
        named("compiler", compiler.trim_start_matches("rustc ")),
    ]
}

/// Commit of the working copy that the bench was built in, with `+` if files were changed since.
pub(super) fn commit() -> String {
    let place = ["-C", env!("CARGO_MANIFEST_DIR")];
    let head = said("git", &[&place[..], &["rev-parse", "--short=12", "HEAD"]].concat());
    let Some(head) = head.filter(|head| !head.is_empty()) else { return "unknown".into() };
    let status = [&place[..], &["status", "--porcelain", "--untracked-files=no"]].concat();
    let changed = said("git", &status).is_some_and(|line| !line.is_empty());
    if changed { head + "+" } else { head }
}

/// Versions of packages by a lock file of Cargo, for those of `names` that are in it.
pub fn locked(lock: &str, names: &[&str]) -> Vec<Named> {
    let value = |line: &str, field: &str| {
        Some(line.strip_prefix(field)?.strip_prefix(" = \"")?.strip_suffix('"')?.to_owned())
    };
    let mut versions = Vec::new();
    for package in lock.split("[[package]]") {
        let find = |field| package.lines().find_map(|line| value(line, field));
        if let (Some(name), Some(version)) = (find("name"), find("version"))
            && names.contains(&name.as_str())
        {
            versions.push(Named { name, value: version });
        }
    }
    versions
}

/// The time of day in UTC, to the minute.
pub(super) fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let minutes = now / 60 % (24 * 60);
    format!("{} {:02}:{:02} UTC", date(now / 86_400), minutes / 60, minutes % 60)
}

/// A day of the Gregorian calendar, given the days since the beginning of 1970.
fn date(days: u64) -> String {
    // Years begin in March here, so that the leap day comes last; 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{}-{month:02}-{day:02}", era * 400 + year + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_778), "2026-11-21");
    }

    #[test]
    fn versions_are_read_from_a_lock_file() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.2\"\n\n[[package]]\nname = \"b\"\n\
                    version = \"3.0\"\n";
        assert_eq!(locked(lock, &["b", "c"]), [named("b", "3.0")]);
    }
}

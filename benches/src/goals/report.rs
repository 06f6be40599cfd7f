//! What a run printed, and where it is kept.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const BEGIN: &str = "<!-- begin: what the goals benchmark printed -->\n";
const END: &str = "<!-- end -->\n";

/// The text of a run, printed as it grows.
#[derive(Debug, Default)]
pub(super) struct Report {
    text: String,
}

impl Report {
    /// Prints and keeps a paragraph or a table that ends with a line break.
    pub(super) fn tell(&mut self, text: &str) {
        println!("{text}");
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Replaces what stands between the two marks of a document.
    pub(super) fn record(&self, path: &Path) -> Result<(), String> {
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let document = std::fs::read_to_string(path).map_err(told)?;
        let replaced = replace(&document, &self.text);
        let replaced = replaced.ok_or_else(|| format!("{}: no marks", path.display()))?;
        std::fs::write(path, replaced).map_err(told)
    }
}

fn replace(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{text}{END}{after}"))
}

/// Day, processor and kernel.
pub(super) fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map_or("unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let cpu = read("/proc/cpuinfo");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!(
        "Taken on {} on {cores} processors ({}), {} of memory, Linux {}",
        date(seconds / 86_400),
        field(&cpu, "model name"),
        field(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim()
    )
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
    fn the_marked_part_is_replaced() {
        let document = format!("a\n{BEGIN}old\n{END}b\n");
        let once = replace(&document, "new\n").expect("marks");
        assert_eq!(once, format!("a\n{BEGIN}\nnew\n{END}b\n"));
        assert_eq!(replace(&once, "new\n"), Some(once));
        assert_eq!(replace("nothing", "new\n"), None);
    }
}

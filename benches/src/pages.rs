//! Through which pages a process sees the memory of a store: address translation is a good part of
//! a random access, so who has huge pages belongs beside every rate.

use std::path::Path;

/// Bytes of a store that a process has in its page tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pages {
    /// All of them.
    pub resident: u64,
    /// Those that huge pages translate.
    pub huge: u64,
}

/// Which mappings belong to a store.
#[derive(Debug, Clone, Copy)]
pub enum Mappings<'p> {
    /// Those of the files at or below a path.
    Of(&'p Path),
    /// Anonymous memory: the heap of a map inside the process.
    Anonymous,
}

impl Pages {
    /// As the process `id` sees them now; none if the kernel does not tell.
    pub fn of(id: u32, mappings: Mappings<'_>) -> Option<Pages> {
        let text = std::fs::read_to_string(format!("/proc/{id}/smaps")).ok()?;
        Some(sum(&text, mappings))
    }

    /// Percent of the memory that huge pages translate.
    pub fn percent(self) -> u64 {
        (self.huge * 100).checked_div(self.resident).unwrap_or(0)
    }
}

fn sum(smaps: &str, mappings: Mappings<'_>) -> Pages {
    let mut pages = Pages::default();
    let mut counts = false;
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(name) = words.next() else { continue };
        let Some(field) = name.strip_suffix(':') else {
            // Range, rights, offset, device, inode, and a name that anonymous memory has not.
            let path = line.splitn(6, ' ').nth(5).unwrap_or_default().trim_start();
            counts = match mappings {
                Mappings::Of(place) => Path::new(path).starts_with(place),
                Mappings::Anonymous => path.is_empty() || path == "[heap]",
            };
            continue;
        };
        let bytes = words.next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10;
        match field {
            _ if !counts => {}
            "Rss" => pages.resident += bytes,
            "AnonHugePages" | "ShmemPmdMapped" | "FilePmdMapped" => pages.huge += bytes,
            _ => {}
        }
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
7f0000000000-7f0000400000 rw-s 00000000 00:19 12                         /dev/shm/a/b.region
Size:               4096 kB
Rss:                3072 kB
AnonHugePages:         0 kB
ShmemPmdMapped:     2048 kB
VmFlags: rd wr sh
7f0000400000-7f0000800000 rw-p 00000000 00:00 0
Rss:                  64 kB
AnonHugePages:         0 kB
7f0000800000-7f0000900000 rw-p 00000000 00:00 0                          [heap]
Rss:                2112 kB
AnonHugePages:      2048 kB
7f0000a00000-7f0000b00000 r-xp 00000000 00:19 13                         /dev/shm/abc
Rss:                   4 kB
";

    #[test]
    fn mappings_are_told_apart() {
        let region = sum(SMAPS, Mappings::Of(Path::new("/dev/shm/a")));
        assert_eq!(region, Pages { resident: 3 << 20, huge: 2 << 20 });
        assert_eq!(region.percent(), 66);
        let heap = sum(SMAPS, Mappings::Anonymous);
        assert_eq!(heap, Pages { resident: (64 + 2112) << 10, huge: 2 << 20 });
        assert_eq!(sum("", Mappings::Anonymous).percent(), 0);
    }
}

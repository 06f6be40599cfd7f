//! The reader in C: built with the system's compiler where there is one.
//!
//! While others write, it reads the whole region again and again. At the end, when nobody writes,
//! the checksum it prints must be the one that this process computes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vug::Region;

use super::child::Child;
use super::place::Place;
use super::{PATIENCE, SHARED, failed};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::render::grouped;

const SOURCE: &str = "tests/c/reader.c";
const HEADER: &str = "include/vug.h";
const ARCHIVE: &str = "libvug_ffi.a";
/// Leaves the processor to the others between two passes.
const START_EVERY: Duration = Duration::from_millis(100);

/// Compiles the program. The error is the reason why there is none, in words.
pub(super) fn build(place: &Place) -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|cause| cause.to_string())?;
    let beside = program.parent().unwrap_or(Path::new("/"));
    let archive =
        archive(beside).ok_or_else(|| format!("{ARCHIVE} is not beside {}", program.display()))?;
    let root = beside
        .ancestors()
        .find(|directory| directory.join(SOURCE).is_file() && directory.join(HEADER).is_file())
        .ok_or_else(|| format!("{SOURCE} and {HEADER} are not above {}", beside.display()))?;
    let target = place.path().join("reader");
    let output = Command::new("cc")
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(root.join("include"))
        .arg(root.join(SOURCE))
        .arg(&archive)
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&target)
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| format!("there is no C compiler `cc` ({cause})"))?;
    if output.status.success() {
        return Ok(target);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("cc failed: {}", words.lines().next().unwrap_or("without words")))
}

/// The library that was built last: a build of this package leaves it among the dependencies, one
/// of the C interface beside the program.
fn archive(beside: &Path) -> Option<PathBuf> {
    let places = [beside.join("deps").join(ARCHIVE), beside.join(ARCHIVE)];
    let built = |path: &PathBuf| path.metadata().and_then(|found| found.modified()).ok();
    places.into_iter().filter(|path| built(path).is_some()).max_by_key(built)
}

/// What the C program did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Passes {
    pub(super) passes: u64,
    pub(super) entries: u64,
    /// Nodes on which its checksum was the expected one.
    pub(super) nodes_equal: u64,
}

impl Passes {
    pub(super) fn document(self) -> Value {
        json!({
            "passes": self.passes, "entries": self.entries, "nodes_equal": self.nodes_equal,
        })
    }
}

impl fmt::Display for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "read {} entries in {} passes, same checksum as Rust on {} nodes",
            grouped(self.entries),
            grouped(self.passes),
            self.nodes_equal
        )
    }
}

#[derive(Debug)]
pub(super) struct Reader<'p> {
    place: &'p Place,
    program: PathBuf,
    running: Option<Child>,
    next_start: Instant,
    pub(super) done: Passes,
}

impl<'p> Reader<'p> {
    pub(super) fn new(place: &'p Place, program: PathBuf) -> Self {
        let (running, next_start) = (None, Instant::now());
        Self { place, program, running, next_start, done: Passes::default() }
    }

    /// Looks after the pass that is under way, and begins another when it is time.
    pub(super) fn turn(&mut self, expected: u64) -> Result<(), Failure> {
        let Some(child) = &mut self.running else {
            if Instant::now() >= self.next_start {
                self.next_start = Instant::now() + START_EVERY;
                let site = self.done.passes as usize % self.place.homes().len();
                self.running = Some(self.start(site)?);
            }
            return Ok(());
        };
        if child.has_ended()? {
            let said = child.output()?;
            self.running = None;
            self.add(&said, expected)?;
        }
        Ok(())
    }

    /// Ends the pass under way, if there is one.
    pub(super) fn pause(&mut self, expected: u64, interrupt: &Interrupt) -> Result<(), Failure> {
        let Some(mut child) = self.running.take() else {
            return Ok(());
        };
        child.await_end(PATIENCE, interrupt)?;
        self.add(&child.output()?, expected)?;
        Ok(())
    }

    /// One pass over each node while nobody writes: which node, and what is different.
    pub(super) fn verify(
        &mut self,
        regions: &[&Region],
        interrupt: &Interrupt,
    ) -> Result<Vec<(String, String)>, Failure> {
        let mut differences = Vec::new();
        for (site, region) in regions.iter().enumerate() {
            let (entries, want) = checksum(region)?;
            let mut child = self.start(site)?;
            child.await_end(PATIENCE, interrupt)?;
            let have = self.add(&child.output()?, entries)?;
            if have == want {
                self.done.nodes_equal += 1;
            } else {
                let what = format!("checksum {have:016x} in C, {want:016x} in Rust");
                differences.push((format!("(all of node {})", site + 1), what));
            }
        }
        Ok(differences)
    }

    fn start(&self, site: usize) -> Result<Child, Failure> {
        let mut command = Command::new(&self.program);
        command
            .arg(&self.place.homes()[site])
            .arg(SHARED)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Child::spawn(self.place, "reader-in-c".into(), command)
    }

    /// Takes in `entries=N checksum=HEX` and returns the checksum.
    fn add(&mut self, said: &str, expected: u64) -> Result<u64, Failure> {
        let (entries, checksum) = parse(said)
            .ok_or_else(|| failed(format!("the C program said {said:?} instead of its result")))?;
        if entries < expected {
            let text = format!("the C program read {entries} entries, there are {expected}");
            return Err(failed(text));
        }
        self.done.passes += 1;
        self.done.entries += entries;
        Ok(checksum)
    }
}

fn parse(said: &str) -> Option<(u64, u64)> {
    let (entries, checksum) = said.trim().split_once(' ')?;
    let entries = entries.strip_prefix("entries=")?.parse().ok()?;
    let checksum = u64::from_str_radix(checksum.strip_prefix("checksum=")?, 16).ok()?;
    Some((entries, checksum))
}

/// Number of entries, and the sum of one FNV-1a per entry as the C program defines it.
fn checksum(region: &Region) -> Result<(u64, u64), Failure> {
    let (mut entries, mut sum) = (0, 0_u64);
    for entry in region.iter() {
        let entry = entry?;
        entries += 1;
        sum = sum.wrapping_add(entry_checksum(&entry.key, &entry.value));
    }
    Ok((entries, sum))
}

fn entry_checksum(key: &[u8], value: &[u8]) -> u64 {
    let length = (key.len() as u64).to_le_bytes();
    let bytes = length.iter().chain(key).chain(value);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_the_program() {
        assert_eq!(parse("entries=7 checksum=00000000000000ff\n"), Some((7, 255)));
        for bad in ["", "entries=7", "entries=x checksum=ff", "checksum=ff entries=7"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn fnv1a_of_known_text() {
        // FNV-1a of eight bytes of length, then "a": computed by hand from the definition.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in [1, 0, 0, 0, 0, 0, 0, 0, b'a'] {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        assert_eq!(entry_checksum(b"a", b""), hash);
        assert_ne!(entry_checksum(b"a", b"b"), entry_checksum(b"ab", b""));
    }
}

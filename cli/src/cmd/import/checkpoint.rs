//! How far an import has come, in a file that survives it.
//!
//! The file lies in the home directory: it is gone with the regions when the machine starts anew,
//! so it never promises more than is there. It names what it belongs to (the incarnation of the
//! region; the file by path, size, time and the hash of its beginning; the options), and all of
//! that must be the same for an import to go on. It is written beside and renamed, at most a few
//! times a second, after the rows before its place are in the region and acknowledged.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use vug::Region;
use xxhash_rust::xxh3::xxh3_64;

use super::Job;
use super::write::Tally;
use crate::cmd::Context;
use crate::failure::{Failure, code};
use crate::rows::Place;

/// Time between two checkpoints: what is written again after a kill at most.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of the file's beginning that are hashed.
const BEGINNING: u64 = 64 << 10;

/// What a checkpoint belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    region: String,
    incarnation: u64,
    file: PathBuf,
    size: u64,
    modified_ns: i64,
    beginning: u64,
    options: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Saved {
    #[serde(flatten)]
    identity: Identity,
    offset: u64,
    lines: u64,
    created: u64,
    replaced: u64,
    skipped: u64,
    expired: u64,
}

/// The checkpoint of one import.
#[derive(Debug)]
pub(super) struct Checkpoint {
    path: PathBuf,
    saved: Saved,
    last: Instant,
}

impl Checkpoint {
    /// That of a file and a region, at the start.
    pub(super) fn new(job: &Job<'_>, context: &Context, region: &Region) -> Result<Self, Failure> {
        let identity =
            identity(job, region).map_err(|cause| Failure::input(&job.args.file, &cause))?;
        let hash = xxh3_64(identity.file.as_os_str().as_encoded_bytes());
        let path = context.home.join(format!("{}.{hash:016x}.import", identity.region));
        let saved = Saved {
            identity,
            offset: 0,
            lines: 0,
            created: 0,
            replaced: 0,
            skipped: 0,
            expired: 0,
        };
        Ok(Self { path, saved, last: Instant::now() })
    }

    /// Takes over what an interrupted import left; false if there is nothing.
    ///
    /// # Errors
    /// Something is not as it was.
    pub(super) fn load(&mut self) -> Result<bool, Failure> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(Failure::input(&self.path, &cause)),
        };
        let found: Saved = serde_json::from_slice(&text)
            .map_err(|_| refused(&format!("{}: is no checkpoint", self.path.display())))?;
        if let Some(what) = difference(&found.identity, &self.saved.identity) {
            return Err(refused(&what));
        }
        self.saved = found;
        Ok(true)
    }

    /// Where to begin, and what was done before.
    pub(super) fn start(&self) -> (Place, Tally) {
        let Saved { offset, lines, created, replaced, skipped, expired, .. } = self.saved;
        let tally = Tally { created, replaced, skipped, expired, ..Tally::default() };
        (Place { offset, lines }, tally)
    }

    /// Everything before `place` is in the region.
    pub(super) fn pass(&mut self, place: Place, tally: Tally) -> Result<(), Failure> {
        let Place { offset, lines } = place;
        let Tally { created, replaced, skipped, expired, .. } = tally;
        let identity = self.saved.identity.clone();
        self.saved = Saved { identity, offset, lines, created, replaced, skipped, expired };
        if self.last.elapsed() < PAUSE {
            return Ok(());
        }
        self.save().map_err(|cause| {
            let path = self.path.display();
            let text = format!("{path}: the checkpoint cannot be written: {cause}");
            Failure::new(code::CHECKPOINT, text, "an interruption means to begin again")
        })
    }

    /// Writes the checkpoint whatever the time is; whether that worked.
    pub(super) fn save_now(&mut self) -> bool {
        self.save().is_ok()
    }

    fn save(&mut self) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let beside = self.path.with_file_name(format!(".{name}"));
        std::fs::write(&beside, serde_json::to_vec(&self.saved)?)?;
        std::fs::rename(&beside, &self.path)?;
        self.last = Instant::now();
        Ok(())
    }

    /// The import is done, or begins at the start.
    pub(super) fn remove(&self) {
        // One that stays is refused or overwritten by the next import.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn identity(job: &Job<'_>, region: &Region) -> io::Result<Identity> {
    let path: &Path = &job.args.file;
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    let mut beginning = Vec::new();
    file.by_ref().take(BEGINNING).read_to_end(&mut beginning)?;
    let choice = &job.choice;
    Ok(Identity {
        region: region.name().to_owned(),
        incarnation: region.incarnation(),
        file: path.canonicalize()?,
        size: about.size(),
        modified_ns: about.mtime().saturating_mul(1_000_000_000) + about.mtime_nsec(),
        beginning: xxh3_64(&beginning),
        options: format!(
            "from {:?}, key {:?}, value {:?}, no-header {}, hex {}, ttl {:?}",
            job.kind, choice.key, choice.value, choice.no_header, choice.hex, job.args.ttl
        ),
    })
}

fn difference(found: &Identity, now: &Identity) -> Option<String> {
    let file = now.file.display();
    if found.file != now.file {
        return Some(format!("{file}: the checkpoint is of {}", found.file.display()));
    }
    if (found.size, found.modified_ns, found.beginning)
        != (now.size, now.modified_ns, now.beginning)
    {
        let (then, size) = (found.size, now.size);
        let sizes = format!("{then} bytes then, {size} now");
        return Some(format!("{file}: it was changed since the import stopped ({sizes})"));
    }
    if found.region != now.region || found.incarnation != now.incarnation {
        return Some(format!("{}: the region was made anew since the import stopped", now.region));
    }
    (found.options != now.options).then(|| {
        let (then, options) = (&found.options, &now.options);
        format!("{file}: its import had other options: {then}; now {options}")
    })
}

fn refused(what: &str) -> Failure {
    let help = "leave --resume out to begin at the start; what is in the region is written again";
    Failure::new(code::CHECKPOINT, what, help)
}

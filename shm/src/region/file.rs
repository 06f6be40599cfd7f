//! Region files: made in one step, checked before anything in them is believed.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::layout::header::{FileHeader, whole};
use crate::layout::region::{GEOMETRY_WORDS, Geometry, HASH_XXH3, RegionWords};
use crate::layout::schema::{self, MAX_SCHEMA};
use crate::member::{Members, Watch};
use crate::os::file::{self, Creation, FileId};
use crate::os::mapping::{Mapping, Window};
use crate::os::ofd_lock::LockFile;
use crate::region::attributes::Attributes;
use crate::region::life::says_destroyed;
use crate::region::mapped::{Facts, Mapped, initialise};
use crate::region::read_only::Observed;
use crate::sync::SeqCst;

/// First eight bytes of a region file. The high bit and the line ends show what a transfer in
/// text mode does to a file.
pub(crate) const MAGIC: [u8; 8] = *b"\x8fvugR\r\n\x1a";
/// Extension of region files.
pub(crate) const EXTENSION: &str = "region";

/// Only the owner of the home directory may use its regions.
const MODE: u32 = 0o600;

/// Byte of a region file, far behind its end, that who takes its name away locks.
const NAME_LOCK: u64 = (1 << 40) + 1;
/// How long to wait for somebody who does it at this moment.
const PATIENCE: Duration = Duration::from_secs(5);
/// A link or a device in the place of the file must not make us follow or wait.
const OPEN_FLAGS: i32 = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;

/// Words of `FileHeader::geometry` behind the sizes and offsets.
const ATTRIBUTES: usize = GEOMETRY_WORDS;
const HASH_ID: usize = GEOMETRY_WORDS + 1;
const HASH_SEED: usize = GEOMETRY_WORDS + 2;

/// Makes the file of a region; the loser of a race gets `RegionExists`. An empty schema is none.
pub(crate) fn create(
    name: &str,
    path: &Path,
    attributes: &Attributes,
    schema: &str,
    members: &Arc<Members>,
) -> Result<Arc<Mapped>> {
    members.check_process()?;
    let geometry = attributes.plan(name)?;
    check_schema_len(name, schema)?;
    // The first table is one segment.
    let backed = geometry.segment_at(1);
    let id = file::random_u128()?;
    let hash_seed = file::random_u64()?;
    let mut header =
        FileHeader::new(MAGIC, id, file::boot_id()?, members.node_id(), geometry.file_bytes);
    header.geometry[..GEOMETRY_WORDS].copy_from_slice(&geometry.to_words());
    header.geometry[ATTRIBUTES] = attributes.to_word();
    header.geometry[HASH_ID] = HASH_XXH3;
    header.geometry[HASH_SEED] = hash_seed;
    schema::describe(&mut header, schema);
    let header = header.seal();
    let dir = path.parent().unwrap_or(Path::new("."));
    let file_name = format!("{name}.{EXTENSION}");
    let made = file::create_atomic(dir, &file_name, MODE, geometry.file_bytes, backed, |map| {
        initialise(map, &geometry, attributes).ok_or_else(|| Geometry::damaged(path))?;
        schema::write(map, schema).ok_or_else(|| Geometry::damaged(path))?;
        header.write(map, path)
    })?;
    match made {
        Creation::Exists => Err(Error::RegionExists { path: path.into() }),
        Creation::Created(file, mapping) => {
            let facts = facts(&file, &header, &mapping, path)?;
            Mapped::attach(name, path.into(), file, &mapping, facts, Arc::clone(members))
        }
    }
}

/// Opens the file of a region after checking all of its header. One that was destroyed is not
/// there; if it still has its name, that is taken from it.
pub(crate) fn open(name: &str, path: &Path, members: &Arc<Members>) -> Result<Arc<Mapped>> {
    members.check_process()?;
    let owner = members.owner();
    let file = file::open_existing(path, owner).map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Error::RegionNotFound { path: path.into() }
        }
        other => other,
    })?;
    let id = file::id_of(file.metadata());
    let (header, mapping) = FileHeader::attach(&file, MAGIC, path, file::boot_id()?)?;
    header.require_writable(path)?;
    if whole(header.node) != members.node_id() {
        return Err(Error::OtherNode { path: path.into() });
    }
    let facts = facts(&file, &header, &mapping, path)?;
    match Mapped::attach(name, path.into(), file, &mapping, facts, Arc::clone(members)) {
        Err(Error::RegionDestroyed { .. }) => {
            unname(path, id)?;
            Err(Error::RegionNotFound { path: path.into() })
        }
        attached => attached,
    }
}

/// Whether the region that has the name was destroyed; then the name is taken from its file.
pub(crate) fn finish_destroy(path: &Path, members: &Arc<Members>) -> Result<bool> {
    let file = match file::open_existing(path, members.owner()) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(true);
        }
        other => other?,
    };
    let (header, mapping) = FileHeader::attach(&file, MAGIC, path, file::boot_id()?)?;
    let geometry = facts(&file, &header, &mapping, path)?.geometry;
    let words: Option<Window<RegionWords>> = mapping.window(geometry.words_at, 1);
    let words = words.ok_or_else(|| Geometry::damaged(path))?;
    let destroyed = says_destroyed(words[0].table.load(SeqCst));
    if destroyed {
        unname(path, file::id_of(file.metadata()))?;
    }
    Ok(destroyed)
}

/// Takes the name from the file of a region, whatever is in it.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => Error::RegionNotFound { path: path.into() },
        _ => Error::Io { op: "remove", path: path.into(), source },
    };
    let found = std::fs::symlink_metadata(path).map_err(io)?;
    match unname(path, file::id_of(Ok(found))) {
        Ok(()) => Ok(()),
        // What cannot be opened is nobody's region.
        Err(_) => std::fs::remove_file(path).map_err(io),
    }
}

/// Takes the name from a region file, if the name still is that of the file with this id; without
/// one, of whatever file has it.
///
/// Only who holds the lock on the file does it, and only if the name is that of the locked file: so
/// nobody takes the name from a file that got it meanwhile. Who finds the lock taken waits until
/// the name is gone, which is a matter of microseconds unless the holder is stopped.
pub(crate) fn unname(path: &Path, id: Option<FileId>) -> Result<()> {
    let io = |op| move |source| Error::Io { op, path: path.into(), source };
    let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let options = &mut std::fs::File::options();
        let named = match options.read(true).write(true).custom_flags(OPEN_FLAGS).open(path) {
            Err(error) if gone(&error) => return Ok(()),
            named => named.map_err(io("open"))?,
        };
        let found = file::id_of(named.metadata());
        if id.is_some() && found != id {
            return Ok(());
        }
        let lock = LockFile::new(named).map_err(io("lock"))?;
        if lock.try_lock(NAME_LOCK).map_err(io("lock"))? {
            if file::id_of(std::fs::symlink_metadata(path)) == found {
                std::fs::remove_file(path).map_err(io("remove"))?;
            }
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io("lock")(std::io::ErrorKind::WouldBlock.into()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Opens the file of a region for a process that may only read it. `node`: what the node file says,
/// if it can be read.
pub(crate) fn open_read_only(
    name: &str,
    path: &Path,
    owner: u32,
    node: Option<Arc<Watch>>,
) -> Result<Observed> {
    let open = || {
        file::open_for_reading(path, owner).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Error::RegionNotFound { path: path.into() }
            }
            other => other,
        })
    };
    // Two descriptions: one that is mapped must not hold locks.
    let (file, lock) = (open()?, open()?);
    let header = FileHeader::read(&file, MAGIC, path, file::boot_id()?)?;
    if node.as_ref().is_some_and(|node| whole(header.node) != node.node_id()) {
        return Err(Error::OtherNode { path: path.into() });
    }
    let mapping = Mapping::map_read_only(&file, header.file_len, path)?;
    let facts = facts(&file, &header, &mapping, path)?;
    Observed::attach(name, path, file, lock, &mapping, facts, node)
}

/// Decodes the header; every number in it is checked.
pub(crate) fn facts(
    file: &File,
    header: &FileHeader,
    mapping: &Mapping,
    path: &Path,
) -> Result<Facts> {
    let damaged = |field| Error::DamagedHeader { path: path.into(), field };
    let geometry = Geometry::from_words(&header.geometry).ok_or_else(|| damaged("geometry"))?;
    if header.file_len != geometry.file_bytes {
        return Err(damaged("file length"));
    }
    geometry.check(mapping.len() as u64, path)?;
    let attributes = Attributes::from_word(header.geometry[ATTRIBUTES], &geometry)
        .ok_or_else(|| damaged("attributes"))?;
    if header.geometry[HASH_ID] != HASH_XXH3 {
        return Err(damaged("hash id"));
    }
    Ok(Facts {
        geometry,
        attributes,
        hash_seed: header.geometry[HASH_SEED],
        epoch: header.id[0],
        schema: schema::read(file, header, path)?,
    })
}

fn check_schema_len(region: &str, schema: &str) -> Result<()> {
    if schema.len() <= MAX_SCHEMA {
        return Ok(());
    }
    Err(Error::InvalidAttributes {
        region: region.into(),
        reason: format!(
            "the description of its types has {} bytes, at most {MAX_SCHEMA} fit",
            schema.len()
        ),
        remedy: "give the types fewer fields or shorter names, or implement `Schema` with a \
                 shorter description"
            .into(),
    })
}

//! Region files: made in one step, checked before anything in them is believed.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::layout::header::{FileHeader, whole};
use crate::layout::region::{GEOMETRY_WORDS, Geometry, HASH_XXH3};
use crate::layout::schema::{self, MAX_SCHEMA};
use crate::member::{Members, Watch};
use crate::os::file::{self, Creation};
use crate::os::mapping::Mapping;
use crate::region::attributes::Attributes;
use crate::region::mapped::{Facts, Mapped, initialise};
use crate::region::read_only::Observed;

/// First eight bytes of a region file. The high bit and the line ends show what a transfer in
/// text mode does to a file.
pub(crate) const MAGIC: [u8; 8] = *b"\x8fvugR\r\n\x1a";
/// Extension of region files.
pub(crate) const EXTENSION: &str = "region";

/// Only the owner of the home directory may use its regions.
const MODE: u32 = 0o600;

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

/// Opens the file of a region after checking all of its header.
pub(crate) fn open(name: &str, path: &Path, members: &Arc<Members>) -> Result<Arc<Mapped>> {
    members.check_process()?;
    let owner = members.owner();
    let file = file::open_existing(path, owner).map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Error::RegionNotFound { path: path.into() }
        }
        other => other,
    })?;
    let (header, mapping) = FileHeader::attach(&file, MAGIC, path, file::boot_id()?)?;
    header.require_writable(path)?;
    if whole(header.node) != members.node_id() {
        return Err(Error::OtherNode { path: path.into() });
    }
    let facts = facts(&file, &header, &mapping, path)?;
    Mapped::attach(name, path.into(), file, &mapping, facts, Arc::clone(members))
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

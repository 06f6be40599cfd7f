//! The schema tag: a text behind the file header that says which types a region holds.
//!
//! It is as immutable as the header, whose checksum covers its length and its sum. A region made
//! without types has none: both words are zero.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::layout::header::{FileHeader, HEADER_BYTES};
use crate::layout::region::{GEOMETRY_WORDS, PAGE};
use crate::os::mapping::Mapping;

/// Words of `FileHeader::geometry`, behind those of attributes and hash.
const LEN: usize = GEOMETRY_WORDS + 3;
const SUM: usize = GEOMETRY_WORDS + 4;
/// The first word of `FileHeader::geometry` that means nothing.
pub(crate) const SPARE: usize = GEOMETRY_WORDS + 5;
/// Where the text begins.
pub(crate) const SCHEMA_AT: usize = HEADER_BYTES;
/// Longest text: to the end of the header page.
pub(crate) const MAX_SCHEMA: usize = PAGE as usize - HEADER_BYTES;

const _: () = assert!(SPARE <= 24);

/// Puts what the header says of the schema into it, before it is sealed.
pub(crate) fn describe(header: &mut FileHeader, schema: &str) {
    header.geometry[LEN] = schema.len() as u64;
    header.geometry[SUM] = if schema.is_empty() { 0 } else { xxh3_64(schema.as_bytes()) };
}

/// Puts the text into a file that has no name yet; `None` if it does not fit.
pub(crate) fn write(map: &Mapping, schema: &str) -> Option<()> {
    (schema.len() <= MAX_SCHEMA).then(|| map.copy_in(SCHEMA_AT, schema.as_bytes()))?
}

/// Length of the text that the header announces, at most [`MAX_SCHEMA`].
pub(crate) fn len(header: &FileHeader, path: &Path) -> Result<usize> {
    let len = header.geometry[LEN];
    let fits = len <= MAX_SCHEMA as u64 && (len != 0 || header.geometry[SUM] == 0);
    fits.then_some(len as usize).ok_or_else(|| damaged(path))
}

/// The text, if these bytes are what the header announces; `None` if it announces none.
pub(crate) fn check(header: &FileHeader, bytes: Vec<u8>, path: &Path) -> Result<Option<Box<str>>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if xxh3_64(&bytes) != header.geometry[SUM] {
        return Err(damaged(path));
    }
    let text = String::from_utf8(bytes).map_err(|_| damaged(path))?;
    Ok(Some(text.into()))
}

/// Reads the text from an open file.
pub(crate) fn read(file: &File, header: &FileHeader, path: &Path) -> Result<Option<Box<str>>> {
    let mut bytes = vec![0; len(header, path)?];
    let io = |source| Error::Io { op: "read", path: path.into(), source };
    file.read_exact_at(&mut bytes, SCHEMA_AT as u64).map_err(io)?;
    check(header, bytes, path)
}

fn damaged(path: &Path) -> Error {
    Error::DamagedHeader { path: path.into(), field: "schema" }
}

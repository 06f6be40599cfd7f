//! The immutable first 512 bytes that every vug file begins with.
//!
//! They are written once, before the file gets its name, and never again; the words that change
//! begin on the next page. A reader copies the bytes out and trusts none of them before
//! [`FileHeader::check`] has looked at all.
//!
//! ```text
//!   0  magic        8 bytes, one value per kind of file
//!   8  version      u32   format version, `FORMAT_VERSION`
//!  12  byte order   u32   0x01020304 as the writer stores it
//!  16  compatible   u64   features that a reader or writer may ignore
//!  24  read-only    u64   features that a reader may ignore, a writer not
//!  32  incompatible u64   features that nobody may ignore
//!  40  id           2 x u64  random identity of this file
//!  56  boot id      2 x u64  of the machine's start at which it was made
//!  72  node id      2 x u64  of the node it belongs to
//!  88  file length  u64   bytes
//!  96  geometry     24 x u64, meaning by kind
//! 288  reserved     27 x u64, zero
//! 504  checksum     u64   XXH3 of bytes 0..504
//! ```

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::error::{Error, Result};
use crate::os::mapping::Mapping;

/// Version of the formats of all files; independent of the package version.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 512;

const BYTE_ORDER: u32 = 0x0102_0304;
/// Features this library knows, of the two classes that a writer must know.
const KNOWN_READ_ONLY: u64 = 0;
const KNOWN_INCOMPATIBLE: u64 = 0;

/// See the module text. Multi-byte fields are in the byte order of the machine.
#[derive(Debug, Clone, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct FileHeader {
    pub(crate) magic: [u8; 8],
    pub(crate) version: u32,
    pub(crate) byte_order: u32,
    pub(crate) compat: u64,
    pub(crate) ro_compat: u64,
    pub(crate) incompat: u64,
    pub(crate) id: [u64; 2],
    pub(crate) boot: [u64; 2],
    pub(crate) node: [u64; 2],
    pub(crate) file_len: u64,
    pub(crate) geometry: [u64; 24],
    pub(crate) reserved: [u64; 27],
    pub(crate) checksum: u64,
}

const _: () = assert!(size_of::<FileHeader>() == HEADER_BYTES);
const _: () = assert!(core::mem::offset_of!(FileHeader, version) == 8);
const _: () = assert!(core::mem::offset_of!(FileHeader, incompat) == 32);
const _: () = assert!(core::mem::offset_of!(FileHeader, id) == 40);
const _: () = assert!(core::mem::offset_of!(FileHeader, boot) == 56);
const _: () = assert!(core::mem::offset_of!(FileHeader, node) == 72);
const _: () = assert!(core::mem::offset_of!(FileHeader, file_len) == 88);
const _: () = assert!(core::mem::offset_of!(FileHeader, geometry) == 96);
const _: () = assert!(core::mem::offset_of!(FileHeader, reserved) == 288);
const _: () = assert!(core::mem::offset_of!(FileHeader, checksum) == 504);

/// Splits a 128-bit identity into the two words it is stored as, low half first.
pub(crate) fn halves(id: u128) -> [u64; 2] {
    [id as u64, (id >> 64) as u64]
}

/// The inverse of [`halves`].
pub(crate) fn whole(halves: [u64; 2]) -> u128 {
    u128::from(halves[1]) << 64 | u128::from(halves[0])
}

impl FileHeader {
    /// A header without geometry; fill it in, then [`seal`](Self::seal).
    pub(crate) fn new(magic: [u8; 8], id: u128, boot: u128, node: u128, file_len: u64) -> Self {
        Self {
            magic,
            version: FORMAT_VERSION,
            byte_order: BYTE_ORDER,
            compat: 0,
            ro_compat: 0,
            incompat: 0,
            id: halves(id),
            boot: halves(boot),
            node: halves(node),
            file_len,
            geometry: [0; 24],
            reserved: [0; 27],
            checksum: 0,
        }
    }

    /// Sets the checksum; the last step before writing.
    pub(crate) fn seal(mut self) -> Self {
        self.checksum = self.sum();
        self
    }

    /// Puts the header at the start of a file that has no name yet.
    pub(crate) fn write(&self, map: &Mapping, path: &Path) -> Result<()> {
        let found = map.len() as u64;
        map.copy_in(0, self.as_bytes()).ok_or_else(|| Error::Truncated {
            path: path.into(),
            expected: HEADER_BYTES as u64,
            found,
        })
    }

    /// Reads and checks the header of an open file and maps the file.
    pub(crate) fn attach(
        file: &File,
        magic: [u8; 8],
        path: &Path,
        boot: u128,
    ) -> Result<(Self, Arc<Mapping>)> {
        let header = Self::read(file, magic, path, boot)?;
        let map = Mapping::map(file, header.file_len, path)?;
        Ok((header, map))
    }

    /// Reads and checks the header of an open file.
    pub(crate) fn read(file: &File, magic: [u8; 8], path: &Path, boot: u128) -> Result<Self> {
        let io = |source| Error::Io { op: "read", path: path.into(), source };
        let len = file.metadata().map_err(io)?.len();
        let mut bytes = [0; HEADER_BYTES];
        let have = usize::try_from(len).map_or(HEADER_BYTES, |len| len.min(HEADER_BYTES));
        file.read_exact_at(&mut bytes[..have], 0).map_err(io)?;
        Self::check(&bytes[..have], magic, path, len, boot)
    }

    /// Decides whether the first bytes of a file of `file_len` bytes are a header of this kind.
    ///
    /// The order matters: who is it, whose byte order, which format, and only then the checksum,
    /// because another format may keep its checksum elsewhere.
    pub(crate) fn check(
        bytes: &[u8],
        magic: [u8; 8],
        path: &Path,
        file_len: u64,
        boot: u128,
    ) -> Result<Self> {
        let seen = bytes.len().min(magic.len());
        if bytes[..seen] != magic[..seen] {
            return Err(Error::NotAVugFile { path: path.into() });
        }
        let Ok((header, _)) = Self::read_from_prefix(bytes) else {
            let (expected, found) = (HEADER_BYTES as u64, bytes.len() as u64);
            return Err(Error::Truncated { path: path.into(), expected, found });
        };
        let damaged = |field| Error::DamagedHeader { path: path.into(), field };
        if header.byte_order == BYTE_ORDER.swap_bytes() {
            return Err(Error::OtherEndianness { path: path.into() });
        }
        if header.byte_order != BYTE_ORDER {
            return Err(damaged("byte order"));
        }
        if header.version != FORMAT_VERSION {
            let (found, supported) = (header.version, FORMAT_VERSION);
            return Err(Error::UnsupportedFormat { path: path.into(), found, supported });
        }
        let unknown = header.incompat & !KNOWN_INCOMPATIBLE;
        if unknown != 0 {
            return Err(Error::UnknownFeatures { path: path.into(), bits: unknown });
        }
        if header.checksum != header.sum() {
            return Err(damaged("checksum"));
        }
        if header.boot != halves(boot) {
            return Err(Error::OtherBoot { path: path.into() });
        }
        if header.file_len < HEADER_BYTES as u64 {
            return Err(damaged("file length"));
        }
        if file_len < header.file_len {
            let (expected, found) = (header.file_len, file_len);
            return Err(Error::Truncated { path: path.into(), expected, found });
        }
        Ok(header)
    }

    /// A member writes, so it must know the features that only readers may ignore.
    pub(crate) fn require_writable(&self, path: &Path) -> Result<()> {
        match self.ro_compat & !KNOWN_READ_ONLY {
            0 => Ok(()),
            bits => Err(Error::UnknownFeatures { path: path.into(), bits }),
        }
    }

    fn sum(&self) -> u64 {
        xxh3_64(&self.as_bytes()[..core::mem::offset_of!(Self, checksum)])
    }
}

#[cfg(test)]
mod tests;

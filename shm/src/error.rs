//! The one error type of the crate: what happened, where, and what to do about it.
//!
//! Every variant has a stable number that is never reused. `Display` gives the fact and the place
//! in one line without a full stop; [`Error::help`] gives the remedy, so that a program can print
//! `error: ...` and `help: ...` on two lines.

mod differences;

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

pub use differences::AttributeDifference;

/// Result of the crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, with the place where it did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// 101: the file does not begin with the magic number of the kind that was expected.
    NotAVugFile {
        /// The file.
        path: PathBuf,
    },
    /// 102: the file was written on a machine of the other byte order.
    OtherEndianness {
        /// The file.
        path: PathBuf,
    },
    /// 103: the file has a format version that this library does not read.
    UnsupportedFormat {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Version of this library.
        supported: u32,
    },
    /// 104: the file is shorter than its header says or than a header is.
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that should be there.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// 105: the immutable header contradicts its checksum or itself.
    DamagedHeader {
        /// The file.
        path: PathBuf,
        /// The first field that is wrong.
        field: &'static str,
    },
    /// 106: the file or directory belongs to another user than it should.
    ForeignOwner {
        /// The file or directory.
        path: PathBuf,
        /// User id of the owner.
        owner: u32,
        /// User id that was expected.
        expected: u32,
    },
    /// 107: the file was made before the machine was last started.
    OtherBoot {
        /// The file.
        path: PathBuf,
    },
    /// 108: the file would lie on a disk.
    NotMemoryBacked {
        /// The file or directory.
        path: PathBuf,
    },
    /// 109: the file needs features that this library does not have.
    UnknownFeatures {
        /// The file.
        path: PathBuf,
        /// The unknown feature bits.
        bits: u64,
    },
    /// 110: a value read from shared memory while working was impossible.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        place: String,
    },
    /// 111: the region file was made by another node and moved or copied here.
    OtherNode {
        /// The file.
        path: PathBuf,
    },
    /// 112: the node already has a number and cannot take another.
    OriginTaken {
        /// Home directory of the node.
        home: PathBuf,
        /// The number it has.
        found: u16,
        /// The number it was to get.
        wanted: u16,
    },
    /// 201: not a region name.
    InvalidRegionName {
        /// The name as given.
        name: String,
    },
    /// 202: keys have 1 to 65,536 bytes.
    InvalidKey {
        /// Length of the key in bytes.
        len: usize,
    },
    /// 203: the value does not fit the region.
    ValueTooLarge {
        /// Length of the value in bytes.
        len: usize,
        /// Longest value possible with this key.
        max: usize,
    },
    /// 204: a combination of region attributes that cannot work.
    InvalidAttributes {
        /// The region.
        region: String,
        /// Why it cannot work.
        reason: String,
        /// What to change.
        remedy: String,
    },
    /// 205: `create` found the region there.
    RegionExists {
        /// The region file.
        path: PathBuf,
    },
    /// 206: `open` found no such region.
    RegionNotFound {
        /// The region file that is missing.
        path: PathBuf,
    },
    /// 207: the region exists with other attributes than those asked for.
    AttributesDiffer {
        /// The region.
        region: String,
        /// Every attribute that differs.
        differences: Vec<AttributeDifference>,
    },
    /// 208: specified, but not in this version.
    NotBuiltYet {
        /// What was asked for.
        what: String,
    },
    /// 209: the region holds other types than those it is opened with.
    SchemaMismatch {
        /// The region.
        region: String,
        /// Key and value asked for, as [`Region::schema`](crate::Region::schema) tells them.
        wanted: String,
        /// Those of the region; `None` if it was made without types.
        found: Option<String>,
        /// Every difference; empty if the texts cannot be compared part by part.
        differences: Vec<SchemaDifference>,
    },
    /// 301: the region has reached its bound and may not drop anything.
    OutOfSpace {
        /// The region.
        region: String,
        /// What ran out.
        what: &'static str,
        /// Bound of the region in bytes.
        max_bytes: u64,
    },
    /// 302: the file system has no memory left for the file.
    FileSystemFull {
        /// The file.
        path: PathBuf,
        /// Bytes that were asked for.
        needed: u64,
    },
    /// 303: every member slot is taken by a living process.
    TooManyMembers {
        /// The file with the slots.
        path: PathBuf,
        /// Number of slots.
        max: usize,
    },
    /// 304: every thread descriptor of the region is taken.
    TooManyThreads {
        /// The region.
        region: String,
        /// Number of descriptors.
        max: usize,
    },
    /// 305: this process holds as many guards on different segments as it can.
    TooManyPins {
        /// The region.
        region: String,
        /// Number of pins.
        max: usize,
    },
    /// 401: `create` found the key there.
    EntryExists {
        /// The region.
        region: String,
    },
    /// 402: the operation needs the key to be there.
    EntryNotFound {
        /// The region.
        region: String,
    },
    /// 403: the region's attributes rule this operation out.
    NotAllowed {
        /// The region.
        region: String,
        /// The operation and the attribute that forbids it.
        what: String,
    },
    /// 404: other nodes did not acknowledge in time; the write itself is done on this node.
    AckTimeout {
        /// The region.
        region: String,
        /// Ring position to wait for.
        position: u64,
    },
    /// 440: other nodes were asked for a value and did not answer in time.
    SearchTimeout {
        /// The region.
        region: String,
        /// How long they were given.
        limit: Duration,
    },
    /// 540: other nodes are to be asked, and the bridge of this node does not run.
    NoBridge {
        /// Home directory of the node.
        home: PathBuf,
    },
    /// 405: the entry is no counter: a counter has a value of eight bytes.
    NotACounter {
        /// The region.
        region: String,
        /// Length of the value in bytes; `None` if the entry has no value.
        len: Option<usize>,
    },
    /// 406: the sum does not fit a counter.
    CounterOverflow {
        /// The region.
        region: String,
        /// The counter.
        value: i128,
        /// What was to be added.
        delta: i128,
    },
    /// 407: the bytes of an entry are no value, or no key, of the region's type: somebody wrote
    /// them without the type.
    NotOfType {
        /// The region.
        region: String,
        /// `key` or `value`.
        part: &'static str,
        /// The type.
        expected: String,
        /// How many bytes there are.
        len: usize,
    },
    /// 408: a codec could not turn a value into bytes, or bytes into a value.
    Codec {
        /// The region.
        region: String,
        /// Which codec, and what it said.
        what: String,
    },
    /// 409: the region was destroyed. What is in the memory of this process goes with its last
    /// handle.
    RegionDestroyed {
        /// The region.
        region: String,
    },
    /// 410: this process has closed the region.
    RegionClosed {
        /// The region.
        region: String,
    },
    /// 411: some keys of a bulk operation failed, the others are done.
    BulkFailed {
        /// The region.
        region: String,
        /// Keys that are done.
        done: usize,
        /// Keys that failed.
        failed: usize,
        /// Number of the first that failed, counted from 0.
        first: usize,
        /// Why that one failed.
        source: Box<Error>,
    },
    /// 501: a handle opened by the parent was used in a forked child.
    ForkedChild,
    /// 502: another process holds the bridge seat.
    BridgeRuns {
        /// Home directory of the node.
        home: PathBuf,
        /// Process that holds it; 0 when it has not said so yet.
        pid: u32,
    },
    /// 601: a system call on a file failed.
    Io {
        /// What was tried.
        op: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// 602: a system call that concerns no file failed.
    System {
        /// What was tried.
        op: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// One part of a type that an existing region has differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaDifference {
    /// Which part: `bid`, or `value` for the whole.
    pub place: String,
    /// What it should be, `f64 at 0`; `None` if it should not be there.
    pub wanted: Option<String>,
    /// What it is in the region; `None` if it is not there.
    pub found: Option<String>,
}

impl fmt::Display for SchemaDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.as_deref().unwrap_or("missing");
        let wanted = self.wanted.as_deref().unwrap_or("none");
        write!(f, "{} is {found}, asked for {wanted}", self.place)
    }
}

impl Error {
    /// Stable number; printed as `VUG-0301`.
    pub fn code(&self) -> u16 {
        match self {
            Self::NotAVugFile { .. } => 101,
            Self::OtherEndianness { .. } => 102,
            Self::UnsupportedFormat { .. } => 103,
            Self::Truncated { .. } => 104,
            Self::DamagedHeader { .. } => 105,
            Self::ForeignOwner { .. } => 106,
            Self::OtherBoot { .. } => 107,
            Self::NotMemoryBacked { .. } => 108,
            Self::UnknownFeatures { .. } => 109,
            Self::Damaged { .. } => 110,
            Self::OtherNode { .. } => 111,
            Self::OriginTaken { .. } => 112,
            Self::InvalidRegionName { .. } => 201,
            Self::InvalidKey { .. } => 202,
            Self::ValueTooLarge { .. } => 203,
            Self::InvalidAttributes { .. } => 204,
            Self::RegionExists { .. } => 205,
            Self::RegionNotFound { .. } => 206,
            Self::AttributesDiffer { .. } => 207,
            Self::NotBuiltYet { .. } => 208,
            Self::SchemaMismatch { .. } => 209,
            Self::OutOfSpace { .. } => 301,
            Self::FileSystemFull { .. } => 302,
            Self::TooManyMembers { .. } => 303,
            Self::TooManyThreads { .. } => 304,
            Self::TooManyPins { .. } => 305,
            Self::EntryExists { .. } => 401,
            Self::EntryNotFound { .. } => 402,
            Self::NotAllowed { .. } => 403,
            Self::AckTimeout { .. } => 404,
            Self::NotACounter { .. } => 405,
            Self::CounterOverflow { .. } => 406,
            Self::NotOfType { .. } => 407,
            Self::Codec { .. } => 408,
            Self::RegionDestroyed { .. } => 409,
            Self::RegionClosed { .. } => 410,
            Self::BulkFailed { .. } => 411,
            Self::SearchTimeout { .. } => 440,
            Self::ForkedChild => 501,
            Self::BridgeRuns { .. } => 502,
            Self::NoBridge { .. } => 540,
            Self::Io { .. } => 601,
            Self::System { .. } => 602,
        }
    }

    /// What to do about it, one line.
    pub fn help(&self) -> String {
        self.file_help().or_else(|| self.use_help()).unwrap_or_else(|| self.system_help())
    }

    fn file_help(&self) -> Option<String> {
        Some(match self {
            Self::NotAVugFile { path } => format!(
                "give the home directory of a node; if {} was put there by mistake, move it away",
                path.display()
            ),
            Self::OtherEndianness { path } => format!(
                "these files are not portable; remove {} and let the cache fill again, or copy \
                 the entries with `vug export` there and `vug import` here",
                path.display()
            ),
            Self::UnsupportedFormat { path, found, supported } if found > supported => format!(
                "upgrade this program to a library that reads format {found}, or stop all \
                 programs that use {} and remove it",
                path.display()
            ),
            Self::UnsupportedFormat { path, .. } => format!(
                "made by an older library: stop all programs that use {} and remove it",
                path.display()
            ),
            Self::Truncated { path, .. } | Self::DamagedHeader { path, .. } => format!(
                "the file cannot be mended: stop all programs that use {0}, then remove {0}; the \
                 next program that opens it makes a new one",
                path.display()
            ),
            Self::ForeignOwner { path, owner, expected } => format!(
                "run as user {owner}, set VUG_HOME to a directory owned by user {expected}, or \
                 `chown {expected} {}`",
                path.display()
            ),
            Self::OtherBoot { path } => format!(
                "its processes ended with the last boot: remove {}; the next program that opens \
                 it makes a new one",
                path.display()
            ),
            Self::NotMemoryBacked { .. } => "set VUG_HOME to a directory on tmpfs, such as \
                 /dev/shm/vug; to accept a disk (slow, tests only) set VUG_ALLOW_DISK=1"
                .into(),
            Self::UnknownFeatures { path, .. } => format!(
                "upgrade this program to the library that made {}, or remove the file",
                path.display()
            ),
            Self::Damaged { path, .. } => format!(
                "run `vug check {0}`; if it finds damage, stop all programs that use {0} and \
                 remove it",
                path.display()
            ),
            Self::OtherNode { path } => format!(
                "region files cannot be copied between nodes: remove {} and use `vug export` and \
                 `vug import`, or a bridge",
                path.display()
            ),
            Self::OriginTaken { home, found, .. } => format!(
                "use the certificate of node {found}, or stop all programs of the node and remove \
                 {} to begin a new one",
                home.display()
            ),
            _ => return None,
        })
    }

    fn use_help(&self) -> Option<String> {
        Some(match self {
            Self::InvalidRegionName { .. } => {
                "use 1 to 128 of the characters A-Z a-z 0-9 . _ -".into()
            }
            Self::InvalidKey { .. } => {
                "use a key of 1 to 65536 bytes; longer ones can be replaced by their hash".into()
            }
            Self::ValueTooLarge { max, .. } => format!(
                "split the value into parts of at most {max} bytes, or make the region anew with \
                 a larger max_bytes"
            ),
            Self::InvalidAttributes { remedy, .. } => remedy.clone(),
            Self::RegionExists { .. } => {
                "use `open` or `open_or_create`, or remove the region first".into()
            }
            Self::RegionNotFound { .. } => {
                "use `create` or `open_or_create`; `vug ls` shows the regions of this home".into()
            }
            Self::AttributesDiffer { .. } => "ask for the attributes the region has, leave them \
                 out to take it as it is, or remove the region and make it anew"
                .into(),
            Self::NotBuiltYet { .. } => {
                "leave it out; README.md says what this version can do".into()
            }
            Self::SchemaMismatch { found: None, .. } => {
                "open it without types, or, if it holds these \
                 types all the same, use `vug::typed::Region::from_untyped`"
                    .into()
            }
            Self::SchemaMismatch { .. } => "open it with the types it holds, give the new type a \
                 region of its own, or remove the region and make it anew"
                .into(),
            Self::NotOfType { part, .. } => format!(
                "find who writes the {part} as bytes, and remove the entry; `vug scan` shows it"
            ),
            Self::Codec { .. } => "was the entry written with this codec and this version of the \
                 type? If not, give the type another name and region"
                .into(),
            Self::OutOfSpace { max_bytes, .. } => {
                format!("destroy entries, or make the region anew with max_bytes above {max_bytes}")
            }
            Self::EntryExists { .. } => "use `put`, or `replace` to require that it exists".into(),
            Self::EntryNotFound { .. } => {
                "use `remove`, which accepts that the key is missing".into()
            }
            Self::NotAllowed { .. } => {
                "make the region with attributes that permit it; `vug stat` shows them".into()
            }
            Self::AckTimeout { .. } => "the value is stored here and still on its way: wait for \
                 the position again, and look at `vug bridge status` for the node that is behind"
                .into(),
            Self::SearchTimeout { .. } => {
                "look at `vug bridge status` for nodes that do not answer; \
                 `get_local` reads what is on this node, `set_search_timeout` sets the limit"
                    .into()
            }
            Self::NoBridge { .. } => "start it with `vug bridge run`, best under a supervisor; \
                 `get_local` reads what is on this node"
                .into(),
            Self::NotACounter { .. } => "store eight bytes, a signed little-endian integer, or \
                 remove the entry: an absent counter counts as 0"
                .into(),
            Self::RegionDestroyed { .. } => {
                "open or create the region again: what has its name now is another one".into()
            }
            Self::RegionClosed { .. } => "open the region again, from its node".into(),
            Self::BulkFailed { source, .. } => {
                format!("look at the result of each key; for the first one: {}", source.help())
            }
            Self::CounterOverflow { .. } => {
                "a counter is a signed 64-bit integer: start it anew, or count in larger units"
                    .into()
            }
            _ => return None,
        })
    }

    fn system_help(&self) -> String {
        match self {
            Self::FileSystemFull { needed, .. } => format!(
                "{} more must be free: `mount -o remount,size=<bytes> /dev/shm`, in a container \
                 `docker run --shm-size=<bytes>`, or remove regions that are not needed",
                Bytes(*needed)
            ),
            Self::TooManyMembers { max, .. } => format!(
                "end processes that do not need the cache, or share one node handle: at most \
                 {max} handles can be open"
            ),
            Self::TooManyThreads { max, .. } => format!(
                "let at most {max} threads work on the region at a time; ended threads free \
                 their place"
            ),
            Self::TooManyPins { max, .. } => format!(
                "drop guards sooner or copy with `get_into`: at most {max} segments can be pinned"
            ),
            Self::ForkedChild => {
                "call `Node::reopen_after_fork` in the child and open the regions \
                 there; handles and guards of the parent belong to the parent"
                    .into()
            }
            Self::BridgeRuns { .. } => "one bridge serves a node: stop the other one, or give \
                 this one another home directory"
                .into(),
            Self::Io { op, path, source } => io_help(op, path, source),
            _ => "see the message of the system; `dmesg` and `ulimit -a` show common causes".into(),
        }
    }
}

fn io_help(op: &str, path: &std::path::Path, source: &io::Error) -> String {
    let path = path.display();
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("run as the owner of {path}, or `chmod u+rw {path}`")
        }
        io::ErrorKind::NotFound => {
            format!(
                "make the directory that should hold {path}, or set VUG_HOME to one that exists"
            )
        }
        io::ErrorKind::NotADirectory => {
            format!("{path} or a directory above it is a file: move it away or change VUG_HOME")
        }
        io::ErrorKind::OutOfMemory if op == "map" => {
            format!("raise `ulimit -v`, or use a smaller max_bytes, so that {path} can be mapped")
        }
        _ if source.raw_os_error() == Some(libc::ELOOP) => {
            format!("{path} is a symbolic link and links are not followed: replace it by the file")
        }
        _ if source.raw_os_error() == Some(libc::EMFILE) => {
            "raise `ulimit -n`, or close files that are not needed".into()
        }
        _ => format!("look at {path} with `ls -l` and `df`; the system could not {op} it"),
    }
}

/// A number of bytes for people: exact below 1 KiB, else in the largest unit, rounded up.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.iter().find(|(shift, _)| self.0 >= 1 << shift) {
            Some((shift, unit)) => write!(f, "{} {unit}", self.0.div_ceil(1 << shift)),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAVugFile { path } => write!(f, "{} is not a vug file", path.display()),
            Self::OtherEndianness { path } => {
                write!(f, "{} was written with the other byte order", path.display())
            }
            Self::UnsupportedFormat { path, found, supported } => write!(
                f,
                "{} has format {found}, this library reads format {supported}",
                path.display()
            ),
            Self::Truncated { path, expected, found } => write!(
                f,
                "{} is cut off: {found} bytes, expected at least {expected}",
                path.display()
            ),
            Self::DamagedHeader { path, field } => {
                write!(f, "the header of {} is damaged: {field}", path.display())
            }
            Self::ForeignOwner { path, owner, expected } => {
                write!(f, "{} belongs to user {owner}, expected user {expected}", path.display())
            }
            Self::OtherBoot { path } => {
                write!(f, "{} is from before the last start of this machine", path.display())
            }
            Self::NotMemoryBacked { path } => {
                write!(f, "{} is not on a memory-backed file system", path.display())
            }
            Self::UnknownFeatures { path, bits } => {
                write!(f, "{} needs unknown features {bits:#x}", path.display())
            }
            Self::Damaged { path, place } => write!(f, "{} is damaged: {place}", path.display()),
            Self::OtherNode { path } => write!(f, "{} belongs to another node", path.display()),
            Self::OriginTaken { home, found, wanted } => {
                write!(f, "the node in {} is number {found}, not {wanted}", home.display())
            }
            Self::ForkedChild => {
                write!(f, "this process is a forked child and the handle belongs to its parent")
            }
            Self::BridgeRuns { home, pid: 0 } => {
                write!(f, "another bridge is just starting in {}", home.display())
            }
            Self::BridgeRuns { home, pid } => {
                write!(f, "another bridge, process {pid}, runs in {}", home.display())
            }
            Self::Io { op, path, source } => {
                write!(f, "cannot {op} {}: {source}", path.display())
            }
            Self::System { op, source } => write!(f, "cannot {op}: {source}"),
            Self::FileSystemFull { path, needed } => {
                write!(f, "no memory left for {} of {}", Bytes(*needed), path.display())
            }
            Self::TooManyMembers { path, max } => {
                write!(f, "all {max} member slots of {} are taken", path.display())
            }
            _ => self.fmt_region(f),
        }
    }
}

impl Error {
    fn fmt_region(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidRegionName { name } => write!(f, "{name:?} is not a region name"),
            Self::InvalidKey { len } => write!(f, "a key cannot have {len} bytes"),
            Self::ValueTooLarge { len, max } => {
                write!(f, "a value of {len} bytes is too large, at most {max} fit here")
            }
            Self::InvalidAttributes { region, reason, .. } => {
                write!(f, "region {region} cannot have these attributes: {reason}")
            }
            Self::RegionExists { path } => write!(f, "region {} exists", path.display()),
            Self::RegionNotFound { path } => {
                write!(f, "region {} does not exist", path.display())
            }
            Self::AttributesDiffer { region, differences } => {
                write!(f, "region {region} has other attributes:")?;
                differences::side_by_side(f, differences)
            }
            Self::NotBuiltYet { what } => write!(f, "{what} is not built yet"),
            Self::OutOfSpace { region, what, max_bytes } => {
                write!(f, "region {region} is full: no {what} left within its {max_bytes} bytes")
            }
            Self::TooManyThreads { region, max } => {
                write!(f, "all {max} thread descriptors of region {region} are taken")
            }
            Self::TooManyPins { region, max } => {
                write!(f, "this process holds all its {max} pins in region {region}")
            }
            Self::EntryExists { region } => write!(f, "the key exists in region {region}"),
            Self::EntryNotFound { region } => {
                write!(f, "the key does not exist in region {region}")
            }
            Self::NotAllowed { region, what } => {
                write!(f, "region {region} does not allow {what}")
            }
            Self::AckTimeout { region, position } => {
                write!(f, "region {region}: position {position} was not acknowledged in time")
            }
            Self::SearchTimeout { region, limit } => {
                write!(f, "region {region}: other nodes did not answer within {limit:?}")
            }
            Self::NoBridge { home } => {
                write!(f, "no bridge serves {} to ask other nodes", home.display())
            }
            Self::NotACounter { region, len: Some(len) } => {
                write!(f, "a value of {len} bytes in region {region} is not a counter")
            }
            Self::NotACounter { region, len: None } => {
                write!(f, "an entry without a value in region {region} is not a counter")
            }
            Self::CounterOverflow { region, value, delta } => {
                write!(f, "region {region}: {value} and {delta} do not fit a counter")
            }
            _ => self.fmt_types(f),
        }
    }
}

impl Error {
    fn fmt_types(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SchemaMismatch { region, wanted, found: None, .. } => {
                write!(f, "region {region} was made without types, asked for {wanted}")
            }
            Self::SchemaMismatch { region, wanted, found: Some(found), differences } => {
                write!(f, "region {region}: these two types differ: {wanted}, found {found}")?;
                for (i, difference) in differences.iter().enumerate() {
                    write!(f, "{} {difference}", if i == 0 { ":" } else { ";" })?;
                }
                Ok(())
            }
            Self::NotOfType { region, part, expected, len } => {
                write!(f, "a {part} of {len} bytes in region {region} is no {expected}")
            }
            Self::Codec { region, what } => write!(f, "region {region}: {what}"),
            Self::RegionDestroyed { region } => write!(f, "region {region} was destroyed"),
            Self::RegionClosed { region } => write!(f, "this process has closed region {region}"),
            Self::BulkFailed { region, done, failed, first, source } => write!(
                f,
                "{failed} of {} keys failed in region {region}; number {first}: {source}",
                done + failed
            ),
            _ => write!(f, "VUG-{:04}", self.code()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::System { source, .. } => Some(source),
            Self::BulkFailed { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;

//! Options: structures that can grow without breaking old programs.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use crate::boundary::Versioned;
use crate::status::Failure;
use crate::types::vug_departed_t;

/// A switch is on.
pub const VUG_ON: u32 = 1;
/// A switch is off.
pub const VUG_OFF: u32 = 2;

/// A node is opened as a member: for reading and writing. The default.
pub const VUG_ACCESS_MEMBER: u32 = 1;
/// A node is opened for reading only: nothing is written to its files, which need not be writable,
/// and the process is no member of it.
pub const VUG_ACCESS_READ_ONLY: u32 = 2;

/// Nothing is stored on this node: writes are passed on.
pub const VUG_DATA_POLICY_EMPTY: u32 = 1;
/// Entries that are used on this node are stored here. The default.
pub const VUG_DATA_POLICY_NORMAL: u32 = 2;
/// Like normal, but begins with an image of the other nodes' entries.
pub const VUG_DATA_POLICY_PRELOADED: u32 = 3;
/// Every entry of the region is stored on this node.
pub const VUG_DATA_POLICY_REPLICATE: u32 = 4;
/// Like replicate, and kept on disk.
pub const VUG_DATA_POLICY_PERSISTENT_REPLICATE: u32 = 5;

/// The region is not shared with other nodes. The default, unless a data policy is given.
pub const VUG_SCOPE_LOCAL: u32 = 1;
/// Changes are sent to other nodes; writers do not wait.
pub const VUG_SCOPE_DISTRIBUTED_NO_ACK: u32 = 2;
/// Changes are sent to other nodes; a writer waits until they have it. The default if a data
/// policy is given.
pub const VUG_SCOPE_DISTRIBUTED_ACK: u32 = 3;
/// Writers of all nodes take turns on a key.
pub const VUG_SCOPE_GLOBAL: u32 = 4;

/// A full region refuses writes (VUG_ERR_OUT_OF_SPACE) and loses nothing. The default.
pub const VUG_EVICTION_NONE: u32 = 1;
/// In a full region entries that were used least make room.
pub const VUG_EVICTION_S3_FIFO: u32 = 2;

/// A node that does not store everything hears of changes of keys that it holds. The default.
pub const VUG_INTEREST_CACHE_CONTENT: u32 = 1;
/// It hears of all changes.
pub const VUG_INTEREST_ALL: u32 = 2;

/// An entry that has expired is destroyed, on all nodes. The default.
pub const VUG_EXPIRY_DESTROY: u32 = 1;
/// Its key stays, its value goes, on all nodes.
pub const VUG_EXPIRY_INVALIDATE: u32 = 2;
/// It is destroyed on this node only.
pub const VUG_EXPIRY_LOCAL_DESTROY: u32 = 3;
/// Its key stays, its value goes, on this node only.
pub const VUG_EXPIRY_LOCAL_INVALIDATE: u32 = 4;

/// How a node is opened. Begin with `vug_node_options_t options = VUG_NODE_OPTIONS_INIT;`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_node_options_t {
    /// Size of this structure as the program knows it. VUG_NODE_OPTIONS_INIT sets it.
    pub struct_size: u32,
    /// One of VUG_ACCESS_*.
    pub access: u32,
    /// Home directory. NULL: the environment variable VUG_HOME, else `/dev/shm/vug-<uid>`.
    pub home: *const c_char,
    /// VUG_ON: the group of the directory may use the node as well (modes 0770 and 0660).
    pub group: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<vug_node_options_t>() == 24, "no padding");

impl Default for vug_node_options_t {
    fn default() -> Self {
        Self { struct_size: 0, access: 0, home: ptr::null(), group: 0, reserved: 0 }
    }
}

/// What a region is like. Begin with `vug_region_options_t options = VUG_REGION_OPTIONS_INIT;`
/// and set what matters. A field that is 0 is not given: a new region takes the default, and
/// opening an existing one accepts what it has. A field that is given must agree with the existing
/// region, or opening it fails with VUG_ERR_ATTRIBUTES_DIFFER; but expiry is that of the existing
/// region, whatever is given. vug_region_attributes() fills all fields.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct vug_region_options_t {
    /// Size of this structure as the program knows it. VUG_REGION_OPTIONS_INIT sets it.
    pub struct_size: u32,
    /// One of VUG_DATA_POLICY_*.
    pub data_policy: u32,
    /// One of VUG_SCOPE_*.
    pub scope: u32,
    /// VUG_ON (default): changes are ordered by version. VUG_OFF: those of other nodes are applied
    /// in the order in which they arrive.
    pub concurrency_checks: u32,
    /// Most memory the region may take, in bytes: 1 MiB to 256 GiB, by default 64 MiB.
    /// Memory is taken as it is needed.
    pub max_bytes: u64,
    /// Bytes per log segment, a power of two from 64 KiB to 8 MiB, by default chosen from
    /// max_bytes. Larger values take several segments side by side.
    pub segment_bytes: u64,
    /// Most entries the region may have; only with eviction. By default there is no such bound.
    pub max_entries: u64,
    /// Each value begins at a multiple of this many bytes: a power of two, 8 (default) to 4096.
    pub alignment: u64,
    /// One of VUG_EVICTION_*.
    pub eviction: u32,
    /// One of VUG_INTEREST_*.
    pub interest: u32,
    /// VUG_ON: other nodes acknowledge changes on receipt instead of after applying them.
    pub early_ack: u32,
    /// VUG_ON: events tell the value that an entry had before.
    pub old_values: u32,
    /// Entries expire that long after they were written, in nanoseconds; VUG_NEVER: not.
    pub entry_ttl_ns: u64,
    /// Entries expire when they were neither read nor written for so many nanoseconds; VUG_NEVER:
    /// not.
    pub entry_idle_ns: u64,
    /// What becomes of an entry behind entry_ttl_ns, one of VUG_EXPIRY_*.
    pub entry_ttl_action: u32,
    /// What becomes of an entry behind entry_idle_ns, one of VUG_EXPIRY_*.
    pub entry_idle_action: u32,
}

const _: () = assert!(size_of::<vug_region_options_t>() == 88, "no padding");

/// How one write is done. Begin with `vug_write_options_t options = VUG_WRITE_OPTIONS_INIT;`.
/// Options with `departed` are for one call at a time.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_write_options_t {
    /// Size of this structure as the program knows it. VUG_WRITE_OPTIONS_INIT sets it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// The entry expires so many nanoseconds after this write, whatever the region has; 0: the
    /// region decides.
    pub ttl_ns: u64,
    /// How long a write to a region of scope distributed-ack waits for the other nodes, in
    /// nanoseconds, before it returns VUG_ERR_ACK_TIMEOUT; 0 and VUG_FOREVER: as long as it takes.
    pub ack_within_ns: u64,
    /// Receives the nodes that left the cluster instead of acknowledging the write; NULL: nobody
    /// asks. vug_increment() stores nothing here.
    pub departed: *mut vug_departed_t,
}

const _: () = assert!(size_of::<vug_write_options_t>() == 32, "no padding");

impl Default for vug_write_options_t {
    fn default() -> Self {
        Self { struct_size: 0, reserved: 0, ttl_ns: 0, ack_within_ns: 0, departed: ptr::null_mut() }
    }
}

/// How one read is done. Begin with `vug_read_options_t options = VUG_READ_OPTIONS_INIT;`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_read_options_t {
    /// Size of this structure as the program knows it. VUG_READ_OPTIONS_INIT sets it.
    pub struct_size: u32,
    /// VUG_ON: only what is on this node is read, and nobody is asked.
    pub local: u32,
    /// How long other nodes may be asked for a value that is not here, in nanoseconds, before the
    /// read returns VUG_ERR_SEARCH_TIMEOUT; 0: as the region says, see
    /// vug_region_set_search_timeout(). VUG_FOREVER: as long as it takes.
    pub search_within_ns: u64,
}

const _: () = assert!(size_of::<vug_read_options_t>() == 16, "no padding");

/// What a subscription or a listener is told. Begin with
/// `vug_listen_options_t options = VUG_LISTEN_OPTIONS_INIT;`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_listen_options_t {
    /// Size of this structure as the program knows it. VUG_LISTEN_OPTIONS_INIT sets it.
    pub struct_size: u32,
    /// One of VUG_INTEREST_*: only changes of entries that are on this node, or (default) all that
    /// this node learns of.
    pub interest: u32,
    /// Only events of keys that begin with these bytes, and those of the region; NULL: all.
    pub prefix: *const std::ffi::c_void,
    /// Length of the prefix in bytes.
    pub prefix_len: usize,
    /// VUG_ON: after each VUG_EVENT_LAPPED all entries are told as VUG_EVENT_RESYNC, then
    /// VUG_EVENT_IN_SYNC.
    pub resynchronise: u32,
    /// VUG_ON: all entries that are there now are told first, in the same way.
    pub content: u32,
}

const _: () = assert!(size_of::<vug_listen_options_t>() == 32, "no padding");

impl Default for vug_listen_options_t {
    fn default() -> Self {
        Self {
            struct_size: 0,
            interest: 0,
            prefix: ptr::null(),
            prefix_len: 0,
            resynchronise: 0,
            content: 0,
        }
    }
}

/// How much maintenance is done. Begin with
/// `vug_maintain_options_t options = VUG_MAINTAIN_OPTIONS_INIT;`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_maintain_options_t {
    /// Size of this structure as the program knows it. VUG_MAINTAIN_OPTIONS_INIT sets it.
    pub struct_size: u32,
    /// VUG_ON: clean every segment of which an eighth is dead, not only until enough are free.
    pub compact: u32,
    /// Bytes of records that may be copied; 0: 64 MiB.
    pub copy_bytes: u64,
    /// Entries that may be looked at because they could have expired; 0: 1048576.
    pub sweep: u64,
}

const _: () = assert!(size_of::<vug_maintain_options_t>() == 24, "no padding");

macro_rules! versioned {
    ($($options:ident $initialiser:literal,)*) => {$(
        impl Versioned for $options {
            const NAME: &'static str = stringify!($options);
            const REMEDY: &'static str = concat!("initialise it with ", $initialiser);
        }
    )*};
}

versioned! {
    vug_node_options_t "VUG_NODE_OPTIONS_INIT",
    vug_region_options_t "VUG_REGION_OPTIONS_INIT",
    vug_write_options_t "VUG_WRITE_OPTIONS_INIT",
    vug_read_options_t "VUG_READ_OPTIONS_INIT",
    vug_listen_options_t "VUG_LISTEN_OPTIONS_INIT",
    vug_maintain_options_t "VUG_MAINTAIN_OPTIONS_INIT",
}

/// The choice that `value` names in a field; `None` if it is 0.
pub(crate) fn choice<T: Copy>(
    field: &str,
    value: u32,
    choices: &[(u32, T)],
    constants: &str,
) -> Result<Option<T>, Failure> {
    if value == 0 {
        return Ok(None);
    }
    let found = choices.iter().find(|(number, _)| *number == value);
    found.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
        let help = format!("use 0 for the default or one of {constants}");
        Failure::argument(format_args!("`{field}` is {value}"), &help)
    })
}

/// The number of a choice.
pub(crate) fn number_of<T: Copy + PartialEq>(choices: &[(u32, T)], choice: T) -> u32 {
    choices.iter().find(|(_, known)| *known == choice).map_or(0, |(number, _)| *number)
}

/// A switch; `None` if it is not given.
pub(crate) fn switch(field: &str, value: u32) -> Result<Option<bool>, Failure> {
    choice(field, value, &[(VUG_ON, true), (VUG_OFF, false)], "VUG_ON, VUG_OFF")
}

/// The numbers of a switch.
pub(crate) fn switched(on: bool) -> u32 {
    if on { VUG_ON } else { VUG_OFF }
}

pub(crate) fn reserved(field: &str, value: u32) -> Result<(), Failure> {
    if value == 0 {
        return Ok(());
    }
    let help = "leave it zero: the _INIT macro does";
    Err(Failure::argument(format_args!("`{field}` is {value}"), help))
}

impl vug_write_options_t {
    pub(crate) fn to_options(self) -> Result<vug::WriteOptions, Failure> {
        reserved("reserved", self.reserved)?;
        let mut options = vug::WriteOptions::default();
        options.ttl = (self.ttl_ns != 0).then(|| Duration::from_nanos(self.ttl_ns));
        options.ack_within = (self.ack_within_ns != 0 && self.ack_within_ns != u64::MAX)
            .then(|| Duration::from_nanos(self.ack_within_ns));
        Ok(options)
    }
}

impl vug_read_options_t {
    pub(crate) fn to_options(self) -> Result<vug::ReadOptions, Failure> {
        if switch("local", self.local)? == Some(true) {
            return Ok(vug::ReadOptions::local());
        }
        Ok(match self.search_within_ns {
            0 => vug::ReadOptions::default(),
            nanos => vug::ReadOptions::search_within(Duration::from_nanos(nanos)),
        })
    }
}

impl vug_listen_options_t {
    /// `prefix`: the bytes that the options point to.
    pub(crate) fn to_options(self, prefix: &[u8]) -> Result<vug::ListenOptions, Failure> {
        let mut options = vug::ListenOptions::new().prefix(prefix);
        let interests = &crate::attributes::INTERESTS;
        if let Some(interest) = choice("interest", self.interest, interests, "VUG_INTEREST_*")? {
            options = options.interest(interest);
        }
        if let Some(on) = switch("resynchronise", self.resynchronise)? {
            options = options.resynchronise(on);
        }
        if let Some(on) = switch("content", self.content)? {
            options = options.content(on);
        }
        Ok(options)
    }
}

impl vug_maintain_options_t {
    pub(crate) fn to_options(self) -> Result<vug::MaintainOptions, Failure> {
        let mut options = vug::MaintainOptions::default();
        if let Some(on) = switch("compact", self.compact)? {
            options.compact = on;
        }
        if self.copy_bytes != 0 {
            options.copy_bytes = self.copy_bytes;
        }
        if self.sweep != 0 {
            options.sweep = self.sweep;
        }
        Ok(options)
    }
}

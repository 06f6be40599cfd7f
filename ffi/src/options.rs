//! Options of a region: a structure that can grow without breaking old programs.

use crate::boundary::Versioned;
use crate::status::Failure;

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

/// The region is not shared with other nodes. The default.
pub const VUG_SCOPE_LOCAL: u32 = 1;
/// Changes are sent to other nodes; writers do not wait.
pub const VUG_SCOPE_DISTRIBUTED_NO_ACK: u32 = 2;
/// Changes are sent to other nodes; a writer waits until they have it.
pub const VUG_SCOPE_DISTRIBUTED_ACK: u32 = 3;
/// Writers of all nodes take turns on a key.
pub const VUG_SCOPE_GLOBAL: u32 = 4;

/// Changes are ordered by version. The default.
pub const VUG_CONCURRENCY_CHECKS_ON: u32 = 1;
/// Changes are applied in the order in which they arrive.
pub const VUG_CONCURRENCY_CHECKS_OFF: u32 = 2;

/// What a region is like. Begin with `vug_region_options_t options = VUG_REGION_OPTIONS_INIT;`
/// and set what matters. A field that is 0 is not given: a new region takes the default, and
/// opening an existing one accepts what it has. A field that is given must agree with the existing
/// region, or opening it fails with VUG_ERR_ATTRIBUTES_DIFFER.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_region_options_t {
    /// Size of this structure as the program knows it. VUG_REGION_OPTIONS_INIT sets it.
    pub struct_size: u32,
    /// One of VUG_DATA_POLICY_*.
    pub data_policy: u32,
    /// One of VUG_SCOPE_*.
    pub scope: u32,
    /// One of VUG_CONCURRENCY_CHECKS_*.
    pub concurrency_checks: u32,
    /// Most memory the region may take, in bytes: 1 MiB to 256 GiB, by default 64 MiB.
    /// Memory is taken as it is needed.
    pub max_bytes: u64,
    /// Bytes per log segment, a power of two from 64 KiB to 8 MiB, by default chosen from
    /// max_bytes. It limits the size of a value.
    pub segment_bytes: u64,
}

const _: () = assert!(size_of::<vug_region_options_t>() == 32, "no padding");

impl Versioned for vug_region_options_t {
    const NAME: &'static str = "vug_region_options_t";
    const REMEDY: &'static str = "initialise it with VUG_REGION_OPTIONS_INIT";
    const SMALLEST: usize = 8;
}

impl vug_region_options_t {
    /// Hands every option that is given to the builder.
    pub(crate) fn apply<'n>(
        &self,
        mut builder: vug::RegionBuilder<'n>,
    ) -> Result<vug::RegionBuilder<'n>, Failure> {
        if let Some(policy) = self.data_policy()? {
            builder = builder.data_policy(policy);
        }
        if let Some(scope) = self.scope()? {
            builder = builder.scope(scope);
        }
        if let Some(on) = self.concurrency_checks()? {
            builder = builder.concurrency_checks(on);
        }
        if self.max_bytes != 0 {
            builder = builder.max_bytes(self.max_bytes);
        }
        if self.segment_bytes != 0 {
            builder = builder.segment_bytes(self.segment_bytes);
        }
        Ok(builder)
    }

    fn data_policy(&self) -> Result<Option<vug::DataPolicy>, Failure> {
        Ok(Some(match self.data_policy {
            0 => return Ok(None),
            VUG_DATA_POLICY_EMPTY => vug::DataPolicy::Empty,
            VUG_DATA_POLICY_NORMAL => vug::DataPolicy::Normal,
            VUG_DATA_POLICY_PRELOADED => vug::DataPolicy::Preloaded,
            VUG_DATA_POLICY_REPLICATE => vug::DataPolicy::Replicate,
            VUG_DATA_POLICY_PERSISTENT_REPLICATE => vug::DataPolicy::PersistentReplicate,
            other => return Err(unknown("data_policy", other, "VUG_DATA_POLICY_*")),
        }))
    }

    fn scope(&self) -> Result<Option<vug::Scope>, Failure> {
        Ok(Some(match self.scope {
            0 => return Ok(None),
            VUG_SCOPE_LOCAL => vug::Scope::Local,
            VUG_SCOPE_DISTRIBUTED_NO_ACK => vug::Scope::DistributedNoAck,
            VUG_SCOPE_DISTRIBUTED_ACK => vug::Scope::DistributedAck,
            VUG_SCOPE_GLOBAL => vug::Scope::Global,
            other => return Err(unknown("scope", other, "VUG_SCOPE_*")),
        }))
    }

    fn concurrency_checks(&self) -> Result<Option<bool>, Failure> {
        match self.concurrency_checks {
            0 => Ok(None),
            VUG_CONCURRENCY_CHECKS_ON => Ok(Some(true)),
            VUG_CONCURRENCY_CHECKS_OFF => Ok(Some(false)),
            other => Err(unknown("concurrency_checks", other, "VUG_CONCURRENCY_CHECKS_*")),
        }
    }
}

fn unknown(field: &str, value: u32, constants: &str) -> Failure {
    let help = format!("use 0 for the default or one of {constants}");
    Failure::argument(format_args!("vug_region_options_t.{field} is {value}"), &help)
}

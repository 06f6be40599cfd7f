//! Options of a region and the attributes of the library: from one to the other.

use std::time::Duration;

use crate::options::*;
use crate::status::Failure;

const POLICIES: [(u32, vug::DataPolicy); 5] = [
    (VUG_DATA_POLICY_EMPTY, vug::DataPolicy::Empty),
    (VUG_DATA_POLICY_NORMAL, vug::DataPolicy::Normal),
    (VUG_DATA_POLICY_PRELOADED, vug::DataPolicy::Preloaded),
    (VUG_DATA_POLICY_REPLICATE, vug::DataPolicy::Replicate),
    (VUG_DATA_POLICY_PERSISTENT_REPLICATE, vug::DataPolicy::PersistentReplicate),
];
const SCOPES: [(u32, vug::Scope); 4] = [
    (VUG_SCOPE_LOCAL, vug::Scope::Local),
    (VUG_SCOPE_DISTRIBUTED_NO_ACK, vug::Scope::DistributedNoAck),
    (VUG_SCOPE_DISTRIBUTED_ACK, vug::Scope::DistributedAck),
    (VUG_SCOPE_GLOBAL, vug::Scope::Global),
];
const EVICTIONS: [(u32, vug::Eviction); 2] =
    [(VUG_EVICTION_NONE, vug::Eviction::None), (VUG_EVICTION_S3_FIFO, vug::Eviction::S3Fifo)];
pub(crate) const INTERESTS: [(u32, vug::Interest); 2] = [
    (VUG_INTEREST_CACHE_CONTENT, vug::Interest::CacheContent),
    (VUG_INTEREST_ALL, vug::Interest::All),
];
const ACTIONS: [(u32, vug::ExpiryAction); 4] = [
    (VUG_EXPIRY_DESTROY, vug::ExpiryAction::Destroy),
    (VUG_EXPIRY_INVALIDATE, vug::ExpiryAction::Invalidate),
    (VUG_EXPIRY_LOCAL_DESTROY, vug::ExpiryAction::LocalDestroy),
    (VUG_EXPIRY_LOCAL_INVALIDATE, vug::ExpiryAction::LocalInvalidate),
];

/// No time: entries do not expire.
const NEVER: u64 = u64::MAX;

fn expiry(field: &str, after: u64, action: u32) -> Result<Option<vug::Expiry>, Failure> {
    let action = choice(&format!("{field}_action"), action, &ACTIONS, "VUG_EXPIRY_*")?;
    match after {
        0 | NEVER => Ok(None),
        after => Ok(Some(vug::Expiry {
            after: Duration::from_nanos(after),
            action: action.unwrap_or_default(),
        })),
    }
}

fn nanos(expiry: Option<vug::Expiry>) -> (u64, u32) {
    expiry.map_or((NEVER, VUG_EXPIRY_DESTROY), |expiry| {
        let after = u64::try_from(expiry.after.as_nanos()).unwrap_or(NEVER - 1);
        (after, number_of(&ACTIONS, expiry.action))
    })
}

impl vug_region_options_t {
    /// Whether nothing is given.
    pub(crate) fn is_empty(&self) -> bool {
        Self { struct_size: 0, ..*self } == Self::default()
    }

    /// Hands every option that is given to the builder.
    pub(crate) fn apply<'n>(
        &self,
        mut builder: vug::RegionBuilder<'n>,
    ) -> Result<vug::RegionBuilder<'n>, Failure> {
        let policy = choice("data_policy", self.data_policy, &POLICIES, "VUG_DATA_POLICY_*")?;
        if let Some(policy) = policy {
            builder = builder.data_policy(policy);
        }
        if let Some(scope) = choice("scope", self.scope, &SCOPES, "VUG_SCOPE_*")? {
            builder = builder.scope(scope);
        }
        if let Some(on) = switch("concurrency_checks", self.concurrency_checks)? {
            builder = builder.concurrency_checks(on);
        }
        if let Some(on) = switch("early_ack", self.early_ack)? {
            builder = builder.early_ack(on);
        }
        if let Some(on) = switch("old_values", self.old_values)? {
            builder = builder.old_values(on);
        }
        if let Some(interest) = choice("interest", self.interest, &INTERESTS, "VUG_INTEREST_*")? {
            builder = builder.interest(interest);
        }
        if let Some(eviction) = choice("eviction", self.eviction, &EVICTIONS, "VUG_EVICTION_*")? {
            builder = builder.eviction(eviction);
        }
        self.apply_numbers(builder)
    }

    fn apply_numbers<'n>(
        &self,
        mut builder: vug::RegionBuilder<'n>,
    ) -> Result<vug::RegionBuilder<'n>, Failure> {
        if self.max_bytes != 0 {
            builder = builder.max_bytes(self.max_bytes);
        }
        if self.segment_bytes != 0 {
            builder = builder.segment_bytes(self.segment_bytes);
        }
        if self.max_entries != 0 {
            builder = builder.max_entries(self.max_entries);
        }
        if self.alignment != 0 {
            builder = builder.alignment(self.alignment);
        }
        if let Some(ttl) = self.entry_ttl()? {
            builder = builder.entry_ttl(ttl);
        }
        if let Some(idle) = self.entry_idle()? {
            builder = builder.entry_idle(idle);
        }
        Ok(builder)
    }

    fn entry_ttl(&self) -> Result<Option<vug::Expiry>, Failure> {
        expiry("entry_ttl", self.entry_ttl_ns, self.entry_ttl_action)
    }

    fn entry_idle(&self) -> Result<Option<vug::Expiry>, Failure> {
        expiry("entry_idle", self.entry_idle_ns, self.entry_idle_action)
    }

    /// Changes what is given and can change.
    pub(crate) fn alter(&self, region: &vug::Region) -> Result<(), Failure> {
        let fixed = [
            ("data_policy", u64::from(self.data_policy)),
            ("scope", u64::from(self.scope)),
            ("concurrency_checks", u64::from(self.concurrency_checks)),
            ("max_bytes", self.max_bytes),
            ("segment_bytes", self.segment_bytes),
            ("alignment", self.alignment),
            ("eviction", u64::from(self.eviction)),
            ("interest", u64::from(self.interest)),
            ("early_ack", u64::from(self.early_ack)),
            ("old_values", u64::from(self.old_values)),
        ];
        if let Some((name, _)) = fixed.iter().find(|(_, value)| *value != 0) {
            let help = "give entry_ttl_ns, entry_idle_ns and max_entries only";
            let what = format_args!("`{name}` is fixed when a region is created");
            return Err(Failure::argument(what, help));
        }
        let (ttl, idle) = (self.entry_ttl()?, self.entry_idle()?);
        if self.entry_ttl_ns != 0 {
            region.set_entry_ttl(ttl)?;
        }
        if self.entry_idle_ns != 0 {
            region.set_entry_idle(idle)?;
        }
        if self.max_entries != 0 {
            region.set_max_entries(self.max_entries)?;
        }
        Ok(())
    }

    /// What a region is like, as options that would make it.
    pub(crate) fn describe(attributes: &vug::Attributes) -> Self {
        let (entry_ttl_ns, entry_ttl_action) = nanos(attributes.entry_ttl);
        let (entry_idle_ns, entry_idle_action) = nanos(attributes.entry_idle);
        Self {
            struct_size: size_of::<Self>() as u32,
            data_policy: number_of(&POLICIES, attributes.data_policy),
            scope: number_of(&SCOPES, attributes.scope),
            concurrency_checks: switched(attributes.concurrency_checks),
            max_bytes: attributes.max_bytes,
            segment_bytes: attributes.segment_bytes,
            max_entries: attributes.max_entries,
            alignment: attributes.alignment,
            eviction: number_of(&EVICTIONS, attributes.eviction),
            interest: number_of(&INTERESTS, attributes.interest),
            early_ack: switched(attributes.early_ack),
            old_values: switched(attributes.old_values),
            entry_ttl_ns,
            entry_idle_ns,
            entry_ttl_action,
            entry_idle_action,
        }
    }
}

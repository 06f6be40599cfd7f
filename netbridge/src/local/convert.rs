//! Between the words of the library and those of the core. They differ so that neither depends on
//! the other's choices.

use vug::bridge;

use crate::config::RegionConfig;
use crate::replica::store::{
    Announced, Applied, Drained, Interest, OriginState, Policy, Scope, State, StoreError, Whole,
};
use crate::wire::record::{Change, Kind};

/// Opens a region of the configuration, making it if it is missing.
pub(super) fn open_configured(
    node: &vug::Node,
    region: &RegionConfig,
) -> Result<vug::Region, vug::Error> {
    let refused = |reason: String| vug::Error::InvalidAttributes {
        region: region.name.clone(),
        reason,
        remedy: "correct the region in the bridge's configuration".into(),
    };
    let mut builder = node
        .region(&region.name)
        .data_policy(region.data_policy.parse().map_err(refused)?)
        .scope(region.scope.parse().map_err(refused)?);
    if let Some(bytes) = region.max_bytes {
        builder = builder.max_bytes(bytes);
    }
    builder.open_or_create()
}

pub(super) fn store_error(error: &vug::Error) -> StoreError {
    StoreError(format!("{error} ({})", error.help()))
}

/// `None` for a policy that this bridge has never heard of.
pub(super) fn policy(policy: vug::DataPolicy) -> Option<Policy> {
    Some(match policy {
        vug::DataPolicy::Empty => Policy::Empty,
        vug::DataPolicy::Normal => Policy::Normal,
        vug::DataPolicy::Preloaded => Policy::Preloaded,
        vug::DataPolicy::Replicate => Policy::Replicate,
        vug::DataPolicy::PersistentReplicate => Policy::PersistentReplicate,
        _ => return None,
    })
}

/// One that this bridge has never heard of hears of everything.
pub(super) fn interest(interest: vug::Interest) -> Interest {
    match interest {
        vug::Interest::CacheContent => Interest::CacheContent,
        _ => Interest::All,
    }
}

/// `None` for a scope that this bridge has never heard of.
pub(super) fn scope(scope: vug::Scope) -> Option<Scope> {
    Some(match scope {
        vug::Scope::Local => Scope::Local,
        vug::Scope::DistributedNoAck => Scope::DistributedNoAck,
        vug::Scope::DistributedAck => Scope::DistributedAck,
        vug::Scope::Global => Scope::Global,
        _ => return None,
    })
}

pub(super) fn state(state: State) -> vug::RegionState {
    match state {
        State::Ready => vug::RegionState::Ready,
        State::Initialising => vug::RegionState::Initialising,
        State::Degraded => vug::RegionState::Degraded,
    }
}

pub(super) fn to_core(change: bridge::Change<'_>) -> Change<'_> {
    Change {
        position: change.position,
        key: change.key,
        value: change.value,
        kind: match change.kind {
            vug::Kind::Value => Kind::Value,
            vug::Kind::Invalid => Kind::Invalid,
            vug::Kind::LocalInvalid => Kind::LocalInvalid,
            vug::Kind::Tombstone => Kind::Tombstone,
            vug::Kind::Transit => Kind::Transit,
        },
        version: change.version,
        origin: change.origin,
        deadline: change.deadline,
        expiration: change.expiration,
        created: change.created,
        bulk: change.bulk,
    }
}

pub(super) fn to_library(change: Change<'_>) -> bridge::Change<'_> {
    bridge::Change {
        position: change.position,
        key: change.key,
        value: change.value,
        kind: match change.kind {
            Kind::Value => vug::Kind::Value,
            Kind::Invalid => vug::Kind::Invalid,
            Kind::LocalInvalid => vug::Kind::LocalInvalid,
            Kind::Tombstone => vug::Kind::Tombstone,
            Kind::Transit => vug::Kind::Transit,
        },
        version: change.version,
        origin: change.origin,
        deadline: change.deadline,
        expiration: change.expiration,
        created: change.created,
        bulk: change.bulk,
    }
}

pub(super) fn announced(announced: bridge::Announced<'_>) -> Announced<'_> {
    match announced {
        bridge::Announced::Entry(change) => Announced::Entry(to_core(change)),
        bridge::Announced::Passing(change) => Announced::Passing(to_core(change)),
        bridge::Announced::Whole { position, whole, stamp } => {
            let whole = match whole {
                bridge::Whole::Clear => Whole::Clear,
                bridge::Whole::Invalidate => Whole::Invalidate,
                bridge::Whole::Destroy => Whole::Destroy,
            };
            Announced::Whole { position, whole, stamp }
        }
    }
}

pub(super) fn whole(whole: Whole) -> bridge::Whole {
    match whole {
        Whole::Clear => bridge::Whole::Clear,
        Whole::Invalidate => bridge::Whole::Invalidate,
        Whole::Destroy => bridge::Whole::Destroy,
    }
}

pub(super) fn drained(drained: bridge::Drained) -> Drained {
    match drained {
        bridge::Drained::Upto(position) => Drained::Upto(position),
        bridge::Drained::Lapped { oldest } => Drained::Lapped { oldest },
    }
}

pub(super) fn applied(applied: bridge::Applied) -> Applied {
    match applied {
        bridge::Applied::Newer => Applied::Newer,
        bridge::Applied::Older => Applied::Older,
        bridge::Applied::Equal => Applied::Equal,
        bridge::Applied::Unknown => Applied::Unknown,
    }
}

pub(super) fn origin_to_core(state: bridge::OriginState) -> OriginState {
    OriginState {
        origin: state.origin,
        epoch: state.epoch,
        position: state.position,
        closed: state.closed,
    }
}

pub(super) fn origin_to_library(state: OriginState) -> bridge::OriginState {
    bridge::OriginState {
        origin: state.origin,
        epoch: state.epoch,
        position: state.position,
        closed: state.closed,
    }
}

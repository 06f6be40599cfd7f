use super::*;
use crate::region::attributes::{Interest, Shortcut};
use crate::region::expiry::{Expiry, ExpiryAction};
use std::time::Duration;

/// What becomes of a combination.
#[derive(Debug, PartialEq)]
enum Verdict {
    Built,
    /// Words of the reason and of the remedy.
    Invalid(&'static str, &'static str),
    /// A word of what is missing.
    NotYet(&'static str),
}
use Verdict::{Built, Invalid, NotYet};

fn of(policy: DataPolicy, scope: Scope) -> Attributes {
    Attributes { data_policy: policy, scope, ..Attributes::LOCAL }
}

fn expiring(attributes: Attributes, action: ExpiryAction) -> Attributes {
    let expiry = Some(Expiry { after: Duration::from_secs(1), action });
    Attributes { entry_ttl: expiry, ..attributes }
}

fn idle(attributes: Attributes) -> Attributes {
    let expiry = Some(Expiry::destroy(Duration::from_secs(1)));
    Attributes { entry_idle: expiry, ..attributes }
}

fn evicting(attributes: Attributes) -> Attributes {
    Attributes { eviction: Eviction::S3Fifo, ..attributes }
}

fn early(attributes: Attributes) -> Attributes {
    Attributes { early_ack: true, ..attributes }
}

/// Every data policy with every scope, without anything else.
fn policies_and_scopes() -> Vec<(Attributes, Verdict)> {
    use DataPolicy::{Empty, Normal, PersistentReplicate, Preloaded, Replicate};
    use Scope::{DistributedAck, DistributedNoAck, Global, Local};
    let mut rows = Vec::new();
    for policy in [Empty, Normal, Preloaded, Replicate] {
        rows.push((of(policy, Local), Built));
        rows.push((of(policy, Global), NotYet("`global`")));
    }
    for scope in [DistributedNoAck, DistributedAck] {
        for policy in [Empty, Normal, Preloaded, Replicate] {
            rows.push((of(policy, scope), Built));
        }
    }
    for scope in [Local, DistributedNoAck, DistributedAck] {
        rows.push((of(PersistentReplicate, scope), NotYet("`persistent-replicate`")));
    }
    rows
}

/// Rows of the tables of refusals, and what stands beside them.
fn combinations() -> Vec<(Attributes, Verdict)> {
    use ExpiryAction::{Destroy, Invalidate, LocalDestroy, LocalInvalidate};
    let replicate = Attributes::REPLICATE;
    let persistent = of(DataPolicy::PersistentReplicate, Scope::DistributedAck);
    let empty = of(DataPolicy::Empty, Scope::Local);
    let local = Attributes::LOCAL;
    let zero = Some(Expiry::destroy(Duration::ZERO));
    let mut rows = vec![
        (Attributes { alignment: 12, ..local.clone() }, Invalid("alignment 12", "leave it at 8")),
        (Attributes { max_bytes: 1, ..local.clone() }, Invalid("max_bytes 1", "give max_bytes")),
        (
            Attributes { max_entries: 5, ..local.clone() },
            Invalid("nothing is evicted", "`s3-fifo`"),
        ),
        (Attributes { entry_ttl: zero, ..local.clone() }, Invalid("is zero", "longer time")),
        (Attributes { entry_idle: zero, ..local.clone() }, Invalid("is zero", "longer time")),
        (evicting(local.clone()), Built),
        (idle(local.clone()), Built),
        (evicting(of(DataPolicy::Preloaded, Scope::Local)), Built),
        (evicting(of(DataPolicy::Replicate, Scope::Local)), Invalid("every entry", "`normal`")),
        (evicting(Attributes::NORMAL), Built),
        (evicting(empty.clone()), Invalid("no entries to evict", "`preloaded`")),
        (idle(empty.clone()), Invalid("no entries to expire", "`normal`")),
        (idle(replicate.clone()), NotYet("`entry_idle`")),
        (Attributes { old_values: true, ..empty }, Invalid("no old values", "leave it out")),
        (Attributes { old_values: true, ..replicate.clone() }, Built),
        (Attributes { interest: Interest::All, ..replicate.clone() }, Built),
        (early(replicate.clone()), Built),
        (early(local.clone()), Invalid("`local` waits", "`distributed-ack`")),
        (
            early(of(DataPolicy::Replicate, Scope::DistributedNoAck)),
            Invalid("`distributed-no-ack` waits", "leave early_ack out"),
        ),
    ];
    for attributes in [replicate, persistent] {
        rows.push((evicting(attributes.clone()), Invalid("every entry", "`preloaded`")));
        for action in [LocalDestroy, LocalInvalidate] {
            let expiring = expiring(attributes.clone(), action);
            rows.push((expiring, Invalid("from one replicate only", "`destroy`")));
        }
    }
    for action in [Destroy, Invalidate, LocalDestroy, LocalInvalidate] {
        rows.push((expiring(local.clone(), action), Built));
        rows.push((expiring(of(DataPolicy::Replicate, Scope::Local), action), Built));
        let empty = expiring(Attributes::REPLICATE_PROXY, action);
        rows.push((empty, Invalid("no entries to expire", "`normal`")));
        rows.push((expiring(Attributes::NORMAL, action), Built));
    }
    rows
}

#[test]
fn every_combination_is_built_refused_or_announced() {
    for (attributes, verdict) in policies_and_scopes().into_iter().chain(combinations()) {
        match (attributes.plan("prices"), verdict) {
            (Ok(_), Built) => {}
            (Err(Error::InvalidAttributes { region, reason, remedy }), Invalid(why, what)) => {
                assert_eq!(region, "prices");
                assert!(reason.contains(why), "{reason}");
                assert!(remedy.contains(what), "{remedy}");
            }
            (Err(Error::NotBuiltYet { what }), NotYet(named)) => {
                assert!(what.contains(named), "{what}");
            }
            (found, wanted) => panic!("{attributes:?}: {found:?} instead of {wanted:?}"),
        }
    }
}

#[test]
fn a_shortcut_equals_its_attributes_one_by_one() {
    let one_by_one = [
        (Shortcut::Local, of(DataPolicy::Normal, Scope::Local)),
        (Shortcut::Normal, of(DataPolicy::Normal, Scope::DistributedAck)),
        (Shortcut::Preloaded, of(DataPolicy::Preloaded, Scope::DistributedAck)),
        (Shortcut::Replicate, of(DataPolicy::Replicate, Scope::DistributedAck)),
        (Shortcut::ReplicateProxy, of(DataPolicy::Empty, Scope::DistributedAck)),
    ];
    for (shortcut, attributes) in one_by_one {
        assert_eq!(Attributes::of(shortcut), attributes);
        assert_eq!(shortcut.to_string().parse(), Ok(shortcut));
    }
}

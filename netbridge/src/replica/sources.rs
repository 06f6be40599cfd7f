//! Where a new copy gets its content from.
//!
//! In this order: an initialised replicate; for a preloaded region another preloaded one; the union
//! of all copies there are. Of one kind the next is asked when one fails. A union takes an image of
//! every copy, one after the other; one that goes away meanwhile is left out, which is counted and
//! no warning. Versions decide what stays of a key that several have.

use super::link::Link;
use super::store::Policy;
use crate::port::ConnId;

/// What may be asked for a first image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sources {
    /// Nobody has anything.
    None,
    /// Any one of these is enough.
    One(Vec<ConnId>),
    /// All of these together.
    Union(Vec<ConnId>),
}

fn is_replicate(policy: u32) -> bool {
    policy == Policy::Replicate as u32 || policy == Policy::PersistentReplicate as u32
}

/// A replicate holds what is anywhere. What a copy that is none has found by itself no position
/// describes, so a replicate that meets it compares.
pub(crate) fn may_hold_more(link: &Link) -> bool {
    let stores = link.policy != Policy::Empty as u32;
    stores && !is_replicate(link.policy) && link.initialised && !link.compared
}

/// Sources for a first image of a region of this policy.
pub(crate) fn first_image<'l>(
    policy: Policy,
    links: impl Iterator<Item = &'l Link> + Clone,
) -> Sources {
    let of = |wanted: &dyn Fn(u32) -> bool| -> Vec<ConnId> {
        let fits = links.clone().filter(|l| l.initialised && wanted(l.policy));
        fits.map(|l| l.conn).collect()
    };
    let replicates = of(&is_replicate);
    if !replicates.is_empty() {
        return Sources::One(replicates);
    }
    let preloaded = of(&|policy| policy == Policy::Preloaded as u32);
    if policy == Policy::Preloaded && !preloaded.is_empty() {
        return Sources::One(preloaded);
    }
    let copies = of(&|policy| policy != Policy::Empty as u32);
    if copies.is_empty() { Sources::None } else { Sources::Union(copies) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(all: &[(Policy, bool)]) -> Vec<Link> {
        let link = |(n, (policy, initialised)): (usize, &(Policy, bool))| {
            let mut link = Link::new(ConnId(n as u64), n as u16 + 1);
            (link.policy, link.initialised) = (*policy as u32, *initialised);
            link
        };
        all.iter().enumerate().map(link).collect()
    }

    #[test]
    fn the_order_is_replicate_preloaded_union() {
        use Policy::{Empty, Normal, PersistentReplicate, Preloaded, Replicate};
        use Sources::{None, One, Union};
        let ids = |n: &[u64]| n.iter().map(|n| ConnId(*n)).collect::<Vec<_>>();
        type Row = (Policy, &'static [(Policy, bool)], Sources);
        let table: [Row; 9] = [
            (Replicate, &[], None),
            (Replicate, &[(Empty, true), (Replicate, false)], None),
            (Replicate, &[(Normal, true), (Replicate, true)], One(ids(&[1]))),
            (Replicate, &[(PersistentReplicate, true), (Replicate, true)], One(ids(&[0, 1]))),
            (Replicate, &[(Normal, true), (Preloaded, true), (Empty, true)], Union(ids(&[0, 1]))),
            (Preloaded, &[(Normal, true), (Preloaded, true)], One(ids(&[1]))),
            (Preloaded, &[(Preloaded, true), (Replicate, true)], One(ids(&[1]))),
            (Preloaded, &[(Replicate, false), (Preloaded, true)], One(ids(&[1]))),
            (Preloaded, &[(Preloaded, false), (Normal, true)], Union(ids(&[1]))),
        ];
        for (policy, peers, wanted) in table {
            let links = copies(peers);
            assert_eq!(first_image(policy, links.iter()), wanted, "{policy:?} {peers:?}");
        }
    }
}

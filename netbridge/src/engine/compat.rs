//! Whether two nodes may replicate a region of one name with each other.
//!
//! Compared are the attributes that would make the copies disagree. A region that runs is never
//! refused: the *newcomer* is, the one that is not initialised yet. It is then replicated with
//! nobody and does not become ready; both sides list every difference. Two regions that both run
//! (created while the nodes were apart) go on, each by itself.

use std::fmt;

use serde::Serialize;

use crate::replica::store::{Policy, policy_name, scope_name};
use crate::wire::control::Profile;

/// An attribute in which two regions of one name differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Name of the attribute.
    pub attribute: &'static str,
    /// Here.
    pub ours: String,
    /// On the other node.
    pub theirs: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} here, {} there", self.attribute, self.ours, self.theirs)
    }
}

/// Whose region is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// This node's: the other one runs already.
    Here,
    /// The other node's: this one runs already.
    There,
    /// Neither: both run, or neither does yet.
    Neither,
}

/// Who came later.
pub(super) fn newcomer(ours: &Profile, theirs: &Profile) -> Refused {
    match (ours.initialised, theirs.initialised) {
        (false, true) => Refused::Here,
        (true, false) => Refused::There,
        _ => Refused::Neither,
    }
}

/// Every attribute that keeps the two apart.
pub(super) fn differences(ours: &Profile, theirs: &Profile) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |attribute, ours: &str, theirs: &str| {
        let (ours, theirs) = (ours.to_owned(), theirs.to_owned());
        found.push(Difference { attribute, ours, theirs });
    };
    if ours.scope != theirs.scope {
        differ("scope", scope_name(ours.scope), scope_name(theirs.scope));
    }
    let persistence_differs = is_persistent(ours) != is_persistent(theirs);
    // With persistence on one side concurrency checks are on, whatever was asked for.
    let exempt = is_empty(ours) || is_empty(theirs) || persistence_differs;
    if ours.concurrency_checks != theirs.concurrency_checks && !exempt {
        let text = |p: &Profile| if p.concurrency_checks { "on" } else { "off" };
        differ("concurrency checks", text(ours), text(theirs));
    }
    if late_persistence(ours, theirs) || late_persistence(theirs, ours) {
        differ("data policy", policy_name(ours.policy), policy_name(theirs.policy));
    }
    found
}

/// A persistent region must be there first: what the running ones hold is on no disk.
fn late_persistence(new: &Profile, running: &Profile) -> bool {
    let late = !new.initialised && running.initialised;
    late && is_persistent(new) && !is_persistent(running) && !is_empty(running)
}

fn is_persistent(p: &Profile) -> bool {
    p.policy == Policy::PersistentReplicate as u32
}

fn is_empty(p: &Profile) -> bool {
    p.policy == Policy::Empty as u32
}

/// The attributes that are compared, in one line.
pub(super) fn describe(p: &Profile) -> String {
    let checks = if p.concurrency_checks { "on" } else { "off" };
    let (policy, scope) = (policy_name(p.policy), scope_name(p.scope));
    format!("data policy {policy}, scope {scope}, concurrency checks {checks}")
}

/// What the operator is told.
pub(super) fn explain(
    region: &str,
    origin: u16,
    refused: Refused,
    differences: &[Difference],
) -> String {
    let listed: Vec<String> = differences.iter().map(Difference::to_string).collect();
    let listed = listed.join("; ");
    let remedy = match refused {
        Refused::Here => format!(
            "it runs there, so it is refused here: destroy it here and create it like on node \
             {origin}"
        ),
        Refused::There => "it runs here, so it is refused there".into(),
        Refused::Neither => "create it with the same attributes on both".into(),
    };
    format!("region {region} is not replicated with node {origin}: {listed}; {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(policy: Policy, initialised: bool) -> Profile {
        Profile {
            policy: policy as u32,
            scope: 2,
            concurrency_checks: true,
            initialised,
            ..Profile::default()
        }
    }

    fn names(a: &Profile, b: &Profile) -> Vec<&'static str> {
        differences(a, b).iter().map(|d| d.attribute).collect()
    }

    #[test]
    fn every_difference_is_listed_and_data_policies_mix() {
        let a = profile(Policy::Replicate, true);
        for policy in [Policy::Empty, Policy::Normal, Policy::Preloaded, Policy::Replicate] {
            assert!(differences(&a, &profile(policy, false)).is_empty(), "{policy:?}");
        }
        let b = Profile { scope: 1, concurrency_checks: false, ..a.clone() };
        assert_eq!(names(&a, &b), ["scope", "concurrency checks"]);
        let text = explain("r", 2, Refused::Here, &differences(&a, &b));
        assert!(text.contains("distributed-ack here, distributed-no-ack there"), "{text}");
        assert!(text.contains("checks on here, off there") && text.contains("node 2"), "{text}");
    }

    #[test]
    fn empty_regions_need_not_agree_about_concurrency_checks() {
        let a = profile(Policy::Replicate, true);
        let b = Profile { concurrency_checks: false, ..profile(Policy::Empty, false) };
        assert!(differences(&a, &b).is_empty());
        let b = Profile { concurrency_checks: false, ..profile(Policy::Normal, false) };
        assert_eq!(names(&a, &b), ["concurrency checks"]);
    }

    #[test]
    fn persistent_regions_come_first() {
        let (running, new) = (Policy::Replicate, Policy::PersistentReplicate);
        assert_eq!(names(&profile(running, true), &profile(new, false)), ["data policy"]);
        assert_eq!(names(&profile(new, false), &profile(running, true)), ["data policy"]);
        assert!(names(&profile(running, false), &profile(new, true)).is_empty());
        assert!(names(&profile(Policy::Empty, true), &profile(new, false)).is_empty());
    }

    #[test]
    fn the_newcomer_is_the_one_that_is_not_initialised() {
        let (running, new) = (profile(Policy::Replicate, true), profile(Policy::Replicate, false));
        assert_eq!(newcomer(&new, &running), Refused::Here);
        assert_eq!(newcomer(&running, &new), Refused::There);
        assert_eq!(newcomer(&running, &running), Refused::Neither);
    }
}

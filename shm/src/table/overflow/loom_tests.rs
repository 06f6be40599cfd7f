//! Adding overflow buckets under all interleavings of two threads.

use std::sync::Arc;

use super::{Extended, extend, recover};
use crate::layout::bucket::Bucket;
use crate::layout::word::SlotRef;
use crate::sync::{AtomicU64, SeqCst};
use crate::table::View;

struct Table {
    /// One primary bucket and two in the arena.
    buckets: [Bucket; 3],
    claims: [AtomicU64; 2],
}

fn zero() -> AtomicU64 {
    AtomicU64::new(0)
}

impl Table {
    fn new() -> Arc<Self> {
        let bucket =
            |_| Bucket { header: zero(), slots: core::array::from_fn(|_| zero()), link: zero() };
        Arc::new(Self { buckets: core::array::from_fn(bucket), claims: [zero(), zero()] })
    }

    fn view(&self) -> View<'_> {
        View { log2: 0, buckets: &self.buckets }
    }

    fn extend(&self, user: usize) -> bool {
        extend(self.view(), &self.claims[user], 0, usize::MAX) != Extended::Full
    }

    /// One bucket is linked, the other free.
    fn assert_one_linked(&self) {
        let link = self.buckets[0].link.load(SeqCst) as usize;
        assert!(link == 2 || link == 3, "{link}");
        let claims = [1, 2].map(|number| self.buckets[number].header.load(SeqCst));
        assert_eq!(claims, if link == 2 { [1, 0] } else { [0, 1] }, "a bucket leaked");
    }
}

fn explore(f: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = None;
    model.check(f);
}

#[test]
fn loom_two_extend_one_chain() {
    explore(|| {
        let table = Table::new();
        let other = Arc::clone(&table);
        let other = loom::thread::spawn(move || other.extend(1));
        assert!(table.extend(0));
        assert!(other.join().expect("no panic"));
        table.assert_one_linked();
    });
}

#[test]
fn loom_recovery_of_a_claim_races_an_extender() {
    for claimed in [false, true] {
        explore(move || {
            let table = Table::new();
            // A thread died after it had described its claim, or after the claim itself.
            let claim = SlotRef::new(1, 0);
            table.claims[1].store(claim.to_word(), SeqCst);
            if claimed {
                table.buckets[1].header.store(1, SeqCst);
            }
            let other = Arc::clone(&table);
            let recovery = loom::thread::spawn(move || recover(other.view(), claim));
            assert!(table.extend(0));
            recovery.join().expect("no panic");
            table.assert_one_linked();
        });
    }
}

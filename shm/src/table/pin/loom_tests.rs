//! Pins against the retirement of a table, with the barrier that the system makes in the library.

use std::sync::Arc;

use super::pin;
use crate::sync::{AtomicU64, SeqCst, fence};

#[test]
fn loom_nobody_looks_at_a_table_that_is_gone() {
    loom::model(|| {
        let words = Arc::new([AtomicU64::new(4), AtomicU64::new(0)]);
        let memory = Arc::new(loom::cell::UnsafeCell::new(0u64));
        let (theirs, buckets) = (Arc::clone(&words), Arc::clone(&memory));
        let reader = loom::thread::spawn(move || {
            let pin = pin(&theirs[1], &theirs[0]);
            if pin.log2 == 4 {
                // SAFETY: loom reports a write that is concurrent to this read.
                buckets.with(|bucket| assert_eq!(unsafe { *bucket }, 0));
            }
            pin.release();
        });
        words[0].store(5, SeqCst);
        fence(SeqCst);
        if words[1].load(SeqCst) == 0 {
            // SAFETY: as above.
            memory.with_mut(|bucket| unsafe { *bucket = 1 });
        }
        reader.join().expect("no panic");
    });
}

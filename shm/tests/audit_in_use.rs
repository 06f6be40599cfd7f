//! The audit beside writers: what is in motion is no damage.

use std::sync::atomic::{AtomicBool, Ordering};

use vug::Node;
use vug::check::{check_file, check_file_in_use};
use vug::doctor::{Severity, examine};

#[test]
fn a_region_that_is_written_to_is_not_called_damaged() {
    let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("home");
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(2 << 20).create().expect("create");
    let done = AtomicBool::new(false);
    /// Ends the writer also when an assertion fails.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0_u32.. {
                region.put(&(n % 500).to_le_bytes(), &[n as u8; 100]).expect("put");
                if done.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let _end = End(&done);
        for _ in 0..20 {
            let report = check_file_in_use(region.path()).expect("check");
            assert!(report.is_clean(), "{:#?}", report.problems);
        }
        let found = examine(home.path()).expect("examine");
        let serious = found.iter().find(|finding| finding.severity == Severity::Critical);
        assert!(serious.is_none_or(|finding| finding.kind != "damage"), "{serious:#?}");
    });
    assert!(check_file(region.path()).expect("check").is_clean());
}

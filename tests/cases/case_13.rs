//! Replace, delete, expire and move the same few records from four processes, some of which die on
//! the way: every record is counted once, and what the counters say is what a recount finds.

use crate::stopped::nursery;
use std::process::Stdio;
use vug::{MaintainOptions, Statistics};
use vug_tests::assert_clean;
use vug_tests::damage::Random;
use vug_tests::victim::LOCAL;

/// Where one of the four dies: between taking a record out and counting it, and around.
const DEATHS: [&str; 12] = [
    "write.replaced",
    "retire.marked",
    "write.retired",
    "write.dropped",
    "clean.intended",
    "clean.moved",
    "clean.marked",
    "clean.retired",
    "sweep.found",
    "sweep.expired",
    "reclaim.quarantined",
    "reclaim.freed",
];

#[test]
fn case_13_replace_delete_expire_and_move_one_record() {
    let nursery = nursery();
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let mut random = Random(13);
    for round in 0..12_u64 {
        let mut fighters = Vec::new();
        for place in 0..4 {
            let seed = (round * 4 + place + 1).to_string();
            let mut command = nursery.command("brawl", &[&seed]);
            if place % 2 == 0 {
                let at = DEATHS[random.below(DEATHS.len())];
                command.env("VUG_CRASH_AT", format!("{at}:{}", 1 + random.below(40)));
            }
            fighters.push(command.stdout(Stdio::null()).spawn().expect("it starts"));
        }
        for (place, mut fighter) in fighters.into_iter().enumerate() {
            let status = fighter.wait().expect("it ends");
            assert!(status.success() || place % 2 == 0, "{status}");
        }
        node.recover().expect("recover");
        region.maintain(&MaintainOptions::thorough()).expect("maintain");
        let report = assert_clean(region.path()).expect("an audit");
        let Statistics { live_bytes, dead_bytes, .. } = region.statistics();
        assert_eq!(report.entries, region.len().expect("len"), "round {round}");
        // What a death kept from being counted is known once all has been walked; then nothing
        // may have been counted twice.
        assert_eq!(live_bytes + dead_bytes, report.live_bytes + report.dead_bytes);
        assert!(dead_bytes <= report.dead_bytes, "{dead_bytes} of {}", report.dead_bytes);
    }
    let keys: Vec<Vec<u8>> = region.iter().map(|entry| entry.expect("entry").key).collect();
    for key in keys {
        region.remove(&key).expect("remove");
    }
    region.maintain(&MaintainOptions::thorough()).expect("maintain");
    let report = assert_clean(region.path()).expect("an audit");
    assert_eq!((report.entries, report.live_bytes), (0, 0));
}

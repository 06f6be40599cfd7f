//! A guard keeps its bytes; and a control that shows that the test would notice if it did not.

use vug_tests::victim::{LOCAL, Nursery, encode};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
/// Writes of 1000 bytes that go many times through all memory of the region.
const WRITES: &str = "20000";
const LEN: usize = 20_000;

/// Guards on values in different segments, held while another process overwrites everything.
struct Seen {
    /// Guards whose bytes changed.
    torn: usize,
    /// Memory of the region afterwards.
    backed: u64,
}

fn hold_and_overwrite(guards: usize, skip_hazard_scan: bool) -> Seen {
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let mut held = Vec::new();
    for n in 0..guards as u64 {
        region.put(b"held", &encode(n + 1, LEN)).expect("put");
        held.push(region.get(b"held").expect("get").expect("there"));
        // The next value comes into another segment.
        for other in 0..4 {
            region.put(b"other", &encode(other, LEN)).expect("put");
        }
    }
    region.put(b"held", &encode(0, LEN)).expect("put");
    let mut command = nursery.command("overwrite", &[WRITES]);
    if skip_hazard_scan {
        command.env("VUG_SKIP_HAZARD_SCAN", "1");
    }
    let output = command.output().expect("start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = |(n, guard): (usize, &vug::Guard<'_>)| {
        // The compiler may not remember what the bytes were.
        let bytes: &[u8] = std::hint::black_box(guard);
        bytes == encode(n as u64 + 1, LEN)
    };
    let intact = held.iter().enumerate().filter(|&(n, guard)| whole((n, guard))).count();
    Seen { torn: guards - intact, backed: region.statistics().backed_bytes }
}

#[test]
fn without_the_look_at_hazards_guards_are_torn() {
    assert!(hold_and_overwrite(5, true).torn > 0);
}

#[test]
fn guards_keep_their_bytes_and_one_segment_each() {
    let without = hold_and_overwrite(0, false);
    // Six by hazard words, the others by pin words.
    for guards in [1, 5, 10] {
        let with = hold_and_overwrite(guards, false);
        assert_eq!(with.torn, 0);
        let segment = 64 << 10;
        // One more may have been begun beside those that are held.
        let (most, is) = (without.backed + (guards as u64 + 1) * segment, with.backed);
        assert!(is <= most, "{guards} guards: {is} instead of {most} bytes");
    }
}

//! The bytes of the fuzzer choose a shape of file, what is damaged in it, and the operations.
//!
//! Input: shape (1 byte), seed of the operations (1 byte), then blows of 13 bytes: part of the file
//! (1), offset in it (4), word (8) that is combined with the word there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::OnceLock;
use vug_tests::TempHome;
use vug_tests::damage::{Layout, Random, Shape, exercise, prepare, seal};

struct Bench {
    home: TempHome,
    shapes: Vec<(Shape, Layout)>,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let home = TempHome::new();
        // Without a victim binary there is no shape with the leftovers of the dead.
        let victim = std::env::var_os("VUG_VICTIM").map(PathBuf::from);
        let shapes = prepare(victim.as_deref(), home.path());
        let shapes = shapes.into_iter().map(|shape| {
            let layout = Layout::of(&shape.bytes);
            (shape, layout)
        });
        Bench { shapes: shapes.collect(), home }
    })
}

fuzz_target!(|data: &[u8]| {
    let [shape, seed, blows @ ..] = data else { return };
    let bench = bench();
    let (shape, layout) = &bench.shapes[usize::from(*shape) % bench.shapes.len()];
    let mut bytes = shape.bytes.clone();
    for blow in blows.chunks_exact(13) {
        let part = &layout.parts[usize::from(blow[0]) % layout.parts.len()];
        let offset = u32::from_le_bytes([blow[1], blow[2], blow[3], blow[4]]) as usize;
        let at = (part.start + offset % (part.end - part.start)) & !7;
        for (target, by) in bytes[at..].iter_mut().zip(&blow[5..]) {
            *target ^= by;
        }
    }
    seal(&mut bytes);
    let path = bench.home.region_file("damaged");
    std::fs::write(&path, &bytes).expect("write");
    let _ = vug::check::check_file(&path);
    let node = vug::Node::open(bench.home.path()).expect("the node is good");
    if let Ok(region) = node.region("damaged").open() {
        exercise(&node, &region, &mut Random(u64::from(*seed)));
    }
});

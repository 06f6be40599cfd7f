//! Memory that goes back to the system.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use nix::fcntl::{FcntlArg, fcntl};
use vug::{Error, MaintainOptions, Node, Region};

const SEGMENT: u64 = 64 << 10;

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn region(home: &tempfile::TempDir, max_bytes: u64) -> Region {
    let node = Node::open(home.path()).expect("open");
    node.region("r").max_bytes(max_bytes).segment_bytes(SEGMENT).create().expect("create")
}

/// Bytes that the file takes.
fn taken(region: &Region) -> u64 {
    std::fs::metadata(region.path()).expect("the file").blocks() * 512
}

fn assert_clean(region: &Region) {
    let report = vug::check::check_file(region.path()).expect("it can be checked");
    assert!(report.is_clean(), "{:#?}", report.problems);
    let figures = region.statistics();
    assert_eq!(figures.backed_bytes, figures.max_bytes - report.unbacked_bytes);
    let fixed = report.file_bytes - figures.max_bytes;
    assert!(taken(region) <= fixed.next_multiple_of(4096) + figures.backed_bytes);
}

fn fill(region: &Region) -> u32 {
    for n in 0.. {
        match region.put(&u32::to_le_bytes(n), &[n as u8; 3000]) {
            Ok(_) => {}
            Err(Error::OutOfSpace { .. }) => return n,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("no region is endless")
}

#[test]
fn what_is_empty_goes_back_and_comes_again() {
    let home = home();
    let region = region(&home, 16 << 20);
    let fresh = taken(&region);
    assert_eq!(region.release_memory().expect("release"), 0);
    for round in 0..3 {
        let count = fill(&region);
        let full = taken(&region);
        assert!(full > fresh + (8 << 20), "{fresh} {full}");
        // What lives stays where it is.
        for n in (0..count).filter(|n| n % 400 != 0) {
            region.destroy(&n.to_le_bytes()).expect("destroy");
        }
        let released = region.release_memory().expect("release");
        assert!(released > full / 4, "{released}");
        assert!(taken(&region) + released <= full, "{released} {full} {}", taken(&region));
        assert_clean(&region);
        for n in (0..count).step_by(400) {
            let found = region.get(&n.to_le_bytes()).expect("get");
            assert_eq!(found.as_deref(), Some(&[n as u8; 3000][..]), "{round}");
        }
        // Moved together, it takes less.
        region.maintain(&MaintainOptions::thorough()).expect("maintain");
        region.release_memory().expect("release");
        assert_clean(&region);
        for n in (0..count).step_by(400) {
            let found = region.get(&n.to_le_bytes()).expect("get");
            assert_eq!(found.as_deref(), Some(&[n as u8; 3000][..]), "{round}");
            drop(found);
            region.destroy(&n.to_le_bytes()).expect("destroy");
        }
    }
    assert!(region.statistics().segments_released > 0);
}

#[test]
fn runs_go_back_as_well() {
    let home = home();
    let region = region(&home, 8 << 20);
    for round in 0..4 {
        let bytes = vec![round; 3 << 20];
        region.put(b"large", &bytes).expect("put");
        assert_eq!(region.get(b"large").expect("get").as_deref(), Some(&bytes[..]));
        region.destroy(b"large").expect("destroy");
        assert!(region.release_memory().expect("release") >= 3 << 20);
        assert_clean(&region);
    }
}

#[test]
fn nothing_goes_while_somebody_reads_without_hazards() {
    let home = home();
    let region = region(&home, 4 << 20);
    for n in 0..fill(&region) {
        region.destroy(&n.to_le_bytes()).expect("destroy");
    }
    let reader = File::open(region.path()).expect("open");
    let lock = nix::libc::flock {
        l_type: nix::libc::F_RDLCK as i16,
        l_whence: nix::libc::SEEK_SET as i16,
        l_start: 1 << 40,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(&reader, FcntlArg::F_OFD_SETLK(&lock)).expect("lock");
    assert_eq!(region.release_memory().expect("release"), 0);
    drop(reader);
    assert!(region.release_memory().expect("release") > 1 << 20);
    assert_clean(&region);
}

/// Threads write, read and give memory back at the same time.
#[test]
fn memory_comes_and_goes_under_writers() {
    let home = home();
    let region = region(&home, 4 << 20);
    std::thread::scope(|scope| {
        for thread in 0..2_u64 {
            let region = &region;
            scope.spawn(move || {
                for n in 0..4000_u64 {
                    let key = format!("{thread}-{}", n % 30);
                    let len = if n % 50 == 0 { 200_000 } else { 2000 };
                    region.put(key.as_bytes(), &vec![n as u8; len]).expect("put");
                    let found = region.get(key.as_bytes()).expect("get").expect("there");
                    assert!(found.len() == len && found.iter().all(|byte| *byte == n as u8));
                    drop(found);
                    if n % 30 == 29 {
                        for k in 0..30 {
                            region.remove(format!("{thread}-{k}").as_bytes()).expect("remove");
                        }
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..500 {
                region.release_memory().expect("release");
                std::thread::yield_now();
            }
        });
    });
    region.release_memory().expect("release");
    assert_clean(&region);
}

/// Maintenance gives memory back when nobody has taken any for a while, and only then.
#[test]
fn an_idle_region_gives_memory_back() {
    let home = home();
    let region = region(&home, 16 << 20);
    for n in 0..fill(&region) {
        region.destroy(&n.to_le_bytes()).expect("destroy");
    }
    let full = taken(&region);
    let maintain = |idle| {
        let mut options = MaintainOptions::default();
        options.idle = idle;
        region.maintain(&options).expect("maintain").bytes_released
    };
    let (hour, soon) = (Some(std::time::Duration::from_secs(3600)), Some(Default::default()));
    for idle in [None, hour, hour] {
        assert_eq!(maintain(idle), 0);
        assert_eq!(taken(&region), full);
    }
    let released = maintain(soon);
    assert!(released > 8 << 20, "{released}");
    assert_eq!(taken(&region), full - released);
    // What a burst needs at once keeps its memory, also from then on.
    let kept = taken(&region);
    assert_eq!(maintain(soon), 0);
    for n in 0..100_u32 {
        region.put(&n.to_le_bytes(), &[1; 3000]).expect("put");
    }
    assert_eq!(taken(&region), kept);
    assert_clean(&region);
}

/// The size that is given is a bound: a region takes what it holds.
#[test]
fn a_region_of_64_gib_costs_what_it_holds() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("vast").max_bytes(64 << 30).create().expect("create");
    let fresh = taken(&region);
    println!("a fresh region of 64 GiB takes {fresh} bytes");
    assert!(fresh < 32 << 20, "{fresh}");
    for n in 0..100_u32 {
        region.put(&n.to_le_bytes(), &[7; 100_000]).expect("put");
    }
    assert!(taken(&region) < fresh + (12 << 20), "{}", taken(&region));
    for n in 0..100_u32 {
        region.destroy(&n.to_le_bytes()).expect("destroy");
    }
    assert!(region.release_memory().expect("release") >= 9 << 20);
    assert!(taken(&region) <= fresh + (1 << 20));
}

//! A full memory file system gives a typed error, never a signal. Needs root for a small tmpfs of
//! its own, mounted where only the testing thread sees it.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::path::Path;
use vug::{Error, Node};
use vug_tests::{TempHome, assert_clean, have_root};

/// A tmpfs over a directory, for this thread only; unmounted on drop.
struct SmallTmpfs<'d> {
    directory: &'d Path,
}

impl SmallTmpfs<'_> {
    /// `None`, with a word about it, where the machine does not let even root mount.
    fn mount(directory: &Path, bytes: u64) -> Option<SmallTmpfs<'_>> {
        let nothing = None::<&str>;
        let options = format!("size={bytes},mode=0700");
        let mounted = unshare(CloneFlags::CLONE_NEWNS)
            .and_then(|()| {
                let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
                mount(nothing, "/", nothing, private, nothing)
            })
            .and_then(|()| {
                let options = Some(options.as_str());
                mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), options)
            });
        match mounted {
            Ok(()) => Some(SmallTmpfs { directory }),
            Err(errno) => {
                println!("skipped: cannot mount a tmpfs here: {errno}");
                None
            }
        }
    }

    fn names(&self) -> Vec<String> {
        std::fs::read_dir(self.directory)
            .expect("the mounted directory")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect()
    }
}

impl Drop for SmallTmpfs<'_> {
    fn drop(&mut self) {
        // Fails only when a failing test still holds a mapping; the name space goes with the
        // thread.
        let _ = umount2(self.directory, MntFlags::MNT_DETACH);
    }
}

fn explains(error: &Error, place: &str) {
    let text = error.to_string();
    assert!(text.contains(place), "`{text}` does not name {place}");
    assert!(!error.help().trim().is_empty());
}

#[test]
fn case_09_no_room_for_a_node() {
    if !have_root() {
        return;
    }
    let home = TempHome::new();
    let Some(_tmpfs) = SmallTmpfs::mount(home.path(), 8192) else {
        return;
    };
    let error = Node::open(home.path()).expect_err("8 KiB are too little");
    assert!(matches!(error, Error::FileSystemFull { .. }), "{error}");
    explains(&error, &home.path().display().to_string());
}

#[test]
fn case_09_no_room_to_create_a_region() {
    if !have_root() {
        return;
    }
    let home = TempHome::new();
    let Some(tmpfs) = SmallTmpfs::mount(home.path(), 2 << 20) else {
        return;
    };
    let node = home.node();
    // What is left now is too little for the fixed parts of a region.
    std::fs::write(home.path().join("ballast"), vec![1; (1 << 20) + (900 << 10)])
        .or_else(|error| if error.raw_os_error() == Some(28) { Ok(()) } else { Err(error) })
        .expect("ballast");
    let before = tmpfs.names();
    let result = node.region("big").max_bytes(1 << 30).create();
    let error = result.expect_err("there is no room");
    assert!(matches!(error, Error::FileSystemFull { .. }), "{error}");
    explains(&error, &home.path().display().to_string());
    assert_eq!(tmpfs.names(), before, "something was left behind");
}

#[test]
fn case_09_the_file_system_fills_up_while_writing() {
    if !have_root() {
        return;
    }
    let home = TempHome::new();
    let Some(_tmpfs) = SmallTmpfs::mount(home.path(), 8 << 20) else {
        return;
    };
    let node = home.node();
    let builder = node.region("growing").max_bytes(16 << 20).segment_bytes(64 << 10);
    let region = match builder.create() {
        Ok(region) => region,
        // Taking all memory at creation is allowed; then this is the place for the error.
        Err(error) => {
            assert!(matches!(error, Error::FileSystemFull { .. }), "{error}");
            return;
        }
    };
    let value = vec![9; 4000];
    let mut stored = 0u32;
    let error = loop {
        match region.put(&stored.to_le_bytes(), &value) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::FileSystemFull { .. }), "after {stored}: {error}");
    explains(&error, &home.path().display().to_string());
    for n in 0..stored {
        let found = region.get(&n.to_le_bytes()).expect("get");
        assert_eq!(found.as_deref(), Some(&value[..]), "entry {n}");
    }
    assert_clean(region.path());
}

/// Fills up what is left of a file system.
fn ballast(home: &TempHome, leave: usize) {
    use std::io::Write;
    let mut file = std::fs::File::create(home.path().join("ballast")).expect("a file");
    let page = vec![1_u8; 4096];
    let mut written = 0_usize;
    while file.write_all(&page).is_ok() {
        written += page.len();
    }
    let keep = written.saturating_sub(leave) as u64;
    file.set_len(keep).expect("shorter");
}

/// What it has is enough for what lives: it goes on for ever, and takes more when there is more.
#[test]
fn case_09_a_region_works_on_with_the_memory_it_has() {
    if !have_root() {
        return;
    }
    let home = TempHome::new();
    let Some(_tmpfs) = SmallTmpfs::mount(home.path(), 12 << 20) else {
        return;
    };
    let node = home.node();
    let region = node.region("r").max_bytes(32 << 20).segment_bytes(64 << 10).create();
    let region = region.expect("it costs what it holds");
    let value = |n: u32| [n as u8; 1000];
    let count = 4000_u32;
    for n in 0..count {
        region.put(&n.to_le_bytes(), &value(n)).expect("put");
    }
    // What is dead by now is all the room there is.
    for n in 0..1300_u32 {
        region.put(&(n * 3).to_le_bytes(), &value(n * 3)).expect("put");
    }
    ballast(&home, 0);
    let mut random = vug_tests::damage::Random(9);
    for round in 0..40_000_u32 {
        let n = random.below(count as usize) as u32;
        if let Err(error) = region.put(&n.to_le_bytes(), &value(n)) {
            panic!("overwrite {round}: {error} {:?}", region.statistics());
        }
    }
    // No more than that: the error says why, and nothing is lost.
    let mut more = count;
    let error = loop {
        match region.put(&more.to_le_bytes(), &value(more)) {
            Ok(_) => more += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::FileSystemFull { .. }), "after {more}: {error}");
    explains(&error, &home.path().display().to_string());
    for n in 0..more {
        let found = region.get(&n.to_le_bytes()).expect("get");
        assert_eq!(found.as_deref(), Some(&value(n)[..]), "entry {n}");
    }
    // Room of its own is used again, also side by side.
    for n in (0..more).filter(|n| n % 2 == 0) {
        region.remove(&n.to_le_bytes()).expect("remove");
    }
    let large = vec![5; 500_000];
    region.put(b"large", &large).expect("half of it is free");
    assert_eq!(region.get(b"large").expect("get").as_deref(), Some(&large[..]));
    for n in (1..more).step_by(2) {
        region.put(&n.to_le_bytes(), &value(n)).expect("put");
    }
    std::fs::remove_file(home.path().join("ballast")).expect("the ballast goes");
    for n in 0..count + 4000 {
        region.put(&n.to_le_bytes(), &value(n)).expect("there is memory again");
    }
    assert_clean(region.path());
}

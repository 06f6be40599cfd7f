use super::*;
use crate::os::fork::tests::status_of_child;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tempfile::TempDir;

fn home() -> TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn of_many_creators_one_wins_and_nobody_sees_an_unfinished_file() {
    let home = home();
    let uid = std::fs::metadata(home.path()).unwrap().uid();
    let (barrier, winners) = (Barrier::new(8), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                let init = |map: &Arc<Mapping>| {
                    map.copy_in(0, b"complete").unwrap();
                    Ok(())
                };
                match create_atomic(home.path(), "f", 0o600, 8192, 4096, init).unwrap() {
                    Creation::Created(..) => drop(winners.fetch_add(1, Relaxed)),
                    Creation::Exists => {}
                }
                let file = open_existing(&home.path().join("f"), uid).unwrap();
                assert_eq!(file.metadata().unwrap().len(), 8192);
                let mut bytes = [0; 8];
                std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).unwrap();
                assert_eq!(&bytes, b"complete");
            });
        }
    });
    assert_eq!(winners.into_inner(), 1);
    assert_eq!(names(home.path()), ["f"]);
}

#[test]
fn a_failing_creation_leaves_nothing() {
    let home = home();
    let made = create_atomic(home.path(), "f", 0o600, 8192, 4096, |_| Err(Error::ForkedChild));
    assert!(matches!(made, Err(Error::ForkedChild)));
    assert!(names(home.path()).is_empty());
}

#[test]
fn the_way_without_unnamed_files_behaves_the_same() {
    let home = home();
    let path = home.path().join("f");
    let (first, second) =
        (Draft::named(home.path(), "f").unwrap(), Draft::named(home.path(), "f").unwrap());
    assert_eq!(names(home.path()).len(), 2);
    first.publish(&path).unwrap();
    let lost = second.publish(&path).unwrap_err();
    assert_eq!(lost.kind(), io::ErrorKind::AlreadyExists);
    drop(Draft::named(home.path(), "f").unwrap());
    assert_eq!(names(home.path()), ["f"]);
}

#[test]
fn what_is_not_our_plain_file_is_refused() {
    let home = home();
    let uid = std::fs::metadata(home.path()).unwrap().uid();
    let at = |name: &str| home.path().join(name);
    std::fs::write(at("plain"), b"x").unwrap();
    std::os::unix::fs::symlink(at("plain"), at("link")).unwrap();
    nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(open_existing(&at("plain"), uid).is_ok());
    let foreign = open_existing(&at("plain"), uid + 1);
    assert!(matches!(foreign, Err(Error::ForeignOwner { .. })));
    let link = open_existing(&at("link"), uid).unwrap_err();
    assert!(link.help().contains("symbolic link"), "{}", link.help());
    assert!(matches!(open_existing(&at("fifo"), uid), Err(Error::NotAVugFile { .. })));
    assert!(matches!(open_existing(&at("none"), uid), Err(Error::Io { .. })));
}

#[test]
fn a_disk_is_refused() {
    let dir = tempfile::Builder::new().prefix("vug-test-").tempdir().unwrap();
    let probe = File::create(dir.path().join("probe")).unwrap();
    if is_memory_backed(&probe).unwrap() || std::env::var_os("VUG_ALLOW_DISK").is_some() {
        println!("skipped: needs a temporary directory on a disk");
        return;
    }
    let made = create_atomic(dir.path(), "f", 0o600, 4096, 0, |_| Ok(()));
    assert!(matches!(made, Err(Error::NotMemoryBacked { .. })));
    assert_eq!(names(dir.path()), ["probe"]);
}

#[test]
fn a_full_file_system_is_an_error_and_leaves_nothing() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let home = home();
    let target = std::ffi::CString::new(home.path().to_str().unwrap()).unwrap();
    let status = status_of_child(|| {
        if !mount_one_mebibyte(&target) {
            return 77;
        }
        let made = create_atomic(home.path(), "f", 0o600, 1 << 30, 2 << 20, |_| Ok(()));
        let full = matches!(made, Err(Error::FileSystemFull { needed, .. }) if needed == 2 << 20);
        let fits = create_atomic(home.path(), "f", 0o600, 1 << 30, 1 << 19, |_| Ok(()));
        let Ok(Creation::Created(file, _)) = fits else {
            return 2;
        };
        let grown = back(&file, 1 << 19, 1 << 20, home.path());
        let refused = matches!(grown, Err(Error::FileSystemFull { .. }));
        if full && refused && names(home.path()) == ["f"] { 0 } else { 1 }
    });
    match status {
        77 => println!("skipped: needs permission to mount"),
        status => assert_eq!(status, 0),
    }
    assert!(names(home.path()).is_empty(), "the mount was private to the child");
}

/// In a mount namespace of the calling (child) process, which ends with it.
fn mount_one_mebibyte(target: &std::ffi::CStr) -> bool {
    // SAFETY: takes no pointers; the process has one thread.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return false;
    }
    let (none, private) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: strings are terminated, the other pointers may be null for this kind of call.
    if unsafe { libc::mount(none, c"/".as_ptr(), none, private, none.cast()) } != 0 {
        return false;
    }
    let size = c"size=1m".as_ptr().cast();
    // SAFETY: all strings are terminated and outlive the call.
    unsafe { libc::mount(c"vug".as_ptr(), target.as_ptr(), c"tmpfs".as_ptr(), 0, size) == 0 }
}

#[test]
fn identities_are_not_zero_and_not_repeated() {
    assert_ne!(boot_id().unwrap(), 0);
    assert_eq!(boot_id().unwrap(), boot_id().unwrap());
    assert_ne!(random_u128().unwrap(), random_u128().unwrap());
}

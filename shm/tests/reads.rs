//! Ways to read besides `get`: many at once, pins that are listed.

use std::time::Duration;

use vug::{EntryView, Error, Node, Region, Values};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn region(home: &tempfile::TempDir, bytes: u64) -> (Node, Region) {
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(bytes).create().expect("create");
    (node, region)
}

#[test]
fn pins_and_guards_are_listed_with_their_member() {
    let home = home();
    let (node, region) = region(&home, 1 << 20);
    region.put(b"key", b"value").expect("put");
    assert!(region.pins().is_empty());
    assert_eq!(region.statistics().oldest_pin, None);
    let owned = region.get_owned(b"key").expect("get").expect("there");
    let guard = region.get(b"key").expect("get").expect("there");
    let me = node.members().into_iter().find(|member| member.myself).expect("a member").id;
    let pins = region.pins();
    assert_eq!(pins.len(), 2);
    assert!(pins.iter().all(|pin| pin.member == me && pin.segment == pins[0].segment));
    let age = pins.iter().find_map(|pin| pin.age).expect("the owned guard notes its time");
    assert!(age < Duration::from_secs(3600), "{age:?}");
    assert!(pins.iter().any(|pin| pin.age.is_none()), "the guard does not");
    let statistics = region.statistics();
    assert_eq!(statistics.pins, 1);
    assert!(statistics.oldest_pin >= Some(age));
    drop((owned, guard));
    assert!(region.pins().is_empty());
}

#[test]
fn many_keys_are_read_in_order_with_gaps_where_there_is_none() {
    let home = home();
    let (_node, region) = region(&home, 4 << 20);
    for n in (0..1000_u32).step_by(2) {
        region.put(&n.to_le_bytes(), &vec![n as u8; n as usize % 100]).expect("put");
    }
    for count in [0, 1, 15, 16, 17, 1000] {
        let keys: Vec<[u8; 4]> = (0..count).map(u32::to_le_bytes).collect();
        let mut next = 0;
        let check = |index: usize, entry: Option<EntryView<'_>>| {
            assert_eq!(index, next);
            next += 1;
            let expected = index.is_multiple_of(2).then(|| vec![index as u8; index % 100]);
            assert_eq!(entry.map(|entry| entry.value.to_vec()), expected);
            if let Some(entry) = entry {
                assert_eq!(entry.key, keys[index]);
            }
            // The visitor may use the region, and what it was lent stays.
            assert_eq!(region.get(&keys[index]).expect("get").is_some(), entry.is_some());
        };
        region.get_many(&keys, check).expect("get");
        assert_eq!(next, count as usize);
        let mut values = Values::new();
        region.get_many_into(&keys, &mut values).expect("get");
        assert_eq!(values.len(), count as usize);
        let all = region.get_all(&keys).expect("get");
        assert!(values.iter().eq(all.iter().map(Option::as_deref)));
    }
    let keys = [b"long enough".as_slice(), b""];
    let error = region.get_many(&keys, |_, _| panic!("nothing is read")).expect_err("no key");
    assert!(matches!(error, Error::InvalidKey { len: 0 }));
    assert!(region.pins().is_empty());
}

/// Whole run of this test again, in a mount namespace of its own with a file system that gives huge
/// pages.
#[test]
fn huge_pages_are_used_where_the_file_system_gives_them() {
    const HOME: &str = "VUG_TEST_HUGE_HOME";
    if let Some(home) = std::env::var_os(HOME) {
        let node = Node::open(home).expect("open");
        let region = node.region("r").max_bytes(64 << 20).create().expect("create");
        for n in 0..20_000_u32 {
            region.put(&n.to_le_bytes(), &[7; 1000]).expect("put");
        }
        for n in 0..20_000_u32 {
            assert_eq!(*region.get(&n.to_le_bytes()).expect("get").expect("there"), [7; 1000]);
        }
        let huge = region.huge_page_bytes().expect("smaps has the line");
        println!("{huge} of {} bytes", region.statistics().backed_bytes);
        assert!(huge > 8 << 20, "{huge}");
        return;
    }
    let home = home();
    let script = "mount -t tmpfs -o huge=always,size=256m vug-test \"$0\" && \
                  exec \"$1\" --exact huge_pages_are_used_where_the_file_system_gives_them";
    let program = std::env::current_exe().expect("this test");
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["-m", "sh", "-c", script]).arg(home.path()).arg(program);
    let output = unshare.env(HOME, home.path()).output();
    let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    let able = setting.is_ok_and(|setting| !setting.contains("[deny]"));
    match output {
        Ok(output) if able && !String::from_utf8_lossy(&output.stderr).contains("permitted") => {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}\n{errors}");
        }
        _ => println!("skipped: needs root, unshare(1), and huge pages for tmpfs not denied"),
    }
}

#[test]
fn a_handle_sees_every_change_of_its_key() {
    let home = home();
    let (_node, region) = region(&home, 4 << 20);
    let handle = region.handle(b"hot").expect("handle");
    assert_eq!(handle.token().expect("token"), None);
    assert!(handle.get().expect("get").is_none());
    let mut buffer = [0; 8];
    for round in 0..30_000_u64 {
        match round % 5 {
            4 => {
                region.remove(b"hot").expect("remove");
                assert_eq!(handle.read(&mut buffer).expect("read"), None);
                continue;
            }
            _ => region.put(b"hot", &round.to_le_bytes()).expect("put"),
        };
        // The index grows and segments are used again meanwhile.
        region.put(&(round % 15_000).to_le_bytes(), &[0; 100]).expect("put");
        for _ in 0..2 {
            assert_eq!(handle.read(&mut buffer).expect("read"), Some(8));
            assert_eq!(u64::from_le_bytes(buffer), round);
        }
        let guard = handle.get().expect("get").expect("there");
        assert_eq!(*guard, round.to_le_bytes());
        assert_eq!(Some(guard.token()), region.token(b"hot").expect("token"));
    }
    assert!(matches!(region.handle(b""), Err(Error::InvalidKey { .. })));
}

use std::collections::VecDeque;

use super::*;

struct Thing;

static REGIONS: Table<Thing, u32> = Table::new(Kind::Region);

fn code<T>(result: Result<T, Failure>) -> i32 {
    result.map_or_else(Failure::report, |_| 0)
}

fn value<H>(table: &Table<H, u32>, handle: *const H) -> Option<u32> {
    table.with(handle, |held| Ok(**held)).ok()
}

#[test]
fn a_closed_handle_stays_closed_when_its_slot_is_used_again() {
    let table: Table<Thing, u32> = Table::new(Kind::Region);
    let first = table.insert(1).expect("room");
    assert_eq!(value(&table, first), Some(1));
    assert_eq!(**table.get(first).expect("open"), 1);
    table.remove(first).expect("open");
    let second = table.insert(2).expect("room");
    assert_ne!(first, second);
    assert_eq!(second.addr() >> 8 & 0xff_ffff, 0, "the same slot");
    assert_eq!(code(table.get(first)), VUG_ERR_HANDLE);
    assert_eq!(code(table.remove(first)), VUG_ERR_HANDLE);
    assert_eq!(value(&table, second), Some(2));
}

#[test]
fn no_other_number_is_a_handle() {
    let handle = REGIONS.insert(1).expect("room");
    let other: Table<Thing, u32> = Table::new(Kind::Node);
    assert_eq!(code(other.get(handle)), VUG_ERR_HANDLE);
    for bit in 0..usize::BITS {
        let wrong: *const Thing = ptr::without_provenance(handle.addr() ^ (1 << bit));
        assert_eq!(code(REGIONS.get(wrong)), VUG_ERR_HANDLE);
        assert_eq!(code(REGIONS.remove(wrong)), VUG_ERR_HANDLE);
    }
    let on_stack = 0_u64;
    for wrong in [0, usize::MAX, (&raw const on_stack).addr()] {
        assert_eq!(code(REGIONS.get(ptr::without_provenance(wrong))), VUG_ERR_HANDLE);
    }
}

#[test]
fn a_slot_without_generations_left_is_retired() {
    let table: Table<Thing, u32> = Table::new(Kind::View);
    let first = table.insert(1).expect("room");
    table.remove(first).expect("open");
    table.slot(0).state.store(u64::from(u32::MAX - 1) << 1, Ordering::Relaxed);
    let last = table.insert(2).expect("room");
    assert_eq!(value(&table, last), Some(2));
    table.remove(last).expect("open");
    assert_eq!(code(table.get(last)), VUG_ERR_HANDLE);
    let next = table.insert(3).expect("room");
    assert_eq!(next.addr() >> 8 & 0xff_ffff, 1, "slot 0 must not come back");
}

#[test]
fn poison_stops_writes_and_nothing_else() {
    let table: Table<Thing, u32> = Table::new(Kind::Region);
    let handle = table.insert(1).expect("room");
    assert_eq!(code(table.get_for_write(handle)), 0);
    table.poison(handle.addr());
    assert_eq!(code(table.get_for_write(handle)), VUG_ERR_POISONED);
    assert_eq!(code(table.get(handle)), 0);
    assert_eq!(code(table.remove(handle)), 0);
}

/// An object that is dropped once, and knows it.
struct Watched(Arc<AtomicBool>);

impl Drop for Watched {
    fn drop(&mut self) {
        assert!(!self.0.swap(true, Ordering::SeqCst), "dropped twice");
    }
}

#[test]
fn what_is_closed_during_a_call_is_dropped_behind_it() {
    static TABLE: Table<Thing, Watched> = Table::new(Kind::Region);
    let dropped = Arc::new(AtomicBool::new(false));
    let handle = TABLE.insert(Watched(Arc::clone(&dropped))).expect("room");
    let address = handle.addr();
    let used = TABLE.with(handle, |held| {
        let closer = std::thread::spawn(move || {
            TABLE.remove(ptr::without_provenance(address)).map_err(Failure::report)
        });
        assert_eq!(closer.join().expect("the closer waits for nobody"), Ok(()));
        assert!(!held.0.load(Ordering::SeqCst), "dropped while in use");
        Ok(())
    });
    assert_eq!(code(used), 0);
    assert!(dropped.load(Ordering::SeqCst), "kept for ever");
    assert_eq!(code(TABLE.get(handle)), VUG_ERR_HANDLE);
}

#[test]
fn readers_and_closers_race() {
    static TABLE: Table<Thing, Watched> = Table::new(Kind::Region);
    static CURRENT: AtomicU64 = AtomicU64::new(0);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn(|| {
                let mut used = 0_u64;
                loop {
                    let address = CURRENT.load(Ordering::Acquire) as usize;
                    if address == usize::MAX {
                        return used;
                    }
                    let handle: *const Thing = ptr::without_provenance(address);
                    let result = TABLE.with(handle, |held| {
                        assert!(!held.0.load(Ordering::SeqCst), "dropped while in use");
                        Ok(())
                    });
                    used += u64::from(result.is_ok());
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for _ in 0..20_000 {
        let dropped = Arc::new(AtomicBool::new(false));
        let handle = TABLE.insert(Watched(Arc::clone(&dropped))).expect("room");
        CURRENT.store(handle.addr() as u64, Ordering::Release);
        all.push(dropped);
        if all.len() % 8 == 0 {
            std::thread::yield_now();
        }
        TABLE.remove(handle).expect("open");
    }
    CURRENT.store(u64::MAX, Ordering::Release);
    let used: u64 = readers.into_iter().map(|reader| reader.join().expect("a reader")).sum();
    assert!(used > 0, "no reader ever found an open handle");
    retire::look();
    assert!(all.iter().all(|dropped| dropped.load(Ordering::SeqCst)), "something was kept");
    assert!(TABLE.unused.load(Ordering::Relaxed) < 100, "slots are used again");
}

#[test]
fn threads_never_share_a_handle() {
    let table: Arc<Table<Thing, u32>> = Arc::new(Table::new(Kind::View));
    let threads: Vec<_> = (0..4_u32)
        .map(|thread| {
            let table = Arc::clone(&table);
            std::thread::spawn(move || {
                let mut open = VecDeque::new();
                for round in 0..20_000 {
                    let number = thread * 100_000 + round;
                    open.push_back((table.insert(number).expect("room").addr(), number));
                    if open.len() < 8 {
                        continue;
                    }
                    let (address, expected) = open.pop_front().expect("eight are open");
                    let handle: *const Thing = ptr::without_provenance(address);
                    assert_eq!(value(&table, handle), Some(expected));
                    table.remove(handle).expect("open");
                    assert_eq!(code(table.remove(handle)), VUG_ERR_HANDLE);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("thread");
    }
    let unused = table.unused.load(Ordering::Relaxed);
    assert!(unused <= 4 * 8, "{unused} slots for 4 times 8 handles");
}

//! A control: a hash table in shared memory, sharded, each shard under a robust process-shared
//! mutex.
//!
//! What one would write by hand with POSIX: open addressing per shard, keys and values of one
//! length in a slab, values overwritten in place. It survives a process that dies with a lock held
//! only so far that the lock can be taken again; a half-written value stays half-written.

use crate::mapping::SharedFile;
use crate::peer::Peer;
use crate::store::Store;
use crate::workload::{KEY_LEN, Load, key, mix};
use std::path::Path;

const SHARDS: usize = 256;
const LINE: usize = 64;

/// Makes and opens the table with locks.
#[derive(Debug)]
pub struct RobustMutex;

impl Peer for RobustMutex {
    fn name(&self) -> &'static str {
        "robust mutex"
    }

    fn configuration(&self) -> &'static str {
        "256 shards of open addressing, a robust mutex each, values of one length: a bound, no peer"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let geometry = Geometry::of(load);
        let file = SharedFile::create(SHARDS * geometry.shard_len)?;
        let table = Locked { file, geometry };
        (0..SHARDS).for_each(|shard| init(table.mutex(shard)));
        Ok(Box::new(table))
    }

    fn open(&self, place: &Path, load: Load) -> Result<Box<dyn Store>, String> {
        Ok(Box::new(Locked { file: SharedFile::open(place)?, geometry: Geometry::of(load) }))
    }
}

/// Where things are in a shard: mutex, number of values, slots, slab.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    value_len: usize,
    /// Slots of a shard, a power of two, at most two thirds full.
    slots: usize,
    /// Values of a shard.
    capacity: usize,
    slab_at: usize,
    stride: usize,
    shard_len: usize,
}

impl Geometry {
    fn of(load: Load) -> Geometry {
        // Shards are not equally full: leave an eighth and a bit.
        let mean = load.entries as usize / SHARDS;
        let capacity = mean + mean / 8 + 64;
        let slots = (capacity * 3 / 2).next_power_of_two();
        let slab_at = 2 * LINE + slots * 8;
        let stride = (KEY_LEN + load.value_len).next_multiple_of(16);
        let shard_len = (slab_at + capacity * stride).next_multiple_of(4096);
        Geometry { value_len: load.value_len, slots, capacity, slab_at, stride, shard_len }
    }
}

/// The table.
#[derive(Debug)]
struct Locked {
    file: SharedFile,
    geometry: Geometry,
}

/// A shard whose lock is held.
struct Shard<'t> {
    table: &'t Locked,
    number: usize,
}

impl Locked {
    fn at<T>(&self, shard: usize, offset: usize) -> *mut T {
        debug_assert!(offset + size_of::<T>() <= self.geometry.shard_len);
        // SAFETY: inside the file, which is that many shards long.
        unsafe { self.file.start().add(shard * self.geometry.shard_len + offset) }.cast()
    }

    fn mutex(&self, shard: usize) -> *mut libc::pthread_mutex_t {
        self.at(shard, 0)
    }

    fn lock(&self, shard: usize) -> Shard<'_> {
        // SAFETY: initialised by `create`, shared by processes, never destroyed.
        let status = unsafe { libc::pthread_mutex_lock(self.mutex(shard)) };
        if status == libc::EOWNERDEAD {
            // SAFETY: this thread has just got the lock of a dead owner.
            unsafe { libc::pthread_mutex_consistent(self.mutex(shard)) };
        }
        Shard { table: self, number: shard }
    }
}

impl Drop for Shard<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread holds it.
        unsafe { libc::pthread_mutex_unlock(self.table.mutex(self.number)) };
    }
}

/// A slot: high half of the hash, number of the value plus one; 0 = empty.
impl Shard<'_> {
    fn slot(&self, at: usize) -> *mut u64 {
        self.table.at(self.number, 2 * LINE + at * 8)
    }

    fn record(&self, value: usize) -> *mut u8 {
        let geometry = &self.table.geometry;
        assert!(value < geometry.capacity, "a shard of the control is full");
        self.table.at(self.number, geometry.slab_at + value * geometry.stride)
    }

    fn count(&mut self) -> &mut u64 {
        // SAFETY: aligned, in the file, and the lock is held.
        unsafe { &mut *self.table.at(self.number, LINE) }
    }

    /// The value of a key, or the empty slot where it would be.
    fn find(&self, key: &[u8; KEY_LEN], hash: u64) -> Result<*mut u8, *mut u64> {
        let mask = self.table.geometry.slots - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slot(at);
            // SAFETY: in the file; the lock is held.
            let word = unsafe { *slot };
            if word == 0 {
                return Err(slot);
            }
            if word >> 32 == hash >> 32 {
                let record = self.record(word as u32 as usize - 1);
                // SAFETY: a key lies there since the slot was set, under the same lock.
                let stored = unsafe { &*record.cast::<[u8; KEY_LEN]>() };
                if stored == key {
                    // SAFETY: the value follows the key.
                    return Ok(unsafe { record.add(KEY_LEN) });
                }
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, key: &[u8; KEY_LEN], hash: u64, slot: *mut u64) -> *mut u8 {
        let number = *self.count();
        let record = self.record(number as usize);
        // SAFETY: `record` checked that it is in the slab; nobody else is there: the lock is held.
        unsafe { *record.cast::<[u8; KEY_LEN]>() = *key };
        // SAFETY: as above, a slot of this shard.
        unsafe { *slot = (hash >> 32 << 32) | (number + 1) };
        *self.count() = number + 1;
        // SAFETY: the value follows the key.
        unsafe { record.add(KEY_LEN) }
    }
}

/// High bits choose the shard, low bits the slot.
fn hash_of(key: &[u8; KEY_LEN]) -> (usize, u64) {
    let [low, high] = [&key[..8], &key[8..]].map(|half| half.try_into().map(u64::from_le_bytes));
    let hash = mix(low.unwrap_or(0) ^ high.unwrap_or(0).rotate_left(32));
    let hash = mix(hash);
    ((hash >> 20) as usize % SHARDS, hash)
}

impl Store for Locked {
    fn name(&self) -> &'static str {
        RobustMutex.name()
    }

    fn place(&self) -> Option<&Path> {
        Some(self.file.path())
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        let key = key(n);
        let (shard, hash) = hash_of(&key);
        let shard = self.lock(shard);
        let found = shard.find(&key, hash);
        if let Ok(stored) = found {
            let len = value.len().min(self.geometry.value_len);
            // SAFETY: values have that length; the lock is held, and the buffer is the caller's.
            unsafe { stored.copy_to_nonoverlapping(value.as_mut_ptr(), len) };
        }
        found.is_ok()
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        let key = key(n);
        let (shard, hash) = hash_of(&key);
        let mut shard = self.lock(shard);
        let found = shard.find(&key, hash);
        let stored = found.unwrap_or_else(|slot| shard.insert(&key, hash, slot));
        let len = value.len().min(self.geometry.value_len);
        // SAFETY: as in `get`.
        unsafe { stored.copy_from_nonoverlapping(value.as_ptr(), len) };
        Ok(())
    }
}

fn init(mutex: *mut libc::pthread_mutex_t) {
    let mut attributes = std::mem::MaybeUninit::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: makes `attributes`.
    unsafe { libc::pthread_mutexattr_init(attributes) };
    // SAFETY: made above.
    unsafe { libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) };
    // SAFETY: as above.
    unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) };
    // SAFETY: in zeroed memory of a fresh file, which nobody else has yet.
    let status = unsafe { libc::pthread_mutex_init(mutex, attributes) };
    assert_eq!(status, 0, "a mutex in shared memory");
    // SAFETY: made above, not used again.
    unsafe { libc::pthread_mutexattr_destroy(attributes) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put() {
        let load = Load { entries: 5000, value_len: 64 };
        let table = RobustMutex.create(load).expect("a table");
        table.fill(load).expect("room");
        let again = RobustMutex.open(table.place().expect("a file"), load).expect("the table");
        let mut value = [0; 64];
        for n in 0..load.entries {
            assert!(again.get(n, &mut value), "{n}");
            assert_eq!(value[..4], n.to_le_bytes());
        }
        assert!(!again.get(load.entries, &mut value));
        again.put(7, &[9; 64]).expect("room");
        assert!(table.get(7, &mut value));
        assert_eq!(value, [9; 64]);
    }
}

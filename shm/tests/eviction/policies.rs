//! The policies a region is compared with, over sequences of key numbers; every entry counts one.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

/// Share of requests that find their key, of a policy that holds `capacity` keys.
pub(crate) type Policy = fn(&[u64], usize) -> f64;

fn share(hits: usize, trace: &[u64]) -> f64 {
    hits as f64 / trace.len() as f64
}

/// Least recently used.
pub(crate) fn lru(trace: &[u64], capacity: usize) -> f64 {
    let mut used: HashMap<u64, usize> = HashMap::new();
    let mut order: BTreeSet<(usize, u64)> = BTreeSet::new();
    let mut hits = 0;
    for (now, &key) in trace.iter().enumerate() {
        if let Some(before) = used.insert(key, now) {
            order.remove(&(before, key));
            hits += 1;
        } else if used.len() > capacity {
            let (_, oldest) = order.pop_first().expect("it is full");
            used.remove(&oldest);
        }
        order.insert((now, key));
    }
    share(hits, trace)
}

/// Second chance: a queue of keys with one bit each.
pub(crate) fn clock(trace: &[u64], capacity: usize) -> f64 {
    let mut used: HashMap<u64, bool> = HashMap::new();
    let mut queue = VecDeque::new();
    let mut hits = 0;
    for &key in trace {
        if let Some(bit) = used.get_mut(&key) {
            *bit = true;
            hits += 1;
            continue;
        }
        while used.len() >= capacity {
            let oldest = queue.pop_front().expect("it is full");
            if used.insert(oldest, false) == Some(true) {
                queue.push_back(oldest);
            } else {
                used.remove(&oldest);
            }
        }
        used.insert(key, false);
        queue.push_back(key);
    }
    share(hits, trace)
}

/// S3-FIFO entry by entry, as its paper has it, with the promotion that the region uses.
pub(crate) fn s3_fifo(trace: &[u64], capacity: usize) -> f64 {
    let small_most = capacity / 10;
    let mut used: HashMap<u64, u8> = HashMap::new();
    let (mut small, mut main) = (VecDeque::new(), VecDeque::new());
    let (mut ghosts, mut is_ghost) = (VecDeque::new(), HashSet::new());
    let mut hits = 0;
    for &key in trace {
        if let Some(count) = used.get_mut(&key) {
            *count = (*count + 1).min(3);
            hits += 1;
            continue;
        }
        while small.len() + main.len() >= capacity {
            if small.len() > small_most || main.is_empty() {
                let oldest = small.pop_front().expect("it is full");
                if used[&oldest] > 0 {
                    used.insert(oldest, 0);
                    main.push_back(oldest);
                } else {
                    used.remove(&oldest);
                    if is_ghost.insert(oldest) {
                        ghosts.push_back(oldest);
                    }
                    if ghosts.len() > capacity {
                        is_ghost.remove(&ghosts.pop_front().expect("not empty"));
                    }
                }
            } else {
                let oldest = main.pop_front().expect("not empty");
                match used[&oldest] {
                    0 => {
                        used.remove(&oldest);
                    }
                    count => {
                        used.insert(oldest, count - 1);
                        main.push_back(oldest);
                    }
                }
            }
        }
        used.insert(key, 0);
        if is_ghost.remove(&key) { main.push_back(key) } else { small.push_back(key) }
    }
    share(hits, trace)
}

/// Belady's optimum: the key that is used again last makes room, at once if it is the new one.
pub(crate) fn optimum(trace: &[u64], capacity: usize) -> f64 {
    let mut next = vec![usize::MAX; trace.len()];
    let mut seen: HashMap<u64, usize> = HashMap::new();
    for (now, &key) in trace.iter().enumerate().rev() {
        next[now] = seen.insert(key, now).unwrap_or(usize::MAX);
    }
    let mut held: HashMap<u64, usize> = HashMap::new();
    let mut order: BTreeSet<(usize, u64)> = BTreeSet::new();
    let mut hits = 0;
    for (now, &key) in trace.iter().enumerate() {
        if let Some(expected) = held.insert(key, next[now]) {
            order.remove(&(expected, key));
            hits += 1;
        }
        order.insert((next[now], key));
        if held.len() > capacity {
            let (_, last) = order.pop_last().expect("it is full");
            held.remove(&last);
        }
    }
    share(hits, trace)
}

#[test]
fn policies_do_what_they_say() {
    let loops: Vec<u64> = (0..100).flat_map(|_| 0..11).collect();
    assert_eq!(lru(&loops, 10), 0.0);
    assert_eq!(clock(&loops, 10), 0.0);
    assert!(optimum(&loops, 10) > 0.89);
    let hot = [1, 2, 1, 3, 1, 4, 1, 5, 1];
    for policy in [lru, clock, s3_fifo, optimum] as [Policy; 4] {
        assert_eq!(policy(&hot, 20), 4.0 / 9.0);
    }
    assert_eq!(lru(&hot, 2), 4.0 / 9.0);
}

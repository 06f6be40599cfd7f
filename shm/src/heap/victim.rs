//! Which segments to clean: those that give most for the least copying, and whose remaining
//! records will stay.
//!
//! Cost-benefit (Rosenblum and Ousterhout, "The design and implementation of a log-structured file
//! system", 1992): with u the part of a segment that lives, cleaning it reads and writes u and
//! gains 1 - u; records that have not changed for long will not change soon, so room among them is
//! worth more. The order is that of (1 - u) * age / (1 + u). Age is counted in segments taken since
//! (`births`): there is no clock in it.
//!
//! Everything here is read from hints. A wrong one costs work, never data.

use crate::heap::Log;
use crate::layout::segment::{Birth, SegmentHeader};
use crate::layout::word::{SegmentState, SegmentWord};
use crate::sync::{Acquire, Relaxed};

/// A segment to be cleaned, in the state in which it was chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Victim {
    pub(crate) segment: u32,
    pub(crate) word: SegmentWord,
    /// Somebody looks at it, or empties it: it would not become free at once.
    held: bool,
    score: f64,
}

/// Which segments are worth cleaning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// A segment is not cleaned for less than this many bytes.
    pub(crate) worth: u64,
    /// Those that somebody looks at, by number: empty if nobody asked.
    pub(crate) looked_at: &'a [bool],
    /// Whether those that are held count: cleaned now, they will be free some time.
    pub(crate) held: bool,
    /// These are left out.
    pub(crate) tried: &'a [u32],
}

/// The best victims, best first, at most `count`. Those that another cleaner works on, and those
/// that somebody looks at, come last or not at all. None if all of them together would not empty a
/// single segment.
pub(crate) fn choose(log: &Log, count: usize, wanted: Wanted<'_>) -> Vec<Victim> {
    let size = log.segment_bytes() as u64;
    let now = log.words().births.load(Relaxed);
    let mut chosen: Vec<Victim> = Vec::with_capacity(count + 1);
    let mut gain = room_in_open(log);
    for segment in 0..log.segments() {
        let word = log.state(segment);
        let Some(header) = log.header(segment).filter(|_| is_candidate(log, segment, word)) else {
            continue;
        };
        let committed = log.committed(segment) as u64;
        let dead = header.dead.load(Acquire).min(committed);
        // The room in an open one is there already; only who is sealed gives it back.
        let tail = if is_open(word) { 0 } else { size - committed };
        let mine = gain_of(dead, tail, size);
        let held = header.cleaner.load(Relaxed) != 0
            || wanted.looked_at.get(segment as usize).is_some_and(|&looked_at| looked_at);
        if mine == 0 || mine < wanted.worth || held && !wanted.held {
            continue;
        }
        gain += mine;
        if wanted.tried.contains(&segment) {
            continue;
        }
        let live = committed - dead;
        let age = now.saturating_sub(Birth::number(header.birth.load(Relaxed))) + 1;
        let benefit = if is_open(word) { dead } else { size - live };
        let score = benefit as f64 * age as f64 / (size + live) as f64;
        let victim = Victim { segment, word, held, score };
        let at = chosen.partition_point(|other| !victim.is_better_than(other));
        if at < count {
            chosen.insert(at, victim);
            chosen.truncate(count);
        }
    }
    if gain < size {
        chosen.clear();
    }
    chosen
}

impl Victim {
    /// Sealed, if it was open: then nobody appends to it any more. False: somebody was faster.
    pub(crate) fn seal(&mut self, log: &Log) -> bool {
        if !is_open(self.word) {
            return true;
        }
        let sealed = log.seal(self.segment, self.word);
        self.word = sealed.unwrap_or(self.word);
        sealed.is_some()
    }

    /// A certain segment, if it can be cleaned.
    pub(crate) fn at(log: &Log, segment: u32) -> Option<Self> {
        let word = log.state(segment);
        is_candidate(log, segment, word).then_some(Self { segment, word, held: true, score: 0. })
    }

    fn is_better_than(&self, other: &Self) -> bool {
        (other.held, self.score) > (self.held, other.score)
    }

    /// Says in the header that `cleaner`, by its thread descriptor, empties it. False: another one
    /// was faster, and it is not worth two.
    pub(crate) fn claim(&self, header: &SegmentHeader, cleaner: u32) -> bool {
        let word = &header.cleaner;
        let claimed = word.compare_exchange(0, u64::from(cleaner), Relaxed, Relaxed).is_ok();
        if !claimed && self.held {
            word.store(u64::from(cleaner), Relaxed);
        }
        claimed || self.held
    }
}

/// Nobody fills it, and it is no part of a run: those are freed as a whole with their record.
/// Open ones count, because what they have left may be too little for anybody to adopt them.
fn is_candidate(log: &Log, segment: u32, word: SegmentWord) -> bool {
    (word.state() == Some(SegmentState::Sealed) || is_open(word))
        && log.header(segment).is_some_and(|header| header.run.load(Relaxed) == 0)
}

fn is_open(word: SegmentWord) -> bool {
    word.state() == Some(SegmentState::Open)
}

/// What copying the rest of a segment gains. An unused tail counts only if it is half of the
/// segment: then copies of two such rests fit into one segment. Of a smaller one nobody knows
/// whether another record fits into it; it might be there again after every cleaning.
fn gain_of(dead: u64, tail: u64, size: u64) -> u64 {
    if tail >= size / 2 { dead + tail } else { dead }
}

/// A segment whose entries are the next to be judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Oldest {
    pub(crate) segment: u32,
    pub(crate) word: SegmentWord,
    /// It belongs to the main queue.
    pub(crate) main: bool,
    birth: u64,
}

/// The oldest segment of the small queue (class 0) if that holds more than a tenth of all bytes,
/// else of the main queue (class 1). `any`: also such that are still appended to. `tried`, and
/// those that are looked at by number, are left out.
pub(crate) fn oldest(log: &Log, tried: &[u32], looked_at: &[bool], any: bool) -> Option<Oldest> {
    let mut bytes = [0, 0];
    let mut oldest: [Option<Oldest>; 2] = [None, None];
    for segment in 0..log.segments() {
        let word = log.state(segment);
        // Runs too: what is evicted need not be copied.
        let full = word.state() == Some(SegmentState::Sealed);
        let filling = matches!(word.state(), Some(SegmentState::Active | SegmentState::Open));
        let (Some(header), true) = (log.header(segment), full || filling) else {
            continue;
        };
        let birth = header.birth.load(Acquire);
        if filling && !Birth::is_of(birth, word) {
            continue; // Taken at this moment: `committed` may still be that of its last use.
        }
        let (committed, dead) = (log.committed(segment) as u64, header.dead.load(Acquire));
        let class = (log.class(segment) & 1) as usize;
        let holds = match log.run(segment, word) {
            Some(count) => u64::from(count) * log.segment_bytes() as u64,
            None => committed,
        };
        bytes[class] += holds.saturating_sub(dead);
        let eligible = if any { (log.cursor(segment) as u64) < committed } else { full };
        let looked_at = looked_at.get(segment as usize).is_some_and(|&looked_at| looked_at);
        if !eligible || looked_at || tried.contains(&segment) {
            continue;
        }
        let birth = Birth::number(birth);
        if oldest[class].is_none_or(|other| birth < other.birth) {
            oldest[class] = Some(Oldest { segment, word, main: class == 1, birth });
        }
    }
    let [small, main] = oldest;
    if bytes[0] * 10 > bytes[0] + bytes[1] { small.or(main) } else { main.or(small) }
}

/// Room in what earlier cleaners have left open.
fn room_in_open(log: &Log) -> u64 {
    let size = log.segment_bytes() as u64;
    let open = |segment: &u32| {
        log.state(*segment).state() == Some(SegmentState::Open) && log.class(*segment) == 1
    };
    (0..log.segments()).filter(open).map(|segment| size - log.committed(segment) as u64).sum()
}

#[cfg(all(test, not(vug_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_small_tail_gains_nothing() {
        assert_eq!(gain_of(0, 100, 1000), 0);
        assert_eq!(gain_of(50, 100, 1000), 50);
        assert_eq!(gain_of(0, 500, 1000), 500);
    }

    #[test]
    fn held_ones_come_last() {
        let victim = |held, score| Victim { segment: 0, word: SegmentWord(0), held, score };
        assert!(victim(false, 1.0).is_better_than(&victim(true, 9.0)));
        assert!(victim(false, 2.0).is_better_than(&victim(false, 1.0)));
        assert!(!victim(true, 2.0).is_better_than(&victim(true, 2.0)));
        assert!(!victim(true, 9.0).is_better_than(&victim(false, 1.0)));
    }
}

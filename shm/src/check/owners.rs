//! Attachments and thread descriptors: whose they are, and what they leave behind.

use core::mem::offset_of;
use std::collections::BTreeSet;

use crate::check::findings::Findings;
use crate::check::judge::Judge;
use crate::check::source::Source;
use crate::check::words::{Plan, Words, field};
use crate::error::Result;
use crate::layout::thread::{Attachment, HAZARDS, OwnerWord, PINS, ThreadDescriptor};
use crate::layout::word::{LOCATION_BITS, SlotWord};
use crate::region::write::PROMISE_REGION;

/// What is known of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// There is none.
    Free,
    Alive,
    Dead,
    /// No node file says.
    Unknown,
}

/// What the audit needs of a thread descriptor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thread {
    pub(super) life: Life,
    pub(super) stamp: u64,
    /// `SlotRef` + 1.
    pub(super) overflow_claim: u64,
    pub(super) insert_sequence: u64,
    pub(super) insert_slot: u64,
}

/// All descriptors and what they name.
#[derive(Debug)]
pub(super) struct Owners {
    threads: Vec<Thread>,
    /// Locations in running intents, and who has the intent.
    intended: Vec<(u64, Life)>,
    dead: BTreeSet<u64>,
    /// Somebody lives, or may live, who may be writing at the moment.
    pub(super) anybody: bool,
}

impl Owners {
    pub(super) fn thread(&self, index: u64) -> Option<&Thread> {
        self.threads.get(usize::try_from(index).ok()?)
    }

    pub(super) fn threads(&self) -> impl Iterator<Item = &Thread> {
        self.threads.iter()
    }

    /// Whose intent names a location.
    pub(super) fn intending(&self, location: u64) -> Life {
        let lives = self.intended.iter().filter(|(named, _)| *named == location);
        strongest(lives.map(|(_, life)| *life))
    }

    pub(super) fn dead_members(&self) -> u32 {
        self.dead.len() as u32
    }

    pub(super) fn any_dead(&self) -> bool {
        !self.dead.is_empty()
    }
}

/// A dead owner explains most: recovery will act for it.
pub(super) fn strongest(lives: impl Iterator<Item = Life>) -> Life {
    lives.fold(Life::Free, |best, life| match (best, life) {
        (Life::Dead, _) | (_, Life::Dead) => Life::Dead,
        (Life::Free, other) => other,
        (best, _) => best,
    })
}

pub(super) fn read(
    source: &Source<'_>,
    plan: &Plan,
    words: &Words,
    found: &mut Findings,
) -> Result<Owners> {
    let mut judge = Judge::new(source.path(), plan);
    let mut owners =
        Owners { threads: Vec::new(), intended: Vec::new(), dead: BTreeSet::new(), anybody: false };
    let map = &plan.geometry;
    let row_words = size_of::<Attachment>() / 8;
    let rows = source.words(map.attachments_at, map.members as usize * row_words)?;
    for (number, row) in rows.chunks_exact(row_words).enumerate() {
        let place = format!("attachment {number}");
        let owner = OwnerWord(field!(row, Attachment, owner));
        let life = owners.judge(owner, &place, &mut judge, found);
        if life != Life::Free && number as u64 >= words.members_used {
            found.problem(&place, "in use, but members_used does not cover it");
        }
        check_pins(row, life, &place, plan, found);
    }
    let thread_words = size_of::<ThreadDescriptor>() / 8;
    let threads = source.words(map.threads_at, map.threads as usize * thread_words)?;
    for (number, thread) in threads.chunks_exact(thread_words).enumerate() {
        let place = format!("thread descriptor {number}");
        let owner = OwnerWord(field!(thread, ThreadDescriptor, owner));
        let life = owners.judge(owner, &place, &mut judge, found);
        if life != Life::Free && (number == 0 || number as u64 >= words.threads_used) {
            found.problem(&place, "in use, but threads_used does not cover it");
        }
        check_thread(thread, life, &place, plan, found);
        owners.note_intent(thread, life);
        owners.threads.push(Thread {
            life,
            stamp: field!(thread, ThreadDescriptor, stamp),
            overflow_claim: field!(thread, ThreadDescriptor, overflow_claim),
            insert_sequence: field!(thread, ThreadDescriptor, insert.sequence),
            insert_slot: field!(thread, ThreadDescriptor, insert.slot),
        });
    }
    Ok(owners)
}

impl Owners {
    fn judge(
        &mut self,
        owner: OwnerWord,
        place: &str,
        judge: &mut Judge,
        found: &mut Findings,
    ) -> Life {
        if owner.0 == 0 {
            return Life::Free;
        }
        let member = owner.member();
        if member >> 16 == 0 {
            found.problem(place, format_args!("owner {member:#x} is no member"));
            return Life::Dead;
        }
        let life = judge.life_of(member, found);
        if life == Life::Dead {
            let what = if owner.0 != member {
                "recovery was begun by a member that is dead and not recovered"
            } else {
                "its owner is dead and not recovered"
            };
            found.recoverable(place, format_args!("{what} (member {member:#x})"));
            self.dead.insert(member);
        }
        self.anybody |= life != Life::Dead;
        life
    }

    fn note_intent(&mut self, thread: &[u64], life: Life) {
        let record = field!(thread, ThreadDescriptor, intent.record);
        if record == 0 || life == Life::Free {
            return;
        }
        if record != u64::MAX {
            self.intended.push((record - 1, life));
        }
        let old = SlotWord(field!(thread, ThreadDescriptor, intent.old));
        if field!(thread, ThreadDescriptor, intent.slot) != 0 && !old.is_empty() {
            self.intended.push((old.location().0, life));
        }
    }
}

fn check_pins(row: &[u64], life: Life, place: &str, plan: &Plan, found: &mut Findings) {
    let used = field!(row, Attachment, pins_used);
    if used > PINS as u64 {
        found.problem(place, format_args!("pins_used is {used}, there are {PINS}"));
    }
    let first = offset_of!(Attachment, pins) / 8;
    for (number, &pin) in row[first..first + PINS].iter().enumerate() {
        if pin == 0 {
            continue;
        }
        if life == Life::Free {
            found.problem(place, format_args!("pin {number} is set without an owner"));
        } else if number as u64 >= used {
            found.problem(place, format_args!("pin {number} is set beyond pins_used {used}"));
        }
        check_segment(pin, format_args!("{place}, pin {number}"), plan, found);
    }
}

fn check_thread(thread: &[u64], life: Life, place: &str, plan: &Plan, found: &mut Findings) {
    for (number, &hazard) in thread[..HAZARDS].iter().enumerate() {
        if hazard == 0 {
            continue;
        }
        if life == Life::Free {
            found.problem(place, format_args!("hazard {number} is set without an owner"));
        }
        check_segment(hazard, format_args!("{place}, hazard {number}"), plan, found);
    }
    let record = field!(thread, ThreadDescriptor, intent.record);
    if life == Life::Free {
        for (name, word) in [
            ("an intent", record),
            ("closed time", field!(thread, ThreadDescriptor, active_since)),
            ("a claim", field!(thread, ThreadDescriptor, overflow_claim)),
            ("a table pin", field!(thread, ThreadDescriptor, table_pin)),
        ] {
            if word != 0 {
                found.problem(place, format_args!("{name} is left without an owner"));
            }
        }
    }
    if record != 0 && record != u64::MAX && (record - 1) >> LOCATION_BITS != 0 {
        found.problem(place, format_args!("intent names {record:#x}, which is no record"));
    }
    let announce = field!(thread, ThreadDescriptor, intent.announce);
    if announce > PROMISE_REGION {
        found.problem(place, format_args!("announcement {announce} is none"));
    }
}

fn check_segment(word: u64, place: impl std::fmt::Display, plan: &Plan, found: &mut Findings) {
    let segments = plan.geometry.segments;
    if word > segments {
        let segment = word - 1;
        found.problem(place, format_args!("names segment {segment}, there are {segments}"));
    }
}

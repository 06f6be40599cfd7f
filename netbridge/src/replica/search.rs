//! Searches: reads of this node that found nothing here ask other nodes; and what this node says to
//! theirs.
//!
//! **Whom.** Initialised replicates, one after the other: what one of them says, a value or that
//! there is none, is the end of it. If none can say, all other nodes that store something are asked
//! at once, and the first value counts. There is no value when everybody has said so. A node that
//! was lost a moment ago is waited for as writers wait for it: it may have the only copy.
//!
//! **One search per key.** Who asks for a key that is being searched waits for the same answer.
//!
//! **No step back.** Changes of a key that is not here are passed over, so an answer must not be
//! older than what was passed over before. The question says how much of each live stream this
//! node has taken or passed over; who is asked answers when it has that much, and cannot say
//! anything if that takes too long. What is passed over while the search runs is noted: an answer
//! that is older is not used, and the search begins anew. So what is stored here is what the key
//! would be, had it been here all the time.
//!
//! What comes is stored by version: a newer change of this node stays.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::IntoBytes;

use super::Context;
use super::link::Link;
use super::region::Region;
use super::store::{Policy, Store};
use crate::port::{Action, ConnId, SearchOutcome};
use crate::wire::WireError;
use crate::wire::control::{self, Body, Holding};
use crate::wire::frame::{self, MAX_FRAME, kind};
use crate::wire::record::{self, Change, Records};

/// How long one replicate is waited for before another is asked as well.
const PATIENCE: u64 = 2_000;
/// How often a search begins anew because what came was older than what was passed over.
const RESTARTS: u32 = 4;

/// What an answer says, as a number of the frame.
mod said {
    pub(super) const ENTRY: u8 = 1;
    pub(super) const NONE_ANYWHERE: u8 = 2;
    pub(super) const NONE_HERE: u8 = 3;
    pub(super) const CANNOT_SAY: u8 = 4;
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    at: u64,
    answered: bool,
    replicate: bool,
}

/// A running search.
#[derive(Debug)]
pub(crate) struct Search {
    key: Vec<u8>,
    presence: bool,
    waiters: Vec<u64>,
    asked: BTreeMap<ConnId, Asked>,
    everybody: bool,
    restarts: u32,
    /// The newest change of the key that was passed over since the question was sent.
    noted: Option<(u64, u16)>,
}

/// All searches of a region.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    running: BTreeMap<u64, Search>,
    last: u64,
}

impl Searches {
    /// Notes a change that the region did not take.
    pub(super) fn note(&mut self, change: &Change<'_>) {
        for search in self.running.values_mut().filter(|s| s.key == change.key) {
            search.noted = search.noted.max(Some((change.version, change.origin)));
        }
    }

    /// Nobody waits for this one any more.
    pub(crate) fn forget(&mut self, ask: u64) {
        for search in self.running.values_mut() {
            search.waiters.retain(|waiter| *waiter != ask);
        }
        self.running.retain(|_, search| !search.waiters.is_empty());
    }

    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn next_timeout(&self) -> Option<u64> {
        let open = self.running.values().flat_map(|s| s.asked.values());
        open.filter(|a| !a.answered).map(|a| a.at.saturating_add(PATIENCE)).min()
    }
}

/// A question of a peer that is not answered yet.
#[derive(Debug)]
pub(crate) struct Question {
    search: control::Search,
    pub(super) deadline: u64,
}

fn is_replicate(link: &Link) -> bool {
    link.has_all() && link.initialised
}

fn may_have(link: &Link) -> bool {
    let stores = link.policy != Policy::Empty as u32;
    stores && !link.has_all() && link.initialised
}

impl Region {
    /// A process of this node looks for an entry that is not here.
    pub(crate) fn search<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        ask: u64,
        key: &[u8],
        presence: bool,
    ) {
        let same = |s: &&mut Search| s.key == key && s.presence == presence;
        if let Some(search) = self.searches.running.values_mut().find(same) {
            search.waiters.push(ask);
            return;
        }
        cx.counters.searches += 1;
        self.searches.last += 1;
        let id = self.searches.last;
        let search = Search {
            key: key.to_vec(),
            presence,
            waiters: vec![ask],
            asked: BTreeMap::new(),
            everybody: false,
            restarts: 0,
            noted: None,
        };
        self.searches.running.insert(id, search);
        self.advance_search(cx, id);
    }

    /// Goes on with every search: somebody came, went, or let too much time pass.
    pub(super) fn advance_searches<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let ids: Vec<u64> = self.searches.running.keys().copied().collect();
        for id in ids {
            self.advance_search(cx, id);
        }
    }

    fn advance_search<S: Store>(&mut self, cx: &mut Context<'_, S>, id: u64) {
        let links = &self.links;
        let Some(search) = self.searches.running.get_mut(&id) else {
            return;
        };
        search.asked.retain(|conn, _| links.contains_key(conn));
        let waits =
            |a: &Asked| !a.answered && a.replicate && cx.now < a.at.saturating_add(PATIENCE);
        if search.asked.values().any(waits) {
            return;
        }
        let fresh = |l: &&Link| is_replicate(l) && !search.asked.contains_key(&l.conn);
        let replicates: Vec<ConnId> = links.values().filter(fresh).map(|l| l.conn).collect();
        let turn = xxh3_64(&search.key).wrapping_add(id) as usize;
        if let Some(&conn) = replicates.get(turn % replicates.len().max(1)) {
            self.ask(cx, id, conn, true);
            return;
        }
        if !search.everybody && !search.presence {
            search.everybody = true;
            let others: Vec<ConnId> =
                links.values().filter(|l| may_have(l)).map(|l| l.conn).collect();
            for conn in others {
                self.ask(cx, id, conn, false);
            }
        }
        let open = self.searches.running.get(&id);
        let all_said = open.is_some_and(|s| s.asked.values().all(|a| a.answered));
        let somebody_lost = self.acks.members().values().any(|m| m.lost_at.is_some());
        if all_said && !somebody_lost {
            self.end_search(cx, id, SearchOutcome::None);
        }
    }

    fn ask<S: Store>(&mut self, cx: &mut Context<'_, S>, id: u64, conn: ConnId, replicate: bool) {
        let held = self.heard();
        let Some(search) = self.searches.running.get_mut(&id) else {
            return;
        };
        search.asked.insert(conn, Asked { at: cx.now, answered: false, replicate });
        let question = control::Search {
            region: u32::from(self.number),
            search: id,
            key: search.key.clone(),
            held,
            ttl: cx.store.ttl(self.info.id),
            presence: search.presence,
        };
        let payload = control::encode(Body::Search(question));
        cx.out.push_back(Action::SendControl { conn, payload });
    }

    /// How far this node has taken or passed over the live streams that it gets.
    fn heard(&self) -> Vec<Holding> {
        let streams = self.links.values().filter_map(|l| l.incoming);
        let of = |i: super::link::Incoming| Holding {
            origin: u32::from(i.of.origin),
            epoch: i.of.epoch,
            position: i.position,
            closed: 0,
            partial: false,
        };
        streams.map(of).collect()
    }

    fn end_search<S: Store>(&mut self, cx: &mut Context<'_, S>, id: u64, outcome: SearchOutcome) {
        let Some(search) = self.searches.running.remove(&id) else {
            return;
        };
        cx.counters.searches_found += u64::from(outcome == SearchOutcome::Found);
        for ask in search.waiters {
            cx.out.push_back(Action::Answer { ask, outcome });
        }
    }

    /// A peer answers.
    pub(crate) fn on_answer<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        answer: &frame::Answer,
        mut records: Records<'_>,
    ) -> Result<(), WireError> {
        let id = answer.search.get();
        let entry = records.next_record()?.map(|(change, _)| change);
        if entry.is_some() {
            // Nothing may follow.
            records.next_record()?;
        }
        let Some(search) = self.searches.running.get_mut(&id) else {
            return Ok(());
        };
        let Some(asked) = search.asked.get_mut(&conn) else {
            return Ok(());
        };
        asked.answered = true;
        match (answer.outcome, entry) {
            (said::ENTRY, _) if search.presence => self.end_search(cx, id, SearchOutcome::Found),
            (said::ENTRY, Some(entry)) => self.found(cx, id, entry),
            (said::NONE_ANYWHERE, _) => self.end_search(cx, id, SearchOutcome::None),
            _ => self.advance_search(cx, id),
        }
        Ok(())
    }

    fn found<S: Store>(&mut self, cx: &mut Context<'_, S>, id: u64, entry: Change<'_>) {
        let Some(search) = self.searches.running.get_mut(&id).filter(|s| s.key == entry.key) else {
            return;
        };
        let older = search.noted.is_some_and(|noted| noted > (entry.version, entry.origin));
        if older && search.restarts < RESTARTS {
            search.restarts += 1;
            search.noted = None;
            search.everybody = false;
            search.asked.clear();
            self.advance_search(cx, id);
            return;
        }
        let stored = cx.store.store_answer(self.info.id, entry);
        self.passing(cx.now);
        let outcome = match stored {
            Ok(_) => SearchOutcome::Found,
            Err(_) => SearchOutcome::NoRoom,
        };
        self.end_search(cx, id, outcome);
    }

    /// A peer looks for an entry.
    pub(crate) fn on_search<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        search: control::Search,
    ) {
        let deadline = cx.now.saturating_add(cx.timing.plan_wait);
        if let Some(link) = self.links.get_mut(&conn) {
            link.questions.push(Question { search, deadline });
        }
    }

    /// Answers what can be answered now.
    pub(super) fn answer_questions<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let asked = |l: &&Link| !l.questions.is_empty() && l.outgoing.is_some();
        let conns: Vec<ConnId> = self.links.values().filter(asked).map(|l| l.conn).collect();
        for conn in conns {
            let Some(link) = self.links.get_mut(&conn) else {
                continue;
            };
            let questions = std::mem::take(&mut link.questions);
            let (mut later, mut answers) = (Vec::new(), Vec::new());
            for question in questions {
                if self.must_wait(cx, &question) {
                    later.push(question);
                } else {
                    cx.counters.searches_answered += 1;
                    self.answer(cx, &question.search, &mut answers);
                }
            }
            if let Some(link) = self.links.get_mut(&conn) {
                link.questions = later;
                link.answers.append(&mut answers);
            }
        }
    }

    fn must_wait<S: Store>(&self, cx: &Context<'_, S>, question: &Question) -> bool {
        self.lacks_any(cx, &question.search.held) && cx.now < question.deadline
    }

    fn lacks_any<S: Store>(&self, cx: &Context<'_, S>, held: &[Holding]) -> bool {
        self.missing(held, cx.myself).is_some()
    }

    fn answer<S: Store>(
        &self,
        cx: &Context<'_, S>,
        search: &control::Search,
        answers: &mut Vec<u8>,
    ) {
        let at = frame::open(answers);
        let head = answers.len();
        let mut answer =
            frame::Answer { search: search.search.into(), outcome: 0, reserved: [0; 7] };
        answers.extend_from_slice(answer.as_bytes());
        let has_all = self.info.policy.is_replicate();
        let may_say = self.since.is_some() && !self.lacks_any(cx, &search.held);
        let (mut count, mut too_large) = (0, false);
        let found = may_say
            .then(|| {
                let (ttl, presence) = (search.ttl, search.presence);
                cx.store.look(self.info.id, &search.key, ttl, presence, &mut |change| {
                    too_large = record::encoded_len(&change) + head > MAX_FRAME as usize;
                    let change = super::send::owned_by(change, cx.myself);
                    if !presence && !too_large && record::push(answers, &change) {
                        count = 1;
                    }
                })
            })
            .transpose();
        answer.outcome = match found {
            Ok(Some(true)) if !too_large => said::ENTRY,
            Ok(Some(false)) if has_all => said::NONE_ANYWHERE,
            Ok(Some(false)) => said::NONE_HERE,
            _ => said::CANNOT_SAY,
        };
        if let Some(room) = answers.get_mut(head..head + size_of::<frame::Answer>()) {
            room.copy_from_slice(answer.as_bytes());
        }
        frame::close(answers, at, kind::ANSWER, self.number, count, 0);
    }
}

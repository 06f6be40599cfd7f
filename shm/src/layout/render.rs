//! The tables of `FORMAT.md`, made from the code. A test compares them with the document, so that
//! neither changes without the other.
//!
//! Offsets come from `offset_of!`, sizes from the distance to the next field, positions of bits
//! from words that the encoders make.

use core::mem::offset_of;

use crate::layout::bucket::{Bucket, MAX_OVERFLOW, SLOTS};
use crate::layout::counters::LIST;
use crate::layout::header::{FORMAT_VERSION, FileHeader, HEADER_BYTES};
use crate::layout::node::{
    LOCK_BASE, MEMBER_SLOTS, MemberSlot, NODE_FILE_BYTES, NODE_MAGIC, NodeWords, Phase,
    SLOTS_OFFSET, SlotState, WORDS_OFFSET,
};
use crate::layout::record::{
    FLAG_BULK, FLAG_DEADLINE, FLAG_EXPIRATION, FLAG_PREVIOUS, FLAG_REMOTE, FLAG_VALUELESS,
    MAX_ALIGNMENT, MAX_KEY, MAX_VALUE, MIN_ALIGNMENT, RecordHeader, STATE_ABANDONED,
    STATE_ANNOUNCED, STATE_CREATED, STATE_DEAD, STATE_HELPED, STATE_PUBLISHED, STATE_SILENT,
};
use crate::layout::region::{
    DepartureWords, Geometry, HASH_XXH3, MAX_BYTES, MAX_SEGMENT, MEMBERS, MIN_BYTES, MIN_SEGMENT,
    ORIGINS, OriginWords, PAGE, READERS_LOCK, RegionWords, THREADS,
};
use crate::layout::segment::SegmentHeader;
use crate::layout::thread::{
    Attachment, HAZARDS, InsertDescriptor, Intent, OPERATION_HAZARDS, OwnerWord, PINS,
    ThreadDescriptor,
};
use crate::layout::word::{
    CellWord, GENERATION_MASK, HIDDEN_TAG, HeaderWord, LOCATION_BITS, Location, MAX_SEGMENTS,
    RegionOp, RingOp, RunWord, SegmentState, SegmentWord, SlotRef, SlotWord,
};
use crate::region::Kind;
use crate::region::file::MAGIC;

/// One row of a structure: offset, name, meaning.
type Row = (usize, &'static str, &'static str);

/// Every table with the name that its markers in the document have.
pub fn tables() -> Vec<(&'static str, String)> {
    let mut tables = structures();
    tables.extend(words());
    tables.extend(lists());
    tables.push(("Constants", constants()));
    tables.push(("Geometry", geometry()));
    tables
}

macro_rules! rows {
    ($type:ty { $($field:ident: $meaning:literal,)* }) => {
        structure(size_of::<$type>(), &[
            $((offset_of!($type, $field), stringify!($field), $meaning),)*
        ])
    };
}

fn structure(size: usize, rows: &[Row]) -> String {
    let ends = rows.iter().skip(1).map(|row| row.0).chain([size]);
    let lines = rows.iter().zip(ends).map(|((at, name, meaning), end)| {
        vec![at.to_string(), (end - at).to_string(), format!("`{name}`"), (*meaning).into()]
    });
    let table = table(&["offset", "bytes", "field", "meaning"], lines);
    format!("{table}\n{size} bytes in all.\n")
}

fn table(head: &[&str], lines: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for line in lines {
        text.push_str(&format!("| {} |\n", line.join(" | ")));
    }
    text
}

fn structures() -> Vec<(&'static str, String)> {
    vec![
        ("FileHeader", file_header()),
        ("NodeWords", node_words()),
        ("MemberSlot", member_slot()),
        ("RegionWords", region_words()),
        ("DepartureWords", departure_words()),
        ("OriginWords", origin_words()),
        ("Attachment", attachment()),
        ("ThreadDescriptor", thread_descriptor()),
        ("Intent", intent()),
        ("InsertDescriptor", insert_descriptor()),
        ("SegmentHeader", segment_header()),
        ("Bucket", bucket()),
        ("RecordHeader", record_header()),
    ]
}

fn file_header() -> String {
    rows!(FileHeader {
        magic: "one value per kind of file, see the constants",
        version: "u32, format version",
        byte_order: "u32, 0x01020304 as the writer stores it",
        compat: "features that readers and writers may ignore",
        ro_compat: "features that readers may ignore, writers not",
        incompat: "features that nobody may ignore",
        id: "random identity of the file, low half first",
        boot: "boot id of the machine's start at which it was made",
        node: "identity of the node it belongs to",
        file_len: "length of the file",
        geometry: "24 words, meaning by kind of file",
        reserved: "zero",
        checksum: "XXH3-64 without seed of all bytes before it",
    })
}

fn node_words() -> String {
    rows!(NodeWords {
        origin: "number of the node in its cluster; 0 until assigned, then final",
        origin_reserved: "zero",
        bridge_epoch: "bridges that ever took the seat",
        epoch_reserved: "zero",
        bridge_pid: "process id of the bridge that took the seat last, 0 after it left",
        pid_reserved: "zero",
        bridge_sleeping: "u32; bit 0: the bridge is about to sleep or sleeps, bits 1-31: count",
        sleeping_reserved: "zero",
    })
}

fn member_slot() -> String {
    rows!(MemberSlot {
        state: "member state word",
        pid: "process id in the member's own pid namespace",
        start_time: "field 22 of `/proc/<pid>/stat`; 0 = unknown",
        pidns_inode: "inode of the pid namespace; 0 = unknown",
        timens_inode: "inode of the time namespace; 0 = none",
        joined_at_micros: "microseconds since 1970; for people only",
        program: "name of its program, UTF-8, cut to 32 bytes; for people only",
        reserved: "zero",
    })
}

fn region_words() -> String {
    rows!(RegionWords {
        state: "0 ready, 1 initialising, 2 degraded",
        journal_wanted: "1 = somebody listens to a region of local scope",
        threads_used: "highest thread descriptor ever used + 1",
        members_used: "highest attachment ever used + 1",
        bridge_epoch: "epoch of the latest bridge that served the region",
        lease_deadline: "reserved (global scope), zero",
        table: "current index table: binary logarithm of its primary buckets; with \
                0x64657374726f7900 added the region is destroyed",
        line_reserved: "zero",
        entry_ttl: "time to live, microseconds x 4 + expiry action; 0 = none",
        entry_idle: "idle time, microseconds x 4 + expiry action; 0 = none",
        idle_since: "accesses count from here on, microseconds since 1970",
        max_entries: "bound on entries; 0 = none",
        timed_since: "since when versions are times in a region of local scope; 0 = they are not",
        deadlines: "1 = records with a deadline were written",
        special: "1 = entries may be other than their records say, by a time or a stamp",
        clear_stamp: "entries with a lower version are not there; a multiple of 2^16",
        ring_tail: "next position of the event ring",
        ring_reserved: "zero",
        event_word: "u32, futex word of listeners, counts wakes",
        event_sleepers: "u32; bit 0: somebody sleeps on it, bits 1-31: count",
        key_sleepers: "bits 0-31: bit h / 2^27 for each key somebody waits for, h the low half of \
                       its hash; bits 32-63: count",
        key_word: "u32, futex word of who waits for a key, counts wakes",
        key_reserved: "u32, zero",
        event_reserved: "zero",
        sent: "all ring positions below it were sent",
        received: "all ring positions below it were received by the nodes that must",
        applied: "all ring positions below it were applied by the nodes that must",
        durable: "reserved (persistent regions), zero",
        ack_word: "u32, futex word of waiting writers, counts wakes",
        ack_sleepers: "u32, bit p % 32 for each position p that somebody sleeps for",
        ack_reserved: "zero",
        purge_horizon: "up to it tombstones may be gone: older changes of absent keys are refused",
        invalid_stamp: "entries with a lower version have no value; bit 0: on this node only",
        lock_table: "reserved (global scope), zero",
        recoveries: "thread descriptors of dead members recovered so far",
        cleared: "stamp up to which cleared entries are swept; bits 0-14: `late` as it was then",
        late: "entries that were published after a stamp had cleared them",
        set_aside: "unfinished operations that made no sense, and were given up",
        rare_reserved: "zero",
        floor: "writers start above this version",
        entries: "visible entries, counted only where `max_entries` bounds them; a hint",
        ceiling: "versions are below it in a region of local scope, and so is the next stamp; bit \
                  15: there was one; bits 0-14: 1 clear, 2 invalidate, 3 local invalidate is about \
                  to take force at the ceiling - 2^16",
        floor_reserved: "zero",
        overflow_used: "newest table << 32 + its overflow buckets in use; any value is right",
        segment_hint: "where the search for a free segment with memory starts; any value is right",
        births: "segments taken so far",
        migrate_hint: "as `migrated`: where the next helper starts; any value is right",
        sweep_hint: "where the next sweep starts; any value is right",
        unbacked_hint: "where the search for a segment without memory starts; any value is right",
        open_hint: "0 = probably no segment is open; any value is right",
        dead_hint: "0 = probably no sealed segment is all dead; any value is right",
        migrated: "2^n + c: the chains of table n below c are moved; raised only",
        builder: "table << 32 + thread that builds the one after it; any value is right",
        growth_reserved: "zero",
        tables: "first segment + 1 of the table with 2^n primary buckets; 0 = none",
        segments_cleaned: "segments emptied by copying what lived in them",
        records_moved: "records copied by that",
        bytes_moved: "bytes of these",
        evicted: "entries evicted: the clock by which ghosts age",
        growths: "tables that took the place of smaller ones",
        segments_released: "segments whose memory went back to the system",
        quiet_births: "`births` when maintenance last found them changed; any value is right",
        quiet_since: "when that was, microseconds since 1970; any value is right",
        reserved: "zero",
        search_timeout: "how long a read may ask other nodes, in microseconds; 0 = 300 s",
        search_reserved: "zero",
        departed: "how many nodes left the acknowledgement set so far",
        departures: "the latest: number n is in place (n - 1) % 8",
        origins: "one entry per incarnation of another origin",
    })
}

fn origin_words() -> String {
    rows!(OriginWords {
        origin: "origin + 1; 0 = unused; written last; there may be several of one origin",
        epoch: "which incarnation of the origin's file the position counts in",
        position: "everything below this ring position of the origin is applied here",
        closed: "all changes of the origin up to this version are here",
    })
}

fn departure_words() -> String {
    rows!(DepartureWords {
        name: "bits 0-16: origin + 1, above: number of the departure; 0 = unused or being written",
        from: "first ring position that the node had not acknowledged",
        to: "tail of the ring when it left",
    })
}

fn attachment() -> String {
    rows!(Attachment {
        owner: "owner word; 0 = free",
        pins_used: "highest pin word ever used + 1",
        pins: "pin words: segment + 1 that must not be reused; 0 = none",
        pinned_at: "when the pin word of the same number was set, microseconds since 1970",
        plain_hazards: "1 = its threads set hazard words by plain stores",
        reserved: "zero",
        attached_at: "when the member opened the region, microseconds since 1970",
        base_sequence: "odd while `base` is being changed",
        base: "what the counters of its thread descriptors were when it took them, summed up",
        cursors: "ring position + 1 that a subscription reads next; 0 = none",
        people_reserved: "zero",
    })
}

fn thread_descriptor() -> String {
    rows!(ThreadDescriptor {
        hazards: "hazard words: segment + 1 that must not be reused; 0 = none",
        owner: "owner word; 0 = free",
        active_since: "closed time: 0 not writing, else no version of the write is lower",
        ring_start: "ring tail when the running operation began",
        stamp: "counter of the last empty word made; never goes back, whoever owns it",
        overflow_claim: "`SlotRef` + 1 of the overflow bucket that is being claimed; 0 = none",
        table_pin: "table + 1 that an operation looks at, and perhaps later ones; 0 = none",
        waiting_since: "when it began to wait for acknowledgements, microseconds since 1970; 0",
        waiting_for: "ring position it waits for then",
        intent: "the running write",
        insert: "the insert that a pending bucket header names",
        counters: "words, see the list of counters; never reset, whoever owns the descriptor",
    })
}

fn intent() -> String {
    rows!(Intent {
        record: "location + 1 of the new record; 0 = no write; all ones = no record",
        slot: "slot reference + 1; 0 = nothing can be published yet",
        old: "slot word that is replaced",
        new: "slot word that replaces it",
        announce: "ring operation + 1 of the announcement; 0 = none; 5: eviction, 6: whole region",
        reserved: "zero",
    })
}

fn insert_descriptor() -> String {
    rows!(InsertDescriptor {
        sequence: "number of the insert; the bucket header has its low bits",
        slot: "slot reference + 1",
        expected: "empty word that is replaced",
        new: "word that is inserted",
    })
}

fn segment_header() -> String {
    rows!(SegmentHeader {
        committed: "bytes from the start that hold complete records, a multiple of 8",
        dead: "bytes of records counted as dead; may be too low",
        latest_deadline: "latest deadline of its records; 0 = none has one; hint",
        newest_version: "highest version of its records without deadline; hint",
        birth: "48 bits `births` when it was taken, above them 16 bits of its generation",
        class: "0 new records, 1 records that were copied; hint",
        run: "place in a run, see below; of this use of the segment or an earlier one",
        cleaner: "thread descriptor that empties it at the moment; any value is right",
    })
}

fn bucket() -> String {
    rows!(Bucket {
        header: "primary bucket: header word; overflow bucket: bucket it was claimed for + 1",
        slots: "slot words",
        link: "next bucket of the chain + 1; 0 = last; bit 63 = frozen",
    })
}

fn record_header() -> String {
    rows!(RecordHeader {
        version: "u64, monotone per key",
        hash: "u32, low half of the key's hash",
        value_len: "u32",
        key_len_less_one: "u16, length of the key - 1",
        origin: "u16, node that made the change; 0 = this node before it got a number",
        kind: "u8",
        flags: "u8",
        member: "u16, slot of the member that wrote it",
        extension_bytes: "u16, bytes of extensions behind the header",
        state: "u16, atomic",
        access: "u32, atomic; last access in ticks of 2^16 microseconds; 0 = unknown",
    })
}

/// `(bits, field, meaning)` lines, the mask given by an encoder.
fn bits(fields: &[(u64, &str, &str)]) -> String {
    let lines = fields.iter().map(|(mask, name, meaning)| {
        let (low, high) = (mask.trailing_zeros(), 63 - mask.leading_zeros());
        let range = if low == high { low.to_string() } else { format!("{low}-{high}") };
        vec![range, (*name).into(), (*meaning).into()]
    });
    table(&["bits", "field", "meaning"], lines)
}

fn words() -> Vec<(&'static str, String)> {
    vec![
        ("MemberState", member_state()),
        ("OwnerWord", owner_word()),
        ("Location", location()),
        ("SlotWord", occupied()),
        ("EmptyWord", empty()),
        ("SlotReference", slot_reference()),
        ("HeaderWord", header_word()),
        ("SegmentWord", segment_word()),
        ("RunWord", run_word()),
        ("CellWord", cell_word()),
    ]
}

fn member_state() -> String {
    let generation = SlotState { generation: SlotState::MAX_GENERATION, phase: Phase::Free };
    let phases = [Phase::Joining, Phase::Live, Phase::Recovering];
    let encode = |phase| SlotState { generation: 0, phase }.encode();
    let phase = phases.iter().fold(0, |mask, phase| mask | encode(*phase));
    // Free is the fourth value of a field that is a whole byte.
    let phase = phase | phase << 6 | phase << 2;
    bits(&[
        (0xff, "reserved", "zero"),
        (phase, "phase", "0 free, 1 joining, 2 live, 3 recovering"),
        (generation.encode(), "generation", "counts the members that ever had the slot"),
    ])
}

fn owner_word() -> String {
    let recovering = OwnerWord::recovering(0).0;
    bits(&[
        (0xffff, "slot", "member slot in the node file"),
        (!recovering & !0xffff, "generation", "generation of the slot, never 0"),
        (recovering, "recovering", "the member cleans up after a dead owner"),
    ])
}

fn location_fields() -> [(u64, &'static str, &'static str); 3] {
    let segment = Location::new(MAX_SEGMENTS as u32, 0, 0).0;
    let generation = Location::new(0, GENERATION_MASK, 0).0;
    let offset = ((1 << LOCATION_BITS) - 1) ^ segment ^ generation;
    [
        (offset, "offset", "from the start of the segment, in units of 8 bytes"),
        (generation, "generation", "low bits of the segment's generation"),
        (segment, "segment", "number of the segment; all ones: none (region events)"),
    ]
}

fn location() -> String {
    bits(&location_fields())
}

const WHOLE: u64 = (1 << LOCATION_BITS) - 1;

fn occupied() -> String {
    let tag = SlotWord::occupied(511, Location(0)).0;
    let frequency = u64::MAX ^ SlotWord(u64::MAX).identity();
    let frozen = !(tag | frequency | WHOLE);
    bits(&[
        (WHOLE, "location", "of the record"),
        (frequency, "frequency", "uses, 0-3 (eviction); words that differ only here are equal"),
        (frozen, "frozen", "1 = the chain is being moved: the word never changes again"),
        (tag, "tag", "1 hidden (tombstone, transit); 2-511 from the hash; 0 = empty word"),
    ])
}

fn empty() -> String {
    let thread = SlotWord::empty(u32::MAX, 0).0;
    let counter = SlotWord::empty(0, u64::MAX).0;
    bits(&[
        (counter, "counter", "value of the thread's `stamp` when the word was made"),
        (thread, "thread", "thread descriptor that made the word; 0 = never used"),
        (!(thread | counter), "zero", "so that the tag is 0"),
    ])
}

fn slot_reference() -> String {
    let slot = SlotRef::new(0, 7).to_word() - 1;
    let bucket = SlotRef::new(u32::MAX, 0).to_word() - 1;
    let table = SlotRef::new(0, 0).in_table(u32::MAX).to_word() - 1;
    bits(&[
        (slot, "slot", "position in the bucket, 0-5"),
        (bucket, "bucket", "number of the bucket"),
        (table, "table", "binary logarithm of its primary buckets"),
    ])
}

fn header_word() -> String {
    let idle = HeaderWord(u64::MAX).finished().0;
    let pending = |thread, sequence| HeaderWord(u64::MAX).claim(thread, sequence).0;
    let flag = pending(0, 0);
    bits(&[
        (flag, "pending", "an insert was claimed and is not finished"),
        (
            pending(0, u64::MAX) ^ flag,
            "sequence",
            "low bits of the insert's number; else 0 idle, 1 frozen, 3 moved",
        ),
        (pending(u32::MAX, 0) ^ flag, "thread", "thread descriptor that says which; else 0"),
        (idle, "version", "one more with each claim"),
    ])
}

fn segment_word() -> String {
    let word = |owner, generation| SegmentWord::new(SegmentState::Unbacked, owner, generation).0;
    let (owner, generation) = (word(u32::MAX, 0), word(0, u64::MAX));
    bits(&[
        (generation, "generation", "one more each time the segment becomes free"),
        (
            owner,
            "owner",
            "thread of an active or releasing segment; table of one of the index; else 0",
        ),
        (!(owner | generation), "state", "see the list of states"),
    ])
}

fn run_word() -> String {
    let count = RunWord::head(u32::MAX, 0).0;
    let continuation = RunWord::continuation(0, 0).0;
    let table = RunWord::table(0, 0).0;
    bits(&[
        (count, "count", "segments of the run; segments before it in the run; log2 of the table"),
        (continuation, "continuation", "1 = in a run and not its head"),
        (table, "table", "1 = in an index table"),
        (
            RunWord::head(0, u64::MAX).0,
            "generation",
            "low bits of that of the head; table: its own",
        ),
    ])
}

fn cell_word() -> String {
    let lap = CellWord::new(u64::MAX, RingOp::Region, Location(0)).0;
    let op = CellWord::new(0, RingOp::Local, Location(0)).0;
    bits(&[
        (WHOLE, "location", "of the record"),
        (op, "operation", "see the list of operations"),
        (lap, "lap", "low bits of position / cells + 1"),
    ])
}

fn list(entries: &[(u64, String, &str)]) -> String {
    let lines = entries
        .iter()
        .map(|(number, name, meaning)| vec![number.to_string(), name.clone(), (*meaning).into()]);
    table(&["number", "name", "meaning"], lines)
}

fn lists() -> Vec<(&'static str, String)> {
    vec![
        ("SegmentStates", segment_states()),
        ("RingOperations", ring_operations()),
        ("RegionEvents", region_events()),
        ("Kinds", kinds()),
        ("RecordBits", record_bits()),
        ("Counters", counters()),
    ]
}

fn counters() -> String {
    let line = |(number, name, meaning): &(usize, &str, &str)| {
        vec![number.to_string(), format!("`{name}`"), (*meaning).into()]
    };
    table(&["number", "name", "meaning"], LIST.iter().map(line))
}

fn segment_states() -> String {
    use SegmentState as S;
    let states = [
        (S::Unbacked, "has no memory"),
        (S::Free, "may be taken"),
        (S::Active, "its owner appends to it"),
        (S::Open, "partly filled, without owner; may be adopted"),
        (S::Sealed, "full; nobody appends"),
        (S::Releasing, "its owner gives its memory back"),
        (S::Quarantine, "holds dead records only; free when nothing protects it"),
        (S::Index, "part of the index table"),
        (S::Run, "part of a run that an earlier segment begins"),
    ];
    let states = states.map(|(state, meaning)| {
        let number = SegmentWord::new(state, 0, 0).0 >> 60;
        (number, format!("{state:?}"), meaning)
    });
    list(&states)
}

fn ring_operations() -> String {
    let operations = [
        (RingOp::Region, "a record: it was evicted; none: see the list of region events"),
        (RingOp::Change, "made on this node: for listeners and for the bridge"),
        (RingOp::Remote, "came from another node: for listeners only"),
        (RingOp::Local, "node-wide, not for other nodes"),
    ];
    list(&operations.map(|(op, meaning)| (op as u64, format!("{op:?}"), meaning)))
}

fn region_events() -> String {
    let meaning = |op: RegionOp| match op {
        RegionOp::LookAgain => "no record tells what changed: look at the region again",
        RegionOp::Clear => "all entries below `clear_stamp` are gone",
        RegionOp::LocalClear => "the same, only on this node",
        RegionOp::Invalidate => "all entries lose their values",
        RegionOp::LocalInvalidate => "the same, only on this node",
        RegionOp::Destroy => "the region is no more: the last event",
        RegionOp::LocalDestroy => "the same, only on this node",
        RegionOp::Doom => {
            "other nodes are to destroy theirs, then this one goes; not for listeners"
        }
    };
    list(&RegionOp::ALL.map(|op| (op as u64, format!("{op:?}"), meaning(op))))
}

fn kinds() -> String {
    let kinds = [
        (Kind::Value, "has a value"),
        (Kind::Invalid, "the key is known, its value is not"),
        (Kind::LocalInvalid, "the same, only on this node"),
        (Kind::Tombstone, "destroyed"),
        (
            Kind::Transit,
            "a change on its way to other nodes, or an answer of one; reads do not see it",
        ),
    ];
    list(&kinds.map(|(kind, meaning)| (kind as u64, format!("{kind:?}"), meaning)))
}

fn record_bits() -> String {
    let line = |field: &str, mask: u64, meaning: &str| {
        vec![format!("`{field}`"), format!("{mask:#06x}"), meaning.into()]
    };
    let lines = [
        line("flags", u64::from(FLAG_DEADLINE), "the first extension is a deadline"),
        line("flags", u64::from(FLAG_PREVIOUS), "the last extension is the previous record"),
        line("flags", u64::from(FLAG_BULK), "part of an operation on many keys"),
        line("flags", u64::from(FLAG_VALUELESS), "of kind Transit: the entry has no value"),
        line("flags", u64::from(FLAG_EXPIRATION), "the entry before it had expired"),
        line("flags", u64::from(FLAG_REMOTE), "the change came from another node"),
        line("state", u64::from(STATE_DEAD), "the record is not in the index (any more)"),
        line("state", u64::from(STATE_ABANDONED), "with the former: it never was"),
        line("state", u64::from(STATE_PUBLISHED), "a cleaner saw it in the index"),
        line("state", u64::from(STATE_ANNOUNCED), "it is in the event ring"),
        line("state", u64::from(STATE_HELPED), "others than its writer may have announced it"),
        line("state", u64::from(STATE_CREATED), "the key was absent before"),
        line("state", u64::from(STATE_SILENT), "nothing that can be seen has changed"),
    ];
    table(&["field", "mask", "meaning"], lines.into_iter())
}

fn constants() -> String {
    let magic = |magic: [u8; 8]| magic.map(|byte| format!("{byte:02x}")).join(" ");
    let lines = [
        ("format version", FORMAT_VERSION.to_string()),
        ("magic of a node file (bytes)", magic(NODE_MAGIC)),
        ("magic of a region file (bytes)", magic(MAGIC)),
        ("bytes of the file header", HEADER_BYTES.to_string()),
        ("page", PAGE.to_string()),
        ("node file: words at", WORDS_OFFSET.to_string()),
        ("node file: member slots at", SLOTS_OFFSET.to_string()),
        ("node file: member slots", MEMBER_SLOTS.to_string()),
        ("node file: length", NODE_FILE_BYTES.to_string()),
        ("node file: lock byte of slot 0", LOCK_BASE.to_string()),
        ("region file: lock byte of read-only users", READERS_LOCK.to_string()),
        ("thread descriptors of a region", THREADS.to_string()),
        ("hazard words of a thread", HAZARDS.to_string()),
        ("of these for running operations", OPERATION_HAZARDS.to_string()),
        ("attachments of a region", MEMBERS.to_string()),
        ("pin words of an attachment", PINS.to_string()),
        ("incarnations of other origins a region remembers", ORIGINS.to_string()),
        ("slots of a bucket", SLOTS.to_string()),
        ("longest chain of overflow buckets", MAX_OVERFLOW.to_string()),
        ("tag of hidden entries", HIDDEN_TAG.to_string()),
        ("hash id of XXH3-64 with seed", HASH_XXH3.to_string()),
        ("longest key", MAX_KEY.to_string()),
        ("longest value", MAX_VALUE.to_string()),
        ("alignment of values, smallest", MIN_ALIGNMENT.to_string()),
        ("alignment of values, largest", MAX_ALIGNMENT.to_string()),
        ("segments of a region, fewer than", MAX_SEGMENTS.to_string()),
        ("segment_bytes, smallest", MIN_SEGMENT.to_string()),
        ("segment_bytes, largest", MAX_SEGMENT.to_string()),
        ("max_bytes, smallest", MIN_BYTES.to_string()),
        ("max_bytes, largest", MAX_BYTES.to_string()),
    ];
    let lines = lines.into_iter().map(|(name, value)| vec![name.into(), value]);
    table(&["constant", "value"], lines)
}

/// The words of the header, with two examples.
fn geometry() -> String {
    const NAMES: [&str; 16] = [
        "max_bytes",
        "segment_bytes",
        "segments",
        "threads",
        "members",
        "ring_len",
        "words_at",
        "attachments_at",
        "threads_at",
        "states_at",
        "headers_at",
        "ring_at",
        "segments_at",
        "file_bytes",
        "ghosts_at",
        "ghosts",
    ];
    let plan = |bytes| Geometry::plan(bytes, 0, false).map(Geometry::to_words).unwrap_or_default();
    let (small, usual) = (plan(1 << 20), plan(64 << 20));
    let lines = NAMES.iter().enumerate().map(|(index, name)| {
        let values = [small[index], usual[index]].map(|value| value.to_string());
        vec![index.to_string(), format!("`{name}`"), values[0].clone(), values[1].clone()]
    });
    table(&["word", "name", "1 MiB region", "64 MiB region"], lines)
}

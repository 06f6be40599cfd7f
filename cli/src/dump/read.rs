//! Reading a dump: nothing is believed before its checksum was seen.

use std::io::{self, Read};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    BLOCK, BLOCK_HEAD, BLOCK_MAX, DumpEntry, END, END_PAYLOAD, ENTRY_DEADLINE, ENTRY_HEAD,
    ENTRY_META, HEADER, MAGIC, VERSION, chained, checksum,
};

/// What the reader came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// An entry; [`DumpReader::entry`] has it.
    Entry,
    /// The end mark; it agrees with what was read.
    End,
}

/// Why a dump cannot be read on.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The file could not be read.
    Input(io::Error),
    /// It is no dump, or one of another version.
    Unknown(String),
    /// It is cut off or changed.
    Damaged(String),
}

/// Reads entry by entry; keeps one block in memory.
#[derive(Debug)]
pub(crate) struct DumpReader<R> {
    input: R,
    payload: Vec<u8>,
    /// Of the entry that [`DumpReader::next`] came to, and of the one after it.
    at: usize,
    next: usize,
    left: u32,
    /// Where in the file the current block begins, and where the next.
    block_start: u64,
    offset: u64,
    entries: u64,
    entries_before: u64,
    blocks: u64,
    /// `None`: reading began in the middle.
    chain: Option<u64>,
}

impl<R: Read> DumpReader<R> {
    /// Reads the header.
    pub(crate) fn open(mut input: R) -> Result<Self, Trouble> {
        let mut header = [0; HEADER];
        let length = read_full(&mut input, &mut header).map_err(Trouble::Input)?;
        if length < MAGIC.len() || header[..8] != MAGIC {
            return Err(Trouble::Unknown("it does not begin like a dump of vug".into()));
        }
        if length < HEADER || number(&header, 24) != xxh3_64(&header[..24]) {
            return Err(Trouble::Damaged("its header is damaged".into()));
        }
        let version = u16::from_le_bytes([header[8], header[9]]);
        if version != VERSION {
            let text = format!("it has version {version}, this program reads version {VERSION}");
            return Err(Trouble::Unknown(text));
        }
        Ok(Self {
            input,
            payload: Vec::new(),
            at: 0,
            next: 0,
            left: 0,
            block_start: HEADER as u64,
            offset: HEADER as u64,
            entries: 0,
            entries_before: 0,
            blocks: 0,
            chain: Some(0),
        })
    }

    /// Goes on with another input, which stands at the begin of a block; the checksum over the
    /// whole dump is not checked then.
    pub(crate) fn go_on<S: Read>(self, input: S, offset: u64, entries: u64) -> DumpReader<S> {
        DumpReader {
            input,
            payload: Vec::new(),
            at: 0,
            next: 0,
            left: 0,
            block_start: offset,
            offset,
            entries,
            entries_before: entries,
            blocks: 0,
            chain: None,
        }
    }

    /// Where the block of the current entry begins, and how many entries are before it.
    pub(crate) fn place(&self) -> (u64, u64) {
        if self.left == 0 {
            (self.offset, self.entries)
        } else {
            (self.block_start, self.entries_before)
        }
    }

    /// Entries that were read.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    pub(crate) fn next(&mut self) -> Result<Item, Trouble> {
        while self.left == 0 {
            if self.next != self.payload.len() {
                return Err(self.damaged("bytes are left over"));
            }
            if let Item::End = self.block()? {
                return Ok(Item::End);
            }
        }
        self.at = self.next;
        let wrong = "an entry does not fit";
        let head = self.payload.get(self.at..).unwrap_or_default();
        let Some(length) = entry_len(head).filter(|length| *length <= head.len()) else {
            return Err(self.damaged(wrong));
        };
        self.next = self.at + length;
        self.left -= 1;
        self.entries += 1;
        Ok(Item::Entry)
    }

    /// The entry that [`DumpReader::next`] came to.
    pub(crate) fn entry(&self) -> DumpEntry<'_> {
        let bytes = &self.payload[self.at..self.next];
        let flags = bytes[0];
        let (key_len, mut at) =
            (usize::from(u16::from_le_bytes([bytes[2], bytes[3]])) + 1, ENTRY_HEAD);
        let token = (flags & ENTRY_META != 0).then(|| {
            at += 10;
            (number(bytes, at - 10), u16::from_le_bytes([bytes[at - 2], bytes[at - 1]]))
        });
        let deadline = (flags & ENTRY_DEADLINE != 0).then(|| {
            at += 8;
            number(bytes, at - 8)
        });
        let (key, value) = bytes[at..].split_at(key_len);
        DumpEntry { key, value, kind: bytes[1], token, deadline }
    }

    /// Reads a whole block and compares its checksum.
    fn block(&mut self) -> Result<Item, Trouble> {
        let mut head = [0; BLOCK_HEAD];
        let length = read_full(&mut self.input, &mut head).map_err(Trouble::Input)?;
        if length < BLOCK_HEAD {
            return Err(self.damaged("it is cut off: the end mark is missing"));
        }
        let tag = [0, 1, 2, 3].map(|at| head[at]);
        let payload_len = number(&head, 8);
        if (tag != BLOCK && tag != END) || payload_len > BLOCK_MAX {
            return Err(self.damaged("a block does not begin like one"));
        }
        self.payload.clear();
        // Grows as it is read: a length that is wrong takes no memory.
        let mut part = self.input.by_ref().take(payload_len);
        let length = part.read_to_end(&mut self.payload).map_err(Trouble::Input)?;
        if (length as u64) < payload_len {
            return Err(self.damaged("it is cut off in a block"));
        }
        let sum = number(&head, 16);
        if checksum(&head[..16], &self.payload) != sum {
            return Err(self.damaged("the checksum of a block differs"));
        }
        (self.block_start, self.entries_before) = (self.offset, self.entries);
        self.offset += (BLOCK_HEAD as u64) + payload_len;
        if tag == END {
            return self.end();
        }
        self.chain = self.chain.map(|chain| chained(chain, sum));
        self.blocks += 1;
        self.left = u32::from_le_bytes([4, 5, 6, 7].map(|at| head[at]));
        (self.at, self.next) = (0, 0);
        Ok(Item::Entry)
    }

    fn end(&mut self) -> Result<Item, Trouble> {
        self.next = self.payload.len();
        if self.payload.len() != END_PAYLOAD {
            return Err(self.damaged("its end mark is damaged"));
        }
        let [entries, blocks, chain] = [0, 8, 16].map(|at| number(&self.payload, at));
        let whole = self.chain.is_none_or(|seen| seen == chain && self.blocks == blocks);
        if !whole || entries != self.entries {
            return Err(self.damaged("its end mark is of another dump: blocks are missing"));
        }
        let mut beyond = [0; 1];
        if read_full(&mut self.input, &mut beyond).map_err(Trouble::Input)? > 0 {
            return Err(self.damaged("something follows its end mark"));
        }
        Ok(Item::End)
    }

    fn damaged(&self, what: &str) -> Trouble {
        Trouble::Damaged(format!("{what} (after entry {}, at byte {})", self.entries, self.offset))
    }
}

/// Bytes of the entry that begins here; `None` if it is no entry.
fn entry_len(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..ENTRY_HEAD)?;
    let key = usize::from(u16::from_le_bytes([head[2], head[3]])) + 1;
    let value = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    let meta = if head[0] & ENTRY_META != 0 { 10 } else { 0 };
    let deadline = if head[0] & ENTRY_DEADLINE != 0 { 8 } else { 0 };
    let known = head[0] & !(ENTRY_META | ENTRY_DEADLINE) == 0 && (1..=3).contains(&head[1]);
    known.then_some(ENTRY_HEAD + meta + deadline + key + value)
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|byte| bytes[at + byte]))
}

/// Reads until the buffer is full or the input ends; how much it was.
fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(filled)
}

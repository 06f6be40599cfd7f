//! Writing a dump.

use std::io::{self, Write};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    BLOCK, BLOCK_BYTES, DumpEntry, END, ENTRY_DEADLINE, ENTRY_META, MAGIC, VERSION, chained,
    checksum,
};

/// Keeps one block in memory.
#[derive(Debug)]
pub(crate) struct DumpWriter<W: Write> {
    out: W,
    payload: Vec<u8>,
    in_block: u32,
    entries: u64,
    blocks: u64,
    chain: u64,
}

impl<W: Write> DumpWriter<W> {
    /// `created`: milliseconds since 1970.
    pub(crate) fn new(mut out: W, flags: u16, created: u64) -> io::Result<Self> {
        let mut header = Vec::with_capacity(super::HEADER);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend(flags.to_le_bytes());
        header.extend([0; 4]);
        header.extend(created.to_le_bytes());
        header.extend(xxh3_64(&header).to_le_bytes());
        out.write_all(&header)?;
        Ok(Self { out, payload: Vec::new(), in_block: 0, entries: 0, blocks: 0, chain: 0 })
    }

    pub(crate) fn push(&mut self, entry: &DumpEntry<'_>) -> io::Result<()> {
        let meta = if entry.token.is_some() { ENTRY_META } else { 0 };
        let deadline = if entry.deadline.is_some() { ENTRY_DEADLINE } else { 0 };
        let payload = &mut self.payload;
        payload.extend([meta | deadline, entry.kind]);
        payload.extend((entry.key.len() as u16).wrapping_sub(1).to_le_bytes());
        payload.extend((entry.value.len() as u32).to_le_bytes());
        if let Some((version, origin)) = entry.token {
            payload.extend(version.to_le_bytes());
            payload.extend(origin.to_le_bytes());
        }
        if let Some(deadline) = entry.deadline {
            payload.extend(deadline.to_le_bytes());
        }
        payload.extend_from_slice(entry.key);
        payload.extend_from_slice(entry.value);
        self.in_block += 1;
        self.entries += 1;
        if payload.len() >= BLOCK_BYTES { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> io::Result<()> {
        let sum = self.block(BLOCK)?;
        self.chain = chained(self.chain, sum);
        self.blocks += 1;
        self.in_block = 0;
        self.payload.clear();
        self.payload.shrink_to(2 * BLOCK_BYTES);
        Ok(())
    }

    fn block(&mut self, tag: [u8; 4]) -> io::Result<u64> {
        let mut head = Vec::with_capacity(super::BLOCK_HEAD);
        head.extend(tag);
        head.extend(self.in_block.to_le_bytes());
        head.extend((self.payload.len() as u64).to_le_bytes());
        let sum = checksum(&head, &self.payload);
        head.extend(sum.to_le_bytes());
        self.out.write_all(&head)?;
        self.out.write_all(&self.payload)?;
        Ok(sum)
    }

    /// Writes what is left and the end mark, without which a dump is not whole.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        if self.in_block > 0 {
            self.close()?;
        }
        self.payload.clear();
        self.payload.extend(self.entries.to_le_bytes());
        self.payload.extend(self.blocks.to_le_bytes());
        self.payload.extend(self.chain.to_le_bytes());
        self.block(END)?;
        self.out.flush()?;
        Ok(self.entries)
    }
}

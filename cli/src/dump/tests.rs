use super::*;

const ENTRIES: [DumpEntry<'_>; 3] = [
    DumpEntry { key: b"a", value: b"one", kind: 1, token: None, deadline: None },
    DumpEntry { key: b"\xff\0", value: b"", kind: 1, token: Some((7, 2)), deadline: Some(9) },
    DumpEntry { key: b"gone", value: b"", kind: 2, token: Some((8, 0)), deadline: None },
];

fn dump(entries: &[DumpEntry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = DumpWriter::new(&mut out, FLAG_META, 5).unwrap();
    for entry in entries {
        writer.push(entry).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), entries.len() as u64);
    out
}

/// The keys that are read before the end or the trouble.
fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Result<(), Trouble>) {
    let mut keys = Vec::new();
    let mut reader = match DumpReader::open(bytes) {
        Ok(reader) => reader,
        Err(trouble) => return (keys, Err(trouble)),
    };
    loop {
        match reader.next() {
            Ok(Item::Entry) => keys.push(reader.entry().key.to_vec()),
            Ok(Item::End) => return (keys, Ok(())),
            Err(trouble) => return (keys, Err(trouble)),
        }
    }
}

#[test]
fn what_is_written_is_read() {
    let bytes = dump(&ENTRIES);
    let mut reader = DumpReader::open(&bytes[..]).unwrap();
    for entry in ENTRIES {
        assert_eq!(reader.next().unwrap(), Item::Entry);
        assert_eq!(reader.entry(), entry);
    }
    assert_eq!(reader.next().unwrap(), Item::End);
    assert!(read(&dump(&[])).1.is_ok());
}

/// `DUMP.md` shows these bytes.
#[test]
fn the_bytes_are_as_specified() {
    let bytes = dump(&ENTRIES[..1]);
    assert_eq!(bytes[..8], MAGIC);
    assert_eq!(bytes[8..24], [1, 0, 1, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[24..32], xxh3_64(&bytes[..24]).to_le_bytes());
    assert_eq!(bytes[32..48], *b"VBLK\x01\0\0\0\x0c\0\0\0\0\0\0\0");
    let sum = xxh3_64(&bytes[56..68]) ^ xxh3_64(&bytes[32..48]).rotate_left(1);
    assert_eq!(bytes[48..56], sum.to_le_bytes());
    assert_eq!(bytes[56..68], *b"\x00\x01\0\0\x03\0\0\0aone");
    assert_eq!(bytes[68..84], *b"VEND\0\0\0\0\x18\0\0\0\0\0\0\0");
    assert_eq!(bytes[92..108], *b"\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
    assert_eq!(bytes[108..116], chained(0, sum).to_le_bytes());
    assert_eq!(bytes.len(), 116);
}

#[test]
fn every_change_of_a_byte_and_every_cut_is_noticed() {
    let bytes = dump(&ENTRIES);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        assert!(read(&changed).1.is_err(), "byte {at}");
        assert!(read(&bytes[..at]).1.is_err(), "cut at {at}");
    }
    let (_, trouble) = read(&[&bytes[..], b"x"].concat());
    assert!(matches!(trouble, Err(Trouble::Damaged(what)) if what.contains("follows its end")));
    let (_, trouble) = read(b"id,a\n");
    assert!(matches!(trouble, Err(Trouble::Unknown(_))));
}

#[test]
fn a_block_that_is_missing_is_noticed() {
    let value = vec![7; BLOCK_BYTES];
    let entries: Vec<_> = [b"a", b"b", b"c"]
        .into_iter()
        .map(|key| DumpEntry { key, value: &value, ..ENTRIES[0] })
        .collect();
    let bytes = dump(&entries);
    let block = BLOCK_HEAD + ENTRY_HEAD + 1 + BLOCK_BYTES;
    let missing = [&bytes[..HEADER + block], &bytes[HEADER + 2 * block..]].concat();
    let (keys, trouble) = read(&missing);
    assert_eq!(keys, [b"a", b"c"]);
    assert!(matches!(trouble, Err(Trouble::Damaged(what)) if what.contains("blocks are missing")));
}

#[test]
fn reading_goes_on_at_a_block() {
    let value = vec![7; BLOCK_BYTES];
    let entries: Vec<_> = [b"a", b"b", b"c"]
        .into_iter()
        .map(|key| DumpEntry { key, value: &value, ..ENTRIES[0] })
        .collect();
    let bytes = dump(&entries);
    let mut reader = DumpReader::open(&bytes[..]).unwrap();
    reader.next().unwrap();
    let (offset, before) = reader.place();
    let mut rest = reader.go_on(&bytes[offset as usize..], offset, before);
    for key in [b"b", b"c"] {
        assert_eq!(rest.next().unwrap(), Item::Entry);
        assert_eq!(rest.entry().key, key);
    }
    assert_eq!(rest.next().unwrap(), Item::End);
}

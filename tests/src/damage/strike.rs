//! One damage: bits, bytes and words, where the structures are and anywhere.

use super::{Layout, Random};

/// Words that break things: limits, signs, states, pending headers, frozen bits.
const EVIL: [u64; 24] = [
    0,
    1,
    2,
    3,
    7,
    8,
    u64::MAX,
    u64::MAX - 1,
    1 << 63,
    i64::MAX as u64,
    u32::MAX as u64,
    1 << 32,
    1 << 40,
    1 << 52,
    (1 << 52) - 1,
    1 << 54,
    0xf << 60,
    1 << 60,
    2 << 60,
    4 << 60,
    6 << 60,
    7 << 60,
    8 << 60,
    1 << 55,
];

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn set_word(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes());
}

/// Makes the checksum of the file header right again, so that what is behind it is looked at.
pub fn seal(bytes: &mut [u8]) {
    let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..504]);
    set_word(bytes, 504, sum);
}

/// Damages a copy of a valid file.
pub fn strike(bytes: &mut Vec<u8>, layout: &Layout, random: &mut Random) {
    let blows = match random.below(16) {
        0 => 40,
        1..4 => 8,
        _ => 3,
    };
    for _ in 0..=random.below(blows) {
        let (start, end) = place(layout, random);
        let at = (start + random.below(end - start)).min(bytes.len() - 8);
        blow(bytes, at, start..end, layout, random);
    }
    if random.below(8) != 0 {
        seal(bytes);
    }
    if random.below(200) == 0 {
        bytes.truncate(random.below(layout.file_bytes));
    }
}

/// A part of the file, or the header of one record.
fn place(layout: &Layout, random: &mut Random) -> (usize, usize) {
    if random.below(5) == 0 && !layout.records.is_empty() {
        let record = layout.records[random.below(layout.records.len())];
        return (record, record + 32);
    }
    let part = &layout.parts[random.below(layout.parts.len())];
    (part.start, part.end)
}

fn blow(
    bytes: &mut [u8],
    at: usize,
    part: std::ops::Range<usize>,
    layout: &Layout,
    random: &mut Random,
) {
    let aligned = at & !7;
    let seen = word(bytes, aligned);
    match random.below(9) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.number() as u8,
        3 => set_word(bytes, aligned, random.number()),
        4 => set_word(bytes, aligned, EVIL[random.below(EVIL.len())]),
        5 => set_word(bytes, aligned, seen.wrapping_add(random.number() % 17).wrapping_sub(8)),
        6 => set_word(bytes, aligned, seen ^ EVIL[random.below(EVIL.len())]),
        7 => {
            let number = layout.numbers[random.below(layout.numbers.len())];
            set_word(bytes, aligned, number);
        }
        _ => {
            let other = (part.start + random.below(part.end - part.start)) & !7;
            let other = word(bytes, other.min(bytes.len() - 8));
            set_word(bytes, aligned, other);
        }
    }
}

use super::*;

const MAGIC: [u8; 8] = *b"\x89test\r\n\x1a";

fn header() -> FileHeader {
    FileHeader::new(MAGIC, 3, 5, 7, 4096).seal()
}

fn check(bytes: &[u8], file_len: u64) -> Result<FileHeader> {
    FileHeader::check(bytes, MAGIC, Path::new("f"), file_len, 5)
}

/// A header with one thing changed by somebody who knows how to seal.
fn changed(change: impl FnOnce(&mut FileHeader)) -> Result<FileHeader> {
    let mut other = header();
    change(&mut other);
    check(other.seal().as_bytes(), 4096)
}

#[test]
fn a_sealed_header_is_accepted() {
    assert_eq!(check(header().as_bytes(), 4096).ok(), Some(header()));
    assert_eq!(whole(halves(u128::MAX - 9)), u128::MAX - 9);
}

#[test]
fn each_kind_of_stranger_has_its_own_error() {
    let swapped = changed(|h| h.byte_order = h.byte_order.swap_bytes());
    assert!(matches!(swapped, Err(Error::OtherEndianness { .. })));
    assert!(matches!(changed(|h| h.magic[3] ^= 1), Err(Error::NotAVugFile { .. })));
    let newer = changed(|h| h.version = 2);
    assert!(matches!(newer, Err(Error::UnsupportedFormat { found: 2, supported: 1, .. })));
    let features = changed(|h| h.incompat = 8);
    assert!(matches!(features, Err(Error::UnknownFeatures { bits: 8, .. })));
    assert!(matches!(changed(|h| h.boot = [1, 1]), Err(Error::OtherBoot { .. })));
    assert!(matches!(changed(|h| h.file_len = 9), Err(Error::DamagedHeader { .. })));
    let longer = changed(|h| h.file_len = 4097);
    assert!(matches!(longer, Err(Error::Truncated { expected: 4097, found: 4096, .. })));
    let odd = changed(|h| h.byte_order = 9);
    assert!(matches!(odd, Err(Error::DamagedHeader { field: "byte order", .. })));
}

#[test]
fn compatible_features_are_ignored_and_read_only_ones_refused_to_writers() {
    assert!(changed(|h| h.compat = 1 << 63).is_ok());
    let Ok(header) = changed(|h| h.ro_compat = 2) else { panic!("a reader may ignore it") };
    let refused = header.require_writable(Path::new("f"));
    assert!(matches!(refused, Err(Error::UnknownFeatures { bits: 2, .. })));
}

#[test]
fn every_flipped_byte_and_every_short_file_is_noticed() {
    for at in 0..HEADER_BYTES {
        let mut bytes = [0; HEADER_BYTES];
        bytes.copy_from_slice(header().as_bytes());
        bytes[at] ^= 0x10;
        assert!(check(&bytes, 4096).is_err(), "byte {at}");
    }
    for len in 0..HEADER_BYTES {
        let short = check(&header().as_bytes()[..len], len as u64);
        assert!(matches!(short, Err(Error::Truncated { .. })), "{len} bytes");
    }
    assert!(matches!(check(b"PNG", 3), Err(Error::NotAVugFile { .. })));
}

//! Round trips, and bytes nobody should send.

use super::WireError;
use super::control::{self, Body};
use super::frame::{
    self, Answer, Body as Frame, Closed, FrameHeader, Frames, ImageEnd, MAX_FRAME, MAY_SKIP, Start,
    Whole, WireAck, WireClaim, kind,
};
use super::record::{self, Change, Kind};
use zerocopy::IntoBytes;

static KEY: [u8; 65_536] = [7; 65_536];

fn change<'a>(key: &'a [u8], value: &'a [u8]) -> Change<'a> {
    let kind = Kind::Value;
    // Short keys have neither, longer ones both.
    let (deadline, expiration) = ((key.len() > 1).then_some(1 << 50), key.len() > 1);
    let (created, bulk) = (key.len() > 1, key.len() > 300);
    let (position, version, origin) = (3, 1 << 60, 2);
    Change { position, key, value, kind, version, origin, deadline, expiration, created, bulk }
}

fn sample() -> Vec<u8> {
    let mut out = Vec::new();
    let start = Start { epoch: 9.into(), position: 4.into() };
    frame::push(&mut out, kind::START, 5, &start);
    let at = frame::open(&mut out);
    for n in [1, 300, 65_536] {
        assert!(record::push(&mut out, &change(&KEY[..n], &KEY[..n / 2])));
    }
    frame::close(&mut out, at, kind::RECORDS, 5, 3, 0);
    let closed = Closed { position: 7.into(), closed: 8.into() };
    frame::push(&mut out, kind::CLOSED, 5, &closed);
    let end = ImageEnd { records: 1.into(), digest: 2.into() };
    let claim = WireClaim {
        origin: 1.into(),
        reserved: [0; 6],
        epoch: 2.into(),
        position: 3.into(),
        since: 4.into(),
        closed: 5.into(),
    };
    let parts: [&[u8]; 2] = [end.as_bytes(), claim.as_bytes()];
    frame::push_parts(&mut out, kind::IMAGE_END, 5, 1, 77, &parts);
    let whole = Whole { position: 8.into(), stamp: (1 << 60).into(), what: 1, reserved: [0; 7] };
    frame::push(&mut out, kind::WHOLE, 5, &whole);
    let answer = Answer { search: 4.into(), outcome: 1, reserved: [0; 7] };
    let at = frame::open(&mut out);
    out.extend_from_slice(answer.as_bytes());
    assert!(record::push(&mut out, &change(b"k", b"v")));
    frame::close(&mut out, at, kind::ANSWER, 5, 1, 0);
    out
}

/// Reads everything; the number of frames and records.
fn read(bytes: &[u8]) -> Result<(usize, usize), WireError> {
    let mut frames = Frames::new(bytes);
    let (mut f, mut r) = (0, 0);
    while let Some((_, body)) = frames.next_frame()? {
        f += 1;
        if let Frame::Records(mut records)
        | Frame::Image(_, mut records)
        | Frame::Answer(_, mut records) = body
        {
            while let Some((change, bytes)) = records.next_record()? {
                assert_eq!(bytes.len(), record::encoded_len(&change));
                r += 1;
            }
        }
    }
    Ok((f, r))
}

#[test]
fn frames_come_back_as_they_were() {
    let bytes = sample();
    assert_eq!(read(&bytes), Ok((6, 4)));
    let mut frames = Frames::new(&bytes);
    let (region, first) = frames.next_frame().unwrap().unwrap();
    assert_eq!(region, 5);
    assert!(matches!(first, Frame::Start(s) if s.epoch.get() == 9 && s.position.get() == 4));
    let (_, records) = frames.next_frame().unwrap().unwrap();
    let Frame::Records(mut records) = records else { panic!("{records:?}") };
    for n in [1, 300, 65_536] {
        let (got, _) = records.next_record().unwrap().unwrap();
        assert_eq!(got, change(&KEY[..n], &KEY[..n / 2]));
    }
    assert!(records.next_record().unwrap().is_none());
}

#[test]
fn keys_of_impossible_length_are_not_sent() {
    let mut out = Vec::new();
    assert!(!record::push(&mut out, &change(&[], b"x")));
    assert!(!record::push(&mut out, &change(&[7; 65_537], b"x")));
    assert!(out.is_empty());
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = sample();
    let mut whole = vec![0];
    while let Some(at) = whole.last().copied().filter(|at| *at < bytes.len()) {
        whole.push(at + frame::frame_len(&bytes[at..]).unwrap().unwrap());
    }
    for len in (0..bytes.len()).filter(|n| n % 7 == 0 || *n < 400) {
        let read = read(&bytes[..len]);
        assert_eq!(read.is_ok(), whole.contains(&len), "{len}: {read:?}");
    }
}

#[test]
fn unknown_frames_are_skipped_only_when_they_say_so() {
    let mut bytes = Vec::new();
    frame::push_parts(&mut bytes, 99, 0, 0, 0, &[b"whatever"]);
    assert_eq!(read(&bytes), Err(WireError::UnknownKind { kind: 99 }));
    bytes[std::mem::offset_of!(FrameHeader, flags)] = MAY_SKIP;
    bytes.extend_from_slice(&sample());
    assert_eq!(read(&bytes), Ok((6, 4)));
}

#[test]
fn stated_lengths_and_counts_are_checked() {
    let mut long = sample();
    long[..4].copy_from_slice(&(MAX_FRAME + 1).to_le_bytes());
    assert_eq!(read(&long), Err(WireError::TooLong { len: u64::from(MAX_FRAME) + 1 }));
    for count in [0u32, 2, 4, u32::MAX] {
        let mut bytes = Vec::new();
        let at = frame::open(&mut bytes);
        for _ in 0..3 {
            record::push(&mut bytes, &change(b"k", b"v"));
        }
        frame::close(&mut bytes, at, kind::RECORDS, 1, count, 0);
        assert!(read(&bytes).is_err(), "{count}");
        let mut bytes = Vec::new();
        let room = [0u8; 3 * size_of::<WireAck>()];
        frame::push_parts(&mut bytes, kind::ACK, 0, count, 0, &[&room]);
        assert!(read(&bytes).is_err(), "{count}");
    }
}

#[test]
fn records_no_version_1_node_sends_are_refused() {
    let header = size_of::<FrameHeader>();
    let fields = [
        (std::mem::offset_of!(record::RecordHeader, kind), 0u8),
        (std::mem::offset_of!(record::RecordHeader, kind), 5),
        (std::mem::offset_of!(record::RecordHeader, kind), 9),
        (std::mem::offset_of!(record::RecordHeader, flags), 4),
        (std::mem::offset_of!(record::RecordHeader, origin), 0),
    ];
    for (offset, value) in fields {
        let mut bytes = Vec::new();
        let at = frame::open(&mut bytes);
        record::push(&mut bytes, &change(b"k", b"v"));
        frame::close(&mut bytes, at, kind::RECORDS, 1, 1, 0);
        assert_eq!(read(&bytes), Ok((1, 1)));
        bytes[header + offset] = value;
        assert!(matches!(read(&bytes), Err(WireError::UnknownRecord { .. })));
    }
}

#[test]
fn damaged_and_random_bytes_never_panic() {
    let mut seed = 1u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let good = sample();
    for round in 0..20_000 {
        let mut bytes = if round % 2 == 0 {
            good[..(random() % 700) as usize].to_vec()
        } else {
            (0..random() % 120).map(|_| random() as u8).collect()
        };
        for _ in 0..random() % 4 {
            let len = bytes.len() as u64;
            if let Some(byte) = bytes.get_mut((random() % len.max(1)) as usize) {
                *byte = random() as u8;
            }
        }
        // A plausible header in front makes the bodies worth something.
        if round % 3 == 0 && bytes.len() >= size_of::<FrameHeader>() {
            let body = (bytes.len() - size_of::<FrameHeader>()) as u32;
            bytes[..4].copy_from_slice(&body.to_le_bytes());
            bytes[4] = [1, 2, 3, 4, 16, 17, 32, 40, 41, 200][(random() % 10) as usize];
        }
        let _ = read(&bytes);
        let _ = control::decode(&bytes);
        let _ = frame::frame_len(&bytes);
    }
}

#[test]
fn control_messages_of_a_later_version_are_passed_over() {
    // Envelope field 200, length 1.
    assert_eq!(control::decode(&[0xc2, 0x0c, 1, 0]), Ok(None));
    let mut bytes = control::encode(Body::Withdraw(control::Withdraw { region: 3 }));
    bytes.extend_from_slice(&[0xc2, 0x0c, 1, 0]);
    let expected = Body::Withdraw(control::Withdraw { region: 3 });
    assert_eq!(control::decode(&bytes), Ok(Some(expected)));
    assert!(control::decode(&[0xff; 9]).is_err());
    assert!(control::number(65_536).is_err());
}

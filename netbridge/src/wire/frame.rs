//! Frames: a 16-byte header and a body, little-endian, without padding.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::WireError;
use super::record::Records;

/// Largest body of a frame. One record is never split, so this also bounds a record.
pub const MAX_FRAME: u32 = 256 << 20;
/// Frame flag: a receiver that does not know the kind passes over the frame.
pub const MAY_SKIP: u8 = 1;
/// Acknowledgement flag: the acknowledging node does not yet hold what lies before its cut.
pub const PROVISIONAL: u16 = 1;

/// Image flag: only what the target did not claim to hold.
pub const DELTA: u32 = 1;

/// Frame kinds.
pub mod kind {
    /// The live stream (re)starts: body is [`Start`](super::Start).
    pub const START: u8 = 1;
    /// `count` records of the live stream.
    pub const RECORDS: u8 = 2;
    /// The stream moves on without records: body is [`Skip`](super::Skip).
    pub const SKIP: u8 = 3;
    /// Closed time: body is [`Closed`](super::Closed).
    pub const CLOSED: u8 = 4;
    /// `count` records of the image `aux`.
    pub const IMAGE: u8 = 16;
    /// End of the image `aux`: [`ImageEnd`](super::ImageEnd), then `count` claims.
    pub const IMAGE_END: u8 = 17;
    /// Datagram: `count` acknowledgements.
    pub const ACK: u8 = 32;
    /// Something was done to all entries: body is [`Whole`](super::Whole).
    pub const WHOLE: u8 = 40;
    /// The answer of a search: [`Answer`](super::Answer), then `count` records, one or none.
    pub const ANSWER: u8 = 41;
    /// The image `aux` begins: [`ImageBegin`](super::ImageBegin), then `count` claims.
    pub const IMAGE_BEGIN: u8 = 60;
    /// How far the image `aux` has come: body is [`ImageCursor`](super::ImageCursor).
    pub const IMAGE_CURSOR: u8 = 61;
    /// Datagram: one message of the failure detector.
    pub const SWIM: u8 = 80;
}

/// Starts every frame.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct FrameHeader {
    /// Bytes after this header.
    pub len: U32,
    /// One of [`kind`].
    pub kind: u8,
    /// [`MAY_SKIP`].
    pub flags: u8,
    /// Number of the region as the *sending* node counts; 0 where the body names regions.
    pub region: U16,
    /// Items in the body.
    pub count: U32,
    /// Image frames: transfer number, chosen by the node that asked. Otherwise 0.
    pub aux: U32,
}

/// Body of `START`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Start {
    /// Incarnation of the sender's region: positions mean something only within one.
    pub epoch: U64,
    /// Position of the next change.
    pub position: U64,
}

/// Body of `SKIP`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Skip {
    /// Position of the next change.
    pub position: U64,
}

/// Body of `CLOSED`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Closed {
    /// Every change of the sender with a version up to `closed` lies before this position.
    pub position: U64,
    /// Closed time, a version.
    pub closed: U64,
}

/// Body of `IMAGE_BEGIN`, followed by what the source claims if the image arrives.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct ImageBegin {
    /// [`DELTA`].
    pub flags: U32,
    /// 0.
    pub reserved: U32,
    /// Tombstones up to this version may be missing.
    pub horizon: U64,
    /// Records to come, roughly; 0 where that is not known.
    pub estimate: U64,
}

/// Body of `IMAGE_CURSOR`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct ImageCursor {
    /// For an ImageRequest that goes on here; opaque to the target.
    pub cursor: U64,
}

/// Body of `IMAGE_END`, followed by the claims.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct ImageEnd {
    /// Records sent in this image, repetitions included.
    pub records: U64,
    /// Wrapping sum of xxh3-64 of each record's bytes as sent.
    pub digest: U64,
}

/// What the source of an image held when its scan began.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct WireClaim {
    /// Whose changes.
    pub origin: U16,
    /// 0.
    pub reserved: [u8; 6],
    /// Incarnation of the origin's region.
    pub epoch: U64,
    /// Held: every change of that incarnation before this position.
    pub position: U64,
    /// Held: every change of the origin with `since < version <= closed`. Equal: no such claim.
    pub since: U64,
    /// See `since`.
    pub closed: U64,
}

/// Body of `WHOLE`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Whole {
    /// Position in the ring of the node that did it.
    pub position: U64,
    /// Entries with a lower version are concerned.
    pub stamp: U64,
    /// 1: they go; 2: they lose their values; 3: the region goes.
    pub what: u8,
    /// 0.
    pub reserved: [u8; 7],
}

/// Body of `ANSWER`, followed by the entry if there is one.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Answer {
    /// Number from the Search.
    pub search: U64,
    /// 1: there is an entry; 2: there is none, and this node has all entries; 3: it has none,
    /// others may; 4: this node cannot say.
    pub outcome: u8,
    /// 0.
    pub reserved: [u8; 7],
}

/// One acknowledgement; cumulative, so a lost one is harmless.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct WireAck {
    /// Number of the region as the acknowledging node counts.
    pub region: U16,
    /// [`PROVISIONAL`].
    pub flags: U16,
    /// 0.
    pub reserved: U32,
    /// Incarnation the positions belong to: that of the acknowledged node's region.
    pub epoch: U64,
    /// Everything before this position has arrived.
    pub received: U64,
    /// Everything before this position is visible in the acknowledging node's region.
    pub applied: U64,
}

/// A decoded frame.
#[derive(Debug, Clone)]
pub enum Body<'a> {
    /// See [`kind::START`].
    Start(Start),
    /// See [`kind::RECORDS`].
    Records(Records<'a>),
    /// See [`kind::SKIP`].
    Skip(Skip),
    /// See [`kind::CLOSED`].
    Closed(Closed),
    /// See [`kind::IMAGE`]: transfer and records.
    Image(u32, Records<'a>),
    /// See [`kind::IMAGE_BEGIN`]: transfer, kind of image and claims.
    ImageBegin(u32, ImageBegin, &'a [WireClaim]),
    /// See [`kind::IMAGE_CURSOR`]: transfer and cursor.
    ImageCursor(u32, u64),
    /// See [`kind::IMAGE_END`]: transfer, totals and claims.
    ImageEnd(u32, ImageEnd, &'a [WireClaim]),
    /// See [`kind::ACK`].
    Ack(&'a [WireAck]),
    /// See [`kind::SWIM`].
    Swim(&'a [u8]),
    /// See [`kind::WHOLE`].
    Whole(Whole),
    /// See [`kind::ANSWER`].
    Answer(Answer, Records<'a>),
}

/// Reads the frames of one payload.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// `payload` must hold whole frames.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The next frame that is understood: its region number and body. `None` at the end.
    ///
    /// # Errors
    /// [`WireError`]; reading on makes no sense then.
    pub fn next_frame(&mut self) -> Result<Option<(u16, Body<'a>)>, WireError> {
        while !self.rest.is_empty() {
            let (header, body, rest) = split(self.rest)?;
            self.rest = rest;
            match decode(&header, body)? {
                Some(decoded) => return Ok(Some((header.region.get(), decoded))),
                None => continue,
            }
        }
        Ok(None)
    }
}

/// Length of the whole frame that begins with these bytes, header included; `None` while fewer than
/// 16 bytes are there. For drivers that cut a stream into frames.
///
/// # Errors
/// [`WireError::TooLong`].
pub fn frame_len(bytes: &[u8]) -> Result<Option<usize>, WireError> {
    let Ok((header, _)) = FrameHeader::ref_from_prefix(bytes) else {
        return Ok(None);
    };
    let len = header.len.get();
    if len > MAX_FRAME {
        return Err(WireError::TooLong { len: u64::from(len) });
    }
    Ok(Some(size_of::<FrameHeader>() + len as usize))
}

fn split(bytes: &[u8]) -> Result<(FrameHeader, &[u8], &[u8]), WireError> {
    let truncated = |what, need| WireError::Truncated { what, need, have: bytes.len() };
    let whole = frame_len(bytes)?.ok_or(truncated("frame header", size_of::<FrameHeader>()))?;
    if bytes.len() < whole {
        return Err(truncated("frame", whole));
    }
    let (frame, rest) = bytes.split_at(whole);
    let (header, body) = FrameHeader::read_from_prefix(frame)
        .map_err(|_| truncated("frame header", size_of::<FrameHeader>()))?;
    Ok((header, body, rest))
}

fn decode<'a>(header: &FrameHeader, body: &'a [u8]) -> Result<Option<Body<'a>>, WireError> {
    let count = header.count.get();
    let aux = header.aux.get();
    Ok(Some(match header.kind {
        kind::START => Body::Start(exact(body, "start")?),
        kind::RECORDS => Body::Records(Records::new(body, count)),
        kind::SKIP => Body::Skip(exact(body, "skip")?),
        kind::CLOSED => Body::Closed(exact(body, "closed")?),
        kind::IMAGE => Body::Image(aux, Records::new(body, count)),
        kind::IMAGE_BEGIN => {
            let (begin, claims) = prefix::<ImageBegin>(body, "image begin")?;
            Body::ImageBegin(aux, begin, slice(claims, count, "claims")?)
        }
        kind::IMAGE_CURSOR => {
            let at: ImageCursor = exact(body, "image cursor")?;
            Body::ImageCursor(aux, at.cursor.get())
        }
        kind::IMAGE_END => {
            let (end, claims) = prefix::<ImageEnd>(body, "image end")?;
            Body::ImageEnd(aux, end, slice(claims, count, "claims")?)
        }
        kind::ACK => Body::Ack(slice(body, count, "acknowledgements")?),
        kind::SWIM => Body::Swim(body),
        kind::WHOLE => Body::Whole(exact(body, "whole")?),
        kind::ANSWER => {
            let (answer, records) = Answer::read_from_prefix(body).map_err(|_| {
                let need = size_of::<Answer>();
                WireError::Truncated { what: "answer", need, have: body.len() }
            })?;
            Body::Answer(answer, Records::new(records, count))
        }
        _ if header.flags & MAY_SKIP != 0 => return Ok(None),
        kind => return Err(WireError::UnknownKind { kind }),
    }))
}

fn exact<T: FromBytes>(body: &[u8], what: &'static str) -> Result<T, WireError> {
    T::read_from_bytes(body).map_err(|_| {
        let (need, have) = (size_of::<T>(), body.len());
        if have < need {
            WireError::Truncated { what, need, have }
        } else {
            WireError::Trailing { what, bytes: have - need }
        }
    })
}

fn prefix<'a, T: FromBytes>(
    body: &'a [u8],
    what: &'static str,
) -> Result<(T, &'a [u8]), WireError> {
    let (need, have) = (size_of::<T>(), body.len());
    T::read_from_prefix(body).map_err(|_| WireError::Truncated { what, need, have })
}

fn slice<'a, T: FromBytes + Immutable + KnownLayout + Unaligned>(
    body: &'a [u8],
    count: u32,
    what: &'static str,
) -> Result<&'a [T], WireError> {
    let need = (count as usize).saturating_mul(size_of::<T>());
    if body.len() < need {
        return Err(WireError::Truncated { what, need, have: body.len() });
    }
    if body.len() > need {
        return Err(WireError::Trailing { what, bytes: body.len() - need });
    }
    <[T]>::ref_from_bytes(body).map_err(|_| WireError::Truncated { what, need, have: body.len() })
}

/// Appends a frame with a fixed body.
pub fn push(
    out: &mut Vec<u8>,
    kind: u8,
    region: u16,
    body: &(impl IntoBytes + Immutable + ?Sized),
) {
    push_parts(out, kind, region, 1, 0, &[body.as_bytes()]);
}

/// Appends a frame whose body is the concatenation of `parts`.
pub fn push_parts(out: &mut Vec<u8>, kind: u8, region: u16, count: u32, aux: u32, parts: &[&[u8]]) {
    let at = open(out);
    for part in parts {
        out.extend_from_slice(part);
    }
    close(out, at, kind, region, count, aux);
}

/// Marks the frame that begins at `at`: who does not know its kind passes over it.
pub fn may_skip(out: &mut [u8], at: usize) {
    if let Some(flags) = out.get_mut(at + std::mem::offset_of!(FrameHeader, flags)) {
        *flags |= MAY_SKIP;
    }
}

/// Leaves room for a header; [`close`] fills it in once the body is written.
pub fn open(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.resize(at + size_of::<FrameHeader>(), 0);
    at
}

/// Completes the frame that [`open`] began at `at`.
pub fn close(out: &mut [u8], at: usize, kind: u8, region: u16, count: u32, aux: u32) {
    let body = at + size_of::<FrameHeader>();
    let len = out.len().saturating_sub(body);
    let header = FrameHeader {
        len: U32::new(u32::try_from(len).unwrap_or(u32::MAX)),
        kind,
        flags: 0,
        region: U16::new(region),
        count: U32::new(count),
        aux: U32::new(aux),
    };
    if let Some(room) = out.get_mut(at..body) {
        room.copy_from_slice(header.as_bytes());
    }
}

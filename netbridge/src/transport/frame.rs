//! Cutting byte streams into messages and frames.
//!
//! A control message has its length before it as a little-endian u32, and is handed on without it.
//! Data frames have the header of [`wire::frame`], and are handed on with it, as many at once as
//! arrived together.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use crate::engine::Lane;
use crate::wire;

/// Longest control message, in bytes after the length.
pub(crate) const CONTROL_LIMIT: usize = 1 << 20;
/// Length of the header that opens a data stream.
pub(crate) const STREAM_HEADER_LEN: usize = 4;

const PREFIX: usize = 4;
const FIRST_RESERVE: usize = 1 << 20;

/// Why the bytes of a stream are not what the protocol says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// A frame header that makes no sense.
    Wire(wire::WireError),
    /// The announced length of a control message is over the limit.
    TooLong { length: usize, limit: usize },
    /// The stream header names no lane.
    UnknownLane { kind: u8, reserved: u8 },
    /// The stream ended inside a frame.
    Cut,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::TooLong { length, limit } => {
                write!(f, "a message of {length} bytes is over the limit of {limit}")
            }
            Self::UnknownLane { kind, reserved } => {
                write!(f, "unknown stream header (kind {kind}, reserved {reserved})")
            }
            Self::Cut => f.write_str("a stream ended inside a frame"),
        }
    }
}

/// What is delivered of each unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A control message: the bytes after the length.
    Message,
    /// One or more whole data frames, each with its length.
    Frames,
}

impl Unit {
    /// Bytes that must be there before the length is known.
    fn head(self) -> usize {
        match self {
            Self::Message => PREFIX,
            Self::Frames => size_of::<wire::frame::FrameHeader>(),
        }
    }
}

/// Collects bytes until whole units can be handed on.
#[derive(Debug)]
pub(crate) struct Deframer {
    unit: Unit,
    /// Received and not yet looked at; units inside are handed on without a copy.
    chunk: Bytes,
    /// The beginning of a unit whose end has not arrived.
    partial: BytesMut,
}

impl Deframer {
    pub(crate) fn new(unit: Unit) -> Self {
        Self { unit, chunk: Bytes::new(), partial: BytesMut::new() }
    }

    /// Adds received bytes. All units of the previous chunk must have been taken.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "take every unit before the next chunk");
        self.chunk = chunk;
    }

    /// The next whole unit, or `None` when more bytes are needed.
    pub(crate) fn next_unit(&mut self) -> Result<Option<Bytes>, FrameError> {
        if self.partial.is_empty() {
            match self.length_of(&self.chunk)? {
                Some(total) if self.chunk.len() >= total => {
                    let end = self.end_of_run(total)?;
                    let unit = self.chunk.split_to(end);
                    return Ok(Some(self.trim(unit)));
                }
                // A stated length is no reason yet to take that much memory.
                Some(total) => self.partial.reserve(total.min(FIRST_RESERVE)),
                None => {}
            }
            self.take(self.chunk.len());
            return Ok(None);
        }
        self.take(self.unit.head().saturating_sub(self.partial.len()));
        let Some(total) = self.length_of(&self.partial)? else {
            return Ok(None);
        };
        self.take(total - self.partial.len());
        if self.partial.len() < total {
            return Ok(None);
        }
        let unit = self.partial.split().freeze();
        Ok(Some(self.trim(unit)))
    }

    /// Where the whole frames end that follow the first one in the chunk.
    fn end_of_run(&self, first: usize) -> Result<usize, FrameError> {
        if self.unit == Unit::Message {
            return Ok(first);
        }
        let mut end = first;
        while let Some(total) = self.length_of(&self.chunk[end..])?
            && self.chunk.len() - end >= total
        {
            end += total;
        }
        Ok(end)
    }

    /// To be called at the end of the stream.
    pub(crate) fn finish(&self) -> Result<(), FrameError> {
        if self.partial.is_empty() { Ok(()) } else { Err(FrameError::Cut) }
    }

    /// Moves up to `wanted` bytes from the chunk to the partial unit.
    fn take(&mut self, wanted: usize) {
        let part = self.chunk.split_to(wanted.min(self.chunk.len()));
        self.partial.extend_from_slice(&part);
    }

    /// Whole length of the unit that starts here, once its head is there.
    fn length_of(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        if self.unit == Unit::Frames {
            return wire::frame::frame_len(bytes).map_err(FrameError::Wire);
        }
        let Some(prefix) = bytes.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > CONTROL_LIMIT {
            return Err(FrameError::TooLong { length, limit: CONTROL_LIMIT });
        }
        Ok(Some(PREFIX + length))
    }

    fn trim(&self, mut unit: Bytes) -> Bytes {
        if self.unit == Unit::Message {
            unit.advance(PREFIX);
        }
        unit
    }
}

/// The length to be written before a control message.
pub(crate) fn prefix(payload: &[u8]) -> [u8; PREFIX] {
    u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// The header that opens the data stream of a lane: kind, zero, region.
pub(crate) fn stream_header(lane: Lane) -> [u8; STREAM_HEADER_LEN] {
    let (kind, region) = match lane {
        Lane::Region(region) => (1, region),
        Lane::Image(region) => (2, region),
    };
    let region = region.to_le_bytes();
    [kind, 0, region[0], region[1]]
}

/// The lane a stream header names.
pub(crate) fn lane_of(header: [u8; STREAM_HEADER_LEN]) -> Result<Lane, FrameError> {
    let region = u16::from_le_bytes([header[2], header[3]]);
    match (header[0], header[1]) {
        (1, 0) => Ok(Lane::Region(region)),
        (2, 0) => Ok(Lane::Image(region)),
        (kind, reserved) => Err(FrameError::UnknownLane { kind, reserved }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream_of(unit: Unit, payloads: &[Vec<u8>]) -> Vec<u8> {
        let rest = vec![0; unit.head() - PREFIX];
        payloads.iter().flat_map(|p| [&prefix(p)[..], &rest, p].concat()).collect()
    }

    fn cut(unit: Unit, stream: &[u8], step: usize) -> Vec<Bytes> {
        let mut deframer = Deframer::new(unit);
        let mut units = Vec::new();
        for chunk in stream.chunks(step) {
            deframer.push(Bytes::copy_from_slice(chunk));
            while let Some(unit) = deframer.next_unit().expect("valid") {
                units.push(unit);
            }
        }
        deframer.finish().expect("whole units");
        units
    }

    /// Whether pieces of these lengths each hold whole frames.
    fn begins_frames(payloads: &[Vec<u8>], pieces: &[usize]) -> bool {
        let ends: Vec<usize> = payloads
            .iter()
            .scan(0, |at, p| {
                *at += p.len() + Unit::Frames.head();
                Some(*at)
            })
            .collect();
        let mut at = 0;
        pieces.iter().all(|len| {
            at += len;
            ends.contains(&at)
        })
    }

    #[test]
    fn any_chunking_gives_the_same_units() {
        let payloads: Vec<Vec<u8>> =
            [0, 1, 3, 4, 5, 200, 0, 7].iter().map(|&n| vec![n as u8; n]).collect();
        let stream = stream_of(Unit::Message, &payloads);
        for step in 1..=stream.len() {
            let messages = cut(Unit::Message, &stream, step);
            assert!(messages.iter().eq(payloads.iter()), "step {step}");
        }
        let stream = stream_of(Unit::Frames, &payloads);
        for step in 1..=stream.len() {
            let frames = cut(Unit::Frames, &stream, step);
            assert_eq!(frames.concat(), stream, "step {step}");
            let starts: Vec<usize> = frames.iter().map(|f| f.len()).collect();
            assert!(begins_frames(&payloads, &starts), "step {step}: {starts:?}");
        }
    }

    #[test]
    fn too_long_units_are_refused_before_they_are_collected() {
        let mut deframer = Deframer::new(Unit::Message);
        let (length, limit) = (CONTROL_LIMIT + 1, CONTROL_LIMIT);
        deframer.push(Bytes::copy_from_slice(&(length as u32).to_le_bytes()));
        assert_eq!(deframer.next_unit(), Err(FrameError::TooLong { length, limit }));
        let mut deframer = Deframer::new(Unit::Frames);
        deframer.push(Bytes::copy_from_slice(&[255; 16]));
        assert!(matches!(deframer.next_unit(), Err(FrameError::Wire(_))));
    }

    #[test]
    fn a_cut_unit_is_noticed() {
        let mut deframer = Deframer::new(Unit::Frames);
        deframer.push(Bytes::from_static(&[9, 0, 0, 0, 1]));
        assert_eq!(deframer.next_unit(), Ok(None));
        assert_eq!(deframer.finish(), Err(FrameError::Cut));
    }

    #[test]
    fn stream_headers() {
        for lane in [Lane::Region(0), Lane::Region(0x1234), Lane::Image(u16::MAX)] {
            assert_eq!(lane_of(stream_header(lane)), Ok(lane));
        }
        assert_eq!(stream_header(Lane::Image(0x0102)), [2, 0, 2, 1]);
        assert!(lane_of([0, 0, 0, 0]).is_err());
        assert!(lane_of([3, 0, 0, 0]).is_err());
        assert!(lane_of([1, 1, 0, 0]).is_err());
    }
}

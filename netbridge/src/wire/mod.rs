//! Bytes and nothing else: frames of the data streams and datagrams, messages of the control
//! stream.
//!
//! `netbridge/PROTOCOL.md` specifies every byte; a test renders its tables from this module.
//! Decoding never trusts a length, a count or an enum: bad input is a [`WireError`], never a panic.

pub mod control;
pub mod frame;
#[cfg(test)]
mod layout;
pub mod record;
#[cfg(test)]
mod tests;

use std::fmt;

/// The only protocol version this build speaks.
pub const PROTOCOL: u32 = 1;
/// TLS application protocol; its number changes only with incompatible framing.
pub const ALPN: &[u8] = b"vug/1";
/// Feature bits this build offers; none are defined in protocol 1.
pub const FEATURES: u64 = 0;

/// Why bytes of a peer could not be understood. Always ends the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireError {
    /// A frame, body or record ends before its stated length.
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes needed.
        need: usize,
        /// Bytes there.
        have: usize,
    },
    /// A frame states more than [`frame::MAX_FRAME`] bytes.
    TooLong {
        /// Stated length.
        len: u64,
    },
    /// A frame body has bytes after its last item.
    Trailing {
        /// What was being read.
        what: &'static str,
        /// Bytes left over.
        bytes: usize,
    },
    /// A frame kind this protocol version does not have and must not skip.
    UnknownKind {
        /// The frame kind.
        kind: u8,
    },
    /// A record kind or flag this protocol version does not have.
    UnknownRecord {
        /// Kind byte.
        kind: u8,
        /// Flags byte.
        flags: u8,
    },
    /// A control message that is not valid.
    Control {
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { what, need, have } => {
                write!(f, "truncated {what}: {need} bytes needed, {have} there")
            }
            Self::TooLong { len } => {
                write!(f, "frame of {len} bytes; at most {} are allowed", frame::MAX_FRAME)
            }
            Self::Trailing { what, bytes } => write!(f, "{bytes} bytes too many after {what}"),
            Self::UnknownKind { kind } => write!(f, "unknown frame kind {kind}"),
            Self::UnknownRecord { kind, flags } => {
                write!(f, "unknown record kind {kind} or flags {flags:#04x}")
            }
            Self::Control { reason } => write!(f, "bad control message: {reason}"),
        }
    }
}

impl std::error::Error for WireError {}

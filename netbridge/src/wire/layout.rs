//! Renders the tables of PROTOCOL.md from the code and compares them with the document.
//! With `VUG_BLESS=1` in the environment the test writes them into the document instead.

use std::fmt::Write;
use std::mem::offset_of;

use super::control::{self, Body};
use super::frame::{
    Answer, Closed, DELTA, FrameHeader, ImageBegin, ImageCursor, ImageEnd, MAX_FRAME, MAY_SKIP,
    PROVISIONAL, Skip, Start, Whole, WireAck, WireClaim, kind,
};
use super::record::{Kind, RecordHeader};
use super::{ALPN, FEATURES, PROTOCOL};
use crate::replica::{IMAGE_CHUNK, REGION_CHUNK};
use crate::session::{Refusal, close};

/// A table of the fields of one structure.
macro_rules! structure {
    ($out:ident, $name:ident { $($field:ident),* $(,)? }) => {{
        let size = size_of::<$name>();
        let mut rows: Vec<(usize, &str)> =
            vec![$((offset_of!($name, $field), stringify!($field))),*];
        rows.push((size, ""));
        let head = "| offset | size | field |\n|---|---|---|";
        writeln!($out, "\n`{}`, {size} bytes\n\n{head}", stringify!($name)).unwrap();
        for pair in rows.windows(2) {
            let ((at, field), (next, _)) = (pair[0], pair[1]);
            writeln!($out, "| {at} | {} | {field} |", next - at).unwrap();
        }
    }};
}

fn constants() -> String {
    format!(
        "\n| constant | value |\n|---|---|\n| protocol version | {PROTOCOL} |\n| ALPN | `{}` |\n\
         | feature bits | {FEATURES} |\n| largest frame body | {MAX_FRAME} |\n\
         | region payload per write | {REGION_CHUNK} |\n\
         | image payload per write | {IMAGE_CHUNK} |\n\
         | frame flag MAY_SKIP | {MAY_SKIP} |\n\
         | acknowledgement flag PROVISIONAL | {PROVISIONAL} |\n\
         | image flag DELTA | {DELTA} |\n\n",
        std::str::from_utf8(ALPN).unwrap()
    )
}

fn kinds() -> String {
    let rows: [(u8, &str, &str, &str); 12] = [
        (kind::START, "START", "region", "`Start`"),
        (kind::RECORDS, "RECORDS", "region", "`count` records"),
        (kind::SKIP, "SKIP", "region", "`Skip`"),
        (kind::CLOSED, "CLOSED", "region", "`Closed`"),
        (kind::IMAGE, "IMAGE", "image", "`count` records; `aux` is the transfer"),
        (
            kind::IMAGE_END,
            "IMAGE_END",
            "image",
            "`ImageEnd`, then `count` times `WireClaim`; `aux` is the transfer",
        ),
        (kind::ACK, "ACK", "datagram", "`count` times `WireAck`"),
        (kind::WHOLE, "WHOLE", "region", "`Whole`"),
        (kind::ANSWER, "ANSWER", "region", "`Answer`, then `count` records, 0 or 1"),
        (
            kind::IMAGE_BEGIN,
            "IMAGE_BEGIN",
            "image",
            "`ImageBegin`, then `count` times `WireClaim`; `aux` is the transfer",
        ),
        (kind::IMAGE_CURSOR, "IMAGE_CURSOR", "image", "`ImageCursor`; `aux` is the transfer"),
        (kind::SWIM, "SWIM", "datagram", "a message of the failure detector, may be skipped"),
    ];
    let mut out = String::from("\n| kind | name | lane | body |\n|---|---|---|---|\n");
    for (kind, name, lane, body) in rows {
        writeln!(out, "| {kind} | {name} | {lane} | {body} |").unwrap();
    }
    out + "\n"
}

fn structures() -> String {
    let mut out = String::new();
    structure!(out, FrameHeader { len, kind, flags, region, count, aux });
    structure!(
        out,
        RecordHeader {
            version,
            position,
            value_len,
            key_len_less_one,
            origin,
            kind,
            flags,
            reserved
        }
    );
    structure!(out, Start { epoch, position });
    structure!(out, Skip { position });
    structure!(out, Closed { position, closed });
    structure!(out, ImageBegin { flags, reserved, horizon, estimate });
    structure!(out, ImageCursor { cursor });
    structure!(out, ImageEnd { records, digest });
    structure!(out, WireClaim { origin, reserved, epoch, position, since, closed });
    structure!(out, WireAck { region, flags, reserved, epoch, received, applied });
    structure!(out, Whole { position, stamp, what, reserved });
    structure!(out, Answer { search, outcome, reserved });
    out + "\n"
}

fn record_kinds() -> String {
    let mut out = String::from("\n| kind | name |\n|---|---|\n");
    for kind in (0..=255).filter_map(Kind::from_u8) {
        writeln!(out, "| {} | {kind:?} |", kind as u8).unwrap();
    }
    out + "\n"
}

type Fields = &'static [(&'static str, &'static str)];

fn messages() -> String {
    let rows: [(Body, &str, Fields); 15] = [
        (Body::Hello(control::Hello::default()), "Hello", control::Hello::FIELDS),
        (Body::HelloAck(control::HelloAck::default()), "HelloAck", control::HelloAck::FIELDS),
        (Body::Reject(control::Reject::default()), "Reject", control::Reject::FIELDS),
        (Body::Profile(control::Profile::default()), "Profile", control::Profile::FIELDS),
        (Body::Withdraw(control::Withdraw::default()), "Withdraw", control::Withdraw::FIELDS),
        (Body::Have(control::Have::default()), "Have", control::Have::FIELDS),
        (Body::Ack(control::Ack::default()), "Ack", control::Ack::FIELDS),
        (
            Body::ImageRequest(control::ImageRequest::default()),
            "ImageRequest",
            control::ImageRequest::FIELDS,
        ),
        (
            Body::ImageRefused(control::ImageRefused::default()),
            "ImageRefused",
            control::ImageRefused::FIELDS,
        ),
        (Body::Search(control::Search::default()), "Search", control::Search::FIELDS),
        (Body::Stable(control::Stable::default()), "Stable", control::Stable::FIELDS),
        (Body::Clock(control::Clock::default()), "Clock", control::Clock::FIELDS),
        (Body::Bye(control::Bye::default()), "Bye", control::Bye::FIELDS),
        (Body::Roster(control::Roster::default()), "Roster", control::Roster::FIELDS),
        (Body::Swim(control::Swim::default()), "Swim", control::Swim::FIELDS),
    ];
    let mut out =
        String::from("\n| message | envelope tag | field | type and tag |\n|---|---|---|---|\n");
    for (body, name, fields) in rows {
        let mut bytes: &[u8] = &control::encode(body);
        let tag = prost::encoding::decode_varint(&mut bytes).unwrap() >> 3;
        for (field, ty) in fields {
            writeln!(out, "| {name} | {tag} | {field} | `{}` |", squeeze(ty)).unwrap();
        }
    }
    let parts: [(&str, Fields); 3] = [
        ("Holding", control::Holding::FIELDS),
        ("Span", control::Span::FIELDS),
        ("RosterNode", control::RosterNode::FIELDS),
    ];
    for (name, fields) in parts {
        for (field, ty) in fields {
            writeln!(out, "| {name} | - | {field} | `{}` |", squeeze(ty)).unwrap();
        }
    }
    out + "\n"
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn codes() -> String {
    let refusals = [
        Refusal::Protocol { ours: (1, 1), theirs: (2, 2) },
        Refusal::Cluster { ours: String::new(), theirs: String::new() },
        Refusal::OwnOrigin { origin: 1, myself: false },
        Refusal::DuplicateOrigin { origin: 1, connected: 0, refused: 1 },
        Refusal::Identity { certificate: String::new(), hello: String::new() },
        Refusal::Clock { ahead_ms: 1_000, bound_ms: 500 },
    ];
    let names = [
        "no common protocol",
        "other cluster",
        "own number",
        "number taken",
        "identity",
        "clock ahead",
    ];
    let mut out = String::from("\n| Reject code | meaning |\n|---|---|\n");
    for (refusal, name) in refusals.iter().zip(names) {
        writeln!(out, "| {} | {name} |", refusal.code()).unwrap();
    }
    out += "\n| close code | meaning |\n|---|---|\n";
    for (code, name) in [
        (close::REFUSED, "refused, see Reject"),
        (close::PROTOCOL_ERROR, "bytes that protocol 1 does not allow"),
        (close::DUPLICATE, "another connection to the same node is used"),
        (close::HELLO_TIMEOUT, "no handshake in time"),
        (close::SUSPECT, "no acknowledgement for too long"),
        (close::CLOCK, "a clock that runs ahead"),
        (close::GOODBYE, "the node said goodbye"),
    ] {
        writeln!(out, "| {code} | {name} |").unwrap();
    }
    out + "\n"
}

#[test]
fn the_document_says_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/PROTOCOL.md");
    let mut document = std::fs::read_to_string(path).unwrap();
    let bless = std::env::var_os("VUG_BLESS").is_some();
    for (name, rendered) in [
        ("constants", constants()),
        ("kinds", kinds()),
        ("structures", structures()),
        ("record-kinds", record_kinds()),
        ("messages", messages()),
        ("codes", codes()),
    ] {
        let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
        let from = document.find(&begin).expect(&begin) + begin.len();
        let to = from + document[from..].find(&end).expect(&end);
        if bless {
            document.replace_range(from..to, &rendered);
        } else {
            assert_eq!(&document[from..to], rendered, "block {name}: run with VUG_BLESS=1");
        }
    }
    if bless {
        std::fs::write(path, document).unwrap();
    }
}

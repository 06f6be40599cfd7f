//! A node whose bridge is the test: it lets writers go that other nodes never answered, and answers
//! no reader. For what only shows with other nodes.

use std::os::unix::net::UnixListener;
use std::path::Path;

use vug::bridge::{Feed, Seat, ask};
use vug::{DataPolicy, Node, Region, Scope};

use crate::TempHome;

/// The node with two regions of scope distributed-ack. In `acked` nine changes are acknowledged;
/// node 7 left during the second and the third instead, node 65535 during the third. Reads of what
/// is not in `asking` ask a bridge that listens and says nothing.
#[derive(Debug)]
pub struct Bridged {
    // Dropped in this order.
    _feeds: [Feed; 2],
    _silent: UnixListener,
    _seat: Seat,
    _node: Node,
    home: TempHome,
}

impl Bridged {
    /// Makes the node, and takes the seat of its bridge.
    #[expect(clippy::new_without_default, reason = "it makes a node")]
    pub fn new() -> Self {
        let home = TempHome::new();
        let node = home.node();
        let silent = UnixListener::bind(home.path().join(ask::SOCKET)).expect("a socket");
        let seat = node.bridge_seat().expect("the seat is free");
        let asking = seat.feed(&made(&node, "asking", DataPolicy::Normal)).expect("a feed");
        let acked = seat.feed(&made(&node, "acked", DataPolicy::Replicate)).expect("a feed");
        acked.note_departure(7, 1, 3).expect("noted");
        acked.note_departure(u16::MAX, 2, 3).expect("noted");
        acked.publish(9, 9, 9).expect("published");
        Self { _feeds: [asking, acked], _silent: silent, _seat: seat, _node: node, home }
    }

    /// Its home directory.
    pub fn path(&self) -> &Path {
        self.home.path()
    }
}

fn made(node: &Node, name: &str, policy: DataPolicy) -> Region {
    let builder = node.region(name).max_bytes(4 << 20).data_policy(policy);
    builder.scope(Scope::DistributedAck).create().expect("a new region")
}

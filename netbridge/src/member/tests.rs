use super::*;

const LIMITS: Limits = Limits { peer_timeout: 10_000, unreachable_timeout: 30_000 };

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn met(now: u64) -> Membership {
    let mut m = Membership::new(1, 7, Some(at(1)), LIMITS);
    m.connected(now, 2, 0xb, 5, Some(at(2)));
    m
}

/// Runs timers up to `until`; messages are lost.
fn run(m: &mut Membership, until: u64) {
    while let Some(due) = m.next_timeout().filter(|at| *at <= until) {
        m.tick(due);
        m.take_messages();
    }
    m.tick(until);
}

#[test]
fn a_node_without_link_and_without_life_is_removed_after_the_peer_timeout() {
    let mut m = met(0);
    m.disconnected(1_000, 2);
    assert_eq!(m.take_events().len(), 2, "joined, unreachable");
    run(&mut m, 10_900);
    assert_eq!(m.take_events(), []);
    run(&mut m, 13_000);
    let events = m.take_events();
    assert!(
        matches!(events[..], [ClusterEvent::NodeRemoved { origin: 2, partial: false, .. }]),
        "{events:?}"
    );
    assert_eq!(m.expiry(2, 12_000), 12_000, "nobody waits for it any more");
}

#[test]
fn the_detector_alone_removes_nobody() {
    let mut m = met(0);
    m.take_events();
    run(&mut m, 60_000);
    assert!(matches!(m.verdict(2), Verdict::Down(_)));
    assert_eq!(m.take_events(), []);
    assert_eq!(m.nodes()[&2].standing, Standing::Joined);
}

#[test]
fn a_link_that_is_dead_while_others_reach_the_node_takes_longer() {
    let mut m = met(0);
    m.disconnected(1_000, 2);
    assert_eq!(m.verdict(2), Verdict::Alive);
    assert_eq!(m.expiry(2, 1_000), 31_000);
}

#[test]
fn a_goodbye_counts_at_once() {
    let mut m = met(0);
    m.left(500, 2, "the bridge stops".into());
    m.disconnected(501, 2);
    assert_eq!(m.expiry(2, 501), 501);
    assert_eq!(m.take_dials().last(), Some(&(2, None)));
    assert!(m.roster().is_empty());
    m.connected(600, 2, 0xb, 6, Some(at(2)));
    let joined = m.take_events().pop();
    assert!(matches!(joined, Some(ClusterEvent::NodeJoined { boot: 6, .. })), "{joined:?}");
}

#[test]
fn who_knows_one_meets_all() {
    let mut other = Membership::new(9, 1, Some(at(9)), LIMITS);
    other.learn(&met(0).roster());
    assert_eq!(other.take_dials(), [(2, Some(at(2)))]);
    assert!(other.take_stale());
    other.learn(&met(0).roster());
    assert!(other.take_dials().is_empty() && !other.take_stale());
}

#[test]
fn a_roster_is_believed_only_as_far_as_it_makes_sense() {
    let mut m = met(0);
    let _ = m.take_dials();
    let _ = m.take_stale();
    let node = |origin: u32, id: usize, address: &str| RosterNode {
        origin,
        node_id: vec![1; id],
        boot: 1,
        address: address.into(),
    };
    m.learn(&[
        node(0, 16, "127.0.0.1:5"),
        node(1, 16, "127.0.0.1:5"),
        node(70_000, 16, "127.0.0.1:5"),
        node(3, 15, "127.0.0.1:5"),
        node(3, 16, "example.org:5"),
        // Connected: its own word counts.
        node(2, 16, "127.0.0.1:5"),
    ]);
    assert!(m.take_dials().is_empty() && !m.take_stale());
}

#[test]
fn a_number_stays_taken_while_others_see_its_node() {
    let mut m = met(0);
    assert_eq!(m.taken(2, 0xc), Some(0xb));
    assert_eq!(m.taken(2, 0xb), None);
    m.disconnected(1_000, 2);
    assert_eq!(m.taken(2, 0xc), Some(0xb), "alive by the detector");
    run(&mut m, 13_000);
    assert_eq!(m.taken(2, 0xc), None, "removed");
}

//! Handshakes and framing between real endpoints on loopback.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};

use super::*;
use crate::cert;
use crate::config::TlsConfig;

const PATIENCE: Duration = Duration::from_secs(20);

fn temp() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("tempdir")
}

fn files(dir: &Path) -> TlsConfig {
    TlsConfig { ca: dir.join("ca.pem"), cert: dir.join("node.pem"), key: dir.join("node.key") }
}

/// An authority for cluster `lab`, and a directory per node next to it.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        let lab = Self(temp());
        cert::init(lab.0.path(), "lab", false).expect("init");
        lab
    }

    fn ca(&self) -> &Path {
        self.0.path()
    }

    fn node_dir(&self, name: &str) -> PathBuf {
        let dir = self.0.path().join(name);
        std::fs::create_dir_all(&dir).expect("create");
        std::fs::copy(self.ca().join("ca.pem"), dir.join("ca.pem")).expect("copy");
        dir
    }

    fn node(&self, origin: u16) -> Credentials {
        let dir = self.node_dir(&format!("n{origin}"));
        cert::issue(self.ca(), &dir, origin, None, true).expect("issue");
        Credentials::load(&files(&dir), "lab", Some(origin)).expect("credentials")
    }

    /// Signed by the authority of `lab`, but naming a node of another cluster.
    fn intruder(&self) -> Credentials {
        let dir = self.node_dir("intruder");
        let read = |name: &str| std::fs::read_to_string(self.ca().join(name)).expect("read");
        let ca_key = KeyPair::from_pem(&read("ca.key")).expect("key");
        let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), ca_key).expect("issuer");
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![
            SanType::URI(identity::node_uri("other", 9).try_into().expect("uri")),
            SanType::DnsName(identity::dns_name("other", 9).try_into().expect("name")),
        ];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &issuer).expect("sign");
        std::fs::write(dir.join("node.pem"), certificate.pem()).expect("write");
        std::fs::write(dir.join("node.key"), key.serialize_pem()).expect("write");
        Credentials::load(&files(&dir), "other", None).expect("valid for the other cluster")
    }
}

struct Site {
    transport: Transport,
    events: mpsc::Receiver<Event>,
}

impl Site {
    fn start(tls: &Credentials, peers: &[PeerConfig]) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (transport, events) =
            Transport::start(any, peers, &Arc::new(tls.clone())).expect("start");
        Self { transport, events }
    }

    /// Listens there as soon as nobody else does.
    async fn start_at(address: SocketAddr, tls: &Credentials) -> Self {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match Transport::start(address, &[], &Arc::new(tls.clone())) {
                Ok((transport, events)) => return Self { transport, events },
                Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
            }
            tokio::task::yield_now().await;
        }
    }

    fn peer(&self, origin: Option<u16>) -> PeerConfig {
        PeerConfig { address: self.transport.address, origin }
    }

    async fn next(&mut self) -> Event {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("in time").expect("open")
    }

    async fn up(&mut self) -> (ConnId, bool, PeerIdentity, Box<Link>) {
        match self.next().await {
            Event::Up { conn, dialed, peer, link, .. } => (conn, dialed, peer, link),
            other => panic!("expected a connection, got {other:?}"),
        }
    }

    /// The reason of the first refusal, seen from either side.
    async fn refusal(&mut self) -> String {
        loop {
            match self.next().await {
                Event::DialFailed { reason, .. }
                | Event::Refused { reason, .. }
                | Event::Down { reason, .. } => return reason,
                // A client learns of its refusal after it has seen the handshake complete.
                Event::Up { .. } => {}
                other => panic!("expected a refusal, got {other:?}"),
            }
        }
    }

    /// Fails if a connection was accepted up to now.
    fn assert_nobody_up(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            assert!(!matches!(event, Event::Up { .. }), "{event:?}");
        }
    }
}

#[tokio::test]
async fn nodes_of_one_cluster_connect_and_know_each_other() {
    let lab = Lab::new();
    let mut b = Site::start(&lab.node(2), &[]);
    for origin in [None, Some(2)] {
        let mut a = Site::start(&lab.node(1), &[b.peer(origin)]);
        let (_, dialed, peer, link) = a.up().await;
        assert!(dialed);
        assert_eq!(peer, PeerIdentity { cluster: "lab".into(), origin: 2 });
        let (_, dialed, peer, _) = b.up().await;
        assert!(!dialed);
        assert_eq!(peer, PeerIdentity { cluster: "lab".into(), origin: 1 });
        link.close(7, "enough");
        let Event::Down { reason, .. } = b.next().await else { panic!("not down") };
        assert_eq!(reason, "closed by the peer: enough");
    }
}

#[tokio::test]
async fn the_successor_of_a_killed_bridge_ends_its_connections() {
    let lab = Lab::new();
    let free = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
    let address = free.local_addr().expect("address");
    drop(free);
    let faults = faults::Faults::at(address);
    let tls = lab.node(1);
    let mut a = Site::start_at(address, &tls).await;
    let mut b = Site::start(&lab.node(2), &[a.peer(Some(1))]);
    let (_, _, _, _link) = b.up().await;
    a.up().await;
    // Nobody hears that it ends, as if it had been killed.
    faults.cut(b.transport.address);
    a.transport.stop(PATIENCE).await;
    drop(a);
    faults.heal();
    let mut a = Site::start_at(address, &tls).await;
    let Event::Down { reason, .. } = b.next().await else { panic!("not down") };
    assert_eq!(reason, "the peer was started again");
    // It is dialed at once.
    b.up().await;
    a.up().await;
}

#[tokio::test]
async fn a_foreign_authority_is_refused() {
    let (lab, foreign) = (Lab::new(), Lab::new());
    let mut b = Site::start(&lab.node(2), &[]);
    let mut a = Site::start(&foreign.node(1), &[b.peer(None)]);
    let reason = a.refusal().await;
    assert!(reason.contains("not signed by the authority"), "{reason}");
    let reason = b.refusal().await;
    assert!(reason.contains("not signed by the authority"), "{reason}");
    b.assert_nobody_up();
}

#[tokio::test]
async fn a_server_refuses_a_foreign_client_by_itself() {
    let (lab, foreign) = (Lab::new(), Lab::new());
    // This client trusts the server's authority, but shows a certificate of another.
    let dir = foreign.node_dir("mixed");
    cert::issue(foreign.ca(), &dir, 1, None, false).expect("issue");
    let mut mixed = Credentials::load(&files(&dir), "lab", None).expect("credentials");
    mixed.trust_also(&lab.ca().join("ca.pem"));
    let mut b = Site::start(&lab.node(2), &[]);
    let mut a = Site::start(&mixed, &[b.peer(None)]);
    let reason = b.refusal().await;
    assert!(reason.contains("not signed by the authority"), "{reason}");
    let reason = a.refusal().await;
    assert!(reason.contains("not signed by the authority"), "{reason}");
    b.assert_nobody_up();
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    let lab = Lab::new();
    let mut b = Site::start(&lab.node(2), &[]);
    let config = lab.node(1).client_without_certificate();
    let config = quinn::ClientConfig::new(Arc::new(config));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = Endpoint::client(any).expect("endpoint");
    let connecting = endpoint.connect_with(config, b.transport.address, "vug").expect("config");
    if let Ok(connection) = connecting.await {
        connection.closed().await;
    }
    let reason = b.refusal().await;
    assert!(reason.contains("peer sent no certificates"), "{reason}");
    b.assert_nobody_up();
}

#[tokio::test]
async fn another_cluster_of_the_same_authority_is_refused_both_ways() {
    let lab = Lab::new();
    let intruder = lab.intruder();
    let mut b = Site::start(&lab.node(2), &[]);
    let mut a = Site::start(&intruder, &[b.peer(None)]);
    let reason = a.refusal().await;
    assert!(reason.contains("for cluster 'lab', this node belongs to 'other'"), "{reason}");
    b.assert_nobody_up();
    let mut c = Site::start(&lab.node(3), &[a.peer(None)]);
    let reason = c.refusal().await;
    assert!(reason.contains("for cluster 'other', this node belongs to 'lab'"), "{reason}");
    a.assert_nobody_up();
}

#[tokio::test]
async fn another_node_than_the_configured_one_is_refused_and_so_is_our_own_origin() {
    let lab = Lab::new();
    let mut b = Site::start(&lab.node(2), &[]);
    let mut a = Site::start(&lab.node(1), &[b.peer(Some(3))]);
    let reason = a.refusal().await;
    assert!(reason.contains("for node 2, the configuration expects node 3"), "{reason}");
    let mut twin = Site::start(&lab.node(2), &[b.peer(None)]);
    let reason = twin.refusal().await;
    assert!(reason.contains("the origin of this node, 2"), "{reason}");
    b.assert_nobody_up();
}

#[tokio::test]
async fn messages_frames_and_datagrams_arrive_whole_and_in_order() {
    let lab = Lab::new();
    let mut b = Site::start(&lab.node(2), &[]);
    let mut a = Site::start(&lab.node(1), &[b.peer(Some(2))]);
    let (conn_a, _, _, mut link_a) = a.up().await;
    let messages: Vec<Vec<u8>> = [0, 1, 70_000, frame::CONTROL_LIMIT, 5]
        .iter()
        .map(|&n| (0..n).map(|i| i as u8).collect())
        .collect();
    let framed =
        |n: usize, fill: u8| [&(n as u32).to_le_bytes()[..], &[0; 12], &vec![fill; n]].concat();
    let lanes = [Lane::Region(3), Lane::Image(3), Lane::Region(u16::MAX)];
    let frames: Vec<Vec<u8>> = [0, 10, 3 << 20, 100].iter().map(|&n| framed(n, n as u8)).collect();
    for message in &messages {
        link_a.send_control(message.clone());
    }
    for lane in lanes {
        frames.iter().for_each(|frame| link_a.send_data(lane, frame.clone()));
    }
    link_a.send_datagram(b"ack".to_vec());

    let (_, _, _, link_b) = b.up().await;
    link_b.send_control(b"hello".to_vec());
    let total: usize = frames.iter().map(Vec::len).sum();
    let (mut control, mut data, mut datagram) = (Vec::new(), [(); 3].map(|()| Vec::new()), None);
    while control.len() < messages.len()
        || data.iter().any(|d| d.len() < total)
        || datagram.is_none()
    {
        match b.next().await {
            Event::Control { payload, .. } => control.push(payload),
            Event::Data { lane, payload, .. } => {
                let at = lanes.iter().position(|l| *l == lane).expect("one of ours");
                data[at].extend_from_slice(&payload);
            }
            Event::Datagram { payload, .. } => datagram = Some(payload),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(control.iter().eq(messages.iter()));
    assert!(data.iter().all(|received| *received == frames.concat()));
    assert_eq!(datagram.as_deref(), Some(&b"ack"[..]));

    let (mut sent, mut answer) = ([0; 3], None);
    while sent != [frames.len(); 3] || answer.is_none() {
        match a.next().await {
            Event::Sent { conn, lane } => {
                assert_eq!(conn, conn_a);
                sent[lanes.iter().position(|l| *l == lane).expect("one of ours")] += 1;
            }
            Event::Control { payload, .. } => answer = Some(payload),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(answer.as_deref(), Some(&b"hello"[..]));
}

#[tokio::test]
async fn broken_framing_ends_the_connection_with_a_reason() {
    let lab = Lab::new();
    let mut b = Site::start(&lab.node(2), &[]);
    let tls = lab.node(1);
    let endpoint = quic::bind(([127, 0, 0, 1], 0).into(), &tls).expect("bind").endpoint;
    for (bytes, expected) in [
        (&[9, 0, 0, 0][..], "unknown stream header"),
        (&[[1, 0, 0, 0], [255; 4], [0; 4], [0; 4], [0; 4]].concat()[..], "at most"),
        (&[1, 0, 0, 0, 9, 0, 0, 0, 1][..], "ended inside a frame"),
    ] {
        let config = quic::client(&tls, Some(2)).expect("config");
        let connecting = endpoint.connect_with(config, b.transport.address, "vug").expect("dial");
        let connection = connecting.await.expect("connect");
        let mut stream = connection.open_uni().await.expect("open");
        stream.write_all(bytes).await.expect("write");
        stream.finish().expect("finish");
        let reason = b.refusal().await;
        assert!(reason.contains(expected), "{reason}");
        let told = describe(&connection.closed().await);
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn dialing_goes_on_until_the_peer_is_there() {
    let lab = Lab::new();
    let place = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
    let address = place.local_addr().expect("address");
    let mut a = Site::start(&lab.node(1), &[PeerConfig { address, origin: Some(2) }]);
    let reason = a.refusal().await;
    assert_eq!(reason, "no answer");
    drop(place);
    let b = Transport::start(address, &[], &Arc::new(lab.node(2))).expect("start");
    let peer = loop {
        match a.next().await {
            Event::Up { peer, .. } => break peer,
            Event::DialFailed { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    };
    assert_eq!(peer.origin, 2);
    drop(b);
}

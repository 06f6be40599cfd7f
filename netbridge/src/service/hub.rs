//! The loop that owns the core.
//!
//! Everything that happens comes here as an event, and everything the core decides leaves from
//! here. The hub never waits for a peer: readers wait for the hub, writers have queues of their
//! own that the core keeps short.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::unix::pipe;
use tokio::sync::{broadcast, mpsc};

use super::asks::Asked;
use super::nodes::Nodes;
use super::picture::Journal;
use super::status::{Command, Request};
use crate::config::{Config, ConfigError};
use crate::engine::{Action, AlertLevel, ClusterEvent, ConnId, Engine, Input, PeerIdentity};
use crate::local::Home;
use crate::local::asks::Outcome;
use crate::transport::tls::Credentials;
use crate::transport::{Event, Link, Transport};

/// Events taken in one turn, so that acknowledgements fold and regions are not forgotten.
const TURN: usize = 64;
/// Regions that no bell announced are found, dead members recovered and regions maintained, this
/// often.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What the hub is made of.
pub(super) struct Parts<H: Home> {
    pub(super) config: Config,
    pub(super) tls: Arc<Credentials>,
    pub(super) store: H,
    pub(super) engine: Engine<H>,
    pub(super) transport: Transport,
    pub(super) reload: Box<Reload>,
    pub(super) events: broadcast::Sender<String>,
    /// Where the status page is.
    pub(super) page: Option<SocketAddr>,
}

/// Reads the configuration again.
pub(super) type Reload = dyn Fn() -> Result<Config, ConfigError>;

/// A live connection.
pub(super) struct Conn {
    pub(super) link: Box<Link>,
    pub(super) peer: PeerIdentity,
    pub(super) remote: SocketAddr,
}

pub(super) struct Hub<H: Home> {
    pub(super) parts: Parts<H>,
    pub(super) conns: BTreeMap<ConnId, Conn>,
    pub(super) journal: Journal,
    pub(super) start: Instant,
    bell: pipe::Receiver,
    /// Progress of the regions when the core last looked at them.
    seen: Option<u64>,
    /// Whoever follows what happens in the cluster.
    events: broadcast::Sender<String>,
    /// UDP bytes of connections that are gone: sent, received.
    pub(super) past_bytes: (u64, u64),
    /// Whom to dial after a restart.
    nodes: Nodes,
    /// Who waits for the end of a search, and the number it gave its question.
    waiting: BTreeMap<u64, (mpsc::Sender<(u64, Outcome)>, u64)>,
    last_ask: u64,
}

/// What ended a wait.
enum Woken {
    Event(Option<Event>),
    Asked(Option<Request>),
    Search(Option<Asked>),
    Bell,
    Timer,
    Second,
}

impl<H: Home> Hub<H> {
    pub(super) fn new(mut parts: Parts<H>) -> std::io::Result<Self> {
        let bell = pipe::Receiver::from_owned_fd(parts.store.bell()?)?;
        let journal = Journal::new(parts.transport.warning.clone());
        let (conns, start) = (BTreeMap::new(), Instant::now());
        let events = parts.events.clone();
        let past_bytes = (0, 0);
        let nodes = Nodes::read(&parts.config.home);
        for (origin, address) in nodes.addresses().filter(|known| known.0 != parts.tls.own.origin) {
            parts.transport.dial(origin, address);
        }
        let (seen, waiting, last_ask) = (None, BTreeMap::new(), 0);
        Ok(Self {
            parts,
            conns,
            journal,
            start,
            bell,
            seen,
            events,
            past_bytes,
            nodes,
            waiting,
            last_ask,
        })
    }

    /// Runs until somebody asks the bridge to stop.
    pub(super) async fn run(
        &mut self,
        mut events: mpsc::Receiver<Event>,
        asked: &mut mpsc::Receiver<Request>,
        searches: &mut mpsc::Receiver<Asked>,
    ) {
        let mut second = tokio::time::interval(HOUSEKEEPING);
        loop {
            self.look_at_regions();
            let mut taken = 0;
            while taken < TURN
                && let Ok(event) = events.try_recv()
            {
                self.on_event(event);
                taken += 1;
            }
            while taken < 2 * TURN
                && let Ok(search) = searches.try_recv()
            {
                self.on_search(search);
                taken += 1;
            }
            self.act();
            if taken > 0 || self.regions_moved() || self.parts.engine.is_behind() {
                // The tasks of the connections run on this thread too.
                tokio::task::yield_now().await;
                if self.parts.engine.is_behind() {
                    self.tell(Input::Local);
                }
                continue;
            }
            self.parts.store.arm();
            // A writer that came before the announcement has rung no bell.
            if self.regions_moved() {
                self.parts.store.disarm();
                continue;
            }
            let woken = tokio::select! {
                event = events.recv() => Woken::Event(event),
                request = asked.recv() => Woken::Asked(request),
                search = searches.recv() => Woken::Search(search),
                () = ring(&self.bell) => Woken::Bell,
                () = self.timer() => Woken::Timer,
                _ = second.tick() => Woken::Second,
            };
            self.parts.store.disarm();
            if !self.on_woken(woken) {
                return;
            }
        }
    }

    /// False when the bridge is to stop.
    fn on_woken(&mut self, woken: Woken) -> bool {
        match woken {
            Woken::Event(Some(event)) => self.on_event(event),
            Woken::Event(None) => return false,
            Woken::Asked(Some(request)) => return self.answer(request),
            Woken::Asked(None) | Woken::Search(None) => return false,
            Woken::Search(Some(search)) => self.on_search(search),
            Woken::Bell => {
                self.empty_bell();
                self.refresh(false);
            }
            Woken::Timer => self.tell(Input::Tick),
            Woken::Second => {
                self.refresh(true);
                self.maintain();
            }
        }
        true
    }

    /// A process of the node looks for an entry, or does not any more.
    fn on_search(&mut self, search: Asked) {
        let (question, client) = match search {
            Asked::Question(question, client) => (question, client),
            Asked::Gone(client) => return self.forget(&client),
        };
        let mut region = self.parts.store.region_of(question.incarnation);
        if region.is_none() {
            // It may be new.
            self.refresh(true);
            region = self.parts.store.region_of(question.incarnation);
        }
        let Some(region) = region else {
            // A client that reads no answers gets none.
            let _ = client.try_send((question.number, Outcome::NotDistributed));
            return;
        };
        self.last_ask += 1;
        let ask = self.last_ask;
        self.waiting.insert(ask, (client, question.number));
        let (key, presence) = (question.key.as_slice(), question.presence);
        self.tell(Input::Search { ask, region: region.0, key, presence });
    }

    fn forget(&mut self, gone: &mpsc::Sender<(u64, Outcome)>) {
        let of_it = self.waiting.iter().filter(|(_, (client, _))| client.same_channel(gone));
        let asks: Vec<u64> = of_it.map(|(ask, _)| *ask).collect();
        for ask in asks {
            self.waiting.remove(&ask);
            self.tell(Input::Forget { ask });
        }
    }

    fn answer(&mut self, request: Request) -> bool {
        let answer = match request.command {
            Command::Status => self.picture(),
            Command::Reload => self.reload(),
            Command::Stop => serde_json::json!({ "stopping": true }),
        };
        // Who asked may have gone away.
        let _ = request.answer.send(answer);
        request.command != Command::Stop
    }

    fn event(&mut self, event: ClusterEvent) {
        // Nobody may be following.
        let _ = self.events.send(serde_json::json!(event).to_string());
        self.journal.event(event);
    }

    /// Says goodbye, then closes every connection.
    pub(super) async fn farewell(&mut self, limit: Duration) {
        for (client, number) in std::mem::take(&mut self.waiting).into_values() {
            let _ = client.try_send((number, Outcome::Stopped));
        }
        self.tell(Input::Leave);
        self.act();
        // Peers close the connection when they have understood.
        self.parts.transport.until_idle(limit).await;
        self.parts.transport.stop(limit).await;
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn tell(&mut self, input: Input<'_>) {
        let now = self.now();
        self.parts.engine.handle(now, input);
    }

    fn regions_moved(&self) -> bool {
        self.seen != Some(self.parts.store.progress())
    }

    fn look_at_regions(&mut self) {
        let progress = self.parts.store.progress();
        if self.seen.replace(progress) != Some(progress) {
            self.tell(Input::Local);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Up { conn, dialed, peer, remote, max_datagram, link } => {
                tracing::debug!(conn = conn.0, %remote, origin = peer.origin, dialed, "connected");
                self.conns.insert(conn, Conn { link, peer: peer.clone(), remote });
                self.publish_connected();
                let remote = Some(remote);
                self.tell(Input::Connected { conn, dialed, peer, max_datagram, remote });
            }
            Event::Down { conn, reason } => {
                if let Some(gone) = self.conns.remove(&conn) {
                    let (sent, received) = gone.link.bytes();
                    self.past_bytes.0 += sent;
                    self.past_bytes.1 += received;
                    tracing::debug!(conn = conn.0, remote = %gone.remote, reason, "disconnected");
                    self.journal.ended(gone.remote, gone.peer.origin, &reason);
                    self.publish_connected();
                }
                self.tell(Input::Disconnected { conn, reason });
            }
            Event::Control { conn, payload } => {
                self.tell(Input::Control { conn, payload: &payload })
            }
            Event::Data { conn, payload, .. } => self.tell(Input::Data { conn, payload: &payload }),
            Event::Datagram { conn, payload } => {
                self.tell(Input::Datagram { conn, payload: &payload });
            }
            Event::Sent { conn, lane } => self.tell(Input::Sent { conn, lane }),
            Event::DialFailed { address, reason } => self.journal.unreachable(address, reason),
            Event::Refused { remote, reason } => {
                tracing::warn!(%remote, reason, "turned away");
                self.journal.refused(remote, reason);
            }
        }
    }

    /// Does what the core wants done.
    fn act(&mut self) {
        while let Some(action) = self.parts.engine.poll_action() {
            match action {
                Action::SendControl { conn, payload } => {
                    self.link(conn, |link| link.send_control(payload));
                }
                Action::SendData { conn, lane, payload } => {
                    self.link(conn, |link| link.send_data(lane, payload));
                }
                Action::SendDatagram { conn, payload } => {
                    self.link(conn, |link| link.send_datagram(payload));
                }
                Action::Close { conn, code, reason } => {
                    if let Some(open) = self.conns.get(&conn) {
                        self.journal.ended(open.remote, open.peer.origin, &reason);
                        open.link.close(code, &reason);
                    }
                }
                Action::Dial { origin, address } => {
                    self.parts.transport.dial(origin, address);
                    let noted = self.nodes.set(origin, address);
                    self.noted(noted);
                }
                Action::Hang { origin } => {
                    self.parts.transport.hang(origin);
                    let noted = self.nodes.remove(origin);
                    self.noted(noted);
                }
                Action::Event(event) => self.event(event),
                Action::Answer { ask, outcome } => {
                    if let Some((client, number)) = self.waiting.remove(&ask) {
                        let _ = client.try_send((number, Outcome::Ended(outcome)));
                    }
                }
                Action::Alert { level, text } => self.alert(level, text),
            }
        }
    }

    /// Only the next start is slower without the file.
    fn noted(&mut self, noted: std::io::Result<()>) {
        if let Err(error) = noted {
            self.journal.trouble("the known nodes cannot be written down", &error);
        }
    }

    fn link(&mut self, conn: ConnId, f: impl FnOnce(&mut Link)) {
        if let Some(open) = self.conns.get_mut(&conn) {
            f(&mut open.link);
        }
    }

    /// Reads to the end, or the next ring would not be noticed.
    fn empty_bell(&self) {
        let mut rings = [0; 256];
        while self.bell.try_read(&mut rings).is_ok_and(|count| count > 0) {}
    }

    pub(super) fn alert(&mut self, level: AlertLevel, text: String) {
        match level {
            AlertLevel::Info => tracing::info!("{text}"),
            AlertLevel::Warning => tracing::warn!("{text}"),
            AlertLevel::Severe => tracing::error!("{text}"),
        }
        self.journal.alert(level, text);
    }

    fn publish_connected(&self) {
        let connected = self.conns.values().map(|c| (c.peer.origin, c.remote)).collect();
        self.parts.transport.set_connected(connected);
    }

    fn refresh(&mut self, thorough: bool) {
        if let Err(error) = self.parts.store.refresh(thorough) {
            self.journal.trouble("the home directory cannot be read", &error);
        }
    }

    fn maintain(&mut self) {
        match self.parts.store.maintain() {
            Ok(0) => {}
            Ok(members) => tracing::info!(members, "recovered dead members"),
            Err(error) => self.journal.trouble("regions cannot be maintained", &error),
        }
    }

    /// Ends when the core wants to know the time.
    fn timer(&self) -> impl Future<Output = ()> + use<H> {
        let due = self.parts.engine.next_timeout().map(|at| {
            // Never a busy loop, even if the core asks for a time that has passed.
            self.start + Duration::from_millis(at.max(self.now() + 1))
        });
        async move {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        }
    }
}

/// Ends when the bell has rung.
async fn ring(bell: &pipe::Receiver) {
    if bell.readable().await.is_err() {
        // Only at the end of the runtime.
        std::future::pending().await
    }
}

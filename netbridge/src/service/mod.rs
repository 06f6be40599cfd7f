//! The running bridge: one task that owns the core and joins it to transport, regions and status.

mod asks;
mod http;
mod hub;
mod metrics;
mod nodes;
mod picture;
mod reload;
pub(crate) mod status;
mod supervisor;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::config::{Config, ConfigError};
use crate::engine::{Engine, EngineConfig, Timing};
use crate::error::BridgeError;
use crate::local::{Home, LocalStore, OpenError};
use crate::transport::Transport;
use crate::transport::tls::Credentials;
use http::Http;
use hub::{Hub, Parts, Reload};
use status::{Command, Request};

/// Events a follower may be behind before it loses some.
const EVENTS: usize = 256;
/// Questions of processes of the node that wait for the hub.
const SEARCHES: usize = 256;
/// How long peers are given to hear that the bridge stops.
const FAREWELL: Duration = Duration::from_millis(300);

/// Runs a bridge until it is told to stop; `ready` is called with the bound UDP address once
/// peers, applications and `vug bridge status` can reach it.
///
/// The bridge stops on SIGTERM, on SIGINT, and when [`stop`](crate::stop) asks for it; it says
/// goodbye then, and nobody waits for it. SIGHUP and [`reload`](crate::reload) have it read its
/// certificates again. It does its work on the calling thread and starts no runtime of its own
/// elsewhere. Under systemd (`NOTIFY_SOCKET`) it says when it is ready, when it stops, and feeds
/// the watchdog from its loop.
///
/// # Errors
/// [`BridgeError`] when the bridge cannot start; another bridge serving the same home directory is
/// [`BridgeError::is_bridge_running`]. A running bridge does not fail: what goes wrong with a peer
/// or a region is in the status and in the log.
pub fn run(config: Config, ready: impl FnOnce(SocketAddr)) -> Result<(), BridgeError> {
    let same = config.clone();
    run_with(config, move || Ok(same.clone()), ready)
}

/// Like [`run`]; a reload asks `reload` for the configuration, too.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    config: Config,
    reload: impl Fn() -> Result<Config, ConfigError> + 'static,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), BridgeError> {
    let tls = Arc::new(Credentials::load(&config.tls, &config.cluster, config.origin)?);
    let store = LocalStore::open(&config.home, tls.own.origin, &config.regions).map_err(|e| {
        let certificate = tls.own.origin;
        match e {
            OpenError::Library(error) => BridgeError::Store(error),
            OpenError::OtherOrigin(node) => BridgeError::OriginDiffers { node, certificate },
        }
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("start the runtime"))?;
    runtime.block_on(serve(config, tls, store, Box::new(reload), ready))
}

/// Looks at everything that [`run`] needs before it binds an address: the settings, the certificate
/// files and what they say, the origin of the home directory. `file` appears in errors.
///
/// # Errors
/// [`BridgeError`] as [`run`] would give it.
pub fn check(config: &Config, file: Option<&Path>) -> Result<(), BridgeError> {
    config.check_certificates(file)?;
    let tls = Credentials::load(&config.tls, &config.cluster, config.origin)?;
    match crate::local::origin_of(&config.home) {
        Some(node) if node != 0 && node != tls.own.origin => {
            Err(BridgeError::OriginDiffers { node, certificate: tls.own.origin })
        }
        _ => Ok(()),
    }
}

fn system(op: &'static str) -> impl Fn(std::io::Error) -> BridgeError {
    move |source| BridgeError::System { op, source }
}

async fn serve(
    config: Config,
    tls: Arc<Credentials>,
    store: LocalStore,
    reload: Box<Reload>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), BridgeError> {
    let (transport, arrivals) = Transport::start(config.listen, &config.peers, &tls)?;
    let (requests, mut asked) = mpsc::channel(4);
    let (searching, mut searches) = mpsc::channel(SEARCHES);
    let _ask_socket = asks::Socket::bind(&config.home, searching)?;
    let events = broadcast::Sender::new(EVENTS);
    let socket = status::Socket::bind(&config.status_path(), requests.clone(), events.clone())?;
    let http = match config.http {
        Some(at) => Some(Http::start(at, config.home.clone(), requests.clone()).await?),
        None => None,
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(system("watch SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("watch SIGINT"))?;
    let hangup = signal(SignalKind::hangup()).map_err(system("watch SIGHUP"))?;
    let mut tasks = JoinSet::new();
    tasks.spawn(reload_on(hangup, requests.clone()));
    tasks.spawn(supervisor::watchdog(requests));
    let address = transport.address;
    let page = http.as_ref().map(|http| http.address.to_string()).unwrap_or_default();
    let (origin, cluster) = (tls.own.origin, config.cluster.as_str());
    tracing::info!(%address, origin, cluster, page, "bridge runs");
    let engine = Engine::new(engine_config(&config, &tls, &store, address), store.clone());
    let page = http.as_ref().map(|http| http.address);
    let parts = Parts { config, tls, store, engine, transport, reload, events, page };
    let mut hub = Hub::new(parts).map_err(system("watch the bell"))?;
    supervisor::ready(address);
    ready(address);
    tokio::select! {
        () = hub.run(arrivals, &mut asked, &mut searches) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("bridge stops");
    supervisor::stopping();
    hub.farewell(FAREWELL).await;
    // Requests that come too late are dropped, so that their clients do not wait.
    tasks.abort_all();
    drop((asked, hub, http));
    socket.finish().await;
    Ok(())
}

async fn reload_on(mut hangup: Signal, requests: mpsc::Sender<Request>) {
    while hangup.recv().await.is_some() {
        let (answer, _) = oneshot::channel();
        if requests.send(Request { command: Command::Reload, answer }).await.is_err() {
            return;
        }
    }
}

fn engine_config(
    config: &Config,
    tls: &Credentials,
    store: &LocalStore,
    listen: SocketAddr,
) -> EngineConfig {
    let timing = Timing {
        peer_timeout: millis(config.peer_timeout),
        unreachable_timeout: millis(config.unreachable_timeout),
        ack_warning: millis(config.ack_wait_threshold),
        ack_severe: millis(config.ack_severe_alert_threshold),
        ..Timing::default()
    };
    EngineConfig {
        cluster: config.cluster.clone(),
        origin: tls.own.origin,
        node_id: store.node_id(),
        boot: boot(store.epoch()),
        expected_peers: config.peers.len(),
        timing,
        address: config.advertise.or((!listen.ip().is_unspecified()).then_some(listen)),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Grows with every start, also over restarts of the machine, which forget the node file with its
/// count: microseconds since 1970, but never below that count.
fn boot(epoch: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(epoch).max(epoch)
}

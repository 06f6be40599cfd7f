//! The running bridge: one task that owns the core and joins it to transport, regions and status.

mod hub;
mod picture;
pub(crate) mod status;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::Config;
use crate::engine::{Engine, EngineConfig, Timing};
use crate::error::BridgeError;
use crate::local::{Home, LocalStore, OpenError};
use crate::transport::Transport;
use crate::transport::tls::Credentials;
use hub::{Hub, Parts};

/// How long peers are given to hear that the bridge stops.
const FAREWELL: Duration = Duration::from_millis(300);

/// Runs a bridge until it is told to stop; `ready` is called with the bound UDP address once
/// peers, applications and `vug bridge status` can reach it.
///
/// The bridge stops on SIGTERM, on SIGINT, and when [`stop`](crate::stop) asks for it. It does its
/// work on the calling thread and starts no runtime of its own elsewhere.
///
/// # Errors
/// [`BridgeError`] when the bridge cannot start; another bridge serving the same home directory is
/// [`BridgeError::is_bridge_running`]. A running bridge does not fail: what goes wrong with a peer
/// or a region is in the status and in the log.
pub fn run(config: Config, ready: impl FnOnce(SocketAddr)) -> Result<(), BridgeError> {
    let tls = Credentials::load(&config.tls, &config.cluster, config.origin)?;
    let store = LocalStore::open(&config.home, tls.own.origin, &config.regions).map_err(|e| {
        let certificate = tls.own.origin;
        match e {
            OpenError::Library(error) => BridgeError::Store(error),
            OpenError::OtherOrigin(node) => BridgeError::OriginDiffers { node, certificate },
        }
    })?;
    let system = |op| move |source| BridgeError::System { op, source };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("start the runtime"))?;
    runtime.block_on(serve(config, tls, store, ready))
}

async fn serve(
    config: Config,
    tls: Credentials,
    store: LocalStore,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), BridgeError> {
    let system = |op| move |source| BridgeError::System { op, source };
    let (transport, events) = Transport::start(config.listen, &config.peers, &tls)?;
    let (requests, mut asked) = mpsc::channel(4);
    let socket = status::Socket::bind(&config.status_path(), requests)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(system("watch SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("watch SIGINT"))?;
    let address = transport.address;
    tracing::info!(%address, origin = tls.own.origin, cluster = config.cluster, "bridge runs");
    let engine = Engine::new(engine_config(&config, &tls, &store), store.clone());
    let mut hub = Hub::new(Parts { config, tls, store, engine, transport })
        .map_err(system("watch the bell"))?;
    ready(address);
    tokio::select! {
        () = hub.run(events, &mut asked) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("bridge stops");
    hub.farewell(FAREWELL).await;
    // Requests that come too late are dropped, so that their clients do not wait.
    drop(asked);
    socket.finish().await;
    Ok(())
}

fn engine_config(config: &Config, tls: &Credentials, store: &LocalStore) -> EngineConfig {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let timing = Timing {
        peer_timeout: ms(config.peer_timeout),
        ack_warning: ms(config.ack_wait_threshold),
        ack_severe: ms(config.ack_severe_alert_threshold),
        ..Timing::default()
    };
    EngineConfig {
        cluster: config.cluster.clone(),
        origin: tls.own.origin,
        node_id: store.node_id(),
        boot: store.epoch(),
        expected_peers: config.peers.len(),
        timing,
    }
}

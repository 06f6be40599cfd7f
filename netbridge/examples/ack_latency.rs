//! How long an acknowledged write takes, beside a bare QUIC round trip in the same run.
//!
//! ```text
//! cargo run --release -p vug-netbridge --example ack_latency
//! ```
//!
//! Two nodes with a bridge each, on loopback, and two bare quinn endpoints that play ping-pong on
//! one stream. Both exchange 64 bytes; turns alternate, so that both see the same machine.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::PrivateKeyDer;
use vug::{DataPolicy, Node, Region, Scope};
use vug_netbridge::cert;
use vug_netbridge::config::{Config, PeerConfig};

type Failure = Box<dyn Error + Send + Sync>;

const ROUNDS: usize = 5;
const TURNS: usize = 2000;
const PAYLOAD: [u8; 64] = [7; 64];

fn main() -> Result<(), Failure> {
    let dir = tempfile::Builder::new().prefix("vug-ack-").tempdir_in("/dev/shm")?;
    cert::init(dir.path(), "lab", false)?;
    let (first, address) = node(dir.path(), 1, None)?;
    let (_second, _) = node(dir.path(), 2, Some(address))?;
    wait_for_member(&dir.path().join("home-1"))?;
    let (ping, pong) = mpsc::channel();
    let (ask, asked) = mpsc::channel();
    let server = std::thread::spawn(move || echo(&ping));
    let client = pong.recv()?;
    let (results, measured) = mpsc::channel();
    std::thread::spawn(move || ping_pong(client, &asked, &results));
    println!("round  bare p50  p99 us   acked put p50  p99 us   ratio p50");
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        ask.send(())?;
        let (bare, bare_tail) = percentiles(measured.recv()?);
        let (put, put_tail) = percentiles(puts(&first)?);
        ratios.push(put / bare);
        println!(
            "{round:5}  {bare:8.1}  {bare_tail:6.1}   {put:13.1}  {put_tail:6.1}   {:9.2}",
            put / bare
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[ROUNDS / 2]);
    for origin in [1, 2] {
        vug_netbridge::stop(&dir.path().join(format!("home-{origin}")))?;
    }
    drop(server);
    Ok(())
}

/// A node with its bridge on a thread of its own.
fn node(
    dir: &Path,
    origin: u16,
    peer: Option<SocketAddr>,
) -> Result<(Region, SocketAddr), Failure> {
    let certs = dir.join(format!("certs-{origin}"));
    cert::issue(dir, &certs, origin, None, false)?;
    std::fs::copy(dir.join("ca.pem"), certs.join("ca.pem"))?;
    let home = dir.join(format!("home-{origin}"));
    let mut config = Config::new(&home, "lab", &certs);
    config.peers = peer.map(|address| PeerConfig { address, origin: None }).into_iter().collect();
    let region = Node::open(&home)?
        .region("r")
        .data_policy(DataPolicy::Replicate)
        .scope(Scope::DistributedAck)
        .max_bytes(256 << 20)
        .create()?;
    let (ready, started) = mpsc::channel();
    std::thread::spawn(move || {
        let told = vug_netbridge::run(config, move |address| {
            let _ = ready.send(address);
        });
        if let Err(error) = told {
            eprintln!("bridge {origin}: {error}");
        }
    });
    Ok((region, started.recv()?))
}

fn wait_for_member(home: &Path) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while vug_netbridge::status(home)?["regions"][0]["members"][0].is_null() {
        if Instant::now() > deadline {
            return Err("the nodes do not find each other".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn puts(region: &Region) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::with_capacity(TURNS);
    for turn in 0..TURNS {
        let start = Instant::now();
        region.put(&(turn % 100).to_le_bytes(), &PAYLOAD)?;
        times.push(start.elapsed());
    }
    Ok(times)
}

/// Median and 99th percentile in microseconds.
fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e6;
    (at(50), at(99))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// The bare server; sends the address and certificate that the client needs.
fn echo(ready: &mpsc::Sender<(SocketAddr, Vec<u8>)>) -> Result<(), Failure> {
    let made = rcgen::generate_simple_self_signed(vec!["echo".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    runtime()?.block_on(async {
        let endpoint = quinn::Endpoint::server(config, ([127, 0, 0, 1], 0).into())?;
        ready.send((endpoint.local_addr()?, made.cert.der().to_vec()))?;
        let connection = endpoint.accept().await.ok_or("closed")?.await?;
        let (mut send, mut receive) = connection.accept_bi().await?;
        let mut message = PAYLOAD;
        while receive.read_exact(&mut message).await.is_ok() {
            send.write_all(&message).await?;
        }
        Ok(())
    })
}

/// The bare client: plays one round whenever it is asked to.
fn ping_pong(
    (address, certificate): (SocketAddr, Vec<u8>),
    asked: &mpsc::Receiver<()>,
    results: &mpsc::Sender<Vec<Duration>>,
) -> Result<(), Failure> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.into())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let mut transport = quinn::TransportConfig::default();
    transport.keep_alive_interval(Some(Duration::from_secs(1)));
    config.transport_config(Arc::new(transport));
    runtime()?.block_on(async {
        let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into())?;
        let connection = endpoint.connect_with(config, address, "echo")?.await?;
        let (mut send, mut receive) = connection.open_bi().await?;
        while asked.recv().is_ok() {
            let mut times = Vec::with_capacity(TURNS);
            let mut message = PAYLOAD;
            for _ in 0..TURNS {
                let start = Instant::now();
                send.write_all(&PAYLOAD).await?;
                receive.read_exact(&mut message).await?;
                times.push(start.elapsed());
            }
            results.send(times)?;
        }
        Ok(())
    })
}

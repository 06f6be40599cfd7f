//! How long after a bridge was killed a change arrives at the other node, both ways.
//!
//! ```text
//! cargo run --release -p vug-netbridge --example bridge_restart -- [KILLS]
//! ```
//!
//! Two nodes on loopback. The bridge of node 1 is a process of its own that is killed and started
//! again at once; that of node 2 lives on. A value is put on each node directly after the kill, and
//! the time runs until the other node has it. `configured` says who has the other as a peer in its
//! configuration: the killed bridge, or only the other one.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vug::{DataPolicy, Node, Region, Scope};
use vug_netbridge::cert;
use vug_netbridge::config::{Config, PeerConfig};

type Failure = Box<dyn Error + Send + Sync>;

const KILLS: usize = 20;
const GOAL: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);
/// A bridge lives at least so long before it is killed: long enough to be settled.
const LIFE: Duration = Duration::from_millis(1_200);

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, dir, listen, peer] = &arguments[..]
        && role == "--bridge"
    {
        return bridge(Path::new(dir), listen.parse()?, peer.parse().ok());
    }
    let kills = arguments.first().map_or(Ok(KILLS), |n| n.parse())?;
    println!("{kills} kills each; goal for the next change: {} ms", GOAL.as_millis());
    println!("configured  what                                  median ms    max ms");
    for killed_knows in [true, false] {
        let times = measure(killed_knows, kills)?;
        let who = if killed_knows { "killed" } else { "other" };
        for (what, mut times) in times {
            times.sort();
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            let (median, max) = (ms(times[times.len() / 2]), ms(times[times.len() - 1]));
            println!("{who:10}  {what:36}  {median:9.1}  {max:8.1}");
        }
    }
    Ok(())
}

type Series = (&'static str, Vec<Duration>);

fn measure(killed_knows: bool, kills: usize) -> Result<[Series; 3], Failure> {
    let place = tempfile::Builder::new().prefix("vug-restart-").tempdir_in("/dev/shm")?;
    cert::init(place.path(), "lab", false)?;
    let addresses = [free_address()?, free_address()?];
    for origin in [1, 2] {
        let certs = place.path().join(format!("certs-{origin}"));
        cert::issue(place.path(), &certs, origin, None, false)?;
        std::fs::copy(place.path().join("ca.pem"), certs.join("ca.pem"))?;
    }
    let homes = [1, 2].map(|origin| place.path().join(format!("home-{origin}")));
    let (first, second) = (region(&homes[0])?, region(&homes[1])?);
    let other = start_here(place.path(), addresses[1], (!killed_knows).then_some(addresses[0]))?;
    let peer = killed_knows.then_some(addresses[1]);
    let mut killed = Killed::start(place.path(), addresses[0], peer)?;
    let (mut started, mut there, mut here) = (Vec::new(), Vec::new(), Vec::new());
    // The first round is the introduction.
    for n in 0..=kills {
        if n > 0 {
            std::thread::sleep(LIFE);
            killed.child.kill()?;
        }
        let begin = Instant::now();
        let number = n.to_le_bytes();
        first.put(b"from the killed one", &number)?;
        second.put(b"from the other one", &number)?;
        if n > 0 {
            killed.child.wait()?;
            killed = Killed::start(place.path(), addresses[0], peer)?;
        }
        let ready = begin.elapsed();
        let times = arrivals(
            [(&second, b"from the killed one"), (&first, b"from the other one")],
            &number,
            begin,
        )?;
        if n > 0 {
            started.push(ready);
            there.push(times[0]);
            here.push(times[1]);
        }
    }
    killed.child.kill()?;
    killed.child.wait()?;
    vug_netbridge::stop(&homes[1])?;
    other.join().map_err(|_| "the other bridge panicked")?;
    Ok([
        ("the new bridge serves", started),
        ("a change of the killed bridge's node", there),
        ("a change of the other node", here),
    ])
}

/// When each region had the value.
fn arrivals(
    wanted: [(&Region, &[u8]); 2],
    value: &[u8],
    begin: Instant,
) -> Result<[Duration; 2], Failure> {
    let mut times = [None; 2];
    let mut found = Vec::new();
    while times.contains(&None) {
        for ((region, key), time) in wanted.iter().zip(&mut times) {
            if time.is_none() && region.get_into(key, &mut found)?.is_some() && found == value {
                *time = Some(begin.elapsed());
            }
        }
        if begin.elapsed() > PATIENCE {
            return Err(format!("no change arrived within {PATIENCE:?}: {times:?}").into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(times.map(Option::unwrap_or_default))
}

fn free_address() -> Result<SocketAddr, Failure> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?)
}

fn region(home: &Path) -> Result<Region, Failure> {
    let node = Node::open(home)?;
    let builder = node.region("r").data_policy(DataPolicy::Replicate);
    Ok(builder.scope(Scope::DistributedNoAck).max_bytes(64 << 20).create()?)
}

fn config(place: &Path, origin: u16, listen: SocketAddr, peer: Option<SocketAddr>) -> Config {
    let home: PathBuf = place.join(format!("home-{origin}"));
    let mut config = Config::new(&home, "lab", &place.join(format!("certs-{origin}")));
    config.listen = listen;
    config.peers = peer.map(|address| PeerConfig { address, origin: None }).into_iter().collect();
    config
}

fn start_here(
    place: &Path,
    listen: SocketAddr,
    peer: Option<SocketAddr>,
) -> Result<JoinHandle<()>, Failure> {
    let config = config(place, 2, listen, peer);
    let (ready, started) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let ended = vug_netbridge::run(config, move |_| {
            let _ = ready.send(());
        });
        if let Err(error) = ended {
            eprintln!("the other bridge: {error}");
        }
    });
    started.recv()?;
    Ok(thread)
}

/// The bridge that is killed.
struct Killed {
    child: Child,
    _words: BufReader<ChildStdout>,
}

impl Killed {
    /// Starts it and waits until it serves.
    fn start(place: &Path, listen: SocketAddr, peer: Option<SocketAddr>) -> Result<Self, Failure> {
        let peer = peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--bridge").arg(place).args([listen.to_string(), peer]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut words = BufReader::new(stdout);
        let mut line = String::new();
        words.read_line(&mut line)?;
        if line != "ready\n" {
            return Err("the bridge did not start".into());
        }
        Ok(Self { child, _words: words })
    }
}

/// The child: a bridge that ends with the process that started it.
fn bridge(place: &Path, listen: SocketAddr, peer: Option<SocketAddr>) -> Result<(), Failure> {
    let config = config(place, 1, listen, peer);
    let home = config.home.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = vug_netbridge::stop(&home);
    });
    vug_netbridge::run(config, |_| {
        println!("ready");
        let _ = std::io::stdout().flush();
    })?;
    Ok(())
}

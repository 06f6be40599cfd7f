//! What the processes of a node do in the storm over a cluster.
//!
//! | command line | does |
//! |---|---|
//! | `bridge HOME CERTS LISTEN [PEER ...]` | runs the bridge; says `ready`; takes `cut ADDRESS`, `lose PER_MILLE`, `delay MS` and `heal` on its standard input |
//! | `write HOME NAME SEED` | writes until it is killed; keys that begin with its name are written by nobody else |
//!
//! Both end when their standard input does. A writer notes in the region [`TOLD`], which stays on
//! its node, each number that was put under a key of its own: that number, or a higher one, must
//! never be lost again.

use std::error::Error;
use std::io::{Read, Write, stdin, stdout};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use vug::{Node, Region, RegionBuilder, Scope, WriteOptions};
use vug_netbridge::Faults;
use vug_netbridge::config::{Config, PeerConfig};

use crate::damage::Random;

/// Name of the cluster.
pub const CLUSTER: &str = "storm";
/// The region that the other nodes must acknowledge, and the one that they need not.
pub const SHARED: [&str; 2] = ["acked", "unacked"];
/// The region of one node with what its writers were told.
pub const TOLD: &str = "told";
/// How long a node without connection is waited for.
const PEER_TIMEOUT: Duration = Duration::from_millis(1_500);
/// As long as a writer waits for the other nodes; the change stays made when it waits no more.
const ACK_WITHIN: Duration = Duration::from_millis(250);
/// Keys of its own that a writer writes, and keys that all write, of each region.
const OWN: usize = 40;
const COMMON: usize = 300;
const LONGEST: usize = 300;
/// Operations between two pauses of a millisecond: the ring is not to be lapped all the time.
const BURST: u32 = 2;

/// Does what the command line of a child says.
///
/// # Errors
/// What kept the bridge or the writer from its work.
pub fn run(words: &[String]) -> Result<(), Box<dyn Error>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["bridge", home, certs, listen, ref peers @ ..] => bridge(home, certs, listen, peers),
        ["write", home, name, seed] => {
            std::thread::spawn(|| {
                let _ = stdin().read_to_end(&mut Vec::new());
                std::process::exit(0);
            });
            write(Path::new(home), name, Random(seed.parse()?))
        }
        _ => Err("unknown command line".into()),
    }
}

/// Makes the regions of a node.
///
/// # Errors
/// Those of the library.
pub fn create_regions(node: &Node) -> vug::Result<()> {
    fn shared(builder: RegionBuilder<'_>, scope: Scope) -> RegionBuilder<'_> {
        builder.data_policy(vug::DataPolicy::Replicate).scope(scope).max_bytes(64 << 20)
    }
    shared(node.region(SHARED[0]), Scope::DistributedAck).create()?;
    shared(node.region(SHARED[1]), Scope::DistributedNoAck).create()?;
    node.region(TOLD).max_bytes(8 << 20).create().map(drop)
}

fn bridge(home: &str, certs: &str, listen: &str, peers: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut config = Config::new(Path::new(home), CLUSTER, Path::new(certs));
    config.listen = listen.parse()?;
    config.peer_timeout = PEER_TIMEOUT;
    config.unreachable_timeout = 2 * PEER_TIMEOUT;
    for peer in peers {
        config.peers.push(PeerConfig { address: peer.parse()?, origin: None });
    }
    let (faults, home) = (Faults::at(config.listen), config.home.clone());
    std::thread::spawn(move || {
        for line in stdin().lines().map_while(Result::ok) {
            obey(&faults, &line);
        }
        // An error says that it has not started yet; then the process that wants it is gone.
        if vug_netbridge::stop(&home).is_err() {
            std::process::exit(0);
        }
    });
    vug_netbridge::run(config, |_| {
        println!("ready");
        let _ = stdout().flush();
    })?;
    Ok(())
}

fn obey(faults: &Faults, order: &str) {
    let words: Vec<&str> = order.split(' ').collect();
    match words[..] {
        ["cut", address] => {
            faults.cut(address.parse::<SocketAddr>().expect("an address"));
        }
        ["lose", share] => faults.lose(share.parse().expect("a number")),
        ["delay", ms] => {
            let delay = Duration::from_millis(ms.parse().expect("a number"));
            faults.delay(delay, 2 * delay);
        }
        ["heal"] => faults.heal(),
        _ => panic!("unknown order: {order}"),
    }
}

fn write(home: &Path, name: &str, mut random: Random) -> Result<(), Box<dyn Error>> {
    let node = Node::open(home)?;
    let told = node.region(TOLD).open()?;
    let regions = [node.region(SHARED[0]).open()?, node.region(SHARED[1]).open()?];
    let options = WriteOptions::ack_within(ACK_WITHIN);
    for n in 1_u32.. {
        // The region that waits for nobody is written to more often.
        let which = usize::from(random.below(8) > 0);
        let region = &regions[which];
        let done = match random.below(10) {
            0..5 => own(region, &told, &format!("{name}-{}", random.below(OWN)), &options),
            5..9 => {
                let value = vec![random.number() as u8; random.below(LONGEST)];
                region.put_with(common(&mut random).as_bytes(), &value, &options).map(drop)
            }
            _ => region.remove_with(common(&mut random).as_bytes(), &options).map(drop),
        };
        match done {
            Ok(()) | Err(vug::Error::AckTimeout { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if n.is_multiple_of(BURST) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn common(random: &mut Random) -> String {
    format!("common-{}", random.below(COMMON))
}

/// Puts the next number under a key of the writer's own, and notes it when that is done.
fn own(region: &Region, told: &Region, key: &str, options: &WriteOptions) -> vug::Result<()> {
    // A predecessor may have died between the two.
    let next = number(region, key.as_bytes())?.max(noted(told, region.name(), key)?) + 1;
    let put = region.put_with(key.as_bytes(), &next.to_le_bytes(), options);
    if let Ok(_) | Err(vug::Error::AckTimeout { .. }) = put {
        told.put(note(region.name(), key).as_bytes(), &next.to_le_bytes())?;
    }
    put.map(drop)
}

fn note(region: &str, key: &str) -> String {
    format!("{region}/{key}")
}

fn noted(told: &Region, region: &str, key: &str) -> vug::Result<u64> {
    number(told, note(region, key).as_bytes())
}

/// The number under a key; 0 if there is none.
///
/// # Errors
/// Those of the library.
pub fn number(region: &Region, key: &[u8]) -> vug::Result<u64> {
    let mut value = Vec::new();
    region.get_into(key, &mut value)?;
    Ok(value.as_slice().try_into().map_or(0, u64::from_le_bytes))
}

//! memcached over a Unix socket, by its text protocol: no client library between.

use crate::server::{Client, Server};
use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use vug_bench::{KEY_LEN, Load, Peer, Store, key};

/// Requests at a time while the store is filled, which is not measured.
const PIPELINED: u32 = 256;

/// Starts and reaches the server.
#[derive(Debug)]
pub struct Memcached;

impl Peer for Memcached {
    fn name(&self) -> &'static str {
        "memcached"
    }

    fn configuration(&self) -> &'static str {
        "Unix socket, 2 threads, evicts nothing, no pipelining; keys in 32 digits; placed as Redis"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let server = Server::start("memcached", |socket, _| {
            let mib = ((load.bytes() + u64::from(load.entries) * 192) >> 20) + 64;
            let socket = socket.display().to_string();
            // The user counts only for root.
            ["-s", &socket, "-m", &mib.to_string(), "-t", "2", "-M", "-u", "root"]
                .map(str::to_owned)
                .to_vec()
        })?;
        let client = RefCell::new(Client::connect(server.socket())?);
        let socket = server.socket().to_owned();
        Ok(Box::new(Connection { client, socket, _server: Some(server) }))
    }

    fn open(&self, place: &Path, _: Load) -> Result<Box<dyn Store>, String> {
        let client = RefCell::new(Client::connect(place)?);
        Ok(Box::new(Connection { client, socket: place.into(), _server: None }))
    }
}

struct Connection {
    client: RefCell<Client>,
    socket: PathBuf,
    _server: Option<Server>,
}

/// The protocol takes no spaces and no control characters.
fn text(n: u32) -> [u8; 2 * KEY_LEN] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 2 * KEY_LEN];
    for (pair, byte) in text.chunks_exact_mut(2).zip(key(n)) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}

/// Writing to memory cannot fail.
fn add_put(request: &mut Vec<u8>, n: u32, value: &[u8]) {
    request.extend_from_slice(b"set ");
    request.extend_from_slice(&text(n));
    let _ = write!(request, " 0 0 {}\r\n", value.len());
    request.extend_from_slice(value);
    request.extend_from_slice(b"\r\n");
}

impl Store for Connection {
    fn name(&self) -> &'static str {
        Memcached.name()
    }

    fn place(&self) -> Option<&Path> {
        Some(&self.socket)
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        let mut client = self.client.borrow_mut();
        client.request.extend_from_slice(b"get ");
        client.request.extend_from_slice(&text(n));
        client.request.extend_from_slice(b"\r\n");
        client.send().expect("a server");
        if client.line().expect("a reply") == b"END" {
            return false;
        }
        client.bytes(value).expect("the value");
        client.expect(b"END").expect("the end of the reply");
        true
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        let mut client = self.client.borrow_mut();
        add_put(&mut client.request, n, value);
        client.send()?;
        client.expect(b"STORED")
    }

    fn fill(&self, load: Load) -> Result<(), String> {
        let mut client = self.client.borrow_mut();
        let value = vec![0; load.value_len];
        for start in (0..load.entries).step_by(PIPELINED as usize) {
            let part = start..(start + PIPELINED).min(load.entries);
            part.clone().for_each(|n| add_put(&mut client.request, n, &value));
            client.send()?;
            part.into_iter().try_for_each(|_| client.expect(b"STORED"))?;
        }
        Ok(())
    }
}

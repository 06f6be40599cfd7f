//! Redis over a Unix socket, by the least of its protocol: no client library between.

use crate::server::{Client, Server};
use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use vug_bench::{KEY_LEN, Load, Peer, Store, key};

/// Requests at a time while the store is filled, which is not measured.
const PIPELINED: u32 = 256;

/// Starts and reaches the server.
#[derive(Debug)]
pub struct Redis;

impl Peer for Redis {
    fn name(&self) -> &'static str {
        "Redis"
    }

    fn configuration(&self) -> &'static str {
        "Unix socket, nothing saved, no pipelining; on one processor with the first client"
    }

    fn create(&self, _: Load) -> Result<Box<dyn Store>, String> {
        let server = Server::start("redis-server", |socket, home| {
            let socket = socket.display().to_string();
            let home = home.display().to_string();
            ["--port", "0", "--unixsocket", &socket, "--dir", &home, "--save", ""]
                .into_iter()
                .chain(["--appendonly", "no", "--daemonize", "no"])
                .map(str::to_owned)
                .collect()
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

/// Writing to memory cannot fail.
fn add_put(request: &mut Vec<u8>, n: u32, value: &[u8]) {
    request.extend_from_slice(b"*3\r\n$3\r\nSET\r\n");
    let _ = write!(request, "${KEY_LEN}\r\n");
    request.extend_from_slice(&key(n));
    let _ = write!(request, "\r\n${}\r\n", value.len());
    request.extend_from_slice(value);
    request.extend_from_slice(b"\r\n");
}

impl Store for Connection {
    fn name(&self) -> &'static str {
        Redis.name()
    }

    fn place(&self) -> Option<&Path> {
        Some(&self.socket)
    }

    fn get(&self, n: u32, value: &mut [u8]) -> bool {
        let mut client = self.client.borrow_mut();
        client.request.extend_from_slice(b"*2\r\n$3\r\nGET\r\n");
        let _ = write!(client.request, "${KEY_LEN}\r\n");
        client.request.extend_from_slice(&key(n));
        client.request.extend_from_slice(b"\r\n");
        client.send().expect("a server");
        if client.line().expect("a reply") == b"$-1" {
            return false;
        }
        client.bytes(value).expect("the value");
        true
    }

    fn put(&self, n: u32, value: &[u8]) -> Result<(), String> {
        let mut client = self.client.borrow_mut();
        add_put(&mut client.request, n, value);
        client.send()?;
        client.expect(b"+OK")
    }

    fn fill(&self, load: Load) -> Result<(), String> {
        let mut client = self.client.borrow_mut();
        let value = vec![0; load.value_len];
        for start in (0..load.entries).step_by(PIPELINED as usize) {
            let part = start..(start + PIPELINED).min(load.entries);
            part.clone().for_each(|n| add_put(&mut client.request, n, &value));
            client.send()?;
            part.into_iter().try_for_each(|_| client.expect(b"+OK"))?;
        }
        Ok(())
    }
}

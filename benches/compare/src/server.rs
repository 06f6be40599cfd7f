//! A server process of one's own, on a Unix socket in a temporary directory: no port, no
//! configuration of the machine, gone when the bench is.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use vug_bench::scratch;

/// A running server; stopped on drop.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    socket: PathBuf,
    /// Removed after the server was stopped.
    _home: TempDir,
}

impl Server {
    /// Starts `program` with the arguments that `arguments` makes for a socket and a directory. It
    /// runs on the processors of the caller: on one with the first client, which is its fastest
    /// place for one request at a time.
    pub(crate) fn start(
        program: &str,
        arguments: impl FnOnce(&Path, &Path) -> Vec<String>,
    ) -> Result<Server, String> {
        let home = scratch()?;
        let socket = home.path().join("socket");
        let arguments = arguments(&socket, home.path());
        let start = |command: &mut Command| {
            command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn()
        };
        // A killed bench takes its servers along, where util-linux is installed.
        let mut bound = Command::new("setpriv");
        bound.args(["--pdeathsig", "KILL", "--", program]);
        let installed = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        installed.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("skipped: {program} is not installed"),
            _ => format!("{program}: {error}"),
        })?;
        let child = start(&mut bound).or_else(|_| start(&mut Command::new(program)));
        let child = child.map_err(|error| format!("{program}: {error}"))?;
        let mut server = Server { child, socket, _home: home };
        server.await_socket(program)?;
        Ok(server)
    }

    fn await_socket(&mut self, program: &str) -> Result<(), String> {
        let start = Instant::now();
        while UnixStream::connect(&self.socket).is_err() {
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || start.elapsed() > Duration::from_secs(20) {
                return Err(format!("{program} does not open {}", self.socket.display()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Where clients find it.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing that has to be kept.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One client: a request is written as a whole, then its reply is read.
#[derive(Debug)]
pub(crate) struct Client {
    stream: UnixStream,
    /// The request that is being made.
    pub(crate) request: Vec<u8>,
    reply: Vec<u8>,
    /// The part of `reply` that was read and not taken.
    unread: std::ops::Range<usize>,
}

impl Client {
    pub(crate) fn connect(socket: &Path) -> Result<Client, String> {
        let stream = UnixStream::connect(socket);
        let stream = stream.map_err(|error| format!("{}: {error}", socket.display()))?;
        Ok(Client { stream, request: Vec::new(), reply: vec![0; 64 << 10], unread: 0..0 })
    }

    /// Sends what was put into `request`.
    pub(crate) fn send(&mut self) -> Result<(), String> {
        self.stream.write_all(&self.request).map_err(|error| format!("server: {error}"))?;
        self.request.clear();
        Ok(())
    }

    fn receive(&mut self) -> Result<(), String> {
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.end == self.reply.len() {
            self.reply.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            if self.unread.end == self.reply.len() {
                self.reply.resize(2 * self.reply.len(), 0);
            }
        }
        let read = self.stream.read(&mut self.reply[self.unread.end..]);
        match read.map_err(|error| format!("server: {error}"))? {
            0 => Err("the server closed its connection".into()),
            read => {
                self.unread.end += read;
                Ok(())
            }
        }
    }

    /// The next line of the reply, without its end.
    pub(crate) fn line(&mut self) -> Result<&[u8], String> {
        loop {
            let unread = &self.reply[self.unread.clone()];
            if let Some(len) = unread.windows(2).position(|pair| pair == b"\r\n") {
                let start = self.unread.start;
                self.unread.start += len + 2;
                return Ok(&self.reply[start..start + len]);
            }
            self.receive()?;
        }
    }

    /// The next `value.len()` bytes of the reply, and the end of line behind them.
    pub(crate) fn bytes(&mut self, value: &mut [u8]) -> Result<(), String> {
        while self.unread.len() < value.len() + 2 {
            self.receive()?;
        }
        let start = self.unread.start;
        value.copy_from_slice(&self.reply[start..start + value.len()]);
        self.unread.start += value.len() + 2;
        Ok(())
    }

    /// The next line has to be this one.
    pub(crate) fn expect(&mut self, wanted: &[u8]) -> Result<(), String> {
        let line = self.line()?;
        if line == wanted {
            return Ok(());
        }
        Err(format!("the server said {:?}", String::from_utf8_lossy(line)))
    }
}

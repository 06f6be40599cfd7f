//! The status socket: a Unix socket in the node's home directory.
//!
//! One request line, `status`, `reload` or `stop`, gives one line with a JSON object. After
//! `events` lines keep coming until the client or the bridge ends: first one with the nodes as they
//! are, `{"event":"snapshot","nodes":[...]}`, then one for everything that changes; after
//! `{"event":"lapped"}` some were lost, and a snapshot follows. Only the user of the bridge, and
//! root, are answered.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net as std_unix;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::error::BridgeError;

/// Name of the socket in the home directory.
pub(crate) const SOCKET_NAME: &str = "bridge.sock";
/// How long a client waits for the bridge, and the bridge for a client.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a stopping bridge waits for clients to read their answers.
const FAREWELL: Duration = Duration::from_secs(1);
/// Longest request line.
const LINE: u64 = 64;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Status,
    Reload,
    Stop,
}

/// A question to the hub.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) answer: oneshot::Sender<Value>,
}

/// The bound socket. [`finish`](Self::finish) ends its tasks and removes the file; a file that a
/// killed bridge leaves behind is replaced by the next one.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    tasks: JoinSet<()>,
    closing: oneshot::Sender<()>,
}

impl Socket {
    /// Binds the socket. The caller holds the bridge's seat, so a file that is there is a leftover.
    pub(crate) fn bind(
        path: &Path,
        requests: mpsc::Sender<Request>,
        events: broadcast::Sender<String>,
    ) -> Result<Self, BridgeError> {
        let failed = |source| BridgeError::StatusSocket { path: path.to_owned(), source };
        remove_leftover(path).map_err(failed)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        let owner = owner_of(path).map_err(failed)?;
        let mut tasks = JoinSet::new();
        let (closing, closed) = oneshot::channel();
        tasks.spawn(accept(listener, owner, Hub { requests, events }, closed));
        Ok(Self { path: path.to_owned(), tasks, closing })
    }

    /// Answers no new client, and lets those whose request was taken read their answer.
    pub(crate) async fn finish(self) {
        let Self { path, mut tasks, closing } = self;
        // Both fail only if the accepting task is gone already.
        let _ = closing.send(());
        let _ = tokio::time::timeout(FAREWELL, tasks.join_next()).await;
        remove(&path);
    }
}

/// If it is gone already, that is what we want.
pub(super) fn remove(socket: &Path) {
    let _ = std::fs::remove_file(socket);
}

/// Removes a socket, and nothing else.
pub(super) fn remove_leftover(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file is in the way")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

fn owner_of(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;
    Ok(path.symlink_metadata()?.uid())
}

/// How clients reach the hub.
#[derive(Debug, Clone)]
struct Hub {
    requests: mpsc::Sender<Request>,
    events: broadcast::Sender<String>,
}

impl Hub {
    /// `None`: the bridge stops.
    async fn ask(&self, command: Command) -> Option<Value> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { command, answer }).await.ok()?;
        answered.await.ok()
    }
}

async fn accept(listener: UnixListener, owner: u32, hub: Hub, mut closed: oneshot::Receiver<()>) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut closed => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let hub = hub.clone();
                    clients.spawn(async move {
                        // What a client does not want to hear is not the bridge's problem.
                        let _ = serve_client(stream, owner, hub).await;
                    });
                }
                // Out of descriptors, most likely: others must free some first.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = clients.join_next() => {}
        }
    }
    drop((listener, hub));
    while clients.join_next().await.is_some() {}
}

/// A client that says nothing sensible in time is dropped without a word.
async fn in_time<T>(done: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, done).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}

async fn serve_client(mut stream: UnixStream, owner: u32, hub: Hub) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    if uid != owner && uid != 0 {
        return stream.write_all(b"{\"error\":\"not your bridge\"}\n").await;
    }
    let mut line = String::new();
    let (reader, mut writer) = stream.split();
    let mut reader = tokio::io::BufReader::new(reader.take(LINE));
    in_time(reader.read_line(&mut line)).await?;
    let command = match line.trim_end() {
        "status" => Command::Status,
        "reload" => Command::Reload,
        "stop" => Command::Stop,
        "events" => return tell_events(reader.into_inner().into_inner(), writer, hub).await,
        _ => {
            let help = b"{\"error\":\"ask for status, events, reload or stop\"}\n";
            return in_time(writer.write_all(help)).await;
        }
    };
    let answer = async { Ok(hub.ask(command).await) };
    match in_time(answer).await? {
        Some(value) => in_time(writer.write_all(format!("{value}\n").as_bytes())).await,
        None => Ok(()),
    }
}

/// Until the client hangs up or the bridge ends. A client that does not read is left behind: it
/// loses events, and is told so.
async fn tell_events(
    mut reader: impl AsyncReadExt + Unpin,
    mut writer: impl AsyncWriteExt + Unpin,
    hub: Hub,
) -> io::Result<()> {
    let mut events = hub.events.subscribe();
    // Whoever keeps a sender would never see the end of the bridge.
    let Hub { requests, events: sender } = hub;
    let hub = Hub { requests, events: broadcast::Sender::new(1) };
    drop(sender);
    let mut line = snapshot(&hub).await;
    let mut ignored = [0; 16];
    while let Some(text) = line.take() {
        writer.write_all(format!("{text}\n").as_bytes()).await?;
        line = tokio::select! {
            event = events.recv() => match event {
                Ok(event) => Some(event),
                Err(RecvError::Closed) => None,
                Err(RecvError::Lagged(_)) => {
                    writer.write_all(b"{\"event\":\"lapped\"}\n").await?;
                    snapshot(&hub).await
                }
            },
            // Nothing more is understood; the end of the client's words is its end.
            read = reader.read(&mut ignored) => match read? {
                0 => None,
                _ => snapshot(&hub).await,
            },
        };
    }
    Ok(())
}

async fn snapshot(hub: &Hub) -> Option<String> {
    let status = hub.ask(Command::Status).await?;
    Some(serde_json::json!({ "event": "snapshot", "nodes": status["nodes"] }).to_string())
}

/// Asks the bridge of a home directory for its status.
///
/// The object has `node`, `origin`, `cluster`, `pid`, `epoch`, `listen`, `peers` (each with
/// `address`, `origin`, `state` (`up`, `greeting`, `refused`, `closing`, `connecting` or
/// `unreachable`), `reason` and, when connected, `rtt_us`), `regions` (watermarks, members with
/// their lag, images), `turned_away` (who failed to prove its identity), `refusals`, `mismatches`,
/// `alerts` and `counters`.
///
/// # Errors
/// [`BridgeError::NotRunning`] when nobody answers there, [`BridgeError::BadAnswer`] when the
/// answer is no status.
pub fn status(home: &Path) -> Result<Value, BridgeError> {
    status_at(&home.join(SOCKET_NAME))
}

/// Like [`status`], for a bridge whose status socket is configured elsewhere.
///
/// # Errors
/// As [`status`].
pub fn status_at(socket: &Path) -> Result<Value, BridgeError> {
    ask(socket, "status\n")
}

/// Asks the bridge of a home directory to read its configuration and its certificates again.
///
/// The object has `reloaded`, what is in force now, and `needs_restart`, settings that have changed
/// and cannot be taken over by a running bridge. Connections stay.
///
/// # Errors
/// As [`status`]; [`BridgeError::BadAnswer`] also when something is wrong with the configuration or
/// the certificates: those of before stay in force.
pub fn reload(home: &Path) -> Result<Value, BridgeError> {
    ask(&home.join(SOCKET_NAME), "reload\n")
}

/// Follows what happens in the cluster: one JSON object at a time, the first a snapshot.
///
/// The iterator waits for the next event and ends with the bridge. For the objects see
/// [`ClusterEvent`](crate::engine::ClusterEvent); besides those there are `snapshot` with `nodes`,
/// and `lapped` when this process was too slow to be told everything.
///
/// # Errors
/// [`BridgeError::NotRunning`] when nobody answers there.
pub fn events(
    home: &Path,
) -> Result<impl Iterator<Item = Result<Value, BridgeError>> + use<>, BridgeError> {
    let socket = home.join(SOCKET_NAME);
    let stream = connect(&socket, "events\n")?;
    stream.set_read_timeout(None).map_err(failed_at(&socket))?;
    Ok(BufReader::new(stream).lines().map(move |line| {
        let line = line.map_err(failed_at(&socket))?;
        let bad = |problem: String| BridgeError::BadAnswer { problem };
        let event: Value = serde_json::from_str(&line).map_err(|e| bad(e.to_string()))?;
        match event["error"].as_str() {
            Some(refusal) => Err(bad(refusal.to_owned())),
            None => Ok(event),
        }
    }))
}

/// Asks the bridge of a home directory to stop; returns when it has agreed.
///
/// # Errors
/// As [`status`].
pub fn stop(home: &Path) -> Result<(), BridgeError> {
    stop_at(&home.join(SOCKET_NAME))
}

/// Like [`stop`], for a bridge whose status socket is configured elsewhere.
///
/// # Errors
/// As [`status`].
pub fn stop_at(socket: &Path) -> Result<(), BridgeError> {
    ask(socket, "stop\n").map(drop)
}

fn failed_at(socket: &Path) -> impl Fn(io::Error) -> BridgeError {
    let path = socket.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            BridgeError::NotRunning { path: path.clone() }
        }
        _ => BridgeError::StatusSocket { path: path.clone(), source },
    }
}

fn connect(socket: &Path, request: &str) -> Result<std_unix::UnixStream, BridgeError> {
    let failed = failed_at(socket);
    let mut stream = std_unix::UnixStream::connect(socket).map_err(&failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(&failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(&failed)?;
    stream.write_all(request.as_bytes()).map_err(&failed)?;
    Ok(stream)
}

fn ask(socket: &Path, request: &str) -> Result<Value, BridgeError> {
    let mut line = String::new();
    let stream = connect(socket, request)?;
    BufReader::new(stream).read_line(&mut line).map_err(failed_at(socket))?;
    let bad = |problem: String| BridgeError::BadAnswer { problem };
    let value: Value = serde_json::from_str(&line).map_err(|e| bad(e.to_string()))?;
    match value.get("error").and_then(Value::as_str) {
        Some(refusal) => Err(bad(refusal.to_owned())),
        None => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temp() -> tempfile::TempDir {
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("tempdir")
    }

    /// Runs a client on another thread while this one serves.
    async fn client<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
        tokio::task::spawn_blocking(f).await.expect("client")
    }

    #[tokio::test]
    async fn questions_reach_the_hub_and_answers_come_back() {
        let home = temp();
        let path = home.path().join(SOCKET_NAME);
        let (requests, mut asked) = mpsc::channel(4);
        let socket = Socket::bind(&path, requests, broadcast::Sender::new(4)).expect("bind");
        let hub = tokio::spawn(async move {
            let mut commands = Vec::new();
            while let Some(request) = asked.recv().await {
                commands.push(request.command);
                let _ = request.answer.send(serde_json::json!({ "n": commands.len() }));
            }
            commands
        });
        let dir = home.path().to_owned();
        assert_eq!(client(move || status(&dir)).await.expect("status")["n"], 1);
        let dir = home.path().to_owned();
        client(move || stop(&dir)).await.expect("stop");
        let at = path.clone();
        let refused = client(move || ask(&at, "restart\n")).await.expect_err("unknown");
        assert_eq!(refused.code(), 707);
        socket.finish().await;
        assert!(!path.exists());
        assert_eq!(hub.await.expect("hub"), [Command::Status, Command::Stop]);
        assert_eq!(status(home.path()).expect_err("gone").code(), 706);
    }

    #[tokio::test]
    async fn a_leftover_socket_is_replaced_and_a_file_is_not() {
        let home = temp();
        let path = home.path().join(SOCKET_NAME);
        drop(std_unix::UnixListener::bind(&path).expect("leftover"));
        assert_eq!(status(home.path()).expect_err("dead").code(), 706);
        let (requests, _asked) = mpsc::channel(4);
        Socket::bind(&path, requests.clone(), broadcast::Sender::new(4))
            .expect("bind")
            .finish()
            .await;
        std::fs::write(&path, "precious").expect("write");
        assert_eq!(
            Socket::bind(&path, requests, broadcast::Sender::new(4)).expect_err("file").code(),
            705
        );
        assert_eq!(std::fs::read(&path).expect("read"), b"precious");
    }
}

//! The socket on which processes of the node ask for entries that are not here; the messages are
//! those of the library.
//!
//! Each connection has a task; a question goes to the hub, its answer comes back whenever there is
//! one. When the process goes away the hub is told that nobody waits any more.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::BridgeError;
use crate::local::asks::{self, Outcome, Question};

/// Questions and answers under way between a connection and the hub.
const QUEUE: usize = 1024;

/// What connections tell the hub.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A process asks.
    Question(Question, mpsc::Sender<(u64, Outcome)>),
    /// A process that asked has gone.
    Gone(mpsc::Sender<(u64, Outcome)>),
}

/// The bound socket; its file goes with it.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    _tasks: JoinSet<()>,
}

impl Socket {
    /// Binds the socket. The caller holds the bridge's seat, so a file that is there is a leftover.
    pub(crate) fn bind(home: &Path, asked: mpsc::Sender<Asked>) -> Result<Self, BridgeError> {
        let path = home.join(asks::SOCKET);
        let failed = |source| BridgeError::StatusSocket { path: path.clone(), source };
        super::status::remove_leftover(&path).map_err(failed)?;
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, asked));
        Ok(Self { path, _tasks: tasks })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        super::status::remove(&self.path);
    }
}

async fn accept(listener: UnixListener, asked: mpsc::Sender<Asked>) {
    let mut clients = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                clients.spawn(serve(stream, asked.clone()));
            }
            // Too many open files, for one: those that are open go on.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
        while clients.try_join_next().is_some() {}
    }
}

async fn serve(stream: UnixStream, asked: mpsc::Sender<Asked>) {
    let (read, mut write) = stream.into_split();
    let (answer, mut answers) = mpsc::channel(QUEUE);
    let mut read = BufReader::new(read);
    let questions = async {
        while let Ok(question) = next(&mut read).await {
            if asked.send(Asked::Question(question, answer.clone())).await.is_err() {
                return;
            }
        }
    };
    let replies = async {
        while let Some((number, outcome)) = answers.recv().await {
            if write.write_all(&asks::answer(number, outcome)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = questions => {}
        () = replies => {}
    }
    // The hub may be gone, too.
    let _ = asked.send(Asked::Gone(answer)).await;
}

async fn next(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Question> {
    let length = read.read_u32_le().await?;
    let length = usize::try_from(length).ok().filter(|length| *length <= asks::LARGEST);
    let mut bytes = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    read.read_exact(&mut bytes).await?;
    asks::parse(&bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

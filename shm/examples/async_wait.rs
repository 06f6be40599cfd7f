//! Tasks that wait for changes by other processes, on any runtime; here one of thirty lines.
//!
//! ```sh
//! cargo run --release -p vug --example async_wait
//! ```
//! prints
//!
//! ```text
//! task 1 waits for `question`
//! task 2 waits for `answer`
//! task 1: another process asks for 6 x 7
//! task 1 answers
//! task 2: the answer is 42
//! ```

use std::error::Error;
use std::pin::{Pin, pin};
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use vug::{Node, Region};

fn open(home: &str) -> vug::Result<Region> {
    Node::open(home)?.region("mail").max_bytes(1 << 20).open_or_create()
}

/// Waits, without blocking the thread, until the key is there, and copies its value.
async fn wait_for(mail: &Region, key: &[u8]) -> vug::Result<String> {
    let mut value = Vec::new();
    let mut seen = None;
    // No guard lives across the await: it would keep the memory it points to for that long.
    while mail.get_into(key, &mut value)?.is_none() {
        seen = mail.changed_async(key, seen).await?;
    }
    Ok(String::from_utf8_lossy(&value).into_owned())
}

async fn answer(mail: &Region) -> vug::Result<()> {
    println!("task 1 waits for `question`");
    let question = wait_for(mail, b"question").await?;
    println!("task 1: another process asks for {question}");
    let product: i64 = question.split(" x ").filter_map(|n| n.parse::<i64>().ok()).product();
    println!("task 1 answers");
    mail.put(b"answer", product.to_string().as_bytes())?;
    Ok(())
}

async fn listen(mail: &Region) -> vug::Result<()> {
    println!("task 2 waits for `answer`");
    let answer = wait_for(mail, b"answer").await?;
    println!("task 2: the answer is {answer}");
    Ok(())
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

type Task<'t> = Pin<&'t mut dyn Future<Output = vug::Result<()>>>;

/// Runs all tasks on this thread, which sleeps while none of them can go on. `meanwhile` runs once,
/// when all of them wait.
fn run(mut tasks: Vec<Task<'_>>, meanwhile: impl FnOnce()) -> vug::Result<()> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut meanwhile = Some(meanwhile);
    while !tasks.is_empty() {
        let mut waiting = Vec::new();
        for mut task in tasks {
            match task.as_mut().poll(&mut context) {
                Poll::Ready(result) => result?,
                Poll::Pending => waiting.push(task),
            }
        }
        tasks = waiting;
        match meanwhile.take() {
            Some(first) => first(),
            None if !tasks.is_empty() => std::thread::park(),
            None => {}
        }
    }
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    if let Some(home) = std::env::args().nth(1) {
        open(&home)?.put(b"question", b"6 x 7")?;
        return Ok(());
    }
    let dir = tempfile::Builder::new().prefix("vug-wait-").tempdir_in("/dev/shm")?;
    let home = dir.path().to_str().ok_or("the path is not UTF-8")?;
    let program = std::env::current_exe()?;
    let mail = open(home)?;
    let mut asking = None;
    let (first, second) = (pin!(answer(&mail)), pin!(listen(&mail)));
    run(vec![first, second], || asking = Some(Command::new(program).arg(home).spawn()))?;
    let mut asking = asking.ok_or("nobody asked")??;
    assert!(asking.wait()?.success(), "the other process failed");
    Ok(())
}

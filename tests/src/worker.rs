//! Worker processes: children that do what a line on their standard input says and answer with a
//! line.
//!
//! | request | answer |
//! |---|---|
//! | `open HOME REGION` | `ok` |
//! | `open-or-create HOME REGION MAX_BYTES` | `ok` |
//! | `create-region HOME REGION MAX_BYTES` | `ok` |
//! | `region-storm HOME REGION COUNT` | `ok CREATED DESTROYED`: opens or creates, uses and destroys a region `COUNT` times; 0 is for ever |
//! | `become UID` | `ok`: gives up root |
//! | `put KEY VALUE`, `create KEY VALUE` | `ok VERSION ORIGIN` |
//! | `get KEY` | `ok VALUE` or `none` |
//! | `del KEY` | `ok VERSION ORIGIN` or `none` |
//! | `cas KEY VALUE` | `ok VERSION ORIGIN`, `changed`, `none`; expects the token just read |
//! | `increment KEY COUNT` | `ok` after `COUNT` successful compare-and-swaps of a decimal number |
//! | `add KEY DELTA COUNT` | `ok SUM` after `COUNT` increments of a counter by `DELTA` |
//! | `hold KEY` | `ok VALUE`, and keeps the guard until `drop` |
//! | `drop` | `ok VALUE` as the guard shows it now |
//! | `loop-put PREFIX COUNT` | `ok`; puts `PREFIX-0` ... `PREFIX-(COUNT-1)`; 0 is for ever |
//! | `ping-pong HOW MINE THEIRS COUNT` | `ok` after `COUNT` rounds of writing one key and waiting for the other; `HOW` is `key`, `region`, `events` |
//! | `wait KEY` | `ok`: waits until the state of the key is another than now |
//! | `len` | `ok COUNT` |
//! | `clear COUNT` | `ok` after `COUNT` clears; 0 is for ever |
//! | `invalidate-region`, `destroy-region`, `close` | `ok` |
//! | `digest` | `ok COUNT HASH` of all entries, whatever their order |
//! | `recover` | `ok` |
//! | `count-up KEY LAST` | `ok`; puts 1 ... `LAST` under one key |
//! | `token KEY` | `ok VERSION ORIGIN` or `none` |
//! | `contains KEY` | `ok true` or `ok false` |
//! | `create-invalid KEY` | `ok VERSION ORIGIN` |
//! | `invalidate KEY`, `local-invalidate KEY` | `ok VERSION ORIGIN`, `none` if it was invalid |
//! | `destroy KEY`, `local-destroy KEY` | `ok VERSION ORIGIN` |
//! | `put-all PREFIX COUNT` | `ok`; the entries of `loop-put` in one call |
//! | `local-destroy-region` | `ok` |
//! | `advance SECONDS` | `ok`; only the worker's own clock |
//! | `sweep` | `ok EXPIRED` |
//! | `listen` | `ok`: follows the region from now on |
//! | `told` | `ok EVENT ...`: what it was told since, see `told` |
//! | `exit` | none |
//!
//! Keys, values and paths have no white space. An error of the library is answered with
//! `error CODE TEXT`, and the worker goes on.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use vug::{Node, OwnedGuard, Region, Subscription, Swap};

use crate::storm;

mod more;

/// What a worker said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done, with what belongs to it.
    Ok(Vec<String>),
    /// There is no such entry.
    None,
    /// A compare-and-swap met another token.
    Changed,
    /// The library refused: stable code and text.
    Error(u16, String),
}

impl Answer {
    fn parse(line: &str) -> Answer {
        let mut words = line.split_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("ok") => Answer::Ok(words.collect()),
            Some("none") => Answer::None,
            Some("changed") => Answer::Changed,
            Some("error") => {
                let code = words.next().and_then(|code| code.parse().ok()).unwrap_or(0);
                Answer::Error(code, words.collect::<Vec<_>>().join(" "))
            }
            other => panic!("a worker answered {other:?}"),
        }
    }

    /// The only word of an `ok` answer.
    ///
    /// # Panics
    /// When the answer is another one.
    pub fn word(&self) -> &str {
        match self {
            Answer::Ok(words) if words.len() == 1 => &words[0],
            other => panic!("expected one word, got {other:?}"),
        }
    }
}

/// A child process; killed and reaped on drop.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts `program`, which is `env!("CARGO_BIN_EXE_worker")` in a test.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: &str) -> Worker {
        Worker::start_command(Command::new(program))
    }

    /// Starts a command that runs the worker binary.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_command(mut command: Command) -> Worker {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the worker starts");
        let requests = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Worker { child, requests, answers }
    }

    /// Starts `program` and lets it open a region.
    ///
    /// # Panics
    /// When the region cannot be opened.
    pub fn open(program: &str, home: &Path, region: &str) -> Worker {
        let mut worker = Worker::start(program);
        let answer = worker.ask(format_args!("open {} {region}", home.display()));
        assert_eq!(answer, Answer::Ok(Vec::new()), "the worker opens {region}");
        worker
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Panics
    /// When the worker is gone.
    pub fn ask(&mut self, request: impl fmt::Display) -> Answer {
        self.send(request);
        self.answer()
    }

    /// Sends a request without waiting.
    ///
    /// # Panics
    /// When the worker is gone.
    pub fn send(&mut self, request: impl fmt::Display) {
        writeln!(self.requests, "{request}").expect("the worker listens");
    }

    /// Waits for the answer to a request sent before.
    ///
    /// # Panics
    /// When the worker is gone.
    pub fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the worker answers");
        assert!(!line.is_empty(), "the worker ended instead of answering");
        Answer::parse(&line)
    }

    /// The worker's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the worker with SIGKILL and reaps it.
    pub fn kill(mut self) {
        self.end();
    }

    /// Kills the worker with SIGKILL and returns the answers it had still given.
    ///
    /// # Panics
    /// When an answer cannot be read.
    pub fn kill_and_drain(mut self) -> Vec<Answer> {
        self.end();
        let mut rest = String::new();
        self.answers.read_to_string(&mut rest).expect("the rest of the pipe");
        // What comes after the last line feed is not an answer yet.
        let complete = rest.rfind('\n').map_or("", |end| &rest[..end]);
        complete.lines().map(Answer::parse).collect()
    }

    /// Asks the worker to leave in an orderly way and reaps it.
    ///
    /// # Panics
    /// When it ends with an error.
    pub fn exit(mut self) {
        self.send("exit");
        let status = self.child.wait().expect("own child");
        assert!(status.success(), "the worker ended with {status}");
    }

    fn end(&mut self) {
        // Both fail only when the child has been reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// The worker's own side: answers requests until `exit` or the end of input.
pub fn serve(requests: impl BufRead, mut answers: impl Write) {
    let mut session = Session::default();
    for line in requests.lines() {
        let Ok(line) = line else { return };
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.as_slice() == ["exit"] {
            return;
        }
        let answer = match session.run(&words) {
            Ok(text) => text,
            Err(error) => format!("error {} {error}", error.code()),
        };
        if writeln!(answers, "{answer}").and_then(|()| answers.flush()).is_err() {
            return;
        }
    }
}

#[derive(Default)]
struct Session {
    region: Option<Region>,
    guard: Option<OwnedGuard>,
    events: Option<Subscription>,
}

impl Session {
    fn run(&mut self, words: &[&str]) -> vug::Result<String> {
        if let ["open", home, name] = words {
            let node = Node::open(home)?;
            self.region = Some(node.region(name).open()?);
            return Ok("ok".into());
        }
        if let ["open-or-create", home, name, max_bytes] = words {
            let node = Node::open(home)?;
            let builder = node.region(name).max_bytes(number(max_bytes));
            self.region = Some(builder.open_or_create()?);
            return Ok("ok".into());
        }
        if let ["create-region", home, name, max_bytes] = words {
            let node = Node::open(home)?;
            self.region = Some(node.region(name).max_bytes(number(max_bytes)).create()?);
            return Ok("ok".into());
        }
        if let ["region-storm", home, name, count] = words {
            return storm::run(&Node::open(home)?, name, number(count));
        }
        if let ["read-only", home, name, passes] = words {
            return more::read_only(home, name, number(passes));
        }
        if let ["become", uid] = words {
            return Ok(become_user(number(uid)));
        }
        let Some(region) = &self.region else {
            return Ok("error 0 open a region first".into());
        };
        match *words {
            ["put", key, value] => Ok(done(region.put(key.as_bytes(), value.as_bytes())?)),
            ["create", key, value] => Ok(done(region.create(key.as_bytes(), value.as_bytes())?)),
            ["get", key] => {
                let guard = region.get(key.as_bytes())?;
                Ok(guard.map_or("none".into(), |guard| ok_text(&guard)))
            }
            ["del", key] => Ok(region.remove(key.as_bytes())?.map_or("none".into(), done)),
            ["cas", key, value] => swap(region, key, value),
            ["increment", key, count] => increment(region, key, number(count)),
            ["add", key, delta, count] => add(region, key, delta, number(count)),
            ["hold", key] => {
                self.guard = region.get_owned(key.as_bytes())?;
                Ok(self.guard.as_ref().map_or("none".into(), |guard| ok_text(guard)))
            }
            ["drop"] => Ok(self.guard.take().map_or("none".into(), |guard| ok_text(&guard))),
            ["loop-put", prefix, count] => loop_put(region, prefix, number(count)),
            ["ping-pong", how, mine, theirs, count] => {
                ping_pong(region, how, mine.as_bytes(), theirs.as_bytes(), number(count))
            }
            ["wait", key] => {
                let since = region.token(key.as_bytes())?;
                region.wait_for_change(key.as_bytes(), since, None).map(|_| "ok".into())
            }
            ["len"] => Ok(format!("ok {}", region.len()?)),
            ["clear", count] => {
                let end = if count == "0" { u64::MAX } else { number(count) };
                (0..end).try_for_each(|_| region.clear()).map(|()| "ok".into())
            }
            ["invalidate-region"] => region.invalidate_region().map(|()| "ok".into()),
            ["destroy-region"] => region.destroy_region().map(|()| "ok".into()),
            ["close"] => region.close().map(|()| "ok".into()),
            ["recover"] => region.recover().map(|_| "ok".into()),
            ["listen"] => {
                self.events = Some(region.subscribe());
                Ok("ok".into())
            }
            ["told"] => more::told(self.events.as_mut()),
            _ => more::run(region, words),
        }
    }
}

fn become_user(uid: u64) -> String {
    let uid = u32::try_from(uid).expect("a user id");
    let changed = nix::unistd::setgroups(&[])
        .and_then(|()| nix::unistd::setgid(uid.into()))
        .and_then(|()| nix::unistd::setuid(uid.into()));
    changed.map_or_else(|errno| format!("error 0 {errno}"), |()| "ok".into())
}

fn done(outcome: vug::Outcome) -> String {
    format!("ok {} {}", outcome.token.version, outcome.token.origin)
}

fn ok_text(value: &[u8]) -> String {
    format!("ok {}", String::from_utf8_lossy(value))
}

fn number(word: &str) -> u64 {
    word.parse().expect("a decimal number")
}

fn swap(region: &Region, key: &str, value: &str) -> vug::Result<String> {
    let Some(token) = region.token(key.as_bytes())? else {
        return Ok("none".into());
    };
    match region.compare_and_swap(key.as_bytes(), token, value.as_bytes())? {
        Swap::Swapped(outcome) => Ok(done(outcome)),
        Swap::Changed(_) => Ok("changed".into()),
    }
}

fn increment(region: &Region, key: &str, count: u64) -> vug::Result<String> {
    let mut value = Vec::new();
    let mut left = count;
    while left > 0 {
        let Some(token) = region.get_into(key.as_bytes(), &mut value)? else {
            return Ok("none".into());
        };
        let next = number(&String::from_utf8_lossy(&value)) + 1;
        let swap = region.compare_and_swap(key.as_bytes(), token, next.to_string().as_bytes())?;
        left -= u64::from(matches!(swap, Swap::Swapped(_)));
    }
    Ok("ok".into())
}

fn add(region: &Region, key: &str, delta: &str, count: u64) -> vug::Result<String> {
    let delta = delta.parse().expect("a decimal number");
    let mut sum = 0;
    for _ in 0..count {
        sum = region.increment(key.as_bytes(), delta)?;
    }
    Ok(format!("ok {sum}"))
}

fn ping_pong(
    region: &Region,
    how: &str,
    mine: &[u8],
    theirs: &[u8],
    count: u64,
) -> vug::Result<String> {
    let mut events = region.subscribe();
    let mut value = Vec::new();
    for n in 1..=count {
        region.put(mine, &n.to_le_bytes())?;
        loop {
            // What to wait from is found out before the look.
            let position = region.position();
            let token = region.get_into(theirs, &mut value)?;
            // The other one may be a round ahead by now.
            let theirs_is = value.as_slice().try_into().map_or(0, u64::from_le_bytes);
            if token.is_some() && theirs_is >= n {
                break;
            }
            match how {
                "key" => drop(region.wait_for_change(theirs, token, None)?),
                "region" => drop(region.wait_for_region_change(position, None)?),
                _ => drop(events.wait(None)?),
            }
        }
    }
    Ok("ok".into())
}

fn loop_put(region: &Region, prefix: &str, count: u64) -> vug::Result<String> {
    let end = if count == 0 { u64::MAX } else { count };
    for n in 0..end {
        // The endless loop goes round a hundred keys, so that it never fills the region.
        let key = if count == 0 { n % 100 } else { n };
        region.put(format!("{prefix}-{key}").as_bytes(), n.to_string().as_bytes())?;
    }
    Ok("ok".into())
}

//! Several processes share a region.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vug::{Node, Region};
use vug_tests::{Answer, TempHome, Worker, assert_clean, wait_until};

const WORKER: &str = env!("CARGO_BIN_EXE_worker");
const MAX_BYTES: u64 = 8 << 20;

fn region(home: &TempHome) -> (Node, Region) {
    let node = home.node();
    let region = node.region("shared").max_bytes(MAX_BYTES).create().expect("a new region");
    (node, region)
}

fn worker(home: &TempHome) -> Worker {
    Worker::open(WORKER, home.path(), "shared")
}

fn ok() -> Answer {
    Answer::Ok(Vec::new())
}

#[test]
fn what_one_writes_the_others_read() {
    let home = TempHome::new();
    let (_node, region) = region(&home);
    region.put(b"from-parent", b"1").expect("put");
    let mut first = worker(&home);
    let mut second = worker(&home);
    assert_eq!(first.ask("get from-parent").word(), "1");
    assert!(matches!(first.ask("put from-first 2"), Answer::Ok(_)));
    assert_eq!(second.ask("get from-first").word(), "2");
    assert!(matches!(second.ask("del from-first"), Answer::Ok(_)));
    assert_eq!(first.ask("get from-first"), Answer::None);
    assert_eq!(region.get(b"from-first").expect("get").as_deref(), None);
    first.exit();
    second.exit();
    assert_clean(region.path());
}

#[test]
fn all_create_and_one_region_comes_of_it() {
    let home = TempHome::new();
    let mut workers: Vec<Worker> = (0..6).map(|_| Worker::start(WORKER)).collect();
    for worker in &mut workers {
        let home = home.path().display();
        worker.send(format_args!("open-or-create {home} shared {MAX_BYTES}"));
    }
    for worker in &mut workers {
        assert_eq!(worker.answer(), ok());
    }
    for (n, worker) in workers.iter_mut().enumerate() {
        assert!(matches!(worker.ask(format_args!("put key-{n} {n}")), Answer::Ok(_)));
    }
    for worker in &mut workers {
        for n in 0..6 {
            assert_eq!(worker.ask(format_args!("get key-{n}")).word(), n.to_string());
        }
    }
    let names: Vec<String> = std::fs::read_dir(home.path())
        .expect("the home directory")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".region"))
        .collect();
    assert_eq!(names, ["shared.region"]);
}

#[test]
fn of_many_creators_of_a_key_one_wins() {
    let home = TempHome::new();
    let (_node, region) = region(&home);
    let mut workers: Vec<Worker> = (0..4).map(|_| worker(&home)).collect();
    for round in 0..200 {
        for (n, worker) in workers.iter_mut().enumerate() {
            worker.send(format_args!("create key-{round} {n}"));
        }
        let answers: Vec<Answer> = workers.iter_mut().map(Worker::answer).collect();
        let winners = answers.iter().filter(|answer| matches!(answer, Answer::Ok(_))).count();
        let losers =
            answers.iter().filter(|answer| matches!(answer, Answer::Error(401, _))).count();
        assert_eq!((winners, losers), (1, 3), "round {round}: {answers:?}");
        let winner = answers.iter().position(|answer| matches!(answer, Answer::Ok(_)));
        let key = format!("key-{round}");
        let value = region.get(key.as_bytes()).expect("get").expect("created");
        assert_eq!(*value, *winner.expect("one").to_string().as_bytes());
    }
    drop(workers);
    assert_eq!(region.len().expect("len"), 200);
}

#[test]
fn compare_and_swap_loses_no_increment() {
    let home = TempHome::new();
    let (_node, region) = region(&home);
    region.put(b"counter", b"0").expect("put");
    let mut workers: Vec<Worker> = (0..4).map(|_| worker(&home)).collect();
    for worker in &mut workers {
        worker.send("increment counter 5000");
    }
    for worker in &mut workers {
        assert_eq!(worker.answer(), ok());
    }
    assert_eq!(region.get(b"counter").expect("get").as_deref(), Some(&b"20000"[..]));
    workers.into_iter().for_each(Worker::exit);
    assert_clean(region.path());
}

#[test]
fn processes_count_together() {
    let home = TempHome::new();
    let (_node, region) = region(&home);
    let mut workers: Vec<Worker> = (0..4).map(|_| worker(&home)).collect();
    for (n, worker) in workers.iter_mut().enumerate() {
        let delta = if n == 0 { -1 } else { 1 };
        worker.send(format_args!("add counter {delta} 5000"));
    }
    for worker in &mut workers {
        worker.answer().word();
    }
    assert_eq!(region.increment(b"counter", 0).expect("increment"), 10_000);
    workers.into_iter().for_each(Worker::exit);
    assert_clean(region.path());
}

/// An increment that was answered counts; the one that was under way counts once or not at all.
#[test]
fn killed_processes_lose_no_increment() {
    let home = TempHome::new();
    let (_node, region) = region(&home);
    let mut least = 0;
    let mut most = 0;
    for round in 0..30 {
        let mut victim = worker(&home);
        for _ in 0..500 {
            victim.send("add counter 1 1");
        }
        for _ in 0..10 * round {
            victim.answer().word();
        }
        let answered = 10 * round + victim.kill_and_drain().len() as i64;
        least += answered;
        most += (answered + 1).min(500);
        let sum = region.increment(b"counter", 0).expect("increment");
        assert!((least..=most).contains(&sum), "{sum}, not {least} to {most}");
        (least, most) = (sum, sum);
    }
    region.recover().expect("recovery");
    assert_clean(region.path());
}

#[test]
fn a_guard_shows_the_same_bytes_whatever_the_others_do() {
    let home = TempHome::new();
    let (_node, region) = region(&home);
    let kept = "kept".repeat(200);
    region.put(b"held", kept.as_bytes()).expect("put");
    let mut reader = worker(&home);
    assert_eq!(reader.ask("hold held").word(), kept);
    // Three times the size of the region goes through the log meanwhile.
    let other = vec![b'x'; 4096];
    for n in 0..3 * MAX_BYTES / 4096 {
        region.put(b"held", &other).expect("put");
        region.put(format!("key-{}", n % 10).as_bytes(), &other).expect("put");
    }
    assert_eq!(reader.ask("drop").word(), kept);
    reader.exit();
    assert_clean(region.path());
}

#[test]
fn a_killed_member_leaves_the_others_working() {
    let home = TempHome::new();
    let (node, region) = region(&home);
    for round in 0..20 {
        let mut victim = worker(&home);
        victim.send("loop-put victim 0");
        // It is in the middle of its work once it has been seen to write.
        let before = region.statistics().counters.puts;
        wait_until("the victim writes", || region.statistics().counters.puts > before + 50);
        victim.kill();
        for n in 0..100 {
            let key = format!("survivor-{n}");
            region.put(key.as_bytes(), &[round; 64]).expect("a survivor writes");
            let value = region.get(key.as_bytes()).expect("get").expect("just written");
            assert_eq!(*value, [round; 64]);
        }
    }
    node.recover().expect("recovery");
    assert!(node.members().iter().all(|member| member.alive), "{:?}", node.members());
    assert_clean(region.path());
}

/// A write that was answered stays; the one that was under way has happened or has not.
#[test]
fn acknowledged_writes_outlive_their_writer() {
    const KEYS: usize = 20;
    const REQUESTS: usize = 500;
    let home = TempHome::new();
    let (_node, region) = region(&home);
    for round in 0..30 {
        let mut victim = worker(&home);
        for n in 0..REQUESTS {
            victim.send(format_args!("put {round}-{} {n}", n % KEYS));
        }
        let mut answered = 0;
        while answered < 10 * round {
            assert!(matches!(victim.answer(), Answer::Ok(_)));
            answered += 1;
        }
        let rest = victim.kill_and_drain();
        assert!(rest.iter().all(|answer| matches!(answer, Answer::Ok(_))), "{rest:?}");
        answered += rest.len();
        for key in 0..KEYS {
            let stored = region.get(format!("{round}-{key}").as_bytes()).expect("get");
            let stored = stored.map(|value| String::from_utf8_lossy(&value).into_owned());
            let stored = stored.map(|value| value.parse::<usize>().expect("a number"));
            // One request may be done without its answer.
            let last = |count: usize| (0..count).rfind(|n| n % KEYS == key);
            let possible = [last(answered), last((answered + 1).min(REQUESTS))];
            assert!(possible.contains(&stored), "key {key}: {stored:?}, not {possible:?}");
        }
    }
    region.recover().expect("recovery");
    assert_clean(region.path());
}

#[test]
fn a_stopped_member_holds_nobody_up() {
    let home = TempHome::new();
    let (_node, region) = region(&home);
    let mut stopped = worker(&home);
    let pid = Pid::from_raw(i32::try_from(stopped.pid()).expect("a pid"));
    stopped.send("loop-put stopped 0");
    let before = region.statistics().counters.puts;
    wait_until("the worker writes", || region.statistics().counters.puts > before + 50);
    for _ in 0..10 {
        kill(pid, Signal::SIGSTOP).expect("own child");
        for n in 0..500 {
            // Among them the keys the stopped member is at.
            let key = format!("stopped-{}", n % 100);
            region.put(key.as_bytes(), b"0").expect("put");
            assert!(region.get(key.as_bytes()).expect("get").is_some());
        }
        kill(pid, Signal::SIGCONT).expect("own child");
        let before = region.statistics().counters.puts;
        wait_until("the worker goes on", || region.statistics().counters.puts > before + 10);
    }
    stopped.kill();
    region.recover().expect("recovery");
    assert_clean(region.path());
}

#[test]
fn members_come_and_go() {
    let home = TempHome::new();
    let (node, _region) = region(&home);
    let first = worker(&home);
    let second = worker(&home);
    let alive = |pid: u32| node.members().iter().any(|member| member.pid == pid && member.alive);
    assert!(alive(first.pid()) && alive(second.pid()));
    let (left, killed) = (first.pid(), second.pid());
    first.exit();
    second.kill();
    wait_until("both are gone", || !alive(left) && !alive(killed));
    node.recover().expect("recovery");
    assert_eq!(node.members().len(), 1, "{:?}", node.members());
}

/// All members are killed; whoever comes next finds everything, and what they used is free.
#[test]
fn a_warm_restart_finds_everything() {
    let home = TempHome::new();
    drop(region(&home));
    for round in 0..5 {
        let mut workers: Vec<Worker> = (0..3).map(|_| worker(&home)).collect();
        for (n, worker) in workers.iter_mut().enumerate() {
            for key in 0..50 {
                let answer = worker.ask(format_args!("put {round}-{n}-{key} {key}"));
                assert!(matches!(answer, Answer::Ok(_)));
            }
            worker.send(format_args!("loop-put noise-{n} 0"));
        }
        workers.into_iter().for_each(Worker::kill);
        let node = home.node();
        let region = node.region("shared").open().expect("open");
        for key in (0..=round).flat_map(|r| (0..3).map(move |n| format!("{r}-{n}-7"))) {
            let value = region.get(key.as_bytes()).expect("get");
            assert_eq!(value.as_deref(), Some(&b"7"[..]), "{key}");
        }
        node.recover().expect("recovery");
        assert!(node.members().iter().all(|member| member.myself));
        assert!(region.statistics().threads <= 1);
        assert_clean(region.path());
    }
}

//! The examples in C and C++ do what they say, and leave nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use crate::compile::{Program, c_compiler, cxx_compiler, home, path, root, succeed};

fn example(compiler: &str, name: &str) -> Program {
    Program::compile(compiler, &format!("ffi/examples/{name}"), &[])
}

/// What the comment at the head of an example promises to print.
fn promised(name: &str) -> String {
    let text = fs::read_to_string(root().join("ffi/examples").join(name)).expect("the example");
    let (_, block) = text.split_once("prints\n").expect("a promise");
    let lines = block.lines().skip(1).map(|line| line.trim_start_matches([' ', '*', '/']));
    let lines = lines.take_while(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| format!("{}\n", line.trim_end_matches(" */"))).collect()
}

fn homes() -> BTreeSet<String> {
    let names = fs::read_dir("/dev/shm").expect("read").filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.starts_with("vug-example-").then_some(name)
    });
    names.collect()
}

const BOARD: &str = "ACME     17.50   18.50   20000\n\
                     GEODE     9.50   10.50   20000\n\
                     VUG       3.50    4.50   20000\n";

#[test]
fn examples_in_c() {
    let Some(compiler) = c_compiler() else {
        return;
    };
    let before = homes();
    for name in ["c/work_counter.c", "c/event_watcher.c"] {
        assert_eq!(example(&compiler, name).output(&[]), promised(name), "{name}");
    }
    let board = example(&compiler, "c/quote_board.c").output(&[]);
    assert_eq!(board, format!("symbol     bid     ask   round\n{BOARD}torn quotes: 0\n"));
    assert_eq!(homes().difference(&before).count(), 0, "a home directory was left");
}

#[test]
fn examples_in_cxx() {
    let Some(compiler) = cxx_compiler() else {
        return;
    };
    let before = homes();
    let watched = example(&compiler, "cpp/event_watcher.cpp").output(&[]);
    assert_eq!(watched, promised("cpp/event_watcher.cpp"));
    let counted = example(&compiler, "cpp/work_counter.cpp").output(&[]);
    assert_eq!(counted, "20000 pieces of work, each taken once\n");
    assert_eq!(homes().difference(&before).count(), 0, "a home directory was left");
}

/// The writer in C, a reader in C++ and one in Rust.
#[test]
fn quotes_across_languages() {
    let (Some(c), Some(cxx)) = (c_compiler(), cxx_compiler()) else {
        return;
    };
    let home = home();
    let reader = example(&cxx, "cpp/quote_board.cpp");
    let reader = reader.command().arg(home.path()).stdout(Stdio::piped()).spawn();
    let reader = reader.expect("the reader runs");
    assert_eq!(example(&c, "c/quote_board.c").output(&["write", path(&home)]), "");
    let read = reader.wait_with_output().expect("the reader ends");
    assert_eq!(succeed("cpp/quote_board", &read), BOARD);

    let node = vug::Node::open(home.path()).expect("node");
    let quotes = node.region("quotes").open().expect("region");
    let quote = quotes.get(b"GEODE").expect("get").expect("a quote");
    let number = |at: usize| <[u8; 8]>::try_from(&quote[at..at + 8]).expect("eight bytes");
    assert_eq!(f64::from_ne_bytes(number(0)), 9.5);
    assert_eq!(f64::from_ne_bytes(number(8)), 10.5);
    assert_eq!(u64::from_ne_bytes(number(16)), 20_000);
}

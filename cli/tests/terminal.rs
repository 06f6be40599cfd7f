//! What only a terminal sees: questions and progress.

mod command;

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use command::{Home, command};
use nix::pty::{Winsize, openpty};

/// Runs a command whose standard streams are a terminal of this many columns, types `input`, and
/// returns its exit code and everything that was shown.
fn on_terminal(mut command: Command, columns: u16, input: &str) -> (i32, String) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(Some(&size), None).unwrap();
    let (mut master, slave) = (File::from(terminal.master), File::from(terminal.slave));
    let stream = || Stdio::from(slave.try_clone().unwrap());
    let mut child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
    // The command keeps its own copies of the streams in its builder.
    drop((slave, command));
    master.write_all(input.as_bytes()).unwrap();
    let (mut shown, mut part) = (Vec::new(), [0; 4096]);
    // The other end is gone when the child has ended: an error on Linux.
    while let Ok(length @ 1..) = master.read(&mut part) {
        shown.extend_from_slice(&part[..length]);
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    (code, String::from_utf8_lossy(&shown).into_owned())
}

fn vug(home: &Home, args: &[&str]) -> Command {
    let mut command = command();
    command.env("VUG_HOME", home.path()).env("TERM", "xterm").args(args);
    command
}

#[test]
fn a_question_is_asked_and_the_answer_counts() {
    let home = Home::with_region("r");
    for key in ["a1", "a2", "b"] {
        home.vug(["put", "r", key, "v"]).ok();
    }
    let del = || vug(&home, &["del", "r", "--prefix", "a"]);
    let (code, shown) = on_terminal(del(), 80, "n\n");
    assert_eq!(code, 1, "{shown}");
    let question = "remove 2 entries from r: keys that begin with `a`? [y/N] ";
    assert!(shown.contains(question), "{shown}");
    assert!(shown.contains("not confirmed: nothing was done"), "{shown}");
    assert_eq!(home.vug(["get", "r", "a1"]).ok(), "v");
    let (code, shown) = on_terminal(del(), 80, "y\n");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.ends_with("removed 2 entries of r\r\n"), "{shown}");
    home.vug(["get", "r", "a1"]).failed(4);
}

/// The bar is one line of the terminal's width, without colours.
#[test]
fn progress_fits_the_terminal() {
    let home = Home::with_region("r");
    let mut text = String::from("id,name\n");
    for row in 0..100_000 {
        text.push_str(&format!("{row:06},name of the row\n"));
    }
    let file = home.file("x.csv", text.as_bytes());
    let args = ["import", "r", file.to_str().unwrap(), "--key", "id"];
    let (code, shown) = on_terminal(vug(&home, &args), 80, "");
    assert_eq!(code, 0, "{shown}");
    let bars: Vec<&str> =
        shown.split(['\r', '\n']).filter(|line| line.contains("rows/s")).collect();
    assert!(bars.iter().any(|bar| bar.contains("writing [")), "{shown}");
    for bar in bars {
        let plain = bar.replace("\u{1b}[2K", "");
        assert!(plain.chars().count() <= 80, "{plain:?}");
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
    }
    assert!(shown.contains("imported 100,000 rows into r"), "{shown}");
    let quiet = [&args[..], &["--quiet"]].concat();
    assert_eq!(on_terminal(vug(&home, &quiet), 80, ""), (0, String::new()));
}

/// Values are cut so that every entry has a line of its own.
#[test]
fn tables_fit_the_terminal() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "key", &"long ".repeat(100)]).ok();
    let (_, shown) = on_terminal(vug(&home, &["scan", "r"]), 60, "");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(lines[1].ends_with("...") && lines[1].chars().count() <= 60, "{shown}");
}

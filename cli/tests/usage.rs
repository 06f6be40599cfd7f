//! What the command says when it is used wrongly; no region is needed for that.

mod command;

use command::{Home, command, run, temporary};

fn vug(args: &[&str]) -> command::Run {
    let mut command = command();
    command.args(args);
    run(command, b"")
}

#[test]
fn wrong_arguments_exit_with_2_and_end_with_help() {
    for args in [
        &["bogus"][..],
        &["get", "region"],
        &["put", "region", "key"],
        &["put", "region", "key", "value", "--file", "f"],
        &["put", "region", "key", "value", "--ack-within", "ten"],
        &["del", "region"],
        &["create", "region", "--scope", "galactic"],
        &["create", "region", "--max-bytes", "many"],
        &["import", "region", "file.csv"],
        &["--format", "xml", "ls"],
        &["bridge"],
        &["bridge", "run", "--peer", "nowhere"],
        &["cert", "issue", "dir", "--ca", "ca", "--origin", "0"],
        &["demo", "--nodes", "1"],
    ] {
        let run = vug(args);
        assert_eq!(run.code, 2, "{args:?}: {run:?}");
        if args != ["bridge"] {
            let (error, _) = run.failed(2);
            assert!(error.ends_with("(VUG-0901)"), "{args:?}: {error}");
        }
    }
}

#[test]
fn similar_commands_are_suggested() {
    let (error, help) = vug(&["stats"]).failed(2);
    assert_eq!(error, "unrecognized subcommand 'stats' (VUG-0901)");
    assert!(help.starts_with("a similar subcommand exists: 'stat'"), "{help}");
}

#[test]
fn help_and_version_are_data() {
    let run = vug(&["--help"]);
    assert!(run.out.contains("import") && run.err.is_empty(), "{run:?}");
    assert!(!run.out.contains("demo-worker"), "{run:?}");
    assert_eq!(run.code, 0);
    assert_eq!(vug(&["--version"]).ok(), format!("vug {}\n", env!("CARGO_PKG_VERSION")));
    // Without a command there is nothing to do, but something to say.
    let run = vug(&[]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("Usage: vug"));
}

#[test]
fn a_node_that_is_not_there_is_not_made_by_looking() {
    let place = temporary();
    let home = place.path().join("nobody");
    let home = home.to_str().unwrap();
    for args in [
        &["ls"][..],
        &["stat"],
        &["get", "region", "key"],
        &["put", "region", "key", "value"],
        &["check"],
        &["recover"],
        &["bridge", "stop"],
    ] {
        let run = vug(&[&["--home", home], args].concat());
        let (error, help) = run.failed(4);
        assert_eq!(error, format!("{home}: there is no node here (VUG-0902)"), "{args:?}");
        assert!(help.contains("`vug create REGION`"), "{help}");
    }
    assert!(!place.path().join("nobody").exists());
}

#[test]
fn impossible_keys_are_usage_errors() {
    let home = Home::new();
    let long = "x".repeat(65_537);
    for key in ["", &long] {
        for args in [&["get", "r", key][..], &["put", "r", key, "value"], &["del", "r", key]] {
            let (error, _) = home.vug(args).failed(2);
            assert!(error.ends_with("(VUG-0202)"), "{error}");
        }
    }
}

#[test]
fn what_an_input_is_must_be_known() {
    let home = Home::new();
    for file in ["-", "airports.data"] {
        let (error, help) = home.vug(["import", "r", file, "--key", "id"]).failed(2);
        assert!(error.contains("does not say what the input is"), "{error}");
        assert_eq!(help, "add --from csv, --from jsonl or --from dump");
    }
}

#[test]
fn no_colours_where_nobody_sees_them() {
    let run = vug(&["bogus"]);
    assert!(!run.err.contains('\u{1b}'), "{run:?}");
}

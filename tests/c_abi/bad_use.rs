//! What no program should do, or does without wanting it: nothing of it harms the region.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use crate::compile::{Program, c_compiler, cxx_compiler, home, path, succeed};

/// The region is whole, and nothing of a dead process is left in it after recovery.
fn check(home: &tempfile::TempDir, region: &str) {
    let node = vug::Node::open(home.path()).expect("node");
    node.recover().expect("recovery");
    let file = home.path().join(format!("{region}.region"));
    let report = vug::check::check_file_in_use(&file).expect("the file can be checked");
    assert!(report.is_clean(), "{report:?}");
    let region = node.region(region).open().expect("region");
    assert_eq!(&*region.get(b"k").expect("get").expect("the entry"), b"value");
    assert_eq!(region.statistics().pins, 0, "a pin of a process that is gone");
}

#[test]
fn a_process_may_end_with_everything_open() {
    let Some(program) = Program::build("leaves") else {
        return;
    };
    for way in ["return", "exit", "_exit", "thread"] {
        let home = home();
        assert_eq!(program.output(&[path(&home), way]), "leaves\n", "{way}");
        check(&home, "leaves");
    }
    let home = home();
    let output = program.run(&[path(&home), "abort"]);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "its own");
    check(&home, "leaves");
}

#[test]
fn a_callback_may_throw_and_jump_within_itself() {
    let Some(compiler) = cxx_compiler() else {
        return;
    };
    let program = Program::compile(&compiler, "tests/c/throws.cpp", &[]);
    let home = home();
    for way in ["inside", "jumps"] {
        assert_eq!(program.output(&[path(&home), way]), "throws=ok\n");
    }
    check(&home, "throws");
}

/// As documented: the process ends, with a message, and the region is as after a kill.
#[test]
fn an_exception_that_leaves_a_callback_ends_the_process_only() {
    let Some(compiler) = cxx_compiler() else {
        return;
    };
    let program = Program::compile(&compiler, "tests/c/throws.cpp", &[]);
    let home = home();
    let output = program.run(&[path(&home), "out"]);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("exception"), "{text}");
    check(&home, "throws");
}

#[test]
fn a_library_that_is_loaded_twice() {
    let Some(compiler) = c_compiler() else {
        return;
    };
    let test = std::env::current_exe().expect("a path of this test");
    let library = test.with_file_name("libvug_ffi.so");
    if !library.is_file() {
        println!("skipped: no {}", library.display());
        return;
    }
    let copies = tempfile::tempdir().expect("a directory");
    let paths = ["one.so", "two.so"].map(|name| copies.path().join(name));
    for path in &paths {
        fs::copy(&library, path).expect("a copy of the library");
    }
    let program = Program::compile(&compiler, "tests/c/twice.c", &[]);
    let home = home();
    let output = program.command().arg(home.path()).args(&paths).output().expect("it runs");
    assert_eq!(succeed("twice", &output), "twice=ok\n");
}

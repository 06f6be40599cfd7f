//! What the compiler says of types that cannot be read in place, and of guards that go too far.
//!
//! That such programs do not compile is shown by the documentation's examples; this test reads the
//! text, which has to say what to do. It calls `rustc` with the library that cargo has just built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// A function body, and what the error has to say.
type Sample = (&'static str, &'static str, &'static [&'static str]);

const REFUSED: &[Sample] = &[
    (
        "a text as a value",
        "fn f(node: &vug::Node) { let _ = node.typed::<u64, String>(\"names\"); }",
        &[
            "`String` cannot be shared with other processes as it lies in memory",
            "no pointer",
            "`vug::typed::Coded`, feature `serde`",
        ],
    ),
    (
        "a field with a pointer",
        "vug::record! { struct Node { next: Box<u64> } }",
        &["`Box<u64>` cannot be shared with other processes", "define structs by `vug::record! {"],
    ),
    (
        "a field with invalid bits",
        "vug::record! { struct Flags { open: bool } }",
        &["`bool` cannot be shared with other processes", "use `u8` in place of `bool`"],
    ),
    (
        "padding",
        "vug::record! { struct Gap { kind: u8, amount: u64 } }",
        &["`Gap` has 7 total byte(s) of padding", "explicit"],
    ),
    (
        "a struct that zerocopy does not know",
        "struct Plain { x: u64 }\n\
         fn f(node: &vug::Node) { let _ = node.typed::<u64, Plain>(\"plain\"); }",
        &["`Plain` cannot be shared with other processes", "define structs by `vug::record! {"],
    ),
    (
        "a guard that leaves its thread",
        "fn f(region: &vug::typed::Region<u64, u64>) {\n\
         let guard = region.get(&1).unwrap();\n\
         std::thread::scope(|scope| { scope.spawn(move || drop(guard)); }); }",
        &["cannot be sent between threads safely"],
    ),
    (
        "a guard that outlives its region",
        "fn f(node: &vug::Node) -> vug::Result<u64> {\n\
         let guard = { let region = node.typed::<u64, u64>(\"r\").open()?; region.get(&1)? };\n\
         Ok(*guard.unwrap()) }",
        &["`region` does not live long enough"],
    ),
    (
        "a guard across an await",
        "fn spawn(_: impl Future<Output = ()> + Send) {}\n\
         fn f(region: vug::typed::Region<u64, u64>) { spawn(async move {\n\
         let guard = region.get(&1).unwrap();\n\
         std::future::ready(()).await;\n\
         drop(guard); }) }",
        &["future cannot be sent between threads safely", "this value is used across an await"],
    ),
];

const ACCEPTED: &str = "vug::record! { struct Quote { bid: f64, ask: f64 } }\n\
    fn f(node: &vug::Node) { let _ = node.typed::<str, Quote>(\"quotes\"); }";

fn rustc() -> Command {
    let beside =
        std::env::var_os("CARGO").map(|cargo| PathBuf::from(cargo).with_file_name("rustc"));
    Command::new(beside.filter(|path| path.is_file()).unwrap_or_else(|| "rustc".into()))
}

/// Compiles a program; `Err` is what the compiler says.
fn compile(vug: &Path, folder: &Path, text: &str) -> Result<(), String> {
    let source = folder.join("sample.rs");
    std::fs::write(&source, format!("#![allow(dead_code)]\n{text}\n")).expect("write");
    let mut library = std::ffi::OsString::from("vug=");
    library.push(vug);
    let output = rustc()
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--extern"])
        .arg(library)
        .arg("-L")
        .arg(vug.parent().expect("a folder"))
        .arg("--out-dir")
        .arg(folder)
        .arg(&source)
        .output()
        .expect("rustc runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// The libraries that lie beside this test, the latest first: builds with other features do, too.
fn libraries() -> Vec<PathBuf> {
    let test = std::env::current_exe().expect("a path of this test");
    let entries = std::fs::read_dir(test.parent().expect("a folder")).expect("read");
    let mut found: Vec<(SystemTime, PathBuf)> = entries
        .map(|entry| entry.expect("entry"))
        .filter(|entry| {
            let name = entry.file_name().into_string().unwrap_or_default();
            name.starts_with("libvug-") && name.ends_with(".rlib")
        })
        .map(|entry| (entry.metadata().and_then(|m| m.modified()).expect("a time"), entry.path()))
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

#[test]
fn refusals_say_what_to_do() {
    let folder =
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("tempdir");
    let libraries = libraries();
    let library = libraries.iter().find(|path| compile(path, folder.path(), ACCEPTED).is_ok());
    let Some(library) = library else {
        let said = libraries.first().map(|path| compile(path, folder.path(), ACCEPTED));
        panic!("no library of {libraries:?} can be used: {said:?}")
    };
    for (what, text, phrases) in REFUSED {
        let said = compile(library, folder.path(), text).expect_err(what);
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for phrase in *phrases {
            assert!(flat.contains(phrase), "{what}: no {phrase:?} in\n{said}");
        }
    }
}

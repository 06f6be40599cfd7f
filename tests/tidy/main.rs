//! Rules of the source tree that no compiler checks. Each rule is a function from a path and a text
//! to findings and has a test of its own that shows that it fires; the tests in this file apply the
//! rules to the tree.

mod layers;
mod limits;
mod packages;
mod reachable;
mod source;
mod unsafe_code;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A place where a rule is broken.
#[derive(Debug)]
pub(crate) struct Finding {
    path: String,
    line: Option<usize>,
    message: String,
}

impl Finding {
    pub(crate) fn file(path: &str, message: String) -> Finding {
        Finding { path: path.to_owned(), line: None, message }
    }

    pub(crate) fn line(path: &str, line: usize, message: String) -> Finding {
        Finding { path: path.to_owned(), line: Some(line), message }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// The folders and root files that are ours; everything else in a work tree is not looked at.
const FOLDERS: &[&str] = &["shm", "cli", "netbridge", "ffi", "include", "tests", "benches", "docs"];

/// A rule about one file.
type Rule = fn(&str, &str) -> Vec<Finding>;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests are a folder of the workspace").to_owned()
}

/// All files with the extension, as paths from the workspace root, with their text.
fn files(extension: &str) -> BTreeMap<String, String> {
    let root = root();
    let mut found = BTreeMap::new();
    let mut open: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("folder entry").path();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                insert(&mut found, &root, &path);
            }
        }
    }
    for entry in std::fs::read_dir(&root).expect("workspace root") {
        let path = entry.expect("root entry").path();
        if path.is_file() && path.extension().is_some_and(|e| e == extension) {
            insert(&mut found, &root, &path);
        }
    }
    found
}

fn insert(found: &mut BTreeMap<String, String>, root: &Path, path: &Path) {
    let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8 path");
    let text = std::fs::read_to_string(path).expect("readable UTF-8 file");
    found.insert(name.to_owned(), text);
}

fn apply(rule: Rule, files: &BTreeMap<String, String>) -> Vec<Finding> {
    files.iter().flat_map(|(path, text)| rule(path, text)).collect()
}

fn assert_none(found: Vec<Finding>) {
    let list: Vec<String> = found.iter().map(Finding::to_string).collect();
    assert!(list.is_empty(), "{} findings:\n{}", list.len(), list.join("\n"));
}

#[test]
fn layers_point_downward() {
    let sources = files("rs");
    let mut found = apply(layers::upward, &sources);
    found.extend(apply(layers::confined, &sources));
    assert_none(found);
}

#[test]
fn unsafe_code_is_where_it_may_be() {
    let sources = files("rs");
    let mut found = apply(unsafe_code::whitelist, &sources);
    found.extend(apply(unsafe_code::forbidden, &sources));
    found.extend(unsafe_code::stale(&sources.keys().cloned().collect::<Vec<_>>()));
    assert_none(found);
}

#[test]
fn files_keep_their_limits() {
    assert_none(apply(limits::size, &files("rs")));
}

#[test]
fn nothing_is_unfinished() {
    let sources = files("rs");
    let mut found = apply(limits::unfinished, &sources);
    found.extend(apply(limits::dropped_matches, &sources));
    assert_none(found);
}

#[test]
fn documents_have_one_title() {
    assert_none(apply(limits::one_title, &files("md")));
}

#[test]
fn packages_depend_as_agreed() {
    let mut manifests = files("toml");
    manifests.retain(|path, _| path.ends_with("Cargo.toml") && !path.starts_with("tests/fuzz"));
    assert_none(apply(packages::dependencies, &manifests));
}

#[test]
fn every_source_file_is_compiled() {
    let Some(metadata) = metadata() else { return };
    let root = format!("{}/", metadata["workspace_root"].as_str().expect("workspace root"));
    let roots: Vec<String> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .flat_map(|package| package["targets"].as_array().expect("targets"))
        .filter_map(|target| target["src_path"].as_str()?.strip_prefix(&root))
        .map(str::to_owned)
        .collect();
    let mut sources = files("rs");
    // Workspaces of their own.
    let elsewhere = ["tests/fuzz/", "benches/compare/", "ffi/python/"];
    sources.retain(|path, _| !elsewhere.iter().any(|folder| path.starts_with(folder)));
    assert_none(reachable::unreachable(&sources, &roots));
}

#[test]
fn dependencies_accept_our_compiler() {
    let Some(metadata) = metadata() else { return };
    assert_none(packages::rust_versions(&metadata));
}

/// What cargo knows about the workspace; `None`, with a word about it, where there is no cargo.
fn metadata() -> Option<serde_json::Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform"])
        .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .current_dir(root())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            Some(serde_json::from_slice(&output.stdout).expect("cargo prints JSON"))
        }
        Ok(output) => panic!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("skipped: cargo cannot be started: {error}");
            None
        }
    }
}

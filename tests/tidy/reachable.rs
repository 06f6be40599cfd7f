//! Every source file is compiled: it is a Cargo target or some file declares it with `mod`.

use crate::Finding;
use crate::source::{code_only, lines};
use std::collections::{BTreeMap, BTreeSet};

/// Files of `sources` (path to text) that cannot be reached from `roots`.
pub(crate) fn unreachable(sources: &BTreeMap<String, String>, roots: &[String]) -> Vec<Finding> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<(String, bool)> = roots.iter().map(|root| (root.clone(), true)).collect();
    while let Some((path, is_root)) = open.pop() {
        let Some(text) = sources.get(&path) else {
            continue;
        };
        if reached.insert(path.clone()) {
            let declared = declared_files(&path, text, is_root, sources);
            open.extend(declared.into_iter().map(|path| (path, false)));
        }
    }
    sources
        .keys()
        .filter(|path| !reached.contains(*path))
        .map(|path| Finding::file(path, "no Cargo target and no `mod` leads here".into()))
        .collect()
}

/// Files that the `mod name;` lines of one file stand for.
fn declared_files(
    path: &str,
    text: &str,
    is_root: bool,
    sources: &BTreeMap<String, String>,
) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.trim_end_matches(".rs");
    let base =
        if is_root || stem == "mod" { folder.to_owned() } else { format!("{folder}/{stem}") };
    let code = code_only(text);
    let originals: Vec<&str> = text.lines().collect();
    let mut files = Vec::new();
    for (number, line) in lines(&code) {
        let Some(name) = module_name(line) else {
            continue;
        };
        let attribute = number.checked_sub(2).and_then(|above| originals.get(above));
        if let Some(named) = attribute.and_then(|line| path_attribute(line)) {
            files.push(normal(&format!("{folder}/{named}")));
            continue;
        }
        let candidates = [format!("{base}/{name}.rs"), format!("{base}/{name}/mod.rs")];
        files.extend(candidates.into_iter().filter(|file| sources.contains_key(file)));
    }
    files
}

fn module_name(line: &str) -> Option<&str> {
    let (before, name) = line.trim().strip_suffix(';')?.rsplit_once("mod ")?;
    let visibility = before.trim_end();
    let is_item = visibility.is_empty() || visibility.starts_with("pub") || before.ends_with("] ");
    is_item.then_some(name.trim())
}

fn path_attribute(line: &str) -> Option<&str> {
    line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]")
}

fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
fn tree(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn unreachable_fires() {
    let sources = tree(&[
        ("a/src/lib.rs", "mod one;\npub(crate) mod two;\n// mod three;\nmod inline { }"),
        ("a/src/one.rs", "mod deep;"),
        ("a/src/one/deep.rs", ""),
        ("a/src/two/mod.rs", ""),
        ("a/src/three.rs", ""),
    ]);
    let found = unreachable(&sources, &["a/src/lib.rs".into()]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].to_string().contains("three.rs"));
}

#[test]
fn targets_and_path_attributes_reach() {
    let sources = tree(&[
        ("a/tests/main.rs", "#[path = \"../other/x.rs\"]\nmod x;\nmod y;"),
        ("a/other/x.rs", ""),
        ("a/tests/y.rs", ""),
    ]);
    assert!(unreachable(&sources, &["a/tests/main.rs".into()]).is_empty());
}

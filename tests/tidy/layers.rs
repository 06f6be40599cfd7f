//! Layers: who may import whom.
//!
//! Each package has one list, bottom up. A module may name itself and what stands before it.

use crate::Finding;
use crate::source::{code_only, has_word, lines};

/// Modules of `shm`, bottom up.
const SHM: &[&str] = &[
    "error", "crash", "sync", "os", "layout", "member", "heap", "reclaim", "table", "journal",
    "region", "recover", "bridge", "node", "typed", "stream", "check", "doctor", "docs",
];

/// Modules of `netbridge`, bottom up.
const NETBRIDGE: &[&str] = &[
    "wire",
    "member",
    "port",
    "replica",
    "session",
    "engine",
    "sim",
    "config",
    "local",
    "error",
    "cert",
    "transport",
    "service",
];

/// Upward imports that are right: who (a module or one file), what, why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("shm/src/recover/tests.rs", "check", "the audit must tell what recovery sets aside"),
    ("region", "recover", "an operation that meets the work of a dead member recovers it"),
    ("shm/src/layout/render.rs", "region", "it shows all numbers of the format"),
    ("netbridge/src/wire/layout.rs", "replica", "it shows all numbers of the protocol"),
    ("netbridge/src/wire/layout.rs", "session", "it shows all numbers of the protocol"),
    ("cert", "transport", "one place knows how a certificate names a node"),
    ("config", "transport", "one place knows how a certificate names a node"),
    ("config", "service", "the default place of the status socket"),
];

/// Crates that only some parts of netbridge may name: (crate, the modules that may).
const CONFINED: &[(&str, &[&str])] = &[
    ("vug", &["local"]),
    ("quinn", &["transport", "service"]),
    ("tokio", &["transport", "service"]),
];

/// The part of netbridge that is a pure function of its input: it has no clock.
const SANS_IO: &[&str] = &["wire", "member", "replica", "session", "engine"];

/// Upward imports inside `shm` and `netbridge`.
pub(crate) fn upward(path: &str, text: &str) -> Vec<Finding> {
    let Some((order, module)) = placed(path) else {
        return Vec::new();
    };
    let Some(mine) = order.iter().position(|name| *name == module[0]) else {
        return vec![Finding::file(path, format!("module `{}` has no layer in tidy", module[0]))];
    };
    let mut found = Vec::new();
    for (number, name) in named_modules(&code_only(text), &module) {
        let theirs = order.iter().position(|known| *known == name);
        let excepted = EXCEPTIONS
            .iter()
            .any(|(who, what, _)| (*who == module[0] || *who == path) && *what == name);
        if theirs.is_some_and(|theirs| theirs > mine) && !excepted {
            let message = format!("`{}` is below `{name}` and must not import it", module[0]);
            found.push(Finding::line(path, number, message));
        }
    }
    found
}

/// Crates and clocks where they must not be.
pub(crate) fn confined(path: &str, text: &str) -> Vec<Finding> {
    let Some(module) = path.strip_prefix("netbridge/src/").map(module_path) else {
        return Vec::new();
    };
    let Some(top) = module.first() else {
        return Vec::new();
    };
    let code = code_only(text);
    let mut found = Vec::new();
    for (number, line) in lines(&code) {
        for (name, allowed) in CONFINED {
            let named =
                line.contains(&format!("{name}::")) || line.contains(&format!("use {name}"));
            if named && has_word(line, name) && !allowed.contains(&top.as_str()) {
                let message = format!("`{name}` belongs to {allowed:?}, not to `{top}`");
                found.push(Finding::line(path, number, message));
            }
        }
        let clock = line.contains("std::time") || line.contains("Instant::now");
        if clock && SANS_IO.contains(&top.as_str()) {
            found.push(Finding::line(
                path,
                number,
                format!("`{top}` gets the time as an argument"),
            ));
        }
    }
    found
}

/// The layer list for a file and its module path; `None` for crate roots and other packages.
fn placed(path: &str) -> Option<(&'static [&'static str], Vec<String>)> {
    let (order, inner) = match path.strip_prefix("shm/src/") {
        Some(inner) => (SHM, inner),
        None => (NETBRIDGE, path.strip_prefix("netbridge/src/")?),
    };
    let module = module_path(inner);
    (!module.is_empty()).then_some((order, module))
}

/// `table/insert.rs` is `["table", "insert"]`, `table/mod.rs` is `["table"]`, `lib.rs` is `[]`.
fn module_path(inner: &str) -> Vec<String> {
    let inner = inner.trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    let root = parts.len() == 1 && (inner == "lib" || inner == "main");
    if root || inner.ends_with("/mod") {
        parts.pop();
    }
    parts
}

/// Top-level modules that the code names through `crate::` or through enough `super::`.
fn named_modules(code: &str, module: &[String]) -> Vec<(usize, String)> {
    let to_the_root = "super::".repeat(module.len());
    let mut found = Vec::new();
    for prefix in ["crate::", to_the_root.as_str()] {
        for (at, _) in code.match_indices(prefix) {
            let before = &code[..at];
            let part_of_longer = before.ends_with("super::")
                || before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
            let after = &code[at + prefix.len()..];
            if part_of_longer || after.starts_with("super::") {
                continue;
            }
            let number = before.matches('\n').count() + 1;
            found.extend(first_names(after).into_iter().map(|name| (number, name)));
        }
    }
    found
}

/// The first segment of a path, or of every path of a `{...}` group.
fn first_names(after: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = after.strip_prefix('{') else {
        return vec![name(after)];
    };
    let mut names = Vec::new();
    let mut depth = 0usize;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

#[test]
fn upward_fires() {
    assert_eq!(upward("shm/src/os/map.rs", "use crate::table::Bucket;").len(), 1);
    assert_eq!(upward("shm/src/os/map.rs", "use super::super::region::Region;").len(), 1);
    assert_eq!(upward("shm/src/error.rs", "use super::os;").len(), 1);
    assert_eq!(upward("shm/src/heap/mod.rs", "use crate::recover::Recovery;").len(), 1);
    let group = "use crate::{\n    error::Error,\n    region::{Region, Guard},\n};";
    assert_eq!(upward("shm/src/table/mod.rs", group).len(), 1);
    assert_eq!(upward("netbridge/src/wire/frame.rs", "use crate::session::Session;").len(), 1);
}

#[test]
fn downward_is_fine() {
    assert!(upward("shm/src/region/mod.rs", "crate::recover::recover_all(x)").is_empty());
    assert!(upward("shm/src/table/mod.rs", "use crate::{error::Error, os::map};").is_empty());
    assert!(upward("shm/src/lib.rs", "use crate::region::Region;").is_empty());
    assert!(upward("shm/src/os/map.rs", "// crate::region\nuse super::table;").is_empty());
    assert!(upward("cli/src/lib.rs", "use crate::region::Region;").is_empty());
}

#[test]
fn a_module_without_layer_fires() {
    assert_eq!(upward("shm/src/oddments.rs", "").len(), 1);
}

#[test]
fn confined_fires() {
    assert_eq!(confined("netbridge/src/engine.rs", "use vug::Region;").len(), 1);
    assert_eq!(confined("netbridge/src/local/mod.rs", "tokio::spawn(x)").len(), 1);
    assert_eq!(confined("netbridge/src/session.rs", "use std::time::Instant;").len(), 1);
    assert!(confined("netbridge/src/local/mod.rs", "use vug::Region;").is_empty());
    assert!(confined("netbridge/src/wire/mod.rs", "use vug_wire::X; let my_vug: u8;").is_empty());
}

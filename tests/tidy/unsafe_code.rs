//! Where unsafe code may be, and who must forbid it.

use crate::Finding;
use crate::source::{code_only, has_word, lines};

/// The only files that may say `unsafe`. A new one is a decision: add it here in the same change.
const ALLOWED: &[&str] = &[
    // Views of mapped memory: bounds are checked once, where a view is made.
    "shm/src/layout/bucket.rs",
    "shm/src/layout/node.rs",
    "shm/src/layout/region.rs",
    "shm/src/layout/segment.rs",
    "shm/src/layout/thread.rs",
    // A processor hint.
    "shm/src/sync/prefetch.rs",
    // System calls.
    "shm/src/os/barrier.rs",
    "shm/src/os/file.rs",
    "shm/src/os/fork.rs",
    "shm/src/os/futex.rs",
    "shm/src/os/mapping.rs",
    "shm/src/os/ofd_lock.rs",
    "shm/src/os/pages.rs",
    "shm/src/os/process.rs",
    // Records: bytes that a hazard or a pin protects.
    "shm/src/heap/append.rs",
    "shm/src/heap/lane.rs",
    "shm/src/heap/mod.rs",
    "shm/src/heap/record.rs",
    "shm/src/heap/record/copied.rs",
    "shm/src/heap/record/copy.rs",
    "shm/src/heap/record/probe.rs",
    "shm/src/heap/words.rs",
    "shm/src/heap/run.rs",
    "shm/src/reclaim/mod.rs",
    "shm/src/recover.rs",
    "shm/src/region/ask.rs",
    "shm/src/region/clean.rs",
    "shm/src/region/clean/batch.rs",
    "shm/src/region/events.rs",
    "shm/src/region/evict.rs",
    "shm/src/region/find.rs",
    "shm/src/region/guard.rs",
    "shm/src/region/handle.rs",
    "shm/src/region/index.rs",
    "shm/src/region/iter.rs",
    "shm/src/region/leftovers.rs",
    "shm/src/region/parker.rs",
    "shm/src/region/read.rs",
    "shm/src/region/sweep.rs",
    "shm/src/region/thread.rs",
    "shm/src/region/write.rs",
    "shm/src/region/write/pass.rs",
    "shm/src/region/write/plain.rs",
    "shm/src/table/grow.rs",
    "shm/src/table/tables.rs",
    // The C boundary: the caller's pointers, and objects lent to calls and views under hazards; and
    // the tests that stand on its other side.
    "ffi/src/boundary.rs",
    "ffi/src/desk.rs",
    "ffi/src/handle.rs",
    "ffi/src/plain.rs",
    "ffi/src/retire.rs",
    "ffi/src/last_error.rs",
    // The buffer protocol of Python is made of pointers.
    "ffi/python/src/view.rs",
    "tests/header.rs",
    "tests/cases/case_06.rs",
    "tests/cases/case_07.rs",
    "tests/cases/case_08.rs",
    // Unit tests that fork, and a model of what a hazard protects.
    "shm/src/reclaim/hazard/loom_tests.rs",
    "shm/src/table/grow/loom_tests.rs",
    "shm/src/table/pin/loom_tests.rs",
    "shm/src/member/tests.rs",
    "shm/src/os/file/tests.rs",
    "shm/tests/regressions.rs",
    // Controls of the benches: mutexes of the C library, mapped files, peers in C and C++; the C
    // interface called as C calls it.
    "benches/benches/ffi.rs",
    "benches/src/locked.rs",
    "benches/src/mapping.rs",
    "benches/compare/src/boost.rs",
    "benches/compare/src/lmdb.rs",
];

/// Crate roots that forbid unsafe code altogether.
const FORBIDDING: &[&str] =
    &["netbridge/src/lib.rs", "cli/src/lib.rs", "cli/src/main.rs", "tests/src/lib.rs"];

/// `unsafe` outside the list.
pub(crate) fn whitelist(path: &str, text: &str) -> Vec<Finding> {
    if ALLOWED.contains(&path) {
        return Vec::new();
    }
    let code = code_only(text);
    lines(&code)
        .filter(|(_, line)| has_word(&exported(path, line), "unsafe"))
        .map(|(number, _)| Finding::line(path, number, "unsafe outside the listed files".into()))
        .collect()
}

/// A function of the C ABI is unsafe to call and exported without mangling; its body is not, so the
/// files of `ffi` may say that much.
fn exported(path: &str, line: &str) -> String {
    if !path.starts_with("ffi/src/") {
        return line.to_owned();
    }
    line.replace("#[unsafe(no_mangle)]", "").replace("unsafe extern", "")
}

/// A crate root that should forbid unsafe code and does not.
pub(crate) fn forbidden(path: &str, text: &str) -> Vec<Finding> {
    if !FORBIDDING.contains(&path) || code_only(text).contains("#![forbid(unsafe_code)]") {
        return Vec::new();
    }
    vec![Finding::file(path, "#![forbid(unsafe_code)] is missing".into())]
}

/// The list names files that exist: a file that is gone leaves the list.
pub(crate) fn stale(paths: &[String]) -> Vec<Finding> {
    ALLOWED
        .iter()
        .chain(FORBIDDING)
        .filter(|listed| !paths.iter().any(|path| path == *listed))
        .map(|listed| Finding::file(listed, "listed in tidy, but there is no such file".into()))
        .collect()
}

#[test]
fn whitelist_fires() {
    assert_eq!(whitelist("cli/src/lib.rs", "let x = unsafe { f() };").len(), 1);
    assert!(whitelist("cli/src/lib.rs", "// unsafe\n#![forbid(unsafe_code)]").is_empty());
    assert!(whitelist(ALLOWED[0], "unsafe fn f() {}").is_empty());
    let body = "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn f() {\n    unsafe { g() }\n}";
    assert_eq!(whitelist("ffi/src/version.rs", body).len(), 1);
}

#[test]
fn forbidden_fires() {
    assert_eq!(forbidden("cli/src/lib.rs", "// #![forbid(unsafe_code)]").len(), 1);
    assert!(forbidden("cli/src/lib.rs", "#![forbid(unsafe_code)]").is_empty());
}

#[test]
fn stale_fires() {
    assert_eq!(stale(&[]).len(), ALLOWED.len() + FORBIDDING.len());
}

//! Limits of a file, and what does not belong into finished code.

use crate::Finding;
use crate::source::{code_only, has_word, lines};

const MAX_LINES: usize = 800;
const MAX_COLUMNS: usize = 100;

/// Files stay readable in one go, lines fit side by side, sources are ASCII.
pub(crate) fn size(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let count = text.lines().count();
    if count > MAX_LINES {
        found.push(Finding::file(path, format!("{count} lines, at most {MAX_LINES}: split it")));
    }
    for (number, line) in lines(text) {
        let columns = line.chars().count();
        if columns > MAX_COLUMNS && !is_table_row(line) {
            found.push(Finding::line(path, number, format!("{columns} columns")));
        }
        if !line.is_ascii() {
            found.push(Finding::line(path, number, "not ASCII".into()));
        }
    }
    found
}

/// A row of a table in a documentation comment cannot be wrapped.
fn is_table_row(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//! |") || line.starts_with("/// |")
}

/// Macros and words that say that something is not finished.
pub(crate) fn unfinished(path: &str, text: &str) -> Vec<Finding> {
    let code = code_only(text);
    let mut found = Vec::new();
    for (number, line) in lines(&code) {
        for name in ["todo", "unimplemented", "dbg"] {
            if has_word(line, name) && line.contains(&format!("{name}!")) {
                found.push(Finding::line(path, number, format!("{name}!")));
            }
        }
        if line.contains("#[ignore") {
            found.push(Finding::line(path, number, "an ignored test".into()));
        }
    }
    for (number, line) in lines(text) {
        // Put together here so that this file does not find itself.
        for word in [concat!("FIX", "ME"), concat!("XX", "X")] {
            if has_word(line, word) {
                found.push(Finding::line(path, number, word.into()));
            }
        }
    }
    found
}

/// A statement that is only `matches!(...)` throws its answer away: the test cannot fail.
pub(crate) fn dropped_matches(path: &str, text: &str) -> Vec<Finding> {
    let code = code_only(text);
    let mut found = Vec::new();
    let mut before = ';';
    let mut number = 1;
    for (at, c) in code.char_indices() {
        let starts_statement = matches!(before, ';' | '{' | '}');
        if starts_statement && code[at..].starts_with("matches!") && ends_a_statement(&code[at..]) {
            found.push(Finding::line(path, number, "the answer of matches! is dropped".into()));
        }
        if c == '\n' {
            number += 1;
        } else if !c.is_whitespace() {
            before = c;
        }
    }
    found
}

fn ends_a_statement(code: &str) -> bool {
    let mut depth = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return code[at + 1..].trim_start().starts_with(';');
                }
            }
            _ => {}
        }
    }
    false
}

/// A document has one title.
pub(crate) fn one_title(path: &str, text: &str) -> Vec<Finding> {
    let mut fenced = false;
    let mut titles = 0;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        titles += usize::from(!fenced && line.starts_with("# "));
    }
    if titles == 1 {
        return Vec::new();
    }
    vec![Finding::file(path, format!("{titles} first-level headings, should be one"))]
}

#[test]
fn size_fires() {
    assert!(size("a.rs", &"x\n".repeat(MAX_LINES)).is_empty());
    assert_eq!(size("a.rs", &"x\n".repeat(MAX_LINES + 1)).len(), 1);
    assert_eq!(size("a.rs", &"x".repeat(MAX_COLUMNS + 1)).len(), 1);
    assert_eq!(size("a.rs", "// \u{fc}").len(), 1);
    assert!(size("a.rs", &format!("//! | {} |", "x".repeat(MAX_COLUMNS))).is_empty());
}

#[test]
fn unfinished_fires() {
    // Input for the rule, not leftovers.
    for text in ["todo!()", "x = dbg!(y);", "unimplemented!()", "#[ignore]", "#[ignore = \"x\"]"] {
        assert_eq!(unfinished("a.rs", text).len(), 1, "{text}");
    }
    assert_eq!(unfinished("a.rs", concat!("// FIX", "ME later")).len(), 1);
    assert!(unfinished("a.rs", "// no todo!() here\nlet s = \"dbg!\";").is_empty());
}

#[test]
fn dropped_matches_fires() {
    assert_eq!(dropped_matches("a.rs", "{\n    matches!(x, Some(_));\n}").len(), 1);
    assert_eq!(dropped_matches("a.rs", "f(); matches!(\nx,\nSome(_)\n);").len(), 1);
    for fine in ["assert!(matches!(x, Y));", "let y = matches!(x, Y);", "{ matches!(x, Y) }"] {
        assert!(dropped_matches("a.rs", fine).is_empty(), "{fine}");
    }
}

#[test]
fn one_title_fires() {
    assert!(one_title("a.md", "# A\n\n```sh\n# comment\n```\n## B\n").is_empty());
    assert_eq!(one_title("a.md", "# A\n# B\n").len(), 1);
    assert_eq!(one_title("a.md", "A\n").len(), 1);
}

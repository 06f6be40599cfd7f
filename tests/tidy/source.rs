//! Rust source with comments and literals blanked out, so that rules look at code only.

/// Replaces comments and the content of string and character literals by spaces. Lines and columns
/// stay where they are.
pub(crate) fn code_only(text: &str) -> String {
    let mut scanner = Scanner { rest: text, out: String::with_capacity(text.len()) };
    while let Some(next) = scanner.rest.chars().next() {
        scanner.token(next);
    }
    scanner.out
}

struct Scanner<'t> {
    rest: &'t str,
    out: String,
}

impl Scanner<'_> {
    fn token(&mut self, next: char) {
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.blank(end);
        } else if self.rest.starts_with("/*") {
            let end = block_comment(self.rest);
            self.blank(end);
        } else if let Some(end) = raw_string(self.rest).filter(|_| !self.inside_a_name()) {
            self.blank(end);
        } else if next == '"' {
            let end = quoted(self.rest, '"');
            self.blank(end);
        } else if let Some(end) = character(self.rest) {
            self.blank(end);
        } else {
            self.keep(next.len_utf8());
        }
    }

    fn inside_a_name(&self) -> bool {
        self.out.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    }

    fn keep(&mut self, len: usize) {
        self.out.push_str(&self.rest[..len]);
        self.rest = &self.rest[len..];
    }

    fn blank(&mut self, len: usize) {
        self.out.extend(self.rest[..len].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.rest = &self.rest[len..];
    }
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Length of the literal at the start of `text` up to and with its closing `quote`.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix("cr"));
    let body = body.or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let content = body[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = content.find(&close).map_or(content.len(), |at| at + close.len());
    Some(text.len() - content.len() + end)
}

/// Length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    if body.starts_with('\\') {
        return Some(quoted(text, '\''));
    }
    let first = body.chars().next()?;
    body[first.len_utf8()..].starts_with('\'').then_some(first.len_utf8() + 2)
}

/// Numbers the lines of `text` from 1.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// True if `word` occurs in `line` as a whole identifier.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_name) && !line[at + word.len()..].starts_with(is_name)
    })
}

#[test]
fn comments_and_literals_are_blanked() {
    let text = "let a = \"unsafe \\\" x\"; // unsafe\n/* unsafe /* nested */ */ let b = 'u';\n\
                let c: &'a str = r#\"unsafe \"quoted\" \"#; let d = '\\''; let bar\"x\" = 1;";
    let code = code_only(text);
    assert!(!code.contains("unsafe"), "{code}");
    assert!(code.contains("let a = ") && code.contains("let b = ") && code.contains("&'a str = "));
    assert!(code.contains("let d = ") && code.contains("let bar"));
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn words_are_whole_identifiers() {
    assert!(has_word("pub unsafe fn", "unsafe"));
    assert!(!has_word("deny(unsafe_code)", "unsafe"));
}

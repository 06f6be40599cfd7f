//! The one error type of the command line: text, stable code, exit code, and what to do about it.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Exit codes; scripts depend on them.
pub(crate) mod exit {
    pub(crate) const OK: u8 = 0;
    pub(crate) const FAILED: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const DAMAGED: u8 = 3;
    pub(crate) const NOT_FOUND: u8 = 4;
    /// `EX_TEMPFAIL`: a supervisor may try again later.
    pub(crate) const BRIDGE_RUNS: u8 = 75;
}

/// Codes of failures that arise in the command line itself (9xx); the library has 1xx to 6xx.
pub(crate) mod code {
    pub(crate) const BAD_ARGUMENT: u16 = 901;
    pub(crate) const NO_NODE: u16 = 902;
    pub(crate) const NO_KEY: u16 = 903;
    pub(crate) const TIMED_OUT: u16 = 904;
    pub(crate) const NOT_CONFIRMED: u16 = 905;
    pub(crate) const PRESENT: u16 = 906;
    pub(crate) const INPUT: u16 = 911;
    pub(crate) const COLUMN: u16 = 912;
    pub(crate) const DUPLICATE: u16 = 913;
    pub(crate) const RAGGED: u16 = 914;
    pub(crate) const UTF8: u16 = 915;
    pub(crate) const JSON: u16 = 916;
    pub(crate) const FIELD: u16 = 917;
    pub(crate) const ROW_TOO_LONG: u16 = 918;
    pub(crate) const SKIPPED: u16 = 919;
    pub(crate) const DUMP: u16 = 920;
    pub(crate) const NOT_A_ROW: u16 = 921;
    pub(crate) const NEW_COLUMN: u16 = 922;
    pub(crate) const SORT: u16 = 923;
    pub(crate) const CHECKPOINT: u16 = 924;
    pub(crate) const DAMAGED: u16 = 931;
    pub(crate) const FINDINGS: u16 = 932;
    pub(crate) const OUTPUT: u16 = 941;
    pub(crate) const DEMO: u16 = 951;
    pub(crate) const INTERRUPTED: u16 = 952;
    pub(crate) const BRIDGE_DOWN: u16 = 961;
    pub(crate) const BRIDGE_STAYS: u16 = 962;
    pub(crate) const GIVEN_UP: u16 = 963;
    pub(crate) const RUNTIME: u16 = 971;
    pub(crate) const BENCH: u16 = 981;
    pub(crate) const TRACE: u16 = 982;
}

/// Why a command did not do what it was asked, and what its user can do about it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    code: u16,
    exit: u8,
    text: String,
    help: String,
    quiet: bool,
}

impl Failure {
    pub(crate) fn new(code: u16, text: impl Into<String>, help: impl Into<String>) -> Self {
        let (text, help) = (text.into(), help.into());
        Self { code, exit: exit::FAILED, text, help, quiet: false }
    }

    pub(crate) fn with_exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Adds what is known only further up: how far the work had come.
    pub(crate) fn and(mut self, more: impl Display) -> Self {
        self.text = format!("{}; {more}", self.text);
        self
    }

    pub(crate) fn usage(text: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(code::BAD_ARGUMENT, text, help).with_exit(exit::USAGE)
    }

    pub(crate) fn input(path: &Path, cause: &io::Error) -> Self {
        Self::new(
            code::INPUT,
            format!("{}: cannot be read: {cause}", path.display()),
            "name a file this user may read, or `-` for standard input",
        )
    }

    /// Standard output is gone. A closed pipe is how `head` says that it has enough: no error.
    pub(crate) fn output(cause: &io::Error) -> Self {
        let closed = cause.kind() == io::ErrorKind::BrokenPipe;
        let mut failure = Self::new(
            code::OUTPUT,
            format!("standard output cannot be written: {cause}"),
            "look at where the output is directed to",
        );
        if closed {
            failure.quiet = true;
            failure.exit = exit::OK;
        }
        failure
    }

    /// Says that it was a file and not standard output that could not be written.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        if self.code != code::OUTPUT {
            return self;
        }
        let text = self.text.replacen("standard output", &path.display().to_string(), 1);
        Self::new(
            code::OUTPUT,
            text,
            "name a file in a directory this user may write to, with room for the data",
        )
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.exit
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn help(&self) -> &str {
        &self.help
    }

    /// Writes the two lines `error: ...` and `help: ...`.
    pub(crate) fn report(&self, out: &mut impl Write) {
        if self.quiet {
            return;
        }
        let (red, off) = if stderr_is_plain() { ("", "") } else { ("\x1b[1;31m", "\x1b[0m") };
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(
            out,
            "{red}error:{off} {} (VUG-{:04})\nhelp: {}",
            self.text, self.code, self.help
        );
    }
}

/// True when standard error takes no colours: not a terminal, or the user said so.
pub(crate) fn stderr_is_plain() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    refused || !io::stderr().is_terminal()
}

impl From<vug::Error> for Failure {
    fn from(error: vug::Error) -> Self {
        let exit = match error.code() {
            101 | 104 | 105 | 110 => exit::DAMAGED,
            201 | 202 | 204 => exit::USAGE,
            206 | 402 => exit::NOT_FOUND,
            502 => exit::BRIDGE_RUNS,
            _ => exit::FAILED,
        };
        Self::new(error.code(), error.to_string(), error.help()).with_exit(exit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_with_code_and_help() {
        let mut out = Vec::new();
        Failure::new(7, "it broke", "mend it").and("3 rows written").report(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("error:"));
        assert!(text.ends_with(" it broke; 3 rows written (VUG-0007)\nhelp: mend it\n"));
    }

    #[test]
    fn a_closed_pipe_is_silent_success() {
        let failure = Failure::output(&io::Error::from(io::ErrorKind::BrokenPipe));
        let mut out = Vec::new();
        failure.report(&mut out);
        assert!(out.is_empty());
        assert_eq!(failure.exit_code(), exit::OK);
    }
}

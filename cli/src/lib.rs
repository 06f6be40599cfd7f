//! The `vug` command: look at and change the regions of a node, run its bridge, see a
//! demonstration.
//!
//! Data goes to standard output, words go to standard error. Every failure is one line
//! `error: <text> (VUG-0301)` followed by one line `help: <what to do>`. Exit codes: 0 done,
//! 1 failed, 2 used wrongly, 3 damaged, 4 not found, 75 another bridge runs here.
#![forbid(unsafe_code)]

mod args;
mod bytes;
mod cmd;
mod consent;
mod demo;
mod document;
mod dump;
mod entries;
mod failure;
mod interrupt;
mod observe;
mod parent;
mod progress;
mod render;
mod rows;
mod sort;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::args::Arguments;
use crate::failure::{Failure, exit};

/// Runs the command line `args` (the program's name first) and returns the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = Arguments::command()
        .try_get_matches_from(args)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return explain_usage(&error),
    };
    match cmd::run(arguments) {
        Ok(()) => ExitCode::from(exit::OK),
        Err(failure) => {
            failure.report(&mut io::stderr().lock());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Prints what clap has to say: help and version are data, everything else is an error like any
/// other.
fn explain_usage(error: &clap::Error) -> ExitCode {
    let shown = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit::OK,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => exit::USAGE,
        _ => {
            let failure = usage_failure(&error.render().to_string());
            failure.report(&mut io::stderr().lock());
            return ExitCode::from(failure.exit_code());
        }
    };
    match error.print() {
        Ok(()) => ExitCode::from(shown),
        Err(cause) => ExitCode::from(Failure::output(&cause).exit_code()),
    }
}

/// Clap writes paragraphs: the error, tips, the usage, and where to find more.
fn usage_failure(text: &str) -> Failure {
    let mut paragraphs = text.split("\n\n").map(|paragraph| {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        words.join(" ")
    });
    let first = paragraphs.next().unwrap_or_default();
    let error = first.strip_prefix("error: ").unwrap_or(&first);
    let help: Vec<String> = paragraphs
        .filter(|paragraph| !paragraph.is_empty() && !paragraph.starts_with("For more"))
        .map(|paragraph| match paragraph.strip_prefix("tip: ") {
            Some(tip) => tip.to_owned(),
            // Clap takes an option that the environment gives for one that must be given.
            None => paragraph.replacen("Usage: ", "usage: ", 1).replacen(" --home <DIR>", "", 1),
        })
        .collect();
    if help.is_empty() {
        return Failure::usage(error, "`vug help COMMAND` lists the options of a command");
    }
    Failure::usage(error, help.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_clap_become_two_lines() {
        let text = "error: unexpected argument '--a' found\n\n  tip: use '-- --a'\n\n\
                    Usage: vug get <REGION>\n\nFor more information, try '--help'.\n";
        let mut out = Vec::new();
        usage_failure(text).report(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(" unexpected argument '--a' found (VUG-0901)\n"), "{out}");
        assert!(out.ends_with("help: use '-- --a'; usage: vug get <REGION>\n"), "{out}");
    }
}

//! Runs the `vug` binary as its user would.

#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A home directory of its own, removed at the end.
pub(crate) struct Home(TempDir);

/// What a run of the command left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// The run did what it was asked.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The run failed with this exit code; returns the two lines, `error:` and `help:`.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> (String, String) {
        assert_eq!(self.code, code, "{self:?}");
        let mut lines = self.err.lines().rev();
        let help = lines.next().unwrap_or_default();
        let error = lines.next().unwrap_or_default();
        let error = error.strip_prefix("error: ").unwrap_or_else(|| panic!("{self:?}"));
        let help = help.strip_prefix("help: ").unwrap_or_else(|| panic!("{self:?}"));
        assert!(!help.is_empty(), "{self:?}");
        (error.to_owned(), help.to_owned())
    }
}

pub(crate) fn temporary() -> TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap()
}

/// The command without a home directory in its environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vug"));
    command.env_remove("VUG_HOME").env_remove("NO_COLOR").env_remove("RUST_BACKTRACE");
    command
}

pub(crate) fn run(mut command: Command, input: &[u8]) -> Run {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that does not read its input closes the pipe; that is its right.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn airports() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/airports.csv")
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(temporary())
    }

    /// With a local region of this name.
    pub(crate) fn with_region(name: &str) -> Self {
        let home = Self::new();
        home.vug(["create", name]).ok();
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file beside the regions.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn vug<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        self.vug_with(args, b"")
    }

    pub(crate) fn vug_with<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Run {
        let mut command = command();
        command.env("VUG_HOME", self.path()).args(args);
        run(command, input)
    }
}

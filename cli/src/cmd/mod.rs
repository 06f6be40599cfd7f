//! One file per command.

mod alter;
mod bench;
pub(crate) mod bridge;
pub(crate) mod cert;
mod check;
mod create;
mod del;
mod describe;
mod destroy;
mod doctor;
mod export;
mod generate;
mod get;
mod import;
mod incr;
mod invalidate;
mod ls;
mod maintain;
mod put;
mod recover;
mod scan;
mod stat;
mod supervise;
mod top;
mod wait;
mod watch;

use std::io::{self, BufWriter, StdoutLock};
use std::path::{Path, PathBuf};

use vug::{Node, ReadOnlyNode, Region};

use crate::args::{Arguments, Command};
use crate::bytes;
use crate::demo;
use crate::failure::{Failure, code, exit};
use crate::render::{Format, no_raw};

/// What all commands share: where the node is and how results are written.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) home: PathBuf,
    /// The home directory was named by option or environment, not taken by default.
    pub(crate) home_given: bool,
    pub(crate) format: Option<Format>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let home_given = arguments.home.is_some();
    let home = arguments.home.unwrap_or_else(Node::default_home);
    let context = Context { home, home_given, format: arguments.format };
    let shows_bytes = matches!(arguments.command, Command::Get(_) | Command::Scan(_));
    if context.format == Some(Format::Raw) && !shows_bytes {
        return Err(no_raw());
    }
    match arguments.command {
        Command::Demo(args) => demo::run(&context, &args),
        Command::Ls => ls::run(&context),
        Command::Describe(args) => describe::run(&context, &args),
        Command::Stat(args) => stat::run(&context, &args),
        Command::Top(args) => top::run(&context, &args),
        Command::Get(args) => get::run(&context, &args),
        Command::Put(args) => put::run(&context, &args),
        Command::Del(args) => del::run(&context, &args),
        Command::Incr(args) => incr::run(&context, &args),
        Command::Scan(args) => scan::run(&context, &args),
        Command::Wait(args) => wait::run(&context, &args),
        Command::Create(args) => create::run(&context, &args),
        Command::Alter(args) => alter::run(&context, &args),
        Command::Invalidate(args) => invalidate::run(&context, &args),
        Command::Clear(args) => destroy::clear(&context, &args),
        Command::Rm(args) => destroy::remove(&context, &args),
        Command::Import(args) => import::run(&context, &args),
        Command::Export(args) => export::run(&context, &args),
        Command::Check(args) => check::run(&context, &args),
        Command::Doctor(args) => doctor::run(&context, &args),
        Command::Recover => recover::run(&context),
        Command::Maintain(args) => maintain::run(&context, &args),
        Command::Bridge(args) => bridge::run(&context, args),
        Command::Cert(args) => cert::run(&context, args),
        Command::Bench(args) => bench::run(&context, &args),
        Command::BenchWorker(args) => bench::worker::run(&context, &args),
        Command::Generate(args) => generate::run(&args),
        Command::DemoWorker(args) => demo::work(&context, &args),
    }
}

impl Context {
    pub(crate) fn format(&self) -> Format {
        self.format.unwrap_or(Format::Table)
    }

    /// Fails when no node was ever made in the home directory: looking must not create one.
    pub(crate) fn require_home(&self) -> Result<(), Failure> {
        if self.home.is_dir() {
            return Ok(());
        }
        Err(no_node(&self.home))
    }

    pub(crate) fn node(&self) -> Result<Node, Failure> {
        self.require_home()?;
        Ok(Node::open(&self.home)?)
    }

    /// The node for looking only: the command does not join it, and writes nothing.
    pub(crate) fn node_to_look_at(&self) -> Result<ReadOnlyNode, Failure> {
        if !self.home.join("node").exists() {
            return Err(no_node(&self.home));
        }
        Ok(Node::open_read_only(&self.home)?)
    }

    /// Opens an existing region; the error for a missing one names the command that makes it.
    pub(crate) fn region(&self, node: &Node, name: &str) -> Result<Region, Failure> {
        node.region(name).open().map_err(|error| missing_region(error, name))
    }
}

fn no_node(home: &Path) -> Failure {
    let text = format!("{}: there is no node here", home.display());
    let help = "`vug create REGION` makes the node and a region; --home or VUG_HOME name another";
    Failure::new(code::NO_NODE, text, help).with_exit(exit::NOT_FOUND)
}

/// Names the remedy that exists on the command line.
pub(crate) fn missing_region(error: vug::Error, name: &str) -> Failure {
    let missing = matches!(error, vug::Error::RegionNotFound { .. });
    let failure = Failure::from(error);
    if missing {
        failure.with_help(format!("`vug create {name}` makes it, `vug ls` lists what is there"))
    } else {
        failure
    }
}

/// Standard output, buffered; whoever writes must flush and report the failure.
pub(crate) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// The failure of a command that was to find `key`.
pub(crate) fn no_key(region: &str, key: &[u8]) -> Failure {
    let text = format!("{region}: there is no key `{}`", bytes::escaped(key));
    let help = format!("`vug scan {region} --keys` lists what is there");
    Failure::new(code::NO_KEY, text, help).with_exit(exit::NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_is_not_there_is_not_made() {
        let home = std::env::temp_dir().join("vug-test-never-made");
        let context = Context { home: home.clone(), home_given: true, format: None };
        assert_eq!(context.node().unwrap_err().exit_code(), exit::NOT_FOUND);
        assert!(!home.exists());
    }
}

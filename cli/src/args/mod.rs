//! The command line as types, one file per subject.

mod admin;
mod cluster;
mod entries;
mod parse;
mod regions;
mod rows;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use self::admin::{Check, Doctor, Maintain, Stat};
pub(crate) use self::cluster::{Bridge, BridgeRun, Cert, Demo, DemoWorker, Role};
pub(crate) use self::entries::{Acknowledge, Del, Get, Incr, Put, Wait};
pub(crate) use self::parse::{Peer, parse_duration, parse_peer, parse_size};
pub(crate) use self::regions::Create;
pub(crate) use self::rows::{Export, Import, OnDuplicate, OnError, RowFormat};
use crate::render::Format;

/// Lock-free shared-memory cache for the processes of one machine, bridged to other machines.
#[derive(Debug, Parser)]
#[command(name = "vug", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Home directory of the node [default: /dev/shm/vug-UID]
    #[arg(
        long,
        global = true,
        env = "VUG_HOME",
        value_name = "DIR",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub(crate) home: Option<PathBuf>,

    /// How results are written to standard output
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    #[arg(help_heading = "Global options")]
    pub(crate) format: Option<Format>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole thing at work: nodes, bridges, writers being killed, and a comparison
    Demo(Demo),
    /// List the regions of the node
    Ls,
    /// Show the figures of a region, or of the node when no region is named
    Stat(Stat),
    /// Print the value of a key
    Get(Get),
    /// Store a value under a key
    Put(Put),
    /// Remove keys from a region
    Del(Del),
    /// Add to a counter and print the sum
    ///
    /// A counter is a value of eight bytes, a signed little-endian integer; an absent key counts
    /// as 0. The addition is atomic among all processes of the node.
    Incr(Incr),
    /// Wait until a key changes
    ///
    /// Returns when the key was written, removed or created since the command looked at it first,
    /// or has another version than --since.
    Wait(Wait),
    /// Make a region
    Create(Create),
    /// Load rows of a CSV or JSON lines file into a region
    ///
    /// A file is read twice: nothing is written before all of its rows were found good. Standard
    /// input is read once: a bad row stops the import, and the message says how many rows were
    /// written.
    Import(Import),
    /// Write all entries of a region to standard output or a file
    ///
    /// Entries come in no particular order, while writers go on. Without --format they are JSON
    /// lines, or CSV when the name of the output file ends so.
    Export(Export),
    /// Audit region files: every byte is header, index, live, dead or free
    ///
    /// The figures are exact only while nobody writes.
    Check(Check),
    /// Find out what is wrong with a node and say what to do about it
    ///
    /// Looks at members, regions, files and the system's settings; takes as long as an audit.
    /// Ends with 0 if there is nothing to do, 1 if there is, 3 if a file is damaged.
    Doctor(Doctor),
    /// Finish or undo what dead processes left behind
    Recover,
    /// Do beforehand what writes would have to do: recover, clean, free memory
    ///
    /// A running bridge does a little of it every second. Where writers keep a region nearly full,
    /// a process that does more of it keeps the delay out of their writes.
    Maintain(Maintain),
    /// Connect the node to the nodes of other machines
    #[command(subcommand)]
    Bridge(Bridge),
    /// Make the certificates with which bridges trust each other
    #[command(subcommand)]
    Cert(Cert),
    /// A child process of the demonstration
    #[command(hide = true)]
    DemoWorker(DemoWorker),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}

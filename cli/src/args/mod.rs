//! The command line as types, one file per subject.

mod admin;
mod cluster;
mod entries;
mod parse;
mod regions;
mod rows;
mod tools;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use self::admin::{Check, Describe, Doctor, Maintain, Stat, Top};
pub(crate) use self::cluster::{
    Bridge, BridgeConfig, BridgeEvents, BridgeRun, Cert, CertRotate, Demo, DemoWorker, Role,
};
pub(crate) use self::entries::{Acknowledge, Del, Get, Incr, Put, Scan, Selected, Wait};
pub(crate) use self::parse::{Peer, parse_duration, parse_interval, parse_peer, parse_size};
pub(crate) use self::regions::{Alter, Create, Doomed, Invalidate, Rm, Shortcut, TimeOrNone};
pub(crate) use self::rows::{Export, ExportFormat, Import, OnDuplicate, OnError, RowFormat};
pub(crate) use self::tools::{Bench, BenchWork, BenchWorker, Distribution, Generate};
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
    /// Show everything about a region: attributes, sizes, index, members, other nodes, counters
    Describe(Describe),
    /// Show the figures of a region, or of the node when no region is named
    ///
    /// Examples:
    ///   vug stat quotes
    ///   vug stat quotes --watch                 a line of rates every second
    ///   vug stat --watch 5 --format jsonl       all regions together, for programs
    ///
    /// Reads the files only: the command is no member of the node while it looks.
    #[command(verbatim_doc_comment)]
    Stat(Stat),
    /// Watch regions and members live
    ///
    /// Examples:
    ///   vug top
    ///   vug top /dev/shm/vug-*                  several nodes of this machine
    ///   vug top --once                          one frame, without a terminal
    ///
    /// Reads the files only: the command is no member of the node while it looks. Press ? for the
    /// keys. Colours are left out when NO_COLOR is set.
    #[command(verbatim_doc_comment)]
    Top(Top),
    /// Print the values of keys
    ///
    /// Examples:
    ///   vug get quotes ibm                      the bytes of the value, nothing else
    ///   vug get quotes ibm --meta               version, origin, kind, sizes, expiry
    ///   vug get quotes ibm sun --format json    several entries, as one array
    ///   vug get blobs 00ff --hex                a key that is no text
    ///
    /// Several values are written one per line; a key that is absent has none, and the command
    /// ends with 4. JSON holds bytes that are no UTF-8 as base64, in `key_base64` and
    /// `value_base64`; --hex writes all bytes as hexadecimal digits.
    #[command(verbatim_doc_comment)]
    Get(Get),
    /// Store a value under a key
    ///
    /// Examples:
    ///   vug put quotes ibm 241.50
    ///   vug put quotes ibm 241.50 --ttl 10s     the entry expires by itself
    ///   vug put pages / --file index.html       the bytes of a file
    ///   date | vug put status now -             standard input
    ///   vug put quotes ibm '{"bid": 241}' --json
    #[command(verbatim_doc_comment)]
    Put(Put),
    /// Remove entries from a region
    ///
    /// Examples:
    ///   vug del quotes ibm sun
    ///   vug del quotes --prefix old: --dry-run  how many that would be
    ///   vug del quotes --prefix old: --yes
    ///   vug del quotes --keys-from gone.txt --yes
    ///
    /// Keys that are named one by one are removed at once; the command ends with 4 if one was
    /// absent. For --prefix, --match and --keys-from it asks first, unless --yes is given.
    #[command(verbatim_doc_comment)]
    Del(Del),
    /// Add to a counter and print the sum
    ///
    /// Examples:
    ///   vug incr hits /index.html
    ///   vug incr hits /index.html -5
    ///
    /// A counter is a value of eight bytes, a signed little-endian integer; an absent key counts
    /// as 0. The addition is atomic among all processes of the node.
    #[command(verbatim_doc_comment)]
    Incr(Incr),
    /// List entries
    ///
    /// Examples:
    ///   vug scan quotes --limit 10
    ///   vug scan quotes --prefix ibm. --format jsonl
    ///   vug scan quotes --match '^[a-m]' --keys --format raw
    ///
    /// Entries come in no particular order while writers go on. One that is there all the time is
    /// listed, twice at worst if the index grows meanwhile. Every entry is looked at, so a prefix
    /// does not make it faster. `vug export --sort` writes entries in order.
    #[command(verbatim_doc_comment)]
    Scan(Scan),
    /// Wait until a key changes
    ///
    /// Examples:
    ///   vug wait quotes ibm --timeout 10s && vug get quotes ibm
    ///   vug wait quotes ibm --since 0           until it is there
    ///
    /// Returns when the key was written, removed or created since the command looked at it first,
    /// or has another version than --since.
    #[command(verbatim_doc_comment)]
    Wait(Wait),
    /// Make a region
    ///
    /// Examples:
    ///   vug create quotes
    ///   vug create quotes --shortcut replicate --max-bytes 1GiB
    ///   vug create quotes --data-policy replicate --scope distributed-no-ack
    ///   vug create pages --eviction s3-fifo --max-entries 100000
    ///   vug create sessions --idle 30m --idle-action destroy
    ///
    /// A shortcut and the same attributes one by one make the same region. What can never go
    /// together is refused with the reason and what to change.
    #[command(verbatim_doc_comment)]
    Create(Create),
    /// Change the attributes of a region that may change
    ///
    /// Examples:
    ///   vug alter sessions --ttl 1h --ttl-action invalidate
    ///   vug alter sessions --idle none
    ///   vug alter pages --max-entries 50000
    ///
    /// A change holds at once, for all processes and all entries.
    #[command(verbatim_doc_comment)]
    Alter(Alter),
    /// Take the values of entries and keep their keys
    ///
    /// Examples:
    ///   vug invalidate quotes ibm sun
    ///   vug invalidate quotes --all --yes
    ///
    /// The command ends with 4 if a key is absent. For --all it asks first, unless --yes is given.
    #[command(verbatim_doc_comment)]
    Invalidate(Invalidate),
    /// Remove all entries of a region, at one instant
    ///
    /// Examples:
    ///   vug clear quotes
    ///   vug clear quotes --yes                  in a script
    ///
    /// Asks first, unless --yes is given.
    #[command(verbatim_doc_comment)]
    Clear(Doomed),
    /// Destroy a region with all its entries
    ///
    /// Examples:
    ///   vug rm quotes
    ///   vug rm quotes --local --yes             leaves it to the other nodes
    ///   vug rm quotes --file                    also if it cannot be opened
    ///
    /// Asks first, unless --yes is given. Processes that use the region are told that it was
    /// destroyed; the name is free at once. With --file the name is taken from the region and
    /// nothing else is done, so it works on a damaged one: processes that have it open go on with
    /// it among themselves, other nodes keep theirs.
    #[command(verbatim_doc_comment, visible_alias = "destroy-region")]
    Rm(Rm),
    /// Load rows of a CSV or JSON lines file, or a dump, into a region
    ///
    /// Examples:
    ///   vug import zips zipcodes.csv --key zip_code
    ///   vug import zips zipcodes.csv --key zip_code --dry-run
    ///   vug import zips zipcodes.csv --key zip_code --resume    after an interruption
    ///   vug import zips zips.dump
    ///   zcat log.csv.gz | vug import log - --from csv --key id --value text
    ///
    /// A file is read twice: nothing is written before all of its rows were found good. Standard
    /// input is read once: a bad row stops the import, and the message says how many rows were
    /// written. Memory does not grow with the input.
    ///
    /// An import that is interrupted, even by SIGKILL, leaves a checkpoint in the home directory;
    /// the same command with --resume goes on there. It may write the last rows before the
    /// checkpoint again, with the same values.
    ///
    /// --value takes the bytes of one column as they are. Without it the value is the whole row:
    /// of CSV a JSON object of strings, of JSON lines the object as it stands in the file.
    #[command(verbatim_doc_comment)]
    Import(Import),
    /// Write all entries of a region to standard output or a file
    ///
    /// Examples:
    ///   vug export zips -o zips.csv --key zip_code --sort
    ///   vug export zips > zips.jsonl
    ///   vug export zips -o zips.dump --meta
    ///   vug export blobs --to csv --value data --hex
    ///
    /// Writers go on meanwhile. Without --sort entries come in no particular order, and one may
    /// come twice if the index grows; with it every key comes once, and memory stays bounded.
    /// `vug import` reads everything back, but for tables.
    #[command(verbatim_doc_comment)]
    Export(Export),
    /// Audit region files: every byte is header, index, live, dead or free
    ///
    /// The figures are exact only while nobody writes.
    Check(Check),
    /// Find out what is wrong with a node and say what to do about it
    ///
    /// Looks at members, regions, files and the system's settings; takes as long as an audit.
    /// Ends with 0 if there is nothing to do, 1 if there is, 2 if nobody could be asked whether to
    /// remove a file, 3 if a file is damaged.
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
    /// Measure throughput and latency, on your own region or trace
    ///
    /// Examples:
    ///   vug bench --new --time 10s                   a region made for it
    ///   vug bench quotes --reads 50 --value-bytes 1KiB --yes
    ///   vug bench --new --processes 2 --threads 2 --distribution zipf --format json
    ///   vug bench quotes --trace day.csv --yes       get,KEY put,KEY,SIZE del,KEY
    ///
    /// It writes to the region and asks first, unless --yes is given. Keys begin with --prefix and
    /// are removed at the end, unless --keep is given; a trace names its keys itself, and what it
    /// writes stays. The workers share a trace line by line, each in order.
    #[command(verbatim_doc_comment)]
    #[command(override_usage = "vug bench [OPTIONS] <REGION | --new>")]
    Bench(Bench),
    /// Generate completion scripts and manual pages
    #[command(subcommand, name = "gen")]
    Generate(Generate),
    /// A child process of the demonstration
    #[command(hide = true)]
    DemoWorker(DemoWorker),
    /// A child process of the bench
    #[command(hide = true)]
    BenchWorker(BenchWorker),
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

//! `vug bridge`: every call into the bridge library is in this file.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use serde_json::Value;
use tracing_subscriber::EnvFilter;
use vug_netbridge::BridgeError;
use vug_netbridge::config::{Config, PeerConfig};

use super::{Context, stdout};
use crate::args::{Bridge, BridgeRun, Peer};
use crate::failure::{Failure, code, exit, stderr_is_plain};
use crate::parent;
use crate::render::{Cell, Format, Sheet, no_raw};

/// A bridge that was asked to end says goodbye to its peers first.
const GOODBYE: Duration = Duration::from_secs(15);

pub(super) fn run(context: &Context, args: Bridge) -> Result<(), Failure> {
    match args {
        Bridge::Run(args) => start(context, args),
        Bridge::Status => status(context),
        Bridge::Stop => stop(context),
    }
}

fn stop(context: &Context) -> Result<(), Failure> {
    let node = context.node()?;
    let pid = node.bridge_pid().ok_or_else(|| not_running(context))?;
    kill(Pid::from_raw(pid as i32), Signal::SIGTERM).map_err(|cause| {
        let text = format!("the bridge (process {pid}) cannot be signalled: {cause}");
        Failure::new(code::BRIDGE_STAYS, text, "run this as the user who started the bridge")
    })?;
    let deadline = Instant::now() + GOODBYE;
    // The kernel releases the seat when the process is gone, whatever its end was.
    while node.bridge_pid() == Some(pid) {
        if Instant::now() > deadline {
            let text =
                format!("the bridge (process {pid}) runs {GOODBYE:?} after it was told to end");
            let help = format!("`kill -KILL {pid}` is safe: nothing is lost");
            return Err(Failure::new(code::BRIDGE_STAYS, text, help));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let Some(format) = context.format else {
        return Ok(());
    };
    Sheet::record(vec![("stopped_pid", Cell::Id(pid.into()))]).write_record(&mut stdout(), format)
}

fn not_running(context: &Context) -> Failure {
    let text = format!("{}: no bridge runs here", context.home.display());
    let help = "`vug bridge run` starts one";
    Failure::new(code::BRIDGE_DOWN, text, help).with_exit(exit::NOT_FOUND)
}

/// Runs until SIGTERM, SIGINT or `vug bridge stop`.
fn start(context: &Context, args: BridgeRun) -> Result<(), Failure> {
    parent::die_with(args.die_with_parent)?;
    log_to_stderr();
    let config = configuration(context, args)?;
    let home = config.home.display().to_string();
    let origin = config.origin;
    vug_netbridge::run(config, |address| {
        let node = origin.map_or_else(String::new, |origin| format!(" of node {origin}"));
        eprintln!("the bridge{node} at {home} listens on {address}");
    })
    .map_err(refused)
}

/// The file first, then the options, which win.
fn configuration(context: &Context, args: BridgeRun) -> Result<Config, Failure> {
    let mut config = match (&args.config, &args.cluster, &args.certs) {
        (Some(file), ..) => {
            let mut config = Config::load(file).map_err(|error| refused(error.into()))?;
            if context.home_given {
                config.home.clone_from(&context.home);
            }
            config
        }
        (None, Some(cluster), Some(certs)) => Config::new(&context.home, cluster, certs),
        (None, ..) => {
            let help = "give --config FILE, or both --cluster NAME and --certs DIR";
            return Err(Failure::usage("the bridge does not know its cluster", help));
        }
    };
    if let Some(cluster) = args.cluster {
        config.cluster = cluster;
    }
    if let Some(certs) = args.certs {
        config.tls.ca = certs.join("ca.pem");
        config.tls.cert = certs.join("node.pem");
        config.tls.key = certs.join("node.key");
    }
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if args.origin.is_some() {
        config.origin = args.origin;
    }
    if !args.peer.is_empty() {
        config.peers = args.peer.iter().map(|peer| peer_config(*peer)).collect();
    }
    Ok(config)
}

fn peer_config(peer: Peer) -> PeerConfig {
    PeerConfig { address: peer.address, origin: peer.origin }
}

/// What the bridge has to say while it runs; `VUG_LOG` chooses how much.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("VUG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(!stderr_is_plain())
        .try_init();
    // A subscriber that is already there has been installed for the same purpose.
    drop(set);
}

fn status(context: &Context) -> Result<(), Failure> {
    context.require_home()?;
    let status = vug_netbridge::status(&context.home).map_err(refused)?;
    let mut out = stdout();
    let failed = |cause: std::io::Error| Failure::output(&cause);
    match context.format() {
        Format::Json => serde_json::to_writer_pretty(&mut out, &status)
            .map_err(std::io::Error::from)
            .and_then(|()| writeln!(out))
            .map_err(failed)?,
        Format::Jsonl => writeln!(out, "{status}").map_err(failed)?,
        Format::Csv => list(&status, "peers").write(&mut out, Format::Csv)?,
        Format::Table => describe(&status, &mut out)?,
        Format::Raw => return Err(no_raw()),
    }
    out.flush().map_err(failed)
}

/// The reasons that the bridge of a home directory gives for peers that it does not reach.
pub(crate) fn why_not_connected(home: &Path) -> Option<String> {
    let status = vug_netbridge::status(home).ok()?;
    let peers = status["peers"].as_array()?.iter();
    let reasons: Vec<&str> = peers.filter_map(|peer| peer["reason"].as_str()).collect();
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

fn list(status: &Value, name: &str) -> Sheet {
    Sheet::of_objects(status[name].as_array().map_or(&[], Vec::as_slice))
}

/// First what is one value, then every list as a table of its own.
fn describe(status: &Value, out: &mut impl Write) -> Result<(), Failure> {
    let failed = |cause: std::io::Error| Failure::output(&cause);
    let Some(fields) = status.as_object() else {
        return Ok(());
    };
    let single = fields.iter().filter(|(_, value)| !value.is_array() && !value.is_object());
    let mut object = serde_json::Map::new();
    object.extend(single.map(|(name, value)| (name.clone(), value.clone())));
    Sheet::of_objects(&[Value::Object(object)]).write_record(out, Format::Table)?;
    for (name, value) in fields {
        let sheet = match value {
            Value::Array(rows) if rows.iter().all(Value::is_object) => Sheet::of_objects(rows),
            Value::Object(_) => Sheet::of_objects(std::slice::from_ref(value)),
            Value::Array(values) => {
                let rows = values.iter().map(|value| serde_json::json!({ "value": value }));
                Sheet::of_objects(&rows.collect::<Vec<_>>())
            }
            _ => continue,
        };
        if !sheet.is_empty() {
            writeln!(out, "\n{}:", name.replace('_', " ")).map_err(failed)?;
            sheet.write(out, Format::Table)?;
        }
    }
    Ok(())
}

fn refused(error: BridgeError) -> Failure {
    let exit = match &error {
        _ if error.is_bridge_running() => exit::BRIDGE_RUNS,
        BridgeError::NotRunning { .. } => exit::NOT_FOUND,
        _ => exit::FAILED,
    };
    Failure::new(error.code(), error.to_string(), error.help()).with_exit(exit)
}

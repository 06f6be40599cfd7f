//! `vug bridge`: every call into the bridge library is in this file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use serde_json::Value;
use tracing_subscriber::EnvFilter;
use vug_netbridge::BridgeError;
use vug_netbridge::config::{Config, LogConfig, LogFormat, Override, Setting, Source};

use super::{Context, stdout, supervise};
use crate::args::{Bridge, BridgeConfig, BridgeEvents, BridgeRun};
use crate::failure::{Failure, code, exit, stderr_is_plain};
use crate::parent;
use crate::render::{Cell, Format, Sheet, no_raw};

/// A bridge that was asked to end says goodbye to its peers first.
const GOODBYE: Duration = Duration::from_secs(15);

pub(super) fn run(context: &Context, args: Bridge) -> Result<(), Failure> {
    match args {
        Bridge::Run(args) => start(context, args),
        Bridge::Status => status(context),
        Bridge::Events(args) => events(context, &args),
        Bridge::Reload => reload(context),
        Bridge::Config(args) => config(context, args),
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
    if args.supervise {
        // What is wrong with the configuration is said once, here.
        configuration(context, &args)?;
        return supervise::run();
    }
    let (config, _) = configuration(context, &args)?;
    config.check_certificates(args.config.as_deref()).map_err(|error| refused(error.into()))?;
    log_to_stderr(&config.log);
    let home = config.home.display().to_string();
    let origin = config.origin;
    let again = Again { file: args.config.clone(), overrides: overrides(context, &args) };
    let reload = move || Config::resolve(again.file.as_deref(), &again.overrides).map(|(c, _)| c);
    vug_netbridge::run_with(config, reload, |address| {
        let node = origin.map_or_else(String::new, |origin| format!(" of node {origin}"));
        eprintln!("the bridge{node} at {home} listens on {address}");
        if args.tell_ready {
            let mut out = std::io::stdout();
            // The parent may be gone, and this process with it in a moment.
            let _ = out.write_all(supervise::READY.as_bytes()).and_then(|()| out.flush());
        }
    })
    .map_err(refused)
}

/// What a reload begins with.
struct Again {
    file: Option<PathBuf>,
    overrides: Vec<Override>,
}

/// The file first, then the environment, then the options, which win.
fn configuration(context: &Context, args: &BridgeRun) -> Result<(Config, Vec<Setting>), Failure> {
    let overrides = overrides(context, args);
    let given = |key: &str| overrides.iter().any(|o| o.key == key);
    if args.config.is_none() && !(given("cluster.id") && given("tls.cert")) {
        let help = "give --config FILE, or both --cluster NAME and --certs DIR";
        return Err(Failure::usage("the bridge does not know its cluster", help));
    }
    Config::resolve(args.config.as_deref(), &overrides).map_err(|error| refused(error.into()))
}

fn overrides(context: &Context, args: &BridgeRun) -> Vec<Override> {
    let mut all = Vec::new();
    if args.config.is_none() {
        // Without a file these have a value too, and anything else wins over it.
        let source = Source::Default;
        let listen = ("listen.address".to_owned(), "127.0.0.1:0".to_owned());
        let home = ("node.home".to_owned(), context.home.display().to_string());
        for (key, value) in [listen, home] {
            all.push(Override { key, value, source: source.clone() });
        }
    }
    all.extend(Override::environment(std::env::vars()));
    let mut option = |name: &str, key: &str, value: Option<String>| {
        all.extend(value.map(|value| Override::option(name, key, value)));
    };
    let home = context.home_given.then(|| context.home.display().to_string());
    option("--home", "node.home", home);
    option("--cluster", "cluster.id", args.cluster.clone());
    for (key, file) in [("tls.ca", "ca.pem"), ("tls.cert", "node.pem"), ("tls.key", "node.key")] {
        let path = args.certs.as_ref().map(|dir| dir.join(file).display().to_string());
        option("--certs", key, path);
    }
    option("--listen", "listen.address", args.listen.map(|a| a.to_string()));
    option("--advertise", "listen.advertise", args.advertise.map(|a| a.to_string()));
    option("--origin", "node.origin", args.origin.map(|o| o.to_string()));
    let peers = args.peer.iter().map(|peer| match peer.origin {
        Some(origin) => format!("{origin}@{}", peer.address),
        None => peer.address.to_string(),
    });
    let peers = peers.collect::<Vec<_>>().join(",");
    option("--peer", "peer.address", (!peers.is_empty()).then_some(peers));
    option("--peer-timeout", "bridge.peer_timeout", args.peer_timeout.clone());
    option("--http", "http.address", args.http.map(|a| a.to_string()));
    option("--log-format", "log.format", args.log_format.clone());
    all
}

/// What the bridge has to say while it runs; `VUG_LOG` chooses how much, too.
fn log_to_stderr(log: &LogConfig) {
    let configured = || EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = EnvFilter::try_from_env("VUG_LOG").unwrap_or_else(|_| configured());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match log.format {
        LogFormat::Text => lines.with_ansi(!stderr_is_plain()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // A subscriber that is already there has been installed for the same purpose.
    drop(set);
}

fn config(context: &Context, args: BridgeConfig) -> Result<(), Failure> {
    let (args, show) = match args {
        BridgeConfig::Check(args) => (args, false),
        BridgeConfig::Show(args) => (args, true),
        BridgeConfig::Example => {
            let mut out = stdout();
            let written = out.write_all(Config::example().as_bytes()).and_then(|()| out.flush());
            return written.map_err(|cause| Failure::output(&cause));
        }
    };
    let (config, settings) = configuration(context, &args)?;
    if show {
        let rows = settings.iter().map(|setting| {
            serde_json::json!({
                "setting": setting.key,
                "value": setting.value,
                "from": setting.source.to_string(),
            })
        });
        return Sheet::of_objects(&rows.collect::<Vec<_>>()).write(&mut stdout(), context.format());
    }
    vug_netbridge::check(&config, args.config.as_deref()).map_err(refused)?;
    let Some(format) = context.format else {
        eprintln!("the configuration is good");
        return Ok(());
    };
    let sheet = Sheet::record(vec![
        ("home", Cell::text(config.home.display())),
        ("cluster", Cell::text(&config.cluster)),
        ("ok", Cell::text("true")),
    ]);
    sheet.write_record(&mut stdout(), format)
}

fn reload(context: &Context) -> Result<(), Failure> {
    context.require_home()?;
    let answer = vug_netbridge::reload(&context.home).map_err(refused)?;
    let names = |list: &str| {
        let names = answer[list].as_array().map_or(&[][..], Vec::as_slice);
        names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    let (reloaded, waiting) = (names("reloaded"), names("needs_restart"));
    if !waiting.is_empty() {
        eprintln!("changed, but only a restart takes it over: {waiting}");
    }
    let Some(format) = context.format else {
        eprintln!("reloaded: {reloaded}");
        return Ok(());
    };
    let sheet = Sheet::record(vec![
        ("reloaded", Cell::text(reloaded)),
        ("needs_restart", Cell::text(waiting)),
    ]);
    sheet.write_record(&mut stdout(), format)
}

/// One line per event, as it comes; ends with the bridge.
fn events(context: &Context, args: &BridgeEvents) -> Result<(), Failure> {
    context.require_home()?;
    let followed = vug_netbridge::events(&context.home).map_err(refused)?;
    let limit = args.count.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let mut out = stdout();
    for event in followed.take(limit) {
        let event = event.map_err(refused)?;
        let written = match context.format() {
            Format::Json | Format::Jsonl => writeln!(out, "{event}"),
            _ => writeln!(out, "{}", event_text(&event)),
        };
        written.and_then(|()| out.flush()).map_err(|cause| Failure::output(&cause))?;
    }
    Ok(())
}

/// Name and fields, without braces.
fn event_text(event: &Value) -> String {
    let mut text = event["event"].as_str().unwrap_or("?").to_owned();
    if let Some(nodes) = event["nodes"].as_array() {
        let states = nodes.iter().map(|n| format!(" {}={}", n["origin"], text_of(&n["state"])));
        return text + &states.collect::<String>();
    }
    for (name, value) in event.as_object().into_iter().flatten().filter(|(n, _)| *n != "event") {
        text += &format!(" {name}={}", text_of(value));
    }
    text
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
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
        // Starting it again changes nothing: who supervises it should not.
        BridgeError::Config(_)
        | BridgeError::Certificate { .. }
        | BridgeError::OriginDiffers { .. } => exit::USAGE,
        _ => exit::FAILED,
    };
    Failure::new(error.code(), error.to_string(), error.help()).with_exit(exit)
}

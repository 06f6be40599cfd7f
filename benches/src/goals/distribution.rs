//! Between two nodes on loopback, beside bare QUIC in the same run. The bridge's own example does
//! the measuring: the packages of a bridge would more than double what this one has to build.

use super::{Controls, Plan};
use crate::report::Report;
use crate::report::table::{Row, Wanted};
use crate::second::{pin_to, unpin};
use std::path::Path;
use std::process::{Command, Stdio};

pub(super) fn measure(_: &Plan, _: &Controls<'_>, report: &mut Report) -> Vec<Row> {
    report.tell(
        "Two nodes with a bridge each on loopback, and two bare quinn endpoints that play \
         ping-pong with as many bytes: \
         `cargo run --release -p vug-netbridge --example ack_latency`.",
    );
    let goal = "distributed-ack put, p50, 64 B";
    let reference = "quinn stream ping-pong, parked";
    let acked = match ratios() {
        Ok(ratios) => {
            Row { wanted: Wanted::AtMost(1.5), ..Row::ratio(goal, reference, 1.5, ratios) }
        }
        Err(why) => Row::failed(goal, reference, &why),
    };
    let elsewhere = "not part of this run: see docs/bridge.md";
    vec![
        acked,
        Row::failed("no-ack stream of 64 B values", "quinn uni stream, same bytes", elsewhere),
        Row::failed("initial image, 1 KiB values", "quinn bulk", elsewhere),
        Row::failed(
            "failures in 1,000,000 kills at random instructions",
            "",
            "not part of this run: `.ci/kill-campaign` counts them over campaigns",
        ),
    ]
}

/// Of each round of the example.
fn ratios() -> Result<Vec<f64>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no parent directory")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Four endpoints on one processor would measure the scheduler.
    unpin();
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--locked", "--release", "-p", "vug-netbridge"])
        .args(["--example", "ack_latency"])
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    pin_to(0);
    let output = output.map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("the example ack_latency failed: {}", output.status));
    }
    let ratios = rounds(&String::from_utf8_lossy(&output.stdout));
    if ratios.is_empty() {
        return Err("the example ack_latency printed no rounds".into());
    }
    Ok(ratios)
}

/// The last number of every line that begins with the number of a round.
fn rounds(text: &str) -> Vec<f64> {
    let round = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.first()?.parse::<u32>().ok()?;
        words.last()?.parse().ok()
    };
    text.lines().filter_map(round).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn rounds_are_read() {
        let text = "round  bare p50  ratio\n    1   80.1   1.40\n    2   81.0   1.50\n\
                    median ratio 1.45\n";
        assert_eq!(super::rounds(text), [1.40, 1.50]);
    }
}

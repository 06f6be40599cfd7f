//! Values of options: durations, sizes, peers.

use std::net::SocketAddr;
use std::time::Duration;

/// Address of another bridge, and which node alone may answer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) origin: Option<u16>,
}

pub(crate) fn parse_peer(text: &str) -> Result<Peer, String> {
    let (origin, address) = match text.split_once('@') {
        Some((origin, address)) => {
            let origin = origin.parse().map_err(|_| "want the number of a node before the @")?;
            (Some(origin), address)
        }
        None => (None, text),
    };
    let address = address.parse().map_err(|_| "want an address and a port: 192.0.2.2:7420")?;
    Ok(Peer { address, origin })
}

/// Reads `10s`, `500ms`, `2m` or `1h`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("want a number with a unit: 500ms, 10s, 2m, 1h".into()),
    };
    let number: u64 = number.parse().map_err(|_| "want a whole number before the unit")?;
    let total = number.checked_mul(milliseconds).ok_or("that is longer than can be counted")?;
    Ok(Duration::from_millis(total))
}

/// Reads a number of seconds, `5` or `0.5`, or what [`parse_duration`] reads.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, String> {
    let time = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        Err(_) => parse_duration(text)?,
    };
    let sensible = Duration::from_millis(20)..=Duration::from_secs(86_400);
    if sensible.contains(&time) { Ok(time) } else { Err("want 20ms to a day".into()) }
}

/// Reads `1048576`, `64MiB`, `64MB`, `2G` (powers of 1024 with and without the `i`).
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let shift = match unit.to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return Err("want a size such as 65536, 64KiB, 64MiB, 2GiB".into()),
    };
    let number: u64 = number.parse().map_err(|_| "want a whole number before the unit")?;
    number.checked_mul(1 << shift).ok_or_else(|| "that is more than can be addressed".into())
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["", "10", "s", "1.5s", "-1s", "10 parsecs", "99999999999999999999s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn intervals() {
        assert_eq!(parse_interval("5"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_interval("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_interval("200ms"), Ok(Duration::from_millis(200)));
        for bad in ["", "0", "-1", "NaN", "inf", "1e9", "quotes"] {
            assert!(parse_interval(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn peers() {
        let address = "192.0.2.2:7420".parse().unwrap();
        assert_eq!(parse_peer("192.0.2.2:7420"), Ok(Peer { address, origin: None }));
        assert_eq!(parse_peer("2@192.0.2.2:7420"), Ok(Peer { address, origin: Some(2) }));
        for bad in ["", "192.0.2.2", "x@192.0.2.2:7420", "70000@192.0.2.2:1", "@192.0.2.2:1"] {
            assert!(parse_peer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("65536"), Ok(65_536));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("2G"), Ok(2 << 30));
        for bad in ["", "MiB", "1TiB", "-1", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}

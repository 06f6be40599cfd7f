//! Regions that come and go, by many processes at once.

use vug::{Error, Node};

/// Opens or creates a region, uses it and destroys it, as often as was asked for.
pub(crate) fn run(node: &Node, name: &str, count: u64) -> vug::Result<String> {
    let rounds = if count == 0 { u64::MAX } else { count };
    let (mut created, mut destroyed) = (0_u64, 0_u64);
    for round in 0..rounds {
        match once(node, name, round) {
            Ok((made, ended)) => {
                created += u64::from(made);
                destroyed += u64::from(ended);
            }
            // Somebody else was faster, which is what this is about.
            Err(Error::RegionDestroyed { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(format!("ok {created} {destroyed}"))
}

/// Whether it created the region, and destroyed it.
fn once(node: &Node, name: &str, round: u64) -> vug::Result<(bool, bool)> {
    let (region, made) = match node.region(name).max_bytes(1 << 20).create() {
        Ok(region) => (region, true),
        Err(Error::RegionExists { .. }) => {
            (node.region(name).max_bytes(1 << 20).open_or_create()?, false)
        }
        Err(error) => return Err(error),
    };
    let key = round.to_le_bytes();
    region.put(&key, &key)?;
    if let Some(value) = region.get(&key)? {
        // Whoever else uses the region puts the same under this key.
        assert_eq!(*value, key);
    }
    match region.destroy_region() {
        Ok(()) => Ok((made, true)),
        Err(Error::RegionDestroyed { .. }) => Ok((made, false)),
        Err(error) => Err(error),
    }
}

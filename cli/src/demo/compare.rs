//! All nodes hold the same, and nothing that was acknowledged is lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vug::{Region, Token};

use super::PATIENCE;
use super::bridges::Bridges;
use super::data::Data;
use super::pause::Pause;
use super::tally::Acked;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

#[derive(Debug, Clone, Default)]
pub(super) struct Comparison {
    pub(super) keys: u64,
    /// Key and what is wrong with it.
    pub(super) differences: Vec<(String, String)>,
    /// Time from the end of the last writer to the look at which the nodes were equal.
    pub(super) settled: Duration,
}

type Entries = BTreeMap<Vec<u8>, (Vec<u8>, Token)>;

/// Compares until nothing differs or patience is at its end.
pub(super) fn until_equal(
    regions: &[&Region],
    data: &Data,
    acked: &[Acked],
    bridges: &mut Bridges<'_>,
    interrupt: &Interrupt,
) -> Result<Comparison, Failure> {
    let begin = Instant::now();
    loop {
        bridges.check()?;
        let settled = begin.elapsed();
        let copies = regions.iter().map(|region| entries(region)).collect::<Result<Vec<_>, _>>()?;
        let differences = differences(&copies, data, acked);
        if differences.is_empty() || settled > PATIENCE {
            let keys = copies.first().map_or(0, |copy| copy.len() as u64);
            return Ok(Comparison { keys, differences, settled });
        }
        interrupt.pause(Duration::from_millis(20))?;
    }
}

fn entries(region: &Region) -> Result<Entries, Failure> {
    let mut entries = Entries::new();
    for entry in region.iter() {
        let entry = entry?;
        let state = (entry.value, entry.token);
        // An entry that moved during the iteration may be seen twice; the newer state counts.
        let seen = entries.entry(entry.key).or_insert_with(|| state.clone());
        if seen.1 < state.1 {
            *seen = state;
        }
    }
    Ok(entries)
}

fn differences(copies: &[Entries], data: &Data, acked: &[Acked]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some((first, others)) = copies.split_first() else {
        return found;
    };
    for (index, acked) in acked.iter().enumerate() {
        let key = data.key(index);
        let mut complain = |what: String| {
            found.push((String::from_utf8_lossy(key).into_owned(), what));
        };
        match first.get(key) {
            None => complain("missing on node 1".to_owned()),
            Some((value, token)) => {
                if (token.version, token.origin) < *acked {
                    let (have, want) = (token.version, acked.0);
                    complain(format!("version {have} on node 1, {want} was acknowledged"));
                }
                if !data.is_whole(index, value) {
                    complain("the value on node 1 is not whole".to_owned());
                }
            }
        }
        for (number, other) in others.iter().enumerate() {
            if other.get(key) != first.get(key) {
                complain(unlike(number + 2, first.get(key), other.get(key)));
            }
        }
    }
    for (number, copy) in copies.iter().enumerate() {
        if copy.len() > acked.len() {
            let what = format!("node {} has {} entries", number + 1, copy.len());
            found.push(("(keys that nobody wrote)".to_owned(), what));
        }
    }
    found
}

fn unlike(
    number: usize,
    first: Option<&(Vec<u8>, Token)>,
    other: Option<&(Vec<u8>, Token)>,
) -> String {
    let describe = |state: Option<&(Vec<u8>, Token)>| match state {
        None => "nothing".to_owned(),
        Some((value, token)) => {
            format!("{} bytes, version {}.{}", value.len(), token.version, token.origin)
        }
    };
    format!("node 1 has {}, node {number} has {}", describe(first), describe(other))
}

#[cfg(test)]
mod tests {
    use vug::Kind;

    use super::*;

    fn copy(data: &Data, version: u64) -> Entries {
        let token = Token { version, origin: 1, kind: Kind::Value };
        (0..data.len())
            .map(|i| (data.key(i).to_vec(), (data.first_value(i).to_vec(), token)))
            .collect()
    }

    #[test]
    fn equal_copies_at_the_acknowledged_version() {
        let data = Data::new(3).unwrap();
        let copies = [copy(&data, 5), copy(&data, 5)];
        assert!(differences(&copies, &data, &[(5, 1), (4, 9), (0, 0)]).is_empty());
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let data = Data::new(3).unwrap();
        let mut copies = [copy(&data, 5), copy(&data, 5), copy(&data, 5)];
        copies[1].remove(data.key(0));
        copies[2].get_mut(data.key(1)).unwrap().1.origin = 2;
        copies[0].insert(b"nobody".to_vec(), copies[0][data.key(2)].clone());
        let found = differences(&copies, &data, &[(5, 1), (5, 1), (6, 1)]);
        let what: Vec<&str> = found.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(what.len(), 4);
        assert!(what[0].ends_with("node 2 has nothing"), "{what:?}");
        assert!(what[1].contains("version 5.1, node 3 has"), "{what:?}");
        assert_eq!(what[2], "version 5 on node 1, 6 was acknowledged");
        assert_eq!(what[3], "node 1 has 4 entries");
    }
}

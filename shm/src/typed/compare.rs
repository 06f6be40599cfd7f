//! The schema of a region: what it says, and what is wrong with another one.

use crate::error::{Error, Result};
use crate::region;
use crate::typed::shape::Shape;

/// Between key and value in the text.
const ARROW: &str = " -> ";

/// The text that a region with these types stores.
pub(super) fn schema(key: &Shape, value: &Shape) -> String {
    format!("{key}{ARROW}{value}")
}

/// Refuses a region that says that it holds other types. `untagged`: one that says nothing is
/// right.
pub(super) fn check(
    region: &region::Region,
    key: &Shape,
    value: &Shape,
    untagged: bool,
) -> Result<()> {
    let wanted = schema(key, value);
    let found = region.schema();
    if found == Some(&wanted) || (found.is_none() && untagged) {
        return Ok(());
    }
    let shapes = found.and_then(|found| found.split_once(ARROW));
    let differences = shapes.and_then(|(found_key, found_value)| {
        let (found_key, found_value) = (found_key.parse().ok()?, found_value.parse().ok()?);
        let mut list = key.differences(&found_key, "key");
        list.extend(value.differences(&found_value, "value"));
        Some(list)
    });
    Err(Error::SchemaMismatch {
        region: region.name().into(),
        wanted,
        found: found.map(str::to_owned),
        differences: differences.unwrap_or_default(),
    })
}

/// Refuses a region whose values may begin where one of the type cannot.
pub(super) fn check_alignment(region: &str, has: u64, value: &Shape, needs: usize) -> Result<()> {
    if has >= needs as u64 {
        return Ok(());
    }
    Err(Error::InvalidAttributes {
        region: region.into(),
        reason: format!("{value} needs alignment {needs}, but values begin at multiples of {has}"),
        remedy: format!("make the region with alignment {needs}, or without saying any"),
    })
}

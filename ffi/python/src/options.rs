//! Attributes of regions, as keyword arguments and as dictionaries.

use std::str::FromStr;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use vug::{Expiry, ExpiryAction, RegionBuilder};

use crate::failure::Result;
use crate::time::Seconds;

/// Sets the attributes that are given, data policy and scope behind the shortcut that they refine.
pub(crate) fn apply<'n>(
    mut builder: RegionBuilder<'n>,
    attributes: Option<&Bound<'_, PyDict>>,
) -> Result<RegionBuilder<'n>> {
    let Some(attributes) = attributes else { return Ok(builder) };
    for name in ["shortcut", "data_policy", "scope"] {
        if let Some(value) = attributes.get_item(name)? {
            builder = choose(builder, name, &value)?;
        }
    }
    for (name, value) in attributes.iter() {
        builder = attribute(builder, name.extract()?, &value)?;
    }
    Ok(builder)
}

fn choose<'n>(
    builder: RegionBuilder<'n>,
    name: &str,
    value: &Bound<'_, PyAny>,
) -> Result<RegionBuilder<'n>> {
    Ok(match name {
        "shortcut" => builder.shortcut(choice(value)?),
        "data_policy" => builder.data_policy(choice(value)?),
        _ => builder.scope(choice(value)?),
    })
}

fn attribute<'n>(
    builder: RegionBuilder<'n>,
    name: &str,
    value: &Bound<'_, PyAny>,
) -> Result<RegionBuilder<'n>> {
    Ok(match name {
        "shortcut" | "data_policy" | "scope" => builder,
        "max_bytes" => builder.max_bytes(value.extract()?),
        "segment_bytes" => builder.segment_bytes(value.extract()?),
        "alignment" => builder.alignment(value.extract()?),
        "eviction" => builder.eviction(choice(value)?),
        "max_entries" => builder.max_entries(value.extract()?),
        "interest" => builder.interest(choice(value)?),
        "old_values" => builder.old_values(value.extract()?),
        "early_ack" => builder.early_ack(value.extract()?),
        "concurrency_checks" => builder.concurrency_checks(value.extract()?),
        "entry_ttl" => match expiry(value)? {
            Some(expiry) => builder.entry_ttl(expiry),
            None => builder,
        },
        "entry_idle" => match expiry(value)? {
            Some(expiry) => builder.entry_idle(expiry),
            None => builder,
        },
        _ => {
            let message = format!("{name:?} is no attribute of a region");
            return Err(PyTypeError::new_err(message).into());
        }
    })
}

fn choice<T: FromStr<Err = String>>(value: &Bound<'_, PyAny>) -> PyResult<T> {
    value.extract::<&str>()?.parse().map_err(PyValueError::new_err)
}

/// A time, or a time and what becomes of the entry then.
pub(crate) fn expiry(value: &Bound<'_, PyAny>) -> PyResult<Option<Expiry>> {
    if value.is_none() {
        return Ok(None);
    }
    if let Ok((Seconds(after), action)) = value.extract::<(Seconds, Bound<'_, PyAny>)>() {
        return Ok(Some(Expiry { after, action: choice(&action)? }));
    }
    let Seconds(after) = value.extract()?;
    Ok(Some(Expiry { after, action: ExpiryAction::Destroy }))
}

/// The attributes of a region, by name.
pub(crate) fn show<'py>(
    py: Python<'py>,
    attributes: &vug::Attributes,
) -> PyResult<Bound<'py, PyDict>> {
    let shown = |expiry: Option<Expiry>| {
        expiry.map(|expiry| (expiry.after.as_secs_f64(), expiry.action.to_string()))
    };
    let all = PyDict::new(py);
    all.set_item("data_policy", attributes.data_policy.to_string())?;
    all.set_item("scope", attributes.scope.to_string())?;
    all.set_item("early_ack", attributes.early_ack)?;
    all.set_item("concurrency_checks", attributes.concurrency_checks)?;
    all.set_item("interest", attributes.interest.to_string())?;
    all.set_item("old_values", attributes.old_values)?;
    all.set_item("max_bytes", attributes.max_bytes)?;
    all.set_item("segment_bytes", attributes.segment_bytes)?;
    all.set_item("alignment", attributes.alignment)?;
    all.set_item("entry_ttl", shown(attributes.entry_ttl))?;
    all.set_item("entry_idle", shown(attributes.entry_idle))?;
    all.set_item("eviction", attributes.eviction.to_string())?;
    all.set_item("max_entries", attributes.max_entries)?;
    Ok(all)
}

//! Operations on many keys.

use std::sync::Mutex;

use crate::boundary::{Array, Caller, Output, entry, exclusive};
use crate::handle::{Kind, Table};
use crate::options::vug_write_options_t;
use crate::region::{Area, REGIONS};
use crate::status::{Failure, VUG_NOT_FOUND, VUG_OK, vug_status_t};
use crate::types::{
    vug_bytes_t, vug_departed_t, vug_pair_t, vug_region_t, vug_result_t, vug_value_t, vug_values_t,
};

static VALUES: Table<vug_values_t, Mutex<Values>> = Table::new(Kind::Values);

/// Copies of the values of many keys, one behind the other.
#[derive(Default)]
struct Values {
    bytes: Vec<u8>,
    /// Of each key: end of its value in `bytes`, and the state that was read.
    found: Vec<(usize, Option<vug::Token>)>,
}

impl Values {
    fn push(&mut self, found: Option<(&[u8], vug::Token)>) {
        self.bytes.extend_from_slice(found.map_or(&[], |(value, _)| value));
        self.found.push((self.bytes.len(), found.map(|(_, token)| token)));
    }

    fn read(&mut self, area: &Area, keys: &[&[u8]]) -> vug::Result<()> {
        self.bytes.clear();
        self.found.clear();
        match area {
            Area::Shared(region) => region.get_many(keys, |_, entry| {
                self.push(entry.map(|entry| (entry.value, entry.token)));
            }),
            Area::Watched(region) => keys.iter().try_for_each(|key| {
                let entry = region.get(key)?;
                self.push(entry.as_ref().map(|entry| (&*entry.value, entry.token)));
                Ok(())
            }),
        }
    }

    fn show(&self, array: &mut Array<'_, vug_value_t>) {
        let mut start = 0;
        for (index, (end, token)) in self.found.iter().enumerate() {
            let value = &self.bytes[start..*end];
            start = *end;
            let shown = token.map_or_else(vug_value_t::default, |token| vug_value_t {
                data: value.as_ptr().cast(),
                len: value.len(),
                token: token.into(),
            });
            array.set(index, shown);
        }
    }
}

/// Makes a place for the values of many keys. It can be used again and again, and then costs no
/// allocation. Free it with vug_values_free().
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_ARGUMENT, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_values_new(values: *mut *mut vug_values_t) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.handle_output(values, "values")?;
        output.set(VALUES.insert(Mutex::default())?);
        Ok(VUG_OK)
    })
}

/// Frees it with the values that it holds.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_values_free(values: *mut vug_values_t) -> vug_status_t {
    entry!(|_caller| {
        VALUES.remove(values)?;
        Ok(VUG_OK)
    })
}

/// Reads `count` keys, several times as fast as one after the other when they are not in the
/// processor's cache. The values are copied to `values`, where they stay until its next use;
/// `results` has room for `count` and shows for each key where its value is, `data` NULL if it has
/// none. Each key is read at an instant of its own.
///
/// Returns VUG_OK, also if some or all keys have no value, VUG_ERR_NULL, VUG_ERR_HANDLE,
/// VUG_ERR_BUSY, VUG_ERR_ARGUMENT, VUG_ERR_INVALID_KEY (before anything is read),
/// VUG_ERR_TOO_MANY_PINS, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_get_all(
    region: *const vug_region_t,
    keys: *const vug_bytes_t,
    count: usize,
    values: *mut vug_values_t,
    results: *mut vug_value_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut array = caller.array(results, count, "results")?;
        let keys = caller.keys(keys, count)?;
        let values = caller.object(&VALUES, values)?;
        let mut values = exclusive(&values)?;
        caller.with(&REGIONS, region, |area| Ok(values.read(area, &keys)?))?;
        values.show(&mut array);
        Ok(VUG_OK)
    })
}

/// Options of a write of many keys, and where the nodes go that left instead of acknowledging.
fn options_of(
    caller: &Caller,
    options: *const vug_write_options_t,
) -> Result<(Option<Output<'_, vug_departed_t>>, vug::WriteOptions), Failure> {
    let options = caller.options_or_default(options)?;
    let departed = caller.optional_output(options.departed, "options.departed")?;
    Ok((departed, options.to_options()?))
}

/// What became of the keys, for the caller.
fn report<T>(
    mut array: Array<'_, vug_result_t>,
    departed: Option<Output<'_, vug_departed_t>>,
    bulk: vug::Bulk<T>,
    outcome: impl Fn(&T) -> Option<vug::Outcome>,
) -> Result<vug_status_t, Failure> {
    if let Some(mut departed) = departed {
        departed.set(bulk.departed.into());
    }
    for (index, result) in bulk.results.iter().enumerate() {
        let found = match result {
            Ok(done) => outcome(done).map_or_else(
                || vug_result_t { status: VUG_NOT_FOUND, ..vug_result_t::default() },
                |outcome| vug_result_t { token: outcome.token.into(), ..vug_result_t::default() },
            ),
            Err(error) => {
                let status = -vug_status_t::from(error.code());
                vug_result_t { status, ..vug_result_t::default() }
            }
        };
        array.set(index, found);
    }
    bulk.all()?;
    Ok(VUG_OK)
}

/// Stores `count` entries, each as vug_put() does, in their order; in a region of scope
/// distributed-ack there is one wait for all of them. `results` has room for `count` and receives
/// what became of each.
///
/// Returns VUG_OK if all are stored; VUG_ERR_BULK_FAILED if some are not, see `results`;
/// VUG_ERR_ACK_TIMEOUT if all are stored here and not acknowledged in time. Any other error means
/// that nothing was done: those of vug_put(), VUG_ERR_INVALID_KEY and VUG_ERR_VALUE_TOO_LARGE if
/// any entry is impossible.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_put_all(
    region: *mut vug_region_t,
    entries: *const vug_pair_t,
    count: usize,
    options: *const vug_write_options_t,
    results: *mut vug_result_t,
) -> vug_status_t {
    entry!(|caller| {
        let array = caller.array(results, count, "results")?;
        let (departed, options) = options_of(caller, options)?;
        let entries = caller.pairs(entries, count)?;
        let bulk = caller.with_for_write(&REGIONS, region, |area| {
            Ok(area.shared()?.put_all_with(&entries, &options)?)
        })?;
        report(array, departed, bulk, |outcome| Some(*outcome))
    })
}

/// Removes `count` keys, each as vug_remove() does, in their order, with one wait for all.
/// `results` has room for `count`; the status of a key that is not there is VUG_NOT_FOUND.
///
/// Returns what vug_put_all() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_remove_all(
    region: *mut vug_region_t,
    keys: *const vug_bytes_t,
    count: usize,
    options: *const vug_write_options_t,
    results: *mut vug_result_t,
) -> vug_status_t {
    entry!(|caller| {
        let array = caller.array(results, count, "results")?;
        let (departed, options) = options_of(caller, options)?;
        let keys = caller.keys(keys, count)?;
        let bulk = caller.with_for_write(&REGIONS, region, |area| {
            Ok(area.shared()?.remove_all_with(&keys, &options)?)
        })?;
        report(array, departed, bulk, |outcome| *outcome)
    })
}

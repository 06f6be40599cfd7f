//! A region in numbers, as a dictionary.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::region::Region;
use crate::time::timestamp;

macro_rules! fields {
    ($all:ident, $statistics:ident: $($field:ident)*) => {
        $($all.set_item(stringify!($field), &$statistics.$field)?;)*
    };
}

#[pymethods]
impl Region {
    /// Counters and sizes as they are now, by the names that they have in Rust. Times are in
    /// seconds.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let statistics = py.detach(|| self.region.statistics());
        let all = PyDict::new(py);
        fields!(all, statistics:
            entries tombstones max_bytes backed_bytes index_bytes live_bytes dead_bytes free_bytes
            largest_free_bytes sealed_bytes sealed_dead_bytes segment_bytes segments_total
            segments_free segments_active segments_sealed segments_quarantined segments_index
            index_buckets growths recoveries segments_cleaned records_moved segments_released
            bytes_moved members members_max threads threads_max pins subscriptions ack_waiters
            ring_tail ring_len bridged sent received applied);
        let counters = PyDict::new(py);
        for (name, count) in statistics.counters.iter() {
            counters.set_item(name, count)?;
        }
        all.set_item("counters", counters)?;
        all.set_item("state", format!("{:?}", statistics.state).to_lowercase())?;
        all.set_item("hit_ratio", statistics.hit_ratio())?;
        all.set_item("fragmentation", statistics.fragmentation())?;
        all.set_item("ring_lag", statistics.ring_lag())?;
        all.set_item("unsent", statistics.unsent())?;
        let age = statistics.oldest_pin.map(|age| age.as_secs_f64());
        all.set_item("oldest_pin", age)?;
        Ok(all)
    }

    /// The members that have the region open.
    fn members<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let members = self.region.member_statistics();
        let shown = members.iter().map(|member| {
            let all = PyDict::new(py);
            fields!(all, member: member pid program alive threads pins subscriptions);
            all.set_item("since", timestamp(member.since))?;
            let counters = PyDict::new(py);
            for (name, count) in member.counters.iter() {
                counters.set_item(name, count)?;
            }
            all.set_item("counters", counters)?;
            Ok(all)
        });
        shown.collect()
    }
}

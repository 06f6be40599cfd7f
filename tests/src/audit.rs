//! The audit of a region file as an assertion.

use std::path::Path;
use vug::check::{Report, check_file};

/// Asserts that every byte of a region file is accounted for and nothing is wrong. Nobody may write
/// meanwhile.
///
/// # Panics
/// When the audit finds a problem or cannot be done.
pub fn assert_clean(path: &Path) -> Option<Report> {
    let report = match check_file(path) {
        Err(vug::Error::NotBuiltYet { .. }) => return None,
        other => other.expect("the file can be checked"),
    };
    assert!(report.is_clean(), "{:#?}", report.problems);
    Some(report)
}

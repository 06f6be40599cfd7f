//! Attributes that differ, side by side.

use std::fmt;

/// One attribute that an existing region has differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeDifference {
    /// Name of the attribute as in the configuration.
    pub attribute: &'static str,
    /// Value asked for.
    pub wanted: String,
    /// Value in the file.
    pub found: String,
}

impl fmt::Display for AttributeDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, asked for {}", self.attribute, self.found, self.wanted)
    }
}

/// One line for each difference below a line that names the columns.
pub(super) fn side_by_side(
    f: &mut fmt::Formatter<'_>,
    differences: &[AttributeDifference],
) -> fmt::Result {
    let rows = differences.iter().map(|row| [row.attribute, &row.wanted, &row.found]);
    let rows: Vec<[&str; 3]> =
        std::iter::once(["attribute", "wanted", "found"]).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    for [attribute, wanted, found] in &rows {
        write!(f, "\n  {attribute:first$}  {wanted:second$}  {found}")?;
    }
    Ok(())
}

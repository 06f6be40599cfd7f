//! Mistakes that the simulation makes on purpose, to show that it would find them. Without tests
//! there are none.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Tombstones are forgotten as soon as this node itself holds everything.
    ForgetAlone,
    /// Nobody is kept from taking what is older than a forgotten tombstone.
    NoHorizon,
    /// Changes count as applied when they have arrived.
    AckBeforeApply,
    /// What the source of an image claims is believed before the image is there.
    ClaimsBeforeImage,
    /// A delta leaves out what is old, whoever made it.
    DeltaByTimeAlone,
    /// A copy with content of its own sends before it has taken an image.
    JoinWithoutImage,
    /// Acknowledgements count although the member has skipped a part of the stream.
    ProvisionalCounts,
}

#[cfg(test)]
thread_local! {
    static SEEDED: std::cell::Cell<Option<Defect>> = const { std::cell::Cell::new(None) };
}

/// Makes one mistake from now on in this thread, or none.
#[cfg(test)]
pub(crate) fn seed(defect: Option<Defect>) {
    SEEDED.set(defect);
}

/// Whether this mistake is to be made.
#[cfg(test)]
pub(crate) fn seeded(defect: Defect) -> bool {
    SEEDED.get() == Some(defect)
}

/// Whether this mistake is to be made: never.
#[cfg(not(test))]
pub(crate) const fn seeded(_: Defect) -> bool {
    false
}

//! Attributes that change while the region is in use.
//!
//! Each is one word of the region that every member reads when it needs it, so one store changes it
//! for all members at once.

use crate::crash;
use crate::error::{Error, Result};
use crate::region::Region;
use crate::region::attributes::Eviction;
use crate::sync::Release;

impl Region {
    /// Sets the bound on the number of entries. Holds at once for all members: if there are more
    /// entries than that, the next writes evict what is above it.
    ///
    /// A region that was made without a bound does not count its entries and cannot get one; one
    /// that has a bound keeps one. `max_bytes` and everything else decides what the file looks
    /// like, and is fixed.
    ///
    /// # Errors
    /// `InvalidAttributes` if the region does not evict, was made without a bound, or `entries` is
    /// 0. `RegionDestroyed`, `RegionClosed`, `ForkedChild`.
    pub fn set_max_entries(&self, entries: u64) -> Result<()> {
        self.mapped.check_life()?;
        let attributes = self.attributes();
        let (reason, remedy) = if attributes.eviction == Eviction::None {
            (
                "max_entries says how many entries stay, but nothing is evicted",
                "make it with eviction",
            )
        } else if attributes.max_entries == 0 {
            (
                "it was made without a bound on entries, so nobody counts them",
                "make it with max_entries; a bound that is never reached can be lowered later",
            )
        } else if entries == 0 {
            (
                "a bound on entries cannot be taken away",
                "give a bound that is never reached, such as the number of bytes",
            )
        } else {
            self.mapped.words().max_entries.store(entries, Release);
            crash::point("alter.max_entries");
            return Ok(());
        };
        let (reason, remedy) = (reason.into(), remedy.into());
        Err(Error::InvalidAttributes { region: self.name().into(), reason, remedy })
    }
}

#[cfg(test)]
mod tests;

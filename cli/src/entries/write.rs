//! Many writes and one wait: in a distributed-ack region the other nodes acknowledge a whole batch
//! in the time that a single write takes.

use std::time::{Duration, Instant};

use vug::{Error, Region, Scope, WriteOptions};

/// Writes to one region whose acknowledgements are awaited together.
#[derive(Debug)]
pub(crate) struct Writes<'r> {
    region: &'r Region,
    within: Duration,
    acknowledged: bool,
    /// Position below which everything must be applied elsewhere; 0: nothing is awaited.
    awaited: u64,
}

impl<'r> Writes<'r> {
    pub(crate) fn new(region: &'r Region, within: Duration) -> Self {
        let acknowledged = region.attributes().scope == Scope::DistributedAck;
        Self { region, within, acknowledged, awaited: 0 }
    }

    /// Stores an entry; returns whether the key was absent.
    pub(crate) fn put(
        &mut self,
        key: &[u8],
        value: &[u8],
        ttl: Option<Duration>,
    ) -> vug::Result<bool> {
        let mut options = self.options();
        options.ttl = ttl;
        // A write whose acknowledgement is left to `settle` does not tell what was there before.
        let absent = self.acknowledged && !self.region.contains_key(key)?;
        let outcome = self.region.put_with(key, value, &options);
        Ok(self.done(outcome)?.map_or(absent, |outcome| outcome.created))
    }

    /// Removes an entry; returns whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> vug::Result<bool> {
        let outcome = self.region.remove_with(key, &self.options());
        match self.done(outcome)? {
            Some(None) => Ok(false),
            // Only a write that took place waits for anybody.
            Some(Some(_)) | None => Ok(true),
        }
    }

    /// Waits until the other nodes have all that was written.
    ///
    /// # Errors
    /// `AckTimeout`; everything is stored on this node then.
    pub(crate) fn settle(&mut self) -> vug::Result<()> {
        let awaited = std::mem::take(&mut self.awaited);
        if awaited == 0 {
            return Ok(());
        }
        self.region.wait_applied(awaited, Some(Instant::now() + self.within))
    }

    fn options(&self) -> WriteOptions {
        WriteOptions::ack_within(if self.acknowledged { Duration::ZERO } else { self.within })
    }

    /// Takes note of what the other nodes have not got yet; `None`: done, and that is all known.
    fn done<T>(&mut self, result: vug::Result<T>) -> vug::Result<Option<T>> {
        match result {
            Ok(outcome) => Ok(Some(outcome)),
            Err(Error::AckTimeout { position, .. }) if self.acknowledged => {
                self.awaited = self.awaited.max(position);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

//! Listeners of typed regions, and subscriptions with options.

use crate::error::Result;
use crate::region::events::ListenOptions;
use crate::region::listen::Listener;
use crate::region::{self, events};
use crate::typed::events::Typed;
use crate::typed::form::Form;
use crate::typed::{Key, Notice, Region, Subscription, Value};

impl<K: ?Sized + Key, V: Value> Region<K, V> {
    /// Follows the changes of the region from now on.
    pub fn subscribe(&self) -> Subscription<K, V> {
        self.subscribe_with(ListenOptions::new())
    }

    /// [`Region::subscribe`] with options.
    pub fn subscribe_with(&self, options: ListenOptions) -> Subscription<K, V> {
        Subscription::new(self.untyped().subscribe_with(options), self.name())
    }

    /// Calls `f` with every notice from now on, on a thread that the handle stops; see
    /// [`listen`](crate::Region::listen) of the untyped region. A change to bytes that are not of
    /// the types is the error `NotOfType`; the listener goes on.
    ///
    /// ```
    /// # let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm")?;
    /// # let node = vug::Node::open(home.path())?;
    /// use vug::ListenOptions;
    /// use vug::typed::Notice;
    ///
    /// let stock = node.region("stock").max_bytes(16 << 20).typed::<str, u32>().create()?;
    /// let (send, told) = std::sync::mpsc::channel();
    /// let listener = stock.listen(ListenOptions::new(), move |notice| {
    ///     if let Ok(Notice::Event(event)) = notice {
    ///         send.send((event.key, event.value)).ok();
    ///     }
    /// })?;
    /// stock.put("pears", &3)?;
    /// assert_eq!(told.recv()?, ("pears".to_string(), Some(3)));
    /// # drop(listener);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn listen(
        &self,
        options: ListenOptions,
        f: impl FnMut(Result<Notice<K::Owned, V>>) + Send + 'static,
    ) -> Result<Listener>
    where
        K: 'static,
        V: 'static,
    {
        listen::<K, V, super::InPlace>(self.untyped(), options, f)
    }
}

/// A listener whose function gets notices with types.
pub(super) fn listen<K, V, F>(
    region: &region::Region,
    options: ListenOptions,
    mut f: impl FnMut(Result<Notice<K::Owned, V>>) + Send + 'static,
) -> Result<Listener>
where
    K: ?Sized + Key + 'static,
    V: 'static,
    F: Form<V> + 'static,
{
    let form = Typed::<K, V, F>::new(region.name());
    region.listen(options, move |notice: &events::Notice| f(form.typed(notice.clone())))
}

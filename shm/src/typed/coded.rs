//! Regions of values that go through a codec: any type of serde's, copied at each read and write.

use std::borrow::Borrow;
use std::fmt;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::layout::record::MIN_ALIGNMENT;
use crate::node::RegionBuilder;
use crate::region;
use crate::region::bulk::Bulk;
use crate::region::events::ListenOptions;
use crate::region::listen::Listener;
use crate::region::wait::Waited;
use crate::region::{Kind, Outcome, Swap, Token, WriteOptions, atomic};
use crate::typed::compare::{check, schema};
use crate::typed::form::{Form, Sealed};
use crate::typed::{
    Entry, Key, Notice, PutIfAbsent, Shape, Subscription, Types, listen, not_of_type,
};

/// How values become bytes, and back.
pub trait Codec {
    /// What the region remembers: one word.
    const NAME: &'static str;

    /// Appends the bytes of a value.
    ///
    /// # Errors
    /// What the codec says.
    fn encode<T: ?Sized + Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<(), String>;

    /// The value that the bytes stand for.
    ///
    /// # Errors
    /// What the codec says.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String>;
}

/// Compact bytes without names: fields are told apart by their order, so a type that got a field
/// needs a new name and a region of its own.
#[derive(Debug, Clone, Copy)]
pub struct Postcard;

/// Text with names: larger and slower, but readable for every language and on the command line, and
/// types may get fields with defaults.
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl Codec for Postcard {
    const NAME: &'static str = "postcard";

    fn encode<T: ?Sized + Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<(), String> {
        *bytes = postcard::to_extend(value, std::mem::take(bytes)).map_err(|e| e.to_string())?;
        Ok(())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(format!("{} bytes too many", rest.len())),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Codec for Json {
    const NAME: &'static str = "json";

    fn encode<T: ?Sized + Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<(), String> {
        serde_json::to_writer(bytes, value).map_err(|error| error.to_string())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

/// A map of keys `K` to values `V` that a codec turns into bytes. Cheap to clone.
///
/// For types that cannot be read in place, because they have strings, vectors or options in them.
/// Every read decodes a copy and every write encodes one; otherwise the operations are those of the
/// untyped [`Region`](crate::Region), with its guarantees and errors, and with `Codec` if the bytes
/// are no value.
///
/// ```
/// # fn main() -> vug::Result<()> {
/// # let home = std::path::PathBuf::from(format!("/dev/shm/vug-doc-coded-{}", std::process::id()));
/// use vug::typed::{Coded, Json};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Person { name: String, languages: Vec<String> }
///
/// let node = vug::Node::open(&home)?;
/// let people: Coded<u64, Person, Json> =
///     node.region("people").max_bytes(16 << 20).coded("person-1").open_or_create()?;
/// people.put(&7, &Person { name: "Ada".into(), languages: vec!["en".into()] })?;
/// assert_eq!(people.get(&7)?.map(|person| person.name).as_deref(), Some("Ada"));
/// # std::fs::remove_dir_all(&home).ok();
/// # Ok(()) }
/// ```
pub struct Coded<K: ?Sized, V, C = Postcard> {
    inner: region::Region,
    types: Types<K, (V, C)>,
}

impl<K: ?Sized, V, C> Clone for Coded<K, V, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), types: Types::default() }
    }
}

impl<K: ?Sized, V, C> fmt::Debug for Coded<K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Creates or opens a region of coded values: [`RegionBuilder::coded`].
#[must_use = "call create, open or open_or_create"]
pub struct CodedBuilder<'n, K: ?Sized, V, C = Postcard> {
    inner: RegionBuilder<'n>,
    name: &'n str,
    types: Types<K, (V, C)>,
}

impl<K: ?Sized, V, C> fmt::Debug for CodedBuilder<'_, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<'n> RegionBuilder<'n> {
    /// A region of keys `K` and values `V` that go through the codec `C`, with the attributes given
    /// so far.
    ///
    /// The region remembers the codec and `name`, which stands for the type: one word, and a new
    /// one when old bytes do not fit the type any more, such as `quote-2`.
    pub fn coded<K, V, C>(self, name: &'n str) -> CodedBuilder<'n, K, V, C>
    where
        K: ?Sized + Key,
        V: Serialize + DeserializeOwned,
        C: Codec,
    {
        CodedBuilder { inner: self, name, types: Types::default() }
    }
}

impl<'n, K: ?Sized + Key, V: Serialize + DeserializeOwned, C: Codec> CodedBuilder<'n, K, V, C> {
    /// Creates the region.
    ///
    /// # Errors
    /// As [`RegionBuilder::create`]; `InvalidAttributes` if the name of the type is not one word.
    pub fn create(self) -> Result<Coded<K, V, C>> {
        self.with(RegionBuilder::create)
    }

    /// Opens the region.
    ///
    /// # Errors
    /// As [`RegionBuilder::open`]; `SchemaMismatch` if it holds other types or was made without.
    pub fn open(self) -> Result<Coded<K, V, C>> {
        self.with(RegionBuilder::open)
    }

    /// Opens the region, creating it if it is missing. Safe among any number of callers.
    ///
    /// # Errors
    /// As [`CodedBuilder::open`] and [`CodedBuilder::create`].
    pub fn open_or_create(self) -> Result<Coded<K, V, C>> {
        self.with(RegionBuilder::open_or_create)
    }

    fn with(
        self,
        make: impl FnOnce(RegionBuilder<'n>) -> Result<region::Region>,
    ) -> Result<Coded<K, V, C>> {
        let of_word = |c: char| c.is_alphanumeric() || "_.-".contains(c);
        if self.name.is_empty() || !self.name.chars().all(of_word) {
            return Err(Error::InvalidAttributes {
                region: self.inner.name().into(),
                reason: format!("{:?} is no name for a type", self.name),
                remedy: "use letters, digits and _ . - for the name of a coded type".into(),
            });
        }
        let key = K::key_shape();
        let value = Shape::Plain(format!("{}:{}", C::NAME, self.name).into());
        let alignment = self.inner.given_alignment().unwrap_or(MIN_ALIGNMENT as u64);
        let region = make(self.inner.of_types(alignment, schema(&key, &value)))?;
        check(&region, &key, &value, false)?;
        Ok(Coded { inner: region, types: Types::default() })
    }
}

impl<K: ?Sized + Key, V: Serialize + DeserializeOwned, C: Codec> Coded<K, V, C> {
    /// The same region as bytes.
    pub fn untyped(&self) -> &region::Region {
        &self.inner
    }

    /// Name of the region.
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// The value that these bytes stand for; for scans of the untyped region.
    ///
    /// # Errors
    /// `Codec`.
    pub fn decode(&self, bytes: &[u8]) -> Result<V> {
        C::read(self.name(), bytes)
    }

    fn encode(&self, value: &V) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        C::encode(value, &mut bytes).map_err(|what| codec_error::<C>(self.name(), &what))?;
        Ok(bytes)
    }

    /// A copy of a value. `None` if the key is absent or its value is invalid.
    ///
    /// # Errors
    /// As [`get_into`](crate::Region::get_into) of the untyped region; `Codec`.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        Ok(self.get_versioned(key)?.and_then(|(value, _)| value))
    }

    /// State of an entry and a copy of its value, which is `None` if it is invalid. `None` if the
    /// key is absent.
    ///
    /// # Errors
    /// As [`Coded::get`].
    pub fn get_versioned(&self, key: &K) -> Result<Option<(Option<V>, Token)>> {
        // Copied first: a decoder is the application's, and may use the region.
        let mut bytes = Vec::new();
        let key = key.to_bytes();
        let found = self.inner.mapped.inspect(key.as_ref(), true, |record, token| {
            if token.kind == Kind::Value {
                bytes.extend_from_slice(record.value());
            }
            token
        })?;
        let Some(token) = found else {
            return Ok(None);
        };
        let value = (token.kind == Kind::Value).then(|| self.decode(&bytes)).transpose()?;
        Ok(Some((value, token)))
    }

    /// Copies of the values of many keys, in their order.
    ///
    /// # Errors
    /// As [`get_many`](crate::Region::get_many) of the untyped region; `Codec`.
    pub fn get_all<Q: Borrow<K>>(&self, keys: &[Q]) -> Result<Vec<Option<V>>> {
        let keys: Vec<K::Bytes<'_>> = keys.iter().map(|key| key.borrow().to_bytes()).collect();
        let found = self.inner.get_all(&keys)?;
        let decode = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|b| self.decode(b)).transpose();
        found.iter().map(decode).collect()
    }

    /// Creates or replaces an entry.
    ///
    /// # Errors
    /// As [`put`](crate::Region::put) of the untyped region; `Codec`.
    pub fn put(&self, key: &K, value: &V) -> Result<Outcome> {
        self.inner.put(key.to_bytes().as_ref(), &self.encode(value)?)
    }

    /// [`Coded::put`] with options.
    ///
    /// # Errors
    /// As [`put_with`](crate::Region::put_with) of the untyped region; `Codec`.
    pub fn put_with(&self, key: &K, value: &V, options: &WriteOptions) -> Result<Outcome> {
        self.inner.put_with(key.to_bytes().as_ref(), &self.encode(value)?, options)
    }

    /// Creates an entry.
    ///
    /// # Errors
    /// `EntryExists` if the key is present, else as [`Coded::put`].
    pub fn create(&self, key: &K, value: &V) -> Result<Outcome> {
        self.inner.create(key.to_bytes().as_ref(), &self.encode(value)?)
    }

    /// Replaces the value of an entry that is present; `None` if it is not.
    ///
    /// # Errors
    /// As [`Coded::put`].
    pub fn replace(&self, key: &K, value: &V) -> Result<Option<Outcome>> {
        self.inner.replace(key.to_bytes().as_ref(), &self.encode(value)?)
    }

    /// Replaces the value of an entry that still has the token `expected`.
    ///
    /// # Errors
    /// As [`Coded::put`].
    pub fn compare_and_swap(&self, key: &K, expected: Token, value: &V) -> Result<Swap> {
        self.inner.compare_and_swap(key.to_bytes().as_ref(), expected, &self.encode(value)?)
    }

    /// Reads, computes and writes as one operation: `f` gets the value (`None`: the key is absent
    /// or its value invalid) and returns the new one, or `None` to leave the entry alone. It is
    /// called again whenever another write came in between.
    ///
    /// # Errors
    /// As [`Coded::get`] and [`Coded::put`].
    pub fn update(
        &self,
        key: &K,
        mut f: impl FnMut(Option<V>) -> Option<V>,
    ) -> Result<Option<Outcome>> {
        let mut failed = None;
        let done = self.inner.update(key.to_bytes().as_ref(), |bytes| {
            let value = bytes.map(|bytes| self.decode(bytes)).transpose();
            let new = value.and_then(|value| f(value).map(|new| self.encode(&new)).transpose());
            new.unwrap_or_else(|error| {
                failed = Some(error);
                None
            })
        })?;
        failed.map_or(Ok(done), Err)
    }

    /// Creates an entry unless the key is present; then returns what is there.
    ///
    /// # Errors
    /// As [`Coded::put`].
    pub fn put_if_absent(&self, key: &K, value: &V) -> Result<PutIfAbsent<V>> {
        let bytes = self.encode(value)?;
        Ok(match self.inner.put_if_absent(key.to_bytes().as_ref(), &bytes)? {
            atomic::PutIfAbsent::Created(outcome) => PutIfAbsent::Created(outcome),
            atomic::PutIfAbsent::Present { token, value } => {
                let value = value.map(|bytes| self.decode(&bytes)).transpose()?;
                PutIfAbsent::Present { token, value }
            }
        })
    }

    /// Replaces the value of an entry whose bytes are those of `expected`: for types whose bytes
    /// are the same each time, unlike those of a `HashMap`.
    ///
    /// # Errors
    /// As [`Coded::put`].
    pub fn replace_if(&self, key: &K, expected: &V, value: &V) -> Result<Swap> {
        let (expected, value) = (self.encode(expected)?, self.encode(value)?);
        self.inner.replace_if(key.to_bytes().as_ref(), &expected, &value)
    }

    /// Destroys an entry that still has the token `expected`.
    ///
    /// # Errors
    /// As [`remove_if`](crate::Region::remove_if) of the untyped region.
    pub fn remove_if(&self, key: &K, expected: Token) -> Result<Swap> {
        self.inner.remove_if(key.to_bytes().as_ref(), expected)
    }

    /// Destroys an entry whose bytes are those of `expected`; see [`Coded::replace_if`].
    ///
    /// # Errors
    /// As [`Coded::put`].
    pub fn remove_if_value(&self, key: &K, expected: &V) -> Result<Swap> {
        self.inner.remove_if_value(key.to_bytes().as_ref(), &self.encode(expected)?)
    }

    /// [`Coded::put`] of many entries. Of a key that is there twice the last value stays.
    ///
    /// # Errors
    /// As [`put_all`](crate::Region::put_all) of the untyped region; `Codec`, before anything is
    /// done.
    pub fn put_all<Q: Borrow<K>, W: Borrow<V>>(&self, entries: &[(Q, W)]) -> Result<Bulk<Outcome>> {
        let coded = entries
            .iter()
            .map(|(key, value)| Ok((key.borrow().to_bytes(), self.encode(value.borrow())?)));
        let entries: Vec<(K::Bytes<'_>, Vec<u8>)> = coded.collect::<Result<_>>()?;
        self.inner.put_all(&entries)
    }

    /// [`Coded::remove`] of many keys: `None` for those that are absent.
    ///
    /// # Errors
    /// As [`remove_all`](crate::Region::remove_all) of the untyped region.
    pub fn remove_all<Q: Borrow<K>>(&self, keys: &[Q]) -> Result<Bulk<Option<Outcome>>> {
        let keys: Vec<K::Bytes<'_>> = keys.iter().map(|key| key.borrow().to_bytes()).collect();
        self.inner.remove_all(&keys)
    }

    /// Creates an entry without a value: the key is present and invalid.
    ///
    /// # Errors
    /// As [`create_invalid`](crate::Region::create_invalid) of the untyped region.
    pub fn create_invalid(&self, key: &K) -> Result<Outcome> {
        self.inner.create_invalid(key.to_bytes().as_ref())
    }

    /// Takes the value of an entry and keeps its key. `None` if it was invalid already.
    ///
    /// # Errors
    /// As [`invalidate`](crate::Region::invalidate) of the untyped region.
    pub fn invalidate(&self, key: &K) -> Result<Option<Outcome>> {
        self.inner.invalidate(key.to_bytes().as_ref())
    }

    /// Destroys an entry. A distributed region keeps a tombstone.
    ///
    /// # Errors
    /// `EntryNotFound` if the key is absent, else as [`Coded::remove`].
    pub fn destroy(&self, key: &K) -> Result<Outcome> {
        self.inner.destroy(key.to_bytes().as_ref())
    }

    /// Takes all entries out of the region, at one instant.
    ///
    /// # Errors
    /// As [`clear`](crate::Region::clear) of the untyped region.
    pub fn clear(&self) -> Result<()> {
        self.inner.clear()
    }

    /// Destroys an entry if it is present.
    ///
    /// # Errors
    /// As [`remove`](crate::Region::remove) of the untyped region.
    pub fn remove(&self, key: &K) -> Result<Option<Outcome>> {
        self.inner.remove(key.to_bytes().as_ref())
    }

    /// State of an entry, valid or not. `None` if the key is absent.
    ///
    /// # Errors
    /// As [`token`](crate::Region::token) of the untyped region.
    pub fn token(&self, key: &K) -> Result<Option<Token>> {
        self.inner.token(key.to_bytes().as_ref())
    }

    /// Whether the key is present, with a value or without.
    ///
    /// # Errors
    /// As [`Coded::token`].
    pub fn contains_key(&self, key: &K) -> Result<bool> {
        self.inner.contains_key(key.to_bytes().as_ref())
    }

    /// Whether the key is present and has a value.
    ///
    /// # Errors
    /// As [`Coded::token`].
    pub fn contains_value_for_key(&self, key: &K) -> Result<bool> {
        self.inner.contains_value_for_key(key.to_bytes().as_ref())
    }

    /// Number of entries; see [`len`](crate::Region::len) of the untyped region.
    ///
    /// # Errors
    /// As there.
    pub fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// As [`Coded::len`].
    pub fn is_empty(&self) -> Result<bool> {
        self.inner.is_empty()
    }

    /// Waits until the state of a key differs from `since` (`None`: absent) and returns the state
    /// it has then; see [`wait_for_change`](crate::Region::wait_for_change) of the untyped region.
    ///
    /// # Errors
    /// As [`Coded::token`].
    pub fn wait_for_change(
        &self,
        key: &K,
        since: Option<Token>,
        deadline: Option<Instant>,
    ) -> Result<Waited<Option<Token>>> {
        self.inner.wait_for_change(key.to_bytes().as_ref(), since, deadline)
    }

    /// Follows the changes of the region from now on. A change to bytes that cannot be decoded is
    /// the error `Codec`, after which the subscription goes on.
    pub fn subscribe(&self) -> Subscription<K, V, C> {
        self.subscribe_with(ListenOptions::new())
    }

    /// [`Coded::subscribe`] with options.
    pub fn subscribe_with(&self, options: ListenOptions) -> Subscription<K, V, C> {
        Subscription::new(self.inner.subscribe_with(options), self.name())
    }

    /// Calls `f` with every notice from now on, on a thread that the handle stops; see
    /// [`listen`](crate::Region::listen) of the untyped region.
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
        C: 'static,
    {
        listen::listen::<K, V, C>(&self.inner, options, f)
    }

    /// Copies of all entries that have a value, in no order; an error for one that cannot be
    /// decoded, after which the iteration goes on.
    pub fn iter(&self) -> impl Iterator<Item = Result<Entry<K::Owned, V>>> {
        self.inner.iter().map(|entry| {
            let region::iter::Entry { key, value, token } = entry?;
            let read = K::of_bytes(&key).map(Into::into);
            let read =
                read.ok_or_else(|| not_of_type(self.name(), &K::key_shape(), "key", key.len()))?;
            Ok(Entry { key: read, value: self.decode(&value)?, token })
        })
    }
}

impl<C: Codec> Sealed for C {}

impl<V: DeserializeOwned, C: Codec> Form<V> for C {
    fn read(region: &str, bytes: &[u8]) -> Result<V> {
        C::decode(bytes).map_err(|what| codec_error::<C>(region, &what))
    }
}

#[cold]
fn codec_error<C: Codec>(region: &str, what: &str) -> Error {
    Error::Codec { region: region.into(), what: format!("{}: {what}", C::NAME) }
}

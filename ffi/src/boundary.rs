//! Where C ends and Rust begins: pointers become slices, results become out parameters, and
//! panics stop. Everything unsafe about the caller's pointers is here and in `plain`.
//!
//! An exported function passes its body to `entry!`. The body gets a [`Caller`], whose methods
//! are the only way to use a pointer argument. They rely on what the C caller has promised, in
//! `vug.h`, chapter "Pointers": a pointer is NULL, or it points to an object of its type (for a
//! length in bytes: to as many bytes), which nobody writes, or for an output nobody uses, during
//! the call; text ends with a zero byte. NULL and misaligned pointers are refused here.
//! Handles are no such pointers: see `handle`.

use std::any::Any;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use crate::handle::{Held, Poison, Table};
use crate::plain::Plain;
use crate::region::Area;
use crate::status::{Failure, VUG_ERR_BUSY, vug_status_t};
use crate::types::{vug_bytes_t, vug_pair_t};

/// Runs the body of an exported function. Only for functions that C calls.
macro_rules! entry {
    (|$caller:ident| $body:expr) => {
        $crate::boundary::run(
            // SAFETY: `entry!` stands in functions that are exported to C and nowhere else
            // (`tests/header.rs` looks), so the C caller's promise covers the pointer arguments,
            // which are all that the body has to hand to the `Caller`.
            unsafe { $crate::boundary::Caller::promised() },
            |$caller| $body,
        )
    };
}
pub(crate) use entry;

/// The C caller of the running function and its promise about pointer arguments.
pub(crate) struct Caller {
    /// The handle to poison if this call panics.
    touched: Cell<Option<(&'static dyn Poison, usize)>>,
}

/// Calls `body` and turns whatever happens into a status.
pub(crate) fn run(
    caller: Caller,
    body: impl FnOnce(&Caller) -> Result<vug_status_t, Failure>,
) -> vug_status_t {
    // Unwind safety: a handle that a panic went through is poisoned, and regions in shared memory
    // must survive the death of a process at any instruction anyway.
    let payload = match catch_unwind(AssertUnwindSafe(|| body(&caller))) {
        Ok(Ok(status)) => return status,
        Ok(Err(failure)) => return failure.report(),
        Err(payload) => payload,
    };
    if let Some((table, address)) = caller.touched.get() {
        table.poison(address);
    }
    let failure = Failure::internal(format_args!("panic: {}", message(&*payload)));
    // The payload's own destructor could panic, outside of any boundary.
    mem::forget(payload);
    failure.report()
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

impl Caller {
    /// # Safety
    ///
    /// The running function was called from C, its caller keeps the promise above, and the
    /// methods are called with the function's own pointer arguments only.
    pub(crate) unsafe fn promised() -> Self {
        Self { touched: Cell::new(None) }
    }

    /// Notes which handle the call uses: a panic poisons it.
    #[inline(always)]
    pub(crate) fn touch<H, T: Send + Sync + 'static>(
        &self,
        table: &'static Table<H, T>,
        handle: *const H,
    ) {
        self.touched.set(Some((table, handle.addr())));
    }

    /// Lends the object of a handle to `f`.
    #[inline(always)]
    pub(crate) fn with<H, T: Send + Sync + 'static, R>(
        &self,
        table: &'static Table<H, T>,
        handle: *const H,
        f: impl FnOnce(&T) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.touch(table, handle);
        table.with(handle, |held| f(held))
    }

    /// The same, unless a panic has poisoned the handle.
    #[inline(always)]
    pub(crate) fn with_for_write<H, T: Send + Sync + 'static, R>(
        &self,
        table: &'static Table<H, T>,
        handle: *const H,
        f: impl FnOnce(&T) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.touch(table, handle);
        table.with(handle, |held| {
            table.check_poison(held)?;
            f(held)
        })
    }

    /// The object of a handle, for what calls the application or keeps it.
    pub(crate) fn object<H, T: Send + Sync + 'static>(
        &self,
        table: &'static Table<H, T>,
        handle: *const H,
    ) -> Result<Arc<Held<T>>, Failure> {
        self.touch(table, handle);
        table.get(handle)
    }

    /// The same, unless a panic has poisoned the handle.
    pub(crate) fn object_for_write<H, T: Send + Sync + 'static>(
        &self,
        table: &'static Table<H, T>,
        handle: *const H,
    ) -> Result<Arc<Held<T>>, Failure> {
        self.touch(table, handle);
        table.get_for_write(handle)
    }

    /// Key bytes: never NULL. The library checks the length.
    #[inline(always)]
    pub(crate) fn key(&self, data: *const c_void, len: usize) -> Result<&[u8], Failure> {
        self.bytes(data, len, "key")
    }

    /// Value bytes: NULL stands for an empty value.
    #[inline(always)]
    pub(crate) fn value(&self, data: *const c_void, len: usize) -> Result<&[u8], Failure> {
        self.optional_bytes(data, len, "value")
    }

    /// Bytes; NULL stands for none.
    #[inline(always)]
    pub(crate) fn optional_bytes(
        &self,
        data: *const c_void,
        len: usize,
        name: &str,
    ) -> Result<&[u8], Failure> {
        if data.is_null() && len == 0 { Ok(&[]) } else { self.bytes(data, len, name) }
    }

    #[inline(always)]
    fn bytes(&self, data: *const c_void, len: usize, name: &str) -> Result<&[u8], Failure> {
        self.slice(data.cast(), len, name)
    }

    /// An array of the caller.
    #[inline(always)]
    fn slice<T: Plain>(&self, data: *const T, len: usize, name: &str) -> Result<&[T], Failure> {
        check(data, name)?;
        if len > isize::MAX as usize / size_of::<T>() {
            return Err(too_long(name, len));
        }
        // SAFETY: not NULL, aligned, at most isize::MAX bytes long, and by the promise readable
        // and unchanged while the `Caller`, which lives as long as the call, is borrowed; any bytes
        // are a `T`.
        Ok(unsafe { slice::from_raw_parts(data, len) })
    }

    /// Keys of an operation on many. NULL stands for none.
    pub(crate) fn keys(
        &self,
        keys: *const vug_bytes_t,
        count: usize,
    ) -> Result<Vec<&[u8]>, Failure> {
        if keys.is_null() && count == 0 {
            return Ok(Vec::new());
        }
        let keys = self.slice(keys, count, "keys")?.iter();
        keys.map(|key| self.bytes(key.data, key.len, "keys[].data")).collect()
    }

    /// Entries of an operation on many. NULL stands for none.
    #[expect(clippy::type_complexity, reason = "a key and a value")]
    pub(crate) fn pairs(
        &self,
        pairs: *const vug_pair_t,
        count: usize,
    ) -> Result<Vec<(&[u8], &[u8])>, Failure> {
        if pairs.is_null() && count == 0 {
            return Ok(Vec::new());
        }
        let pairs = self.slice(pairs, count, "entries")?.iter();
        pairs
            .map(|pair| {
                let key = self.bytes(pair.key, pair.key_len, "entries[].key")?;
                let value = self.optional_bytes(pair.value, pair.value_len, "entries[].value")?;
                Ok((key, value))
            })
            .collect()
    }

    /// Text without its final zero byte.
    pub(crate) fn text(&self, text: *const c_char, name: &str) -> Result<&[u8], Failure> {
        check(text, name)?;
        // SAFETY: not NULL, and by the promise it ends with a zero byte and is unchanged while the
        // `Caller` is borrowed.
        Ok(unsafe { CStr::from_ptr(text) }.to_bytes())
    }

    /// Text without its final zero byte, or nothing for NULL.
    pub(crate) fn optional_text(&self, text: *const c_char) -> Result<Option<&[u8]>, Failure> {
        if text.is_null() { Ok(None) } else { self.text(text, "text").map(Some) }
    }

    /// A copy of an input.
    #[inline(always)]
    pub(crate) fn read<T: Plain>(&self, input: *const T, name: &str) -> Result<T, Failure> {
        check(input, name)?;
        // SAFETY: not NULL, aligned, readable by the promise; any bytes are a `T`.
        Ok(unsafe { input.read() })
    }

    /// A copy of options that may be older (shorter) or newer (longer) than this library.
    pub(crate) fn options<T: Versioned>(&self, input: *const T) -> Result<T, Failure> {
        let size = self.read(input.cast::<u32>(), T::NAME)? as usize;
        check(input, T::NAME)?;
        check_size(size, T::NAME, T::REMEDY)?;
        let known = size.min(size_of::<T>());
        let mut copy = T::default();
        // SAFETY: the caller's object is `size` bytes long, by the promise about `struct_size`,
        // and the copy at least `known`; both are `Plain`, and the copy is new, so no overlap.
        unsafe { ptr::copy_nonoverlapping(input.cast::<u8>(), (&raw mut copy).cast(), known) };
        // SAFETY: the tail begins inside or at the end of the same object of `size` bytes.
        let tail = unsafe { input.cast::<u8>().add(known) };
        // SAFETY: `size - known` bytes are left in that object.
        let tail = unsafe { slice::from_raw_parts(tail, size - known) };
        if tail.iter().any(|byte| *byte != 0) {
            let what = format_args!("{} has options that this library does not know", T::NAME);
            return Err(Failure::argument(what, "leave them zero, or use a newer library"));
        }
        Ok(copy)
    }

    /// The same; NULL stands for the defaults.
    pub(crate) fn options_or_default<T: Versioned>(&self, input: *const T) -> Result<T, Failure> {
        if input.is_null() { Ok(T::default()) } else { self.options(input) }
    }

    /// An out parameter. It is set to zero at once, so that a failed call leaves nothing behind.
    #[inline(always)]
    pub(crate) fn output<T: Copy + Default>(
        &self,
        place: *mut T,
        name: &str,
    ) -> Result<Output<'_, T>, Failure> {
        check(place, name)?;
        let mut output = Output { place, call: PhantomData };
        output.set(T::default());
        Ok(output)
    }

    /// An out parameter that may be NULL.
    #[inline(always)]
    pub(crate) fn optional_output<T: Copy + Default>(
        &self,
        place: *mut T,
        name: &str,
    ) -> Result<Option<Output<'_, T>>, Failure> {
        if place.is_null() { Ok(None) } else { self.output(place, name).map(Some) }
    }

    /// An out parameter for a new handle, set to NULL at once.
    pub(crate) fn handle_output<H>(
        &self,
        place: *mut *mut H,
        name: &str,
    ) -> Result<Output<'_, *mut H>, Failure> {
        check(place, name)?;
        let mut output = Output { place, call: PhantomData };
        output.set(ptr::null_mut());
        Ok(output)
    }

    /// An out parameter of a type that grows with the versions, of which the caller knows `size`
    /// bytes. All of them are set to zero at once.
    pub(crate) fn report<T: Plain + Default>(
        &self,
        place: *mut T,
        size: usize,
        name: &'static str,
    ) -> Result<Report<'_, T>, Failure> {
        check(place, name)?;
        check_size(size, name, "pass the size of the object: sizeof")?;
        let bytes = place.cast::<u8>();
        // SAFETY: not NULL; by the promise `size` bytes are writable and used by nobody else.
        unsafe { ptr::write_bytes(bytes, 0, size) };
        Ok(Report { bytes, size, call: PhantomData })
    }

    /// The same where NULL says that the caller does not want to know.
    pub(crate) fn optional_report<T: Plain + Default>(
        &self,
        place: *mut T,
        size: usize,
        name: &'static str,
    ) -> Result<Option<Report<'_, T>>, Failure> {
        if place.is_null() { Ok(None) } else { self.report(place, size, name).map(Some) }
    }

    /// An array for results, set to zero at once. NULL is one without room.
    pub(crate) fn array<T: Copy + Default>(
        &self,
        data: *mut T,
        count: usize,
        name: &str,
    ) -> Result<Array<'_, T>, Failure> {
        if count > 0 {
            check(data, name)?;
        }
        if count > isize::MAX as usize / size_of::<T>() {
            return Err(too_long(name, count));
        }
        let mut array = Array { data, count, call: PhantomData };
        (0..count).for_each(|index| array.set(index, T::default()));
        Ok(array)
    }

    /// Memory to write to, of which nothing is read. NULL is memory without room.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the memory is the C caller's, not the `Caller`'s")]
    pub(crate) fn slice_to_fill(
        &self,
        data: *mut c_void,
        capacity: usize,
    ) -> Result<&mut [u8], Failure> {
        if capacity == 0 {
            return Ok(&mut []);
        }
        check(data.cast::<u8>(), "buffer")?;
        if isize::try_from(capacity).is_err() {
            return Err(too_long("buffer", capacity));
        }
        // SAFETY: not NULL, bytes are always aligned, at most isize::MAX long, and by the promise
        // writable and used by nobody else while the call, of which the `Caller` is one, lasts; an
        // exported function asks for each of its buffers once.
        Ok(unsafe { slice::from_raw_parts_mut(data.cast(), capacity) })
    }

    /// A buffer to write to. NULL is a buffer without room.
    #[inline(always)]
    pub(crate) fn buffer(&self, data: *mut c_void, capacity: usize) -> Result<Buffer<'_>, Failure> {
        if capacity > 0 {
            check(data.cast::<u8>(), "buffer")?;
        }
        Ok(Buffer { data: data.cast(), capacity, call: PhantomData })
    }
}

#[cold]
fn too_long(name: &str, len: usize) -> Failure {
    let what = format_args!("`{name}` has the length {len}");
    Failure::argument(what, "pass the length of the object")
}

fn check_size(size: usize, name: &str, remedy: &str) -> Result<(), Failure> {
    if (SMALLEST..=LARGEST).contains(&size) && size.is_multiple_of(8) {
        return Ok(());
    }
    Err(Failure::argument(format_args!("the size of {name} is {size}"), remedy))
}

#[inline(always)]
fn check<T>(pointer: *const T, name: &str) -> Result<(), Failure> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(refuse(pointer.is_null(), align_of::<T>(), name));
    }
    Ok(())
}

#[cold]
fn refuse(null: bool, alignment: usize, name: &str) -> Failure {
    if null {
        return Failure::null(name);
    }
    let what = format_args!("`{name}` is not aligned to {alignment} bytes");
    Failure::argument(what, "pass the address of an object of the right type")
}

/// Options that begin with their own size as `u32 struct_size`.
pub(crate) trait Versioned: Plain + Default {
    const NAME: &'static str;
    const REMEDY: &'static str;
}

/// Sizes of options and reports are within these bounds in every version; another number is not a
/// size.
const SMALLEST: usize = 8;
const LARGEST: usize = 4096;

/// An out parameter of the running call.
pub(crate) struct Output<'call, T> {
    place: *mut T,
    call: PhantomData<&'call Caller>,
}

impl<T: Copy> Output<'_, T> {
    #[inline(always)]
    pub(crate) fn set(&mut self, value: T) {
        // SAFETY: checked to be not NULL and aligned when this was made; by the promise writable
        // and used by nobody else during the call, which `'call` does not outlive.
        unsafe { self.place.write(value) };
    }
}

/// An out parameter of which the caller knows `size` bytes.
pub(crate) struct Report<'call, T> {
    bytes: *mut u8,
    size: usize,
    call: PhantomData<(&'call Caller, T)>,
}

impl<T: Plain> Report<'_, T> {
    /// How many bytes the caller knows.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn set(&mut self, value: T) {
        let known = self.size.min(size_of::<T>());
        // SAFETY: checked when this was made; by the promise `size` bytes are writable and used by
        // nobody else during the call. A `Plain` value has no padding, so its bytes can be read.
        unsafe { ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), self.bytes, known) };
    }
}

/// An array of results of the running call.
pub(crate) struct Array<'call, T> {
    data: *mut T,
    count: usize,
    call: PhantomData<&'call Caller>,
}

impl<T: Copy> Array<'_, T> {
    /// Panics beyond the end.
    pub(crate) fn set(&mut self, index: usize, value: T) {
        assert!(index < self.count, "result {index} of {}", self.count);
        // SAFETY: checked to be not NULL and aligned when this was made, and the index is within
        // the array, which by the promise is writable and used by nobody else during the call.
        let place = unsafe { self.data.add(index) };
        // SAFETY: as above.
        unsafe { place.write(value) };
    }
}

/// An output buffer of the running call.
pub(crate) struct Buffer<'call> {
    data: *mut u8,
    capacity: usize,
    call: PhantomData<&'call Caller>,
}

impl Buffer<'_> {
    /// Copies `bytes` to the beginning of the buffer if there is room for all of them.
    #[inline(always)]
    #[must_use]
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.capacity {
            return false;
        }
        if !bytes.is_empty() {
            // SAFETY: the buffer has room, so it is not NULL; by the promise it is writable and
            // used by nobody else during the call, so `bytes` is not a part of it.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.data, bytes.len()) };
        }
        true
    }

    /// Copies text and a zero byte, as much as fits. Whether that is all of it.
    pub(crate) fn fill_text(&mut self, text: &str) -> bool {
        let Some(room) = self.capacity.checked_sub(1) else {
            return false;
        };
        let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        let cut = &text.as_bytes()[..end.unwrap_or(0)];
        let zero_byte = self.fill(&[cut, &[0]].concat());
        zero_byte && cut.len() == text.len()
    }
}

/// What an iteration walks over.
enum Steps {
    Entries(vug::Iter<'static>),
    Keys(vug::Keys<'static>),
    Watched(vug::ReadOnlyIter<'static>),
}

/// The content of a handle that one thread uses at a time. Never waits: another thread may have it
/// for long, or, in a forked child, for ever.
pub(crate) fn exclusive<T>(content: &Mutex<T>) -> Result<MutexGuard<'_, T>, Failure> {
    match content.try_lock() {
        Ok(content) => Ok(content),
        Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => Err(Failure::new(
            VUG_ERR_BUSY,
            "another thread uses the handle at this moment",
            "use it by one thread at a time, or make one for each",
        )),
    }
}

/// An iterator that keeps its region alive.
pub(crate) struct Walk {
    // Before `_area`: fields are dropped in this order.
    steps: Steps,
    _area: Arc<Held<Area>>,
}

/// One step of a walk: an entry, or a key alone.
pub(crate) struct Step {
    pub(crate) key: Vec<u8>,
    pub(crate) entry: Option<(Vec<u8>, vug::Token)>,
}

impl Walk {
    pub(crate) fn new(area: Arc<Held<Area>>, keys: bool) -> Result<Self, Failure> {
        let shared: *const Area = &raw const **area;
        // SAFETY: the region lies in the `Arc`, where it does not move, is never borrowed mutably,
        // and lives as long as `_area`; the iterator, the only user of this reference, is private
        // and dropped before `_area`.
        let shared: &'static Area = unsafe { &*shared };
        let steps = match (shared, keys) {
            (Area::Shared(region), false) => Steps::Entries(region.iter()),
            (Area::Watched(region), false) => Steps::Watched(region.iter()),
            (area, true) => Steps::Keys(area.shared()?.keys()),
        };
        Ok(Self { steps, _area: area })
    }
}

impl Iterator for Walk {
    type Item = vug::Result<Step>;

    fn next(&mut self) -> Option<Self::Item> {
        let whole =
            |entry: vug::Entry| Step { key: entry.key, entry: Some((entry.value, entry.token)) };
        Some(match &mut self.steps {
            Steps::Entries(entries) => entries.next()?.map(whole),
            Steps::Watched(entries) => entries.next()?.map(whole),
            Steps::Keys(keys) => keys.next()?.map(|key| Step { key, entry: None }),
        })
    }
}

/// What C hands over with a function: a pointer that is the function's own affair.
#[derive(Debug)]
pub(crate) struct User {
    data: *mut c_void,
    drop: Option<Release>,
}

/// Called once with the user's pointer when it is not needed any more.
pub(crate) type Release = unsafe extern "C-unwind" fn(user: *mut c_void);

// SAFETY: `vug.h` says that the pointer goes to another thread; the library never follows it.
unsafe impl Send for User {}

impl User {
    pub(crate) fn new(data: *mut c_void, drop: Option<Release>) -> Self {
        Self { data, drop }
    }

    /// Calls the application with an event.
    pub(crate) fn call<T>(
        &self,
        function: unsafe extern "C-unwind" fn(*mut c_void, *const T, usize),
        argument: &T,
    ) {
        // SAFETY: a function of this type and its pointer came from C together; it gets a valid
        // object of the size that is passed, and returns before the object goes.
        unsafe { function(self.data, &raw const *argument, size_of::<T>()) };
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            // SAFETY: the function came from C with the pointer, and this is the only call.
            unsafe { drop(self.data) };
        }
    }
}

#[cfg(test)]
mod tests;

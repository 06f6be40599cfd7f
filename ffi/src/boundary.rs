//! Where C ends and Rust begins: pointers become slices, results become out parameters, and
//! panics stop. All unsafe operations of the C ABI are in this file.
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
use std::sync::Arc;

use crate::handle::{Held, Poison, Table};
use crate::options::vug_region_options_t;
use crate::status::{Failure, vug_status_t};
use crate::types::{vug_token_t, vug_view_t};

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

    /// The object of a handle.
    pub(crate) fn object<H, T: Send + Sync>(
        &self,
        table: &'static Table<H, T>,
        handle: *const H,
    ) -> Result<Arc<Held<T>>, Failure> {
        self.touched.set(Some((table, handle.addr())));
        table.get(handle)
    }

    /// The object of a handle, unless a panic has poisoned it.
    pub(crate) fn object_for_write<H, T: Send + Sync>(
        &self,
        table: &'static Table<H, T>,
        handle: *const H,
    ) -> Result<Arc<Held<T>>, Failure> {
        self.touched.set(Some((table, handle.addr())));
        table.get_for_write(handle)
    }

    /// Key bytes: never NULL. The library checks the length.
    pub(crate) fn key(&self, data: *const c_void, len: usize) -> Result<&[u8], Failure> {
        self.bytes(data, len, "key")
    }

    /// Value bytes: NULL stands for an empty value.
    pub(crate) fn value(&self, data: *const c_void, len: usize) -> Result<&[u8], Failure> {
        if data.is_null() && len == 0 { Ok(&[]) } else { self.bytes(data, len, "value") }
    }

    fn bytes(&self, data: *const c_void, len: usize, name: &str) -> Result<&[u8], Failure> {
        check(data.cast::<u8>(), name)?;
        if isize::try_from(len).is_err() {
            let what = format_args!("`{name}` is {len} bytes long");
            return Err(Failure::argument(what, "pass the length of the object, in bytes"));
        }
        // SAFETY: not NULL, bytes are always aligned, at most isize::MAX long, and by the promise
        // readable and unchanged while the `Caller`, which lives as long as the call, is borrowed.
        Ok(unsafe { slice::from_raw_parts(data.cast(), len) })
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
    pub(crate) fn read<T: Plain>(&self, input: *const T, name: &str) -> Result<T, Failure> {
        check(input, name)?;
        // SAFETY: not NULL, aligned, readable by the promise; any bytes are a `T`.
        Ok(unsafe { input.read() })
    }

    /// A copy of options that may be older (shorter) or newer (longer) than this library.
    pub(crate) fn options<T: Versioned>(&self, input: *const T) -> Result<T, Failure> {
        let size = self.read(input.cast::<u32>(), T::NAME)? as usize;
        check(input, T::NAME)?;
        if size < T::SMALLEST || size > LARGEST_OPTIONS || !size.is_multiple_of(8) {
            let what = format_args!("`struct_size` of {} is {size}", T::NAME);
            return Err(Failure::argument(what, T::REMEDY));
        }
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

    /// An out parameter. It is set to zero at once, so that a failed call leaves nothing behind.
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

    /// A buffer to write to. NULL is a buffer without room.
    pub(crate) fn buffer(&self, data: *mut c_void, capacity: usize) -> Result<Buffer<'_>, Failure> {
        if capacity > 0 {
            check(data.cast::<u8>(), "buffer")?;
        }
        Ok(Buffer { data: data.cast(), capacity, call: PhantomData })
    }
}

fn check<T>(pointer: *const T, name: &str) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    if !pointer.is_aligned() {
        let what = format_args!("`{name}` is not aligned to {} bytes", align_of::<T>());
        return Err(Failure::argument(what, "pass the address of an object of the right type"));
    }
    Ok(())
}

/// Types for which any bytes are a value.
///
/// # Safety
///
/// Only integers and raw pointers, no padding.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: integers; the assertion beside the type shows that none is padded.
unsafe impl Plain for vug_token_t {}
// SAFETY: integers and raw pointers; the assertion beside the type shows that none is padded.
unsafe impl Plain for vug_view_t {}
// SAFETY: as for `vug_token_t`.
unsafe impl Plain for vug_region_options_t {}

/// Options that begin with their own size as `u32 struct_size`.
pub(crate) trait Versioned: Plain + Default {
    const NAME: &'static str;
    const REMEDY: &'static str;
    /// Bytes up to the end of the first field group that every caller has.
    const SMALLEST: usize;
}

/// No version of any options will be longer; a number above it is not a size.
const LARGEST_OPTIONS: usize = 4096;

/// An out parameter of the running call.
pub(crate) struct Output<'call, T> {
    place: *mut T,
    call: PhantomData<&'call Caller>,
}

impl<T: Copy> Output<'_, T> {
    pub(crate) fn set(&mut self, value: T) {
        // SAFETY: checked to be not NULL and aligned when this was made; by the promise writable
        // and used by nobody else during the call, which `'call` does not outlive.
        unsafe { self.place.write(value) };
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
}

/// An iterator that keeps its region alive.
pub(crate) struct Walk {
    // Before `_region`: fields are dropped in this order.
    iter: vug::Iter<'static>,
    _region: Arc<Held<vug::Region>>,
}

impl Walk {
    pub(crate) fn new(region: Arc<Held<vug::Region>>) -> Self {
        let shared: *const vug::Region = &raw const **region;
        // SAFETY: the region lies in the `Arc`, where it does not move, is never borrowed mutably,
        // and lives as long as `_region`; the iterator, the only user of this reference, is private
        // and dropped before `_region`.
        let shared: &'static vug::Region = unsafe { &*shared };
        Self { iter: shared.iter(), _region: region }
    }
}

impl Iterator for Walk {
    type Item = vug::Result<vug::Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.iter.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle::Kind;
    use crate::options::VUG_SCOPE_LOCAL;
    use crate::status::{
        VUG_ERR_ARGUMENT, VUG_ERR_INTERNAL, VUG_ERR_NULL, VUG_ERR_POISONED, VUG_OK, last_error,
    };

    static THINGS: Table<u8, u32> = Table::new(Kind::Region);

    fn options_of(bytes: &[u64]) -> Result<vug_region_options_t, vug_status_t> {
        let mut options = Ok(vug_region_options_t::default());
        let status = entry!(|caller| {
            options = Ok(caller.options(bytes.as_ptr().cast::<vug_region_options_t>())?);
            Ok(VUG_OK)
        });
        if status == VUG_OK { options } else { Err(status) }
    }

    #[test]
    fn a_panic_becomes_a_status_and_poisons_the_handle() {
        let (handle, _) = THINGS.insert(1).map_err(Failure::report).expect("room");
        let status = entry!(|caller| {
            let thing = caller.object(&THINGS, handle)?;
            assert_eq!(**thing, 2, "on purpose");
            Ok(VUG_OK)
        });
        assert_eq!(status, VUG_ERR_INTERNAL);
        assert!(last_error().contains("on purpose"), "{}", last_error());
        let status = entry!(|caller| caller.object_for_write(&THINGS, handle).map(|_| VUG_OK));
        assert_eq!(status, VUG_ERR_POISONED);
        let status = entry!(|caller| caller.object(&THINGS, handle).map(|_| VUG_OK));
        assert_eq!(status, VUG_OK);
    }

    #[test]
    fn a_panic_without_text_is_caught_too() {
        let status = entry!(|_caller| std::panic::panic_any(7_u32));
        assert_eq!(status, VUG_ERR_INTERNAL);
        assert!(last_error().starts_with("VUG-0704: panic: no message\nhelp: "));
    }

    #[test]
    fn options_of_other_sizes_are_read_as_far_as_both_sides_know_them() {
        let scope = u64::from(VUG_SCOPE_LOCAL);
        let whole = options_of(&[32, scope, 5, 6]).expect("this version");
        assert_eq!((whole.scope, whole.max_bytes, whole.segment_bytes), (VUG_SCOPE_LOCAL, 5, 6));
        let older = options_of(&[24, scope, 5, 6]).expect("an older version");
        assert_eq!((older.scope, older.max_bytes, older.segment_bytes), (VUG_SCOPE_LOCAL, 5, 0));
        let newer = options_of(&[48, scope, 5, 6, 0, 0]).expect("a newer version");
        assert_eq!((newer.max_bytes, newer.segment_bytes), (5, 6));
        assert_eq!(options_of(&[48, scope, 5, 6, 0, 1]).err(), Some(VUG_ERR_ARGUMENT));
        for size in [0, 4, 7, 31, 4_104] {
            assert_eq!(options_of(&[size, 0, 0, 0]).err(), Some(VUG_ERR_ARGUMENT));
        }
    }

    #[test]
    fn pointers_are_checked() {
        let object = [0_u64; 2];
        let odd: *const u64 = object.as_ptr().cast::<u8>().wrapping_add(1).cast();
        assert_eq!(check(odd, "x").map_err(Failure::report), Err(VUG_ERR_ARGUMENT));
        let null: *const u64 = ptr::null();
        assert_eq!(check(null, "x").map_err(Failure::report), Err(VUG_ERR_NULL));
        let status = entry!(|caller| {
            assert!(caller.value(ptr::null(), 0)?.is_empty());
            assert_eq!(caller.value(object.as_ptr().cast(), 16)?, [0; 16]);
            caller.key(ptr::null(), 0).map(|_| VUG_OK)
        });
        assert_eq!(status, VUG_ERR_NULL);
    }
}

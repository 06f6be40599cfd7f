//! Guards: values read in place.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::region::Token;
use crate::region::guard;
use crate::typed::{Value, view};

macro_rules! guards {
    ($($(#[$about:meta])* $name:ident [$($lifetime:lifetime)?] of $inner:ty;)*) => {$(
        $(#[$about])*
        #[derive(Debug)]
        pub struct $name<$($lifetime,)? V: ?Sized> {
            /// They were found to be a value when the guard was made, and never change.
            bytes: $inner,
            value: PhantomData<V>,
        }

        impl<$($lifetime,)? V: ?Sized + Value> $name<$($lifetime,)? V> {
            /// `None` if the bytes are no value of the type.
            #[inline]
            pub(super) fn new(bytes: $inner) -> Result<Self, $inner> {
                match view::<V>(&bytes) {
                    Some(_) => Ok(Self { bytes, value: PhantomData }),
                    None => Err(bytes),
                }
            }

            /// Version of the entry, for
            /// [`compare_and_swap`](crate::typed::Region::compare_and_swap).
            pub fn token(&self) -> Token {
                self.bytes.token()
            }

            /// The value as bytes.
            pub fn bytes(&self) -> &[u8] {
                &self.bytes
            }
        }

        impl<$($lifetime,)? V: ?Sized + Value> Deref for $name<$($lifetime,)? V> {
            type Target = V;

            #[inline]
            fn deref(&self) -> &V {
                match view(&self.bytes) {
                    Some(value) => value,
                    None => unreachable!("a guard is made of the bytes of a value"),
                }
            }
        }
    )*};
}

guards! {
    /// A value read in place: dereferences to `&V` in shared memory. Like the untyped
    /// [`Guard`](crate::Guard) it keeps one log segment and stays on its thread.
    Guard ['r] of guard::Guard<'r>;
    /// The same through a pin of the process: may move to other threads and keeps its region open.
    /// Like the untyped [`OwnedGuard`](crate::OwnedGuard).
    OwnedGuard [] of guard::OwnedGuard;
}

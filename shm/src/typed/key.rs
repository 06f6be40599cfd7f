//! Keys: how they become bytes, and back.

use zerocopy::byteorder::{self, BigEndian, LittleEndian};
use zerocopy::{FromBytes, IntoBytes};

use crate::typed::schema::Schema;
use crate::typed::shape::Shape;

/// A type whose values can be keys of a typed region.
///
/// | type | bytes of the key |
/// |---|---|
/// | `str`, `String` | UTF-8 |
/// | `[u8]`, `Vec<u8>`, `[u8; N]` | as they are |
/// | `u8` to `u128` | big-endian |
/// | `i8` to `i128` | big-endian, with the sign bit flipped |
/// | numbers of `zerocopy::byteorder` | as they lie in memory |
/// | structs of [`record!`](crate::record) | as they lie in memory |
/// | tuples of two to four keys | one behind the other; all but the last need a fixed length |
///
/// So keys of numbers, and tuples of them, sort as their bytes do, which is the order of an export.
/// An empty `str` or `[u8]` is no key: operations refuse it with `InvalidKey`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of a typed region",
    label = "no rule how this becomes the bytes of a key",
    note = "keys are `str`, `[u8]`, integers, arrays of bytes, structs of `vug::record!`, and \
            tuples of these",
    note = "for another type implement `vug::typed::Key`"
)]
pub trait Key {
    /// What [`Key::to_bytes`] gives.
    type Bytes<'a>: AsRef<[u8]>
    where
        Self: 'a;
    /// What [`Key::of_bytes`] gives: `&str` for `str`, the number for a number.
    type View<'a>: Into<Self::Owned>;
    /// The key without borrowing from the region.
    type Owned;
    /// How many bytes every key has, if all have as many.
    const LEN: Option<usize>;

    /// What the key looks like. Programs must agree on it to use the same typed region.
    fn key_shape() -> Shape;

    /// The bytes that stand for the key in the region.
    fn to_bytes(&self) -> Self::Bytes<'_>;

    /// The key that these bytes stand for; `None` if they stand for none.
    fn of_bytes(bytes: &[u8]) -> Option<Self::View<'_>>;
}

macro_rules! numbers {
    ($($type:ty, $flip:expr;)*) => {$(
        impl Key for $type {
            type Bytes<'a> = [u8; size_of::<$type>()];
            type View<'a> = $type;
            type Owned = $type;
            const LEN: Option<usize> = Some(size_of::<$type>());

            fn key_shape() -> Shape {
                <$type>::shape()
            }

            fn to_bytes(&self) -> Self::Bytes<'_> {
                (*self ^ $flip).to_be_bytes()
            }

            fn of_bytes(bytes: &[u8]) -> Option<$type> {
                Some(<$type>::from_be_bytes(bytes.try_into().ok()?) ^ $flip)
            }
        }
    )*};
}

numbers! {
    u8, 0; u16, 0; u32, 0; u64, 0; u128, 0;
    i8, Self::MIN; i16, Self::MIN; i32, Self::MIN; i64, Self::MIN; i128, Self::MIN;
}

macro_rules! in_memory {
    ($([$($generic:tt)*] $type:ty,)*) => {$(
        impl<$($generic)*> Key for $type {
            type Bytes<'a> = &'a [u8];
            type View<'a> = $type;
            type Owned = $type;
            const LEN: Option<usize> = Some(size_of::<$type>());

            fn key_shape() -> Shape {
                <$type>::shape()
            }

            fn to_bytes(&self) -> &[u8] {
                self.as_bytes()
            }

            fn of_bytes(bytes: &[u8]) -> Option<$type> {
                <$type>::read_from_bytes(bytes).ok()
            }
        }
    )*};
}

in_memory! {
    [const N: usize] [u8; N],
    [] byteorder::U16<BigEndian>, [] byteorder::U16<LittleEndian>,
    [] byteorder::U32<BigEndian>, [] byteorder::U32<LittleEndian>,
    [] byteorder::U64<BigEndian>, [] byteorder::U64<LittleEndian>,
    [] byteorder::U128<BigEndian>, [] byteorder::U128<LittleEndian>,
    [] byteorder::I16<BigEndian>, [] byteorder::I16<LittleEndian>,
    [] byteorder::I32<BigEndian>, [] byteorder::I32<LittleEndian>,
    [] byteorder::I64<BigEndian>, [] byteorder::I64<LittleEndian>,
    [] byteorder::I128<BigEndian>, [] byteorder::I128<LittleEndian>,
}

macro_rules! of_any_length {
    ($($type:ty, $view:ty, $owned:ty, $shape:expr, $of:expr;)*) => {$(
        impl Key for $type {
            type Bytes<'a> = &'a [u8];
            type View<'a> = &'a $view;
            type Owned = $owned;
            const LEN: Option<usize> = None;

            fn key_shape() -> Shape {
                $shape
            }

            fn to_bytes(&self) -> &[u8] {
                self.as_ref()
            }

            fn of_bytes(bytes: &[u8]) -> Option<&$view> {
                $of(bytes)
            }
        }
    )*};
}

of_any_length! {
    str, str, String, Shape::plain("str"), |bytes| std::str::from_utf8(bytes).ok();
    String, str, String, Shape::plain("str"), |bytes| std::str::from_utf8(bytes).ok();
    [u8], [u8], Vec<u8>, <[u8]>::shape(), Some;
    Vec<u8>, [u8], Vec<u8>, <[u8]>::shape(), Some;
}

/// The bytes of a tuple. Short ones, which most are, need no memory of their own.
#[derive(Debug, Clone)]
pub struct TupleBytes {
    short: [u8; SHORT],
    len: usize,
    /// Used instead as soon as `short` is too short.
    long: Vec<u8>,
}

const SHORT: usize = 48;

impl TupleBytes {
    fn new() -> Self {
        Self { short: [0; SHORT], len: 0, long: Vec::new() }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.long.is_empty()
            && let Some(room) = self.short[self.len..].get_mut(..bytes.len())
        {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        } else {
            if self.long.is_empty() {
                self.long.extend_from_slice(&self.short[..self.len]);
            }
            self.long.extend_from_slice(bytes);
        }
    }
}

impl AsRef<[u8]> for TupleBytes {
    fn as_ref(&self) -> &[u8] {
        if self.long.is_empty() { &self.short[..self.len] } else { &self.long }
    }
}

/// Length of a part of a tuple that is not the last.
const fn fixed(len: Option<usize>) -> usize {
    match len {
        Some(len) => len,
        None => panic!("all parts of a tuple key but the last need a fixed length"),
    }
}

macro_rules! tuples {
    ($($($part:ident $number:tt),* and $last:ident $end:tt;)*) => {$(
        impl<$($part: Key,)* $last: Key> Key for ($($part,)* $last) {
            type Bytes<'a> = TupleBytes where Self: 'a;
            type View<'a> = ($($part::Owned,)* $last::Owned);
            type Owned = ($($part::Owned,)* $last::Owned);
            const LEN: Option<usize> = match $last::LEN {
                Some(last) => Some(last $(+ fixed($part::LEN))*),
                None => None,
            };

            fn key_shape() -> Shape {
                Shape::Tuple(vec![$($part::key_shape(),)* $last::key_shape()])
            }

            fn to_bytes(&self) -> TupleBytes {
                let mut bytes = TupleBytes::new();
                $(
                    const { fixed($part::LEN) };
                    bytes.push(self.$number.to_bytes().as_ref());
                )*
                bytes.push(self.$end.to_bytes().as_ref());
                bytes
            }

            fn of_bytes(bytes: &[u8]) -> Option<Self::Owned> {
                let rest = bytes;
                $(
                    let (part, rest) = rest.split_at_checked(const { fixed($part::LEN) })?;
                    #[expect(non_snake_case, reason = "a part is called as its type")]
                    let $part = $part::of_bytes(part)?.into();
                )*
                Some(($($part,)* $last::of_bytes(rest)?.into()))
            }
        }
    )*};
}

tuples! {
    A 0 and B 1;
    A 0, B 1 and C 2;
    A 0, B 1, C 2 and D 3;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_their_bytes() {
        let mut numbers = [i64::MIN, -300, -1, 0, 1, 255, 256, i64::MAX];
        assert!(numbers.is_sorted_by_key(Key::to_bytes));
        numbers.reverse();
        assert!(!numbers.is_sorted_by_key(Key::to_bytes));
        for number in numbers {
            assert_eq!(i64::of_bytes(&number.to_bytes()), Some(number));
        }
        assert_eq!(0x0102_u16.to_bytes(), [1, 2]);
        assert_eq!(u32::of_bytes(&[0; 3]), None);
    }

    #[test]
    fn tuples_are_their_parts_one_behind_the_other() {
        let key = (7_u16, -1_i32, String::from("price"));
        let bytes = key.to_bytes();
        assert_eq!(bytes.as_ref(), b"\x00\x07\x7f\xff\xff\xffprice");
        assert_eq!(<(u16, i32, String)>::of_bytes(bytes.as_ref()), Some(key));
        assert_eq!(<(u16, i32, String)>::of_bytes(b"\x00"), None);
        assert_eq!(<(u16, u32)>::LEN, Some(6));
        let long = (1_u64, "x".repeat(100));
        assert_eq!(<(u64, String)>::of_bytes(long.to_bytes().as_ref()), Some(long));
    }

    #[test]
    fn texts_are_utf8() {
        assert_eq!(str::of_bytes(b"\xff"), None);
        assert_eq!(String::of_bytes(b"VUG"), Some("VUG"));
        assert_eq!(<[u8]>::key_shape(), Vec::<u8>::key_shape());
    }
}

//! Which types may live in shared memory, and how they are described.

use zerocopy::byteorder::{self, BigEndian, LittleEndian};

use crate::typed::shape::Shape;

/// A type that can say what it looks like in shared memory.
///
/// Numbers, arrays and slices of such types, and the numbers of a stated byte order of
/// `zerocopy::byteorder` do; [`record!`](crate::record) defines structs that do. By hand, for a
/// struct of another crate that derives zerocopy's traits:
///
/// ```
/// # #[derive(vug::zerocopy::FromBytes, vug::zerocopy::IntoBytes, vug::zerocopy::KnownLayout,
/// vug::zerocopy::Immutable)]
/// # #[zerocopy(crate = "vug::zerocopy")] #[repr(C)]
/// # struct Point { x: f32, y: f32 }
/// use vug::typed::{Schema, Shape};
///
/// impl Schema for Point {
///     const ALIGNMENT: usize = align_of::<Point>();
///     fn shape() -> Shape {
///         Shape::record("Point", 8, [("x", 0, f32::shape()), ("y", 4, f32::shape())])
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared with other processes as it lies in memory",
    label = "no type for shared memory",
    note = "it must hold no pointer (`Box`, `String`, `Vec`, `&`), have a meaning for all bits (no \
            `bool`, `char`, `enum`), and no padding",
    note = "define structs by `vug::record! {{ struct Name {{ field: type }} }}`; use `u8` in \
            place of `bool`, `[u8; N]` for short texts, and spare fields in place of padding",
    note = "other types can be copied through a codec: `vug::typed::Coded`, feature `serde`"
)]
pub trait Schema {
    /// Alignment of a value in memory.
    const ALIGNMENT: usize;

    /// What the type looks like. Programs must agree on it to use the same typed region.
    fn shape() -> Shape;
}

macro_rules! plain {
    ($($type:ty = $name:literal,)*) => {$(
        impl Schema for $type {
            const ALIGNMENT: usize = align_of::<$type>();

            fn shape() -> Shape {
                Shape::plain($name)
            }
        }
    )*};
}

plain! {
    u8 = "u8", u16 = "u16", u32 = "u32", u64 = "u64", u128 = "u128",
    i8 = "i8", i16 = "i16", i32 = "i32", i64 = "i64", i128 = "i128",
    f32 = "f32", f64 = "f64",
    byteorder::U16<BigEndian> = "u16be", byteorder::U16<LittleEndian> = "u16le",
    byteorder::U32<BigEndian> = "u32be", byteorder::U32<LittleEndian> = "u32le",
    byteorder::U64<BigEndian> = "u64be", byteorder::U64<LittleEndian> = "u64le",
    byteorder::U128<BigEndian> = "u128be", byteorder::U128<LittleEndian> = "u128le",
    byteorder::I16<BigEndian> = "i16be", byteorder::I16<LittleEndian> = "i16le",
    byteorder::I32<BigEndian> = "i32be", byteorder::I32<LittleEndian> = "i32le",
    byteorder::I64<BigEndian> = "i64be", byteorder::I64<LittleEndian> = "i64le",
    byteorder::I128<BigEndian> = "i128be", byteorder::I128<LittleEndian> = "i128le",
    byteorder::F32<BigEndian> = "f32be", byteorder::F32<LittleEndian> = "f32le",
    byteorder::F64<BigEndian> = "f64be", byteorder::F64<LittleEndian> = "f64le",
}

impl<T: Schema, const N: usize> Schema for [T; N] {
    const ALIGNMENT: usize = T::ALIGNMENT;

    fn shape() -> Shape {
        Shape::Array(Box::new(T::shape()), N)
    }
}

impl<T: Schema> Schema for [T] {
    const ALIGNMENT: usize = T::ALIGNMENT;

    fn shape() -> Shape {
        Shape::Slice(Box::new(T::shape()))
    }
}

/// Defines structs that can be values, and keys, of typed regions: their layout is that of C, they
/// can be read in place, and they describe themselves.
///
/// The structs also are `Clone`, `Copy`, `Debug` and `PartialEq`. Attributes, documentation, more
/// derives and a larger alignment (`#[repr(align(64))]`) may be given as usual. As a key, a record
/// is its bytes as they lie in memory.
///
/// ```
/// vug::record! {
///     /// The best prices of an instrument.
///     #[derive(Default)]
///     pub struct Quote {
///         pub bid: f64,
///         pub ask: f64,
///         /// Nanoseconds since 1970.
///         pub time: u64,
///     }
/// }
/// let quote = Quote { bid: 17.25, ask: 17.5, ..Quote::default() };
/// # assert_eq!(quote.clone(), quote);
/// ```
///
/// What cannot be read in place does not compile. A pointer means nothing in another process:
///
/// ```compile_fail,E0277
/// vug::record! {
///     struct Person { name: String, age: u64 }
/// }
/// ```
/// ```compile_fail,E0277
/// vug::record! {
///     struct Node { value: u64, next: Box<u64> }
/// }
/// ```
/// ```compile_fail,E0106
/// vug::record! {
///     struct Borrowed { name: &str }
/// }
/// ```
/// A `bool` of another process may have any of 256 values, of which two are valid; use `u8`:
///
/// ```compile_fail,E0277
/// vug::record! {
///     struct Flags { open: bool }
/// }
/// ```
/// Padding has no value, so what would be written there is not defined; add a field in its place:
///
/// ```compile_fail,E0277
/// vug::record! {
///     struct Gap { kind: u8, amount: u64 }
/// }
/// ```
/// ```
/// vug::record! {
///     struct NoGap { kind: u8, spare: [u8; 7], amount: u64 }
/// }
/// ```
#[macro_export]
macro_rules! record {
    ($(
        $(#[$attribute:meta])*
        $visible:vis struct $name:ident {
            $($(#[$about:meta])* $shown:vis $field:ident: $type:ty),+ $(,)?
        }
    )+) => {$(
        $(#[$attribute])*
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            $crate::zerocopy::FromBytes,
            $crate::zerocopy::IntoBytes,
            $crate::zerocopy::KnownLayout,
            $crate::zerocopy::Immutable,
        )]
        #[zerocopy(crate = "::vug::zerocopy")]
        #[repr(C)]
        $visible struct $name {
            $($(#[$about])* $shown $field: $type,)+
        }

        impl $crate::typed::Schema for $name {
            const ALIGNMENT: usize = ::core::mem::align_of::<Self>();

            fn shape() -> $crate::typed::Shape {
                $crate::typed::Shape::record(
                    ::core::stringify!($name),
                    ::core::mem::size_of::<Self>(),
                    [$((
                        ::core::stringify!($field),
                        ::core::mem::offset_of!(Self, $field),
                        <$type as $crate::typed::Schema>::shape(),
                    ),)+],
                )
            }
        }

        impl $crate::typed::Key for $name {
            type Bytes<'a> = &'a [u8];
            type View<'a> = Self;
            type Owned = Self;
            const LEN: ::core::option::Option<usize> =
                ::core::option::Option::Some(::core::mem::size_of::<Self>());

            fn key_shape() -> $crate::typed::Shape {
                <Self as $crate::typed::Schema>::shape()
            }

            fn to_bytes(&self) -> &[u8] {
                $crate::zerocopy::IntoBytes::as_bytes(self)
            }

            fn of_bytes(bytes: &[u8]) -> ::core::option::Option<Self> {
                $crate::zerocopy::FromBytes::read_from_bytes(bytes).ok()
            }
        }
    )+};
}

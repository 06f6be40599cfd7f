//! Version numbers: of the package, of the C ABI, of the region files.

use std::ffi::c_char;

use crate::boundary::entry;
use crate::status::{Failure, VUG_ERR_VERSION, VUG_OK, vug_status_t};

/// Major version of the library that this header belongs to.
pub const VUG_VERSION_MAJOR: u32 = 0;
/// Minor version of the library that this header belongs to.
pub const VUG_VERSION_MINOR: u32 = 1;
/// Patch version of the library that this header belongs to.
pub const VUG_VERSION_PATCH: u32 = 0;
/// The three as one number for comparisons: MAJOR * 1000000 + MINOR * 1000 + PATCH.
pub const VUG_VERSION_NUMBER: u32 =
    VUG_VERSION_MAJOR * 1_000_000 + VUG_VERSION_MINOR * 1_000 + VUG_VERSION_PATCH;
/// Counts additions to the C ABI. An incompatible change gives the library another file name
/// (soname), so a program runs with every library of this name whose number is not lower.
pub const VUG_ABI_VERSION: u32 = 2;

const _: () = {
    assert!(decimal(env!("CARGO_PKG_VERSION_MAJOR")) == VUG_VERSION_MAJOR);
    assert!(decimal(env!("CARGO_PKG_VERSION_MINOR")) == VUG_VERSION_MINOR);
    assert!(decimal(env!("CARGO_PKG_VERSION_PATCH")) == VUG_VERSION_PATCH);
    assert!(VUG_VERSION_MINOR < 1_000 && VUG_VERSION_PATCH < 1_000);
};

const fn decimal(digits: &str) -> u32 {
    let digits = digits.as_bytes();
    let (mut place, mut number) = (0, 0);
    while place < digits.len() {
        number = number * 10 + (digits[place] - b'0') as u32;
        place += 1;
    }
    number
}

/// Version of the library as text, e.g. "0.1.0". Never NULL, never freed.
#[unsafe(no_mangle)]
pub extern "C" fn vug_version() -> *const c_char {
    const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    TEXT.as_ptr().cast()
}

/// Version of the library as a number, made like VUG_VERSION_NUMBER.
#[unsafe(no_mangle)]
pub extern "C" fn vug_version_number() -> u32 {
    VUG_VERSION_NUMBER
}

/// VUG_ABI_VERSION of the library.
#[unsafe(no_mangle)]
pub extern "C" fn vug_abi_version() -> u32 {
    VUG_ABI_VERSION
}

/// Version of the region files that the library writes. It changes independently of the others.
#[unsafe(no_mangle)]
pub extern "C" fn vug_format_version() -> u32 {
    vug::FORMAT_VERSION
}

/// Says whether the library offers everything in the header the program was compiled with:
/// `vug_check_version(VUG_ABI_VERSION)`.
///
/// Returns VUG_OK, VUG_ERR_VERSION.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_check_version(abi: u32) -> vug_status_t {
    entry!(|_caller| {
        if (1..=VUG_ABI_VERSION).contains(&abi) {
            return Ok(VUG_OK);
        }
        Err(Failure::new(
            VUG_ERR_VERSION,
            format_args!("the program wants C ABI {abi}, this library has {VUG_ABI_VERSION}"),
            "install the libvug that belongs to the vug.h the program was compiled with",
        ))
    })
}

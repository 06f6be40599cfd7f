//! Status codes, their fixed texts, and the detailed text of a thread's last error.

use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::fmt;

/// Result of every function that can fail: 0 is success, a negative number is an error, a positive
/// one means "there is no value" and is not an error. A number never changes its meaning and is
/// never used again. Error -301 is the one that the command line prints as VUG-0301.
#[expect(non_camel_case_types, reason = "a C type name")]
pub type vug_status_t = i32;

/// Success.
pub const VUG_OK: vug_status_t = 0;
/// The key is not in the region. Not an error.
pub const VUG_NOT_FOUND: vug_status_t = 1;
/// The entry was in another state than the expected one, and nothing was done. Not an error.
pub const VUG_CHANGED: vug_status_t = 2;
/// The iteration or subscription is complete. Not an error.
pub const VUG_END: vug_status_t = 3;
/// Nothing happened until the timeout. Not an error.
pub const VUG_TIMEOUT: vug_status_t = 4;
/// The key was in the region already, and nothing was done. Not an error.
pub const VUG_PRESENT: vug_status_t = 5;

/// The file is not a vug file.
pub const VUG_ERR_NOT_A_VUG_FILE: vug_status_t = -101;
/// The file was written on a machine of the other byte order.
pub const VUG_ERR_OTHER_ENDIANNESS: vug_status_t = -102;
/// The file has a format version that this library does not read.
pub const VUG_ERR_UNSUPPORTED_FORMAT: vug_status_t = -103;
/// The file is shorter than its header says.
pub const VUG_ERR_TRUNCATED: vug_status_t = -104;
/// A header field is damaged.
pub const VUG_ERR_DAMAGED_HEADER: vug_status_t = -105;
/// The file belongs to another user.
pub const VUG_ERR_FOREIGN_OWNER: vug_status_t = -106;
/// The file was left behind by an earlier boot of the machine.
pub const VUG_ERR_OTHER_BOOT: vug_status_t = -107;
/// The home directory is not on a memory-backed file system.
pub const VUG_ERR_NOT_MEMORY_BACKED: vug_status_t = -108;
/// The file uses features that this library does not know.
pub const VUG_ERR_UNKNOWN_FEATURES: vug_status_t = -109;
/// Damage was found while working on the file.
pub const VUG_ERR_DAMAGED: vug_status_t = -110;
/// The region file belongs to another node.
pub const VUG_ERR_OTHER_NODE: vug_status_t = -111;
/// The node has a number already and cannot take another.
pub const VUG_ERR_ORIGIN_TAKEN: vug_status_t = -112;

/// The region name is not 1 to 128 characters of A-Z a-z 0-9 . _ -
pub const VUG_ERR_INVALID_REGION_NAME: vug_status_t = -201;
/// The key is not 1 to 65536 bytes long.
pub const VUG_ERR_INVALID_KEY: vug_status_t = -202;
/// The value is larger than the region takes.
pub const VUG_ERR_VALUE_TOO_LARGE: vug_status_t = -203;
/// The combination of region options is not possible.
pub const VUG_ERR_INVALID_ATTRIBUTES: vug_status_t = -204;
/// There is a region of this name already.
pub const VUG_ERR_REGION_EXISTS: vug_status_t = -205;
/// There is no region of this name.
pub const VUG_ERR_REGION_NOT_FOUND: vug_status_t = -206;
/// The region exists with other options than the ones given.
pub const VUG_ERR_ATTRIBUTES_DIFFER: vug_status_t = -207;
/// This version of the library cannot do that yet.
pub const VUG_ERR_NOT_BUILT_YET: vug_status_t = -208;
/// The region holds other types.
pub const VUG_ERR_SCHEMA_MISMATCH: vug_status_t = -209;

/// The region is full.
pub const VUG_ERR_OUT_OF_SPACE: vug_status_t = -301;
/// The file system of the home directory is full.
pub const VUG_ERR_FILE_SYSTEM_FULL: vug_status_t = -302;
/// The node has no room for another process.
pub const VUG_ERR_TOO_MANY_MEMBERS: vug_status_t = -303;
/// The region has no room for another thread.
pub const VUG_ERR_TOO_MANY_THREADS: vug_status_t = -304;
/// This process holds views into too many log segments.
pub const VUG_ERR_TOO_MANY_PINS: vug_status_t = -305;

/// The key is in the region already.
pub const VUG_ERR_ENTRY_EXISTS: vug_status_t = -401;
/// The key is not in the region, and the operation needs it.
pub const VUG_ERR_ENTRY_NOT_FOUND: vug_status_t = -402;
/// The region's data policy or scope does not allow the operation.
pub const VUG_ERR_NOT_ALLOWED: vug_status_t = -403;
/// Other nodes did not acknowledge in time. The write itself is done on this node.
pub const VUG_ERR_ACK_TIMEOUT: vug_status_t = -404;
/// The entry is no counter: a counter has a value of eight bytes.
pub const VUG_ERR_NOT_A_COUNTER: vug_status_t = -405;
/// The sum does not fit a counter.
pub const VUG_ERR_COUNTER_OVERFLOW: vug_status_t = -406;
/// The bytes of an entry are no value of the region's type.
pub const VUG_ERR_NOT_OF_TYPE: vug_status_t = -407;
/// A codec could not turn a value into bytes, or bytes into a value.
pub const VUG_ERR_CODEC: vug_status_t = -408;
/// The region was destroyed.
pub const VUG_ERR_REGION_DESTROYED: vug_status_t = -409;
/// This process has closed the region.
pub const VUG_ERR_REGION_CLOSED: vug_status_t = -410;
/// Some keys of an operation on many keys failed.
pub const VUG_ERR_BULK_FAILED: vug_status_t = -411;
/// Other nodes were asked for a value and did not answer in time.
pub const VUG_ERR_SEARCH_TIMEOUT: vug_status_t = -440;

/// The handle was opened before a fork, by the parent of this process.
pub const VUG_ERR_FORKED_CHILD: vug_status_t = -501;
/// Another bridge serves this node.
pub const VUG_ERR_BRIDGE_RUNS: vug_status_t = -502;
/// Other nodes are to be asked, and the bridge of this node does not run.
pub const VUG_ERR_NO_BRIDGE: vug_status_t = -540;

/// A file operation failed.
pub const VUG_ERR_IO: vug_status_t = -601;
/// A system call failed.
pub const VUG_ERR_SYSTEM: vug_status_t = -602;

/// A required pointer is NULL.
pub const VUG_ERR_NULL: vug_status_t = -701;
/// The handle is NULL, closed, of another kind, or was never one.
pub const VUG_ERR_HANDLE: vug_status_t = -702;
/// An argument has an impossible value.
pub const VUG_ERR_ARGUMENT: vug_status_t = -703;
/// The library failed in a way that is a bug. The handle takes no more writes.
pub const VUG_ERR_INTERNAL: vug_status_t = -704;
/// More than 1048576 handles of one kind are open.
pub const VUG_ERR_TOO_MANY_HANDLES: vug_status_t = -705;
/// An earlier call failed with VUG_ERR_INTERNAL, so this handle takes no more writes.
pub const VUG_ERR_POISONED: vug_status_t = -706;
/// The buffer is too small. The needed length was stored.
pub const VUG_ERR_BUFFER: vug_status_t = -707;
/// The library is older than the header the program was compiled with.
pub const VUG_ERR_VERSION: vug_status_t = -708;
/// The handle belongs to another thread.
pub const VUG_ERR_THREAD: vug_status_t = -709;
/// Another thread uses the handle at this moment.
pub const VUG_ERR_BUSY: vug_status_t = -710;

/// Every status with its fixed text. `tests/header.rs` compares it with the constants.
const TEXTS: &[(vug_status_t, &CStr)] = &[
    (VUG_OK, c"success"),
    (VUG_NOT_FOUND, c"not found"),
    (VUG_CHANGED, c"the entry has changed"),
    (VUG_END, c"end"),
    (VUG_TIMEOUT, c"nothing happened in time"),
    (VUG_PRESENT, c"the key is present"),
    (VUG_ERR_NOT_A_VUG_FILE, c"not a vug file"),
    (VUG_ERR_OTHER_ENDIANNESS, c"file of the other byte order"),
    (VUG_ERR_UNSUPPORTED_FORMAT, c"unsupported format version"),
    (VUG_ERR_TRUNCATED, c"truncated file"),
    (VUG_ERR_DAMAGED_HEADER, c"damaged header"),
    (VUG_ERR_FOREIGN_OWNER, c"file of another user"),
    (VUG_ERR_OTHER_BOOT, c"file of an earlier boot"),
    (VUG_ERR_NOT_MEMORY_BACKED, c"file system is not memory-backed"),
    (VUG_ERR_UNKNOWN_FEATURES, c"unknown format features"),
    (VUG_ERR_DAMAGED, c"damaged file"),
    (VUG_ERR_OTHER_NODE, c"region of another node"),
    (VUG_ERR_ORIGIN_TAKEN, c"the node has another number"),
    (VUG_ERR_INVALID_REGION_NAME, c"invalid region name"),
    (VUG_ERR_INVALID_KEY, c"invalid key length"),
    (VUG_ERR_VALUE_TOO_LARGE, c"value too large"),
    (VUG_ERR_INVALID_ATTRIBUTES, c"impossible combination of region options"),
    (VUG_ERR_REGION_EXISTS, c"region exists"),
    (VUG_ERR_REGION_NOT_FOUND, c"region not found"),
    (VUG_ERR_ATTRIBUTES_DIFFER, c"region exists with other options"),
    (VUG_ERR_NOT_BUILT_YET, c"not built yet"),
    (VUG_ERR_SCHEMA_MISMATCH, c"region of other types"),
    (VUG_ERR_OUT_OF_SPACE, c"region is full"),
    (VUG_ERR_FILE_SYSTEM_FULL, c"file system is full"),
    (VUG_ERR_TOO_MANY_MEMBERS, c"too many processes"),
    (VUG_ERR_TOO_MANY_THREADS, c"too many threads"),
    (VUG_ERR_TOO_MANY_PINS, c"too many pinned segments"),
    (VUG_ERR_ENTRY_EXISTS, c"entry exists"),
    (VUG_ERR_ENTRY_NOT_FOUND, c"entry not found"),
    (VUG_ERR_NOT_ALLOWED, c"not allowed in this region"),
    (VUG_ERR_ACK_TIMEOUT, c"written here, but not acknowledged in time"),
    (VUG_ERR_NOT_A_COUNTER, c"the entry is no counter"),
    (VUG_ERR_COUNTER_OVERFLOW, c"the sum does not fit a counter"),
    (VUG_ERR_NOT_OF_TYPE, c"value of another type"),
    (VUG_ERR_CODEC, c"value cannot be encoded or decoded"),
    (VUG_ERR_REGION_DESTROYED, c"region was destroyed"),
    (VUG_ERR_REGION_CLOSED, c"region is closed"),
    (VUG_ERR_BULK_FAILED, c"some of many keys failed"),
    (VUG_ERR_SEARCH_TIMEOUT, c"other nodes did not answer in time"),
    (VUG_ERR_FORKED_CHILD, c"handle of the parent process"),
    (VUG_ERR_BRIDGE_RUNS, c"another bridge runs"),
    (VUG_ERR_NO_BRIDGE, c"the bridge does not run"),
    (VUG_ERR_IO, c"input/output error"),
    (VUG_ERR_SYSTEM, c"system call failed"),
    (VUG_ERR_NULL, c"null pointer"),
    (VUG_ERR_HANDLE, c"invalid handle"),
    (VUG_ERR_ARGUMENT, c"invalid argument"),
    (VUG_ERR_INTERNAL, c"internal error"),
    (VUG_ERR_TOO_MANY_HANDLES, c"too many open handles"),
    (VUG_ERR_POISONED, c"handle refuses writes after an internal error"),
    (VUG_ERR_BUFFER, c"buffer too small"),
    (VUG_ERR_VERSION, c"library older than the header"),
    (VUG_ERR_THREAD, c"handle of another thread"),
    (VUG_ERR_BUSY, c"handle in use by another thread"),
];

/// Fixed text of a status, e.g. "region is full". Never NULL, never freed; a number that this
/// library does not know gives "unknown status". vug_last_error() knows more: names and remedy.
#[unsafe(no_mangle)]
pub extern "C" fn vug_strerror(status: vug_status_t) -> *const c_char {
    TEXTS
        .iter()
        .find(|(code, _)| *code == status)
        .map_or(c"unknown status", |(_, text)| text)
        .as_ptr()
}

/// An error on its way to the caller: its code and the text for `vug_last_error`.
#[derive(Debug)]
pub(crate) struct Failure {
    code: vug_status_t,
    text: String,
}

impl Failure {
    /// An error of this layer. `what` is the fact, `help` the remedy.
    pub(crate) fn new(code: vug_status_t, what: impl fmt::Display, help: &str) -> Self {
        Self { code, text: format!("VUG-{:04}: {what}\nhelp: {help}", -code) }
    }

    #[cold]
    pub(crate) fn null(argument: &str) -> Self {
        let help = "pass the address of an object; vug.h says which pointers may be NULL";
        Self::new(VUG_ERR_NULL, format_args!("`{argument}` is NULL"), help)
    }

    #[cold]
    pub(crate) fn argument(what: impl fmt::Display, help: &str) -> Self {
        Self::new(VUG_ERR_ARGUMENT, what, help)
    }

    #[cold]
    pub(crate) fn internal(what: impl fmt::Display) -> Self {
        let help = "this is a bug in vug: close the handle, open it again, and report the text";
        Self::new(VUG_ERR_INTERNAL, what, help)
    }

    pub(crate) fn code(&self) -> vug_status_t {
        self.code
    }

    /// Makes this the calling thread's last error.
    pub(crate) fn report(self) -> vug_status_t {
        // A thread that is being torn down has no last error any more; the code still counts.
        let _gone = LAST.try_with(|last| last.replace(self.text));
        self.code
    }
}

impl From<vug::Error> for Failure {
    #[cold]
    fn from(error: vug::Error) -> Self {
        let code = error.code();
        Self {
            code: -i32::from(code),
            text: format!("VUG-{code:04}: {error}\nhelp: {}", error.help()),
        }
    }
}

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Text of the last error of the calling thread; empty when there was none.
pub(crate) fn last_error() -> String {
    LAST.try_with(|last| last.borrow().clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_own_text() {
        for (place, (code, text)) in TEXTS.iter().enumerate() {
            for (other_code, other_text) in &TEXTS[place + 1..] {
                assert_ne!(code, other_code);
                assert_ne!(text, other_text);
            }
        }
    }

    #[test]
    fn a_report_is_seen_by_its_own_thread_only() {
        assert_eq!(Failure::null("key").report(), VUG_ERR_NULL);
        assert!(last_error().starts_with("VUG-0701: `key` is NULL\nhelp: "));
        let other = std::thread::spawn(last_error).join().expect("thread");
        assert_eq!(other, "");
    }
}

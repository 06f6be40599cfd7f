//! vug.h - the C interface of vug, a lock-free cache in shared memory.
//!
//! Several processes of one machine open the same *node*, a directory with *region* files, and
//! read and write the regions, maps of keys (1 to 65536 bytes) to values, without a server and
//! without locks. Reading copies nothing. This header is the manual.
//!
//! # Caveats
//!
//! Fork: a handle belongs to the process that opened it. In a child its calls fail with
//! VUG_ERR_FORKED_CHILD, and the parent's views are void there: do not read them. Closing and
//! releasing is allowed and leaves the parent alone. The child opens the node anew. Fork and exec
//! is fine. No function may be called from a signal handler.
//!
//! Views: a view keeps a log segment, a part of the region, from being used again. One that is
//! never released is memory lost until its thread (vug_get) or the process (vug_get_owned) ends;
//! a process can pin 254 segments of a region at a time (VUG_ERR_TOO_MANY_PINS). Release views
//! soon; copy what you keep. A view outlives the handle it was made from, also the region, but not
//! its thread: what vug_get showed a thread that has ended must not be read any more.
//!
//! Kill: a process may be killed at any instruction. The others go on at once; only the operation
//! that it was in may be undone, and its views are taken back. Nothing has to be closed before
//! exit. But a process must never truncate or write a region file other than through vug:
//! that can stop every process that has it open.
//!
//! Waiting: vug_wait_*, vug_subscription_wait and writes to regions of scope distributed-ack (for
//! the node's bridge and the other nodes) wait, with a limit if you give one. So do reads of what
//! is not here, where a distributed region does not hold everything (vug_get_local never does), and
//! clearing, invalidating or destroying a distributed region. All other calls return without
//! waiting for another process, and vug_listener_stop waits for its function.
//!
//! Callbacks: a function that is given to the library must return. A C++ exception that leaves it
//! ends the process with a message (as std::terminate does; the region is as after a kill);
//! longjmp out of it is undefined. vug.hpp catches exceptions of listeners.
//!
//! # Threads and fork
//!
//! | object                      | use by several threads                      | in a child     |
//! |-----------------------------|---------------------------------------------|----------------|
//! | `vug_node_t`                | all calls at any time                       | close          |
//! | `vug_region_t`              | all calls at any time                       | close          |
//! | `vug_view_t` of vug_get     | read by any, released by the one it is of   | release        |
//! | `vug_view_t` of _get_owned  | read at any time, released once, by any     | release        |
//! | `vug_key_t`                 | only by the one that made it                | free           |
//! | `vug_iter_t`                | one at a time, else VUG_ERR_BUSY            | free           |
//! | `vug_subscription_t`        | one at a time, else VUG_ERR_BUSY            | free           |
//! | `vug_values_t`              | one at a time, else VUG_ERR_BUSY            | all calls      |
//! | `vug_listener_t`            | all calls at any time                       | stop: no thread|
//! | last error                  | each thread has its own                     | copied         |
//!
//! Closing a handle while other threads use it is allowed: their calls succeed or return
//! VUG_ERR_HANDLE. A region takes 1023 threads of all processes (VUG_ERR_TOO_MANY_THREADS); a
//! thread counts from its first call on the region until it ends. The only threads that the library
//! starts are those of listeners.
//!
//! A library that is loaded twice in a process (two copies of the file, or static and shared) works
//! as two members of the node would. Handles of one are not handles of the other.
//!
//! # Handles
//!
//! `vug_node_t *`, `vug_region_t *` and the like are numbers in the shape of pointers. The library
//! looks them up and never follows them: NULL, a closed handle, a handle of another kind or any
//! other pointer gives VUG_ERR_HANDLE and does no harm. Each handle is closed once; closing one
//! does not close others made from it.
//!
//! # Pointers
//!
//! Every other pointer is checked for NULL (VUG_ERR_NULL, unless its description allows NULL) and
//! for alignment (VUG_ERR_ARGUMENT). Beyond that the library believes the caller: a pointer leads
//! to an object of its type, or to as many bytes as the length beside it says; text ends with a
//! zero byte; inputs do not change during the call; outputs are used by nobody else during the
//! call and overlap no input unless a description allows it. No pointer is kept after the call,
//! but the `user` of a listener.
//!
//! Keys and values are bytes with a length; zero bytes in them are like others. Names and paths are
//! text: what follows a zero byte does not belong to them.
//!
//! Outputs come last. A call that gets as far as its outputs sets them to zero or NULL first, so
//! they hold a result or nothing. The library frees no memory of the caller and hands out none
//! that the caller frees.
//!
//! # Structures
//!
//! Options begin with `struct_size`, which their _INIT macro sets: a program that was compiled with
//! another version of this header is understood; options that the library does not know are refused
//! unless they are zero. Reports (statistics, events and the like) may grow at the end: the caller
//! passes the size of the one it knows, and gets so much. All other structures never change.
//!
//! Times are in nanoseconds. As a timeout 0 means "only look" and VUG_FOREVER no limit.
//!
//! # Errors
//!
//! A function that can fail returns a `vug_status_t`: VUG_OK (0), a positive number for "no value"
//! or a negative number for an error; so `status < 0` asks for errors only. Each description lists
//! what is likely; treat other negative numbers as errors too, later versions add some.
//! `vug_strerror` has a short text for a status, `vug_last_error` the details of the calling
//! thread's last error and what to do about it.
//!
//! A bug inside the library never ends the process. The call returns VUG_ERR_INTERNAL, and the
//! handle it used takes no more writes (VUG_ERR_POISONED) until it is closed and opened again.
//!
//! # Versions
//!
//! VUG_VERSION_* and VUG_ABI_VERSION are of this header, vug_version() and vug_abi_version() of the
//! library that is there at run time; `vug_check_version(VUG_ABI_VERSION)` compares. The files have
//! a version of their own, vug_format_version().
//!
//! # Example
//!
//! ```c
//! vug_node_t *node;
//! vug_region_t *region;
//! vug_view_t view;
//!
//! if (vug_node_open(NULL, &node) == VUG_OK
//!     && vug_region_open_or_create(node, "quotes", NULL, &region) == VUG_OK
//!     && vug_put(region, "ibm", 3, "241.5", 5, NULL) == VUG_OK
//!     && vug_get(region, "ibm", 3, &view) == VUG_OK) {
//!     fwrite(view.data, 1, view.len, stdout);
//!     vug_view_release(&view);
//! }
//! ```
#![expect(
    clippy::missing_safety_doc,
    reason = "what every caller must keep is said once, in the chapter Pointers"
)]

mod attributes;
mod boundary;
mod desk;
mod event;
mod handle;
mod plain;
mod retire;

// The rest comes in the order of the header; blank lines keep rustfmt from sorting it.
mod version;

mod status;

mod last_error;

mod types;

mod options;

mod reports;

mod node;

mod region;

mod statistics;

mod view;

mod key;

mod entry;

mod batch;

mod iter;

mod wait;

mod subscribe;

mod listen;

pub use batch::*;
pub use entry::*;
pub use iter::*;
pub use key::*;
pub use last_error::*;
pub use listen::*;
pub use node::*;
pub use options::*;
pub use region::*;
pub use reports::*;
pub use statistics::*;
pub use status::*;
pub use subscribe::*;
pub use types::*;
pub use version::*;
pub use view::*;
pub use wait::*;

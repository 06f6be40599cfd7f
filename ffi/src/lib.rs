//! vug.h - the C interface of vug, a lock-free cache in shared memory.
//!
//! Several processes of one machine open the same *node*, a directory with *region* files, and
//! read and write the regions, maps of keys (1 to 65536 bytes) to values, without a server and
//! without locks. Reading copies nothing. This header is the manual.
//!
//! # Caveats
//!
//! Fork: a handle belongs to the process that opened it. In a child its calls fail with
//! VUG_ERR_FORKED_CHILD, and the parent's views are void there: do not read them. The child opens
//! the node anew. Fork and exec is fine. No function may be called from a signal handler.
//!
//! Views: a view pins a log segment, a part of the region that can then not be used again. A view
//! that is never released is memory lost until the process ends, and a process can pin 254
//! segments of a region at a time (VUG_ERR_TOO_MANY_PINS). Release views soon; copy what you keep.
//!
//! Kill: a process may be killed at any instruction. The others go on at once; only the operation
//! that it was in may be undone, and its views are taken back. Nothing has to be closed before
//! exit. But a process must never truncate or write a region file other than through vug:
//! that can stop every process that has it open.
//!
//! Waiting: only writes to regions of scope distributed-ack wait: for the node's bridge and the
//! other nodes, as long as it takes. All other calls return without waiting for another process.
//!
//! Threads:
//!
//! | object         | use by several threads                                        |
//! |----------------|---------------------------------------------------------------|
//! | `vug_node_t`   | all calls at any time                                         |
//! | `vug_region_t` | all calls at any time                                         |
//! | `vug_view_t`   | reading at any time; released once, by any thread             |
//! | `vug_iter_t`   | one thread at a time                                          |
//! | last error     | each thread has its own                                       |
//!
//! A region takes 1023 threads of all processes (VUG_ERR_TOO_MANY_THREADS); a thread counts from
//! its first call on the region until it ends.
//!
//! # Handles
//!
//! `vug_node_t *`, `vug_region_t *` and `vug_iter_t *` are numbers in the shape of pointers. The
//! library looks them up and never follows them: NULL, a closed handle, a handle of another kind
//! or any other pointer gives VUG_ERR_HANDLE and does no harm. Each handle is closed once; closing
//! one does not close others made from it.
//!
//! # Pointers
//!
//! Every other pointer is checked for NULL (VUG_ERR_NULL, unless its description allows NULL) and
//! for alignment (VUG_ERR_ARGUMENT). Beyond that the library believes the caller: a pointer leads
//! to an object of its type, or to as many bytes as the length beside it says; text ends with a
//! zero byte; inputs do not change during the call; outputs are used by nobody else during the
//! call and overlap no input unless a description allows it. No pointer is kept after the call.
//!
//! Outputs come last. A call that gets as far as its outputs sets them to zero or NULL first, so
//! they hold a result or nothing. The library frees no memory of the caller and hands out none
//! that the caller frees.
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

mod boundary;
mod handle;

// The rest comes in the order of the header; blank lines keep rustfmt from sorting it.
mod version;

mod status;

mod last_error;

mod types;

mod node;

mod options;

mod region;

mod view;

mod entry;

mod iter;

pub use entry::{vug_compare_and_swap, vug_create, vug_delete, vug_len, vug_put, vug_replace};
pub use iter::{vug_iter_free, vug_iter_new, vug_iter_next};
pub use last_error::vug_last_error;
pub use node::{vug_node_close, vug_node_open};
pub use options::*;
pub use region::{vug_region_close, vug_region_create, vug_region_open, vug_region_open_or_create};
pub use status::*;
pub use types::{vug_entry_t, vug_iter_t, vug_node_t, vug_region_t, vug_token_t, vug_view_t};
pub use version::*;
pub use view::{vug_get, vug_get_copy, vug_view_release};

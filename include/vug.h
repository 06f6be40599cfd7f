/*
 * vug.h - the C interface of vug, a lock-free cache in shared memory.
 *
 * Several processes of one machine open the same *node*, a directory with *region* files, and
 * read and write the regions, maps of keys (1 to 65536 bytes) to values, without a server and
 * without locks. Reading copies nothing. This header is the manual.
 *
 * # Caveats
 *
 * Fork: a handle belongs to the process that opened it. In a child its calls fail with
 * VUG_ERR_FORKED_CHILD, and the parent's views are void there: do not read them. Closing and
 * releasing is allowed and leaves the parent alone. The child opens the node anew. Fork and exec
 * is fine. No function may be called from a signal handler.
 *
 * Views: a view keeps a log segment, a part of the region, from being used again. One that is
 * never released is memory lost until its thread (vug_get) or the process (vug_get_owned) ends;
 * a process can pin 254 segments of a region at a time (VUG_ERR_TOO_MANY_PINS). Release views
 * soon; copy what you keep. A view outlives the handle it was made from, also the region, but not
 * its thread: what vug_get showed a thread that has ended must not be read any more.
 *
 * Kill: a process may be killed at any instruction. The others go on at once; only the operation
 * that it was in may be undone, and its views are taken back. Nothing has to be closed before
 * exit. But a process must never truncate or write a region file other than through vug:
 * that can stop every process that has it open.
 *
 * Waiting: vug_wait_*, vug_subscription_wait and writes to regions of scope distributed-ack (for
 * the node's bridge and the other nodes) wait, with a limit if you give one. So do reads of what
 * is not here, where a distributed region does not hold everything (vug_get_local never does), and
 * clearing, invalidating or destroying a distributed region. All other calls return without
 * waiting for another process, and vug_listener_stop waits for its function.
 *
 * Callbacks: a function that is given to the library must return. A C++ exception that leaves it
 * ends the process with a message (as std::terminate does; the region is as after a kill);
 * longjmp out of it is undefined. vug.hpp catches exceptions of listeners.
 *
 * # Threads and fork
 *
 * | object                      | use by several threads                      | in a child     |
 * |-----------------------------|---------------------------------------------|----------------|
 * | `vug_node_t`                | all calls at any time                       | close          |
 * | `vug_region_t`              | all calls at any time                       | close          |
 * | `vug_view_t` of vug_get     | read by any, released by the one it is of   | release        |
 * | `vug_view_t` of _get_owned  | read at any time, released once, by any     | release        |
 * | `vug_key_t`                 | only by the one that made it                | free           |
 * | `vug_iter_t`                | one at a time, else VUG_ERR_BUSY            | free           |
 * | `vug_subscription_t`        | one at a time, else VUG_ERR_BUSY            | free           |
 * | `vug_values_t`              | one at a time, else VUG_ERR_BUSY            | all calls      |
 * | `vug_listener_t`            | all calls at any time                       | stop: no thread|
 * | last error                  | each thread has its own                     | copied         |
 *
 * Closing a handle while other threads use it is allowed: their calls succeed or return
 * VUG_ERR_HANDLE. A region takes 1023 threads of all processes (VUG_ERR_TOO_MANY_THREADS); a
 * thread counts from its first call on the region until it ends. The only threads that the library
 * starts are those of listeners.
 *
 * A library that is loaded twice in a process (two copies of the file, or static and shared) works
 * as two members of the node would. Handles of one are not handles of the other.
 *
 * # Handles
 *
 * `vug_node_t *`, `vug_region_t *` and the like are numbers in the shape of pointers. The library
 * looks them up and never follows them: NULL, a closed handle, a handle of another kind or any
 * other pointer gives VUG_ERR_HANDLE and does no harm. Each handle is closed once; closing one
 * does not close others made from it.
 *
 * # Pointers
 *
 * Every other pointer is checked for NULL (VUG_ERR_NULL, unless its description allows NULL) and
 * for alignment (VUG_ERR_ARGUMENT). Beyond that the library believes the caller: a pointer leads
 * to an object of its type, or to as many bytes as the length beside it says; text ends with a
 * zero byte; inputs do not change during the call; outputs are used by nobody else during the
 * call and overlap no input unless a description allows it. No pointer is kept after the call,
 * but the `user` of a listener.
 *
 * Keys and values are bytes with a length; zero bytes in them are like others. Names and paths are
 * text: what follows a zero byte does not belong to them.
 *
 * Outputs come last. A call that gets as far as its outputs sets them to zero or NULL first, so
 * they hold a result or nothing. The library frees no memory of the caller and hands out none
 * that the caller frees.
 *
 * # Structures
 *
 * Options begin with `struct_size`, which their _INIT macro sets: a program that was compiled with
 * another version of this header is understood; options that the library does not know are refused
 * unless they are zero. Reports (statistics, events and the like) may grow at the end: the caller
 * passes the size of the one it knows, and gets so much. All other structures never change.
 *
 * Times are in nanoseconds. As a timeout 0 means "only look" and VUG_FOREVER no limit.
 *
 * # Errors
 *
 * A function that can fail returns a `vug_status_t`: VUG_OK (0), a positive number for "no value"
 * or a negative number for an error; so `status < 0` asks for errors only. Each description lists
 * what is likely; treat other negative numbers as errors too, later versions add some.
 * `vug_strerror` has a short text for a status, `vug_last_error` the details of the calling
 * thread's last error and what to do about it.
 *
 * A bug inside the library never ends the process. The call returns VUG_ERR_INTERNAL, and the
 * handle it used takes no more writes (VUG_ERR_POISONED) until it is closed and opened again.
 *
 * # Versions
 *
 * VUG_VERSION_* and VUG_ABI_VERSION are of this header, vug_version() and vug_abi_version() of the
 * library that is there at run time; `vug_check_version(VUG_ABI_VERSION)` compares. The files have
 * a version of their own, vug_format_version().
 *
 * # Example
 *
 * ```c
 * vug_node_t *node;
 * vug_region_t *region;
 * vug_view_t view;
 *
 * if (vug_node_open(NULL, &node) == VUG_OK
 *     && vug_region_open_or_create(node, "quotes", NULL, &region) == VUG_OK
 *     && vug_put(region, "ibm", 3, "241.5", 5, NULL) == VUG_OK
 *     && vug_get(region, "ibm", 3, &view) == VUG_OK) {
 *     fwrite(view.data, 1, view.len, stdout);
 *     vug_view_release(&view);
 * }
 * ```
 */

#ifndef VUG_H
#define VUG_H

/* Generated from ffi/src. Do not edit: change the sources, then run
 * VUG_BLESS=1 cargo test -p vug-tests --test header */

#include <stddef.h>
#include <stdint.h>

/* Marks functions whose status must be looked at. */
#if !defined(VUG_MUST_USE)
#if defined(__GNUC__) || defined(__clang__)
#define VUG_MUST_USE __attribute__((warn_unused_result))
#else
#define VUG_MUST_USE
#endif
#endif

/* As a timeout: no limit. */
#define VUG_FOREVER UINT64_MAX

/* As the time after which entries expire: not at all. */
#define VUG_NEVER UINT64_MAX

/* Options that are all at their defaults. */
#define VUG_NODE_OPTIONS_INIT { sizeof(vug_node_options_t), 0, NULL, 0, 0 }
#define VUG_REGION_OPTIONS_INIT \
    { sizeof(vug_region_options_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define VUG_WRITE_OPTIONS_INIT { sizeof(vug_write_options_t), 0, 0, 0, NULL }
#define VUG_READ_OPTIONS_INIT { sizeof(vug_read_options_t), 0, 0 }
#define VUG_LISTEN_OPTIONS_INIT { sizeof(vug_listen_options_t), 0, NULL, 0, 0, 0 }
#define VUG_MAINTAIN_OPTIONS_INIT { sizeof(vug_maintain_options_t), 0, 0, 0 }

/* A view of nothing; what vug_get stores when it finds nothing. */
#define VUG_VIEW_INIT { NULL, 0, { 0, 0, 0, { 0, 0, 0, 0, 0 } }, NULL }

/* VUG_VERSION_NUMBER of any version, to compare with. */
#define VUG_MAKE_VERSION(major, minor, patch) ((major) * 1000000 + (minor) * 1000 + (patch))

// Major version of the library that this header belongs to.
#define VUG_VERSION_MAJOR 0

// Minor version of the library that this header belongs to.
#define VUG_VERSION_MINOR 1

// Patch version of the library that this header belongs to.
#define VUG_VERSION_PATCH 0

// The three as one number for comparisons: MAJOR * 1000000 + MINOR * 1000 + PATCH.
#define VUG_VERSION_NUMBER (((VUG_VERSION_MAJOR * 1000000) + (VUG_VERSION_MINOR * 1000)) + VUG_VERSION_PATCH)

// Counts additions to the C ABI. An incompatible change gives the library another file name
// (soname), so a program runs with every library of this name whose number is not lower.
#define VUG_ABI_VERSION 2

// The entry has a value.
#define VUG_KIND_VALUE 1

// The key is there, its value is not: it was invalidated, or created so.
#define VUG_KIND_INVALID 2

// The same, on this node only.
#define VUG_KIND_LOCAL_INVALID 3

// The entry was destroyed.
#define VUG_KIND_TOMBSTONE 4

// The entry passed through a region that stores nothing.
#define VUG_KIND_TRANSIT 5

// How many nodes a vug_departed_t names.
#define VUG_DEPARTED_MAX 8

// A switch is on.
#define VUG_ON 1

// A switch is off.
#define VUG_OFF 2

// A node is opened as a member: for reading and writing. The default.
#define VUG_ACCESS_MEMBER 1

// A node is opened for reading only: nothing is written to its files, which need not be writable,
// and the process is no member of it.
#define VUG_ACCESS_READ_ONLY 2

// Nothing is stored on this node: writes are passed on.
#define VUG_DATA_POLICY_EMPTY 1

// Entries that are used on this node are stored here. The default.
#define VUG_DATA_POLICY_NORMAL 2

// Like normal, but begins with an image of the other nodes' entries.
#define VUG_DATA_POLICY_PRELOADED 3

// Every entry of the region is stored on this node.
#define VUG_DATA_POLICY_REPLICATE 4

// Like replicate, and kept on disk.
#define VUG_DATA_POLICY_PERSISTENT_REPLICATE 5

// The region is not shared with other nodes. The default, unless a data policy is given.
#define VUG_SCOPE_LOCAL 1

// Changes are sent to other nodes; writers do not wait.
#define VUG_SCOPE_DISTRIBUTED_NO_ACK 2

// Changes are sent to other nodes; a writer waits until they have it. The default if a data
// policy is given.
#define VUG_SCOPE_DISTRIBUTED_ACK 3

// Writers of all nodes take turns on a key.
#define VUG_SCOPE_GLOBAL 4

// A full region refuses writes (VUG_ERR_OUT_OF_SPACE) and loses nothing. The default.
#define VUG_EVICTION_NONE 1

// In a full region entries that were used least make room.
#define VUG_EVICTION_S3_FIFO 2

// A node that does not store everything hears of changes of keys that it holds. The default.
#define VUG_INTEREST_CACHE_CONTENT 1

// It hears of all changes.
#define VUG_INTEREST_ALL 2

// An entry that has expired is destroyed, on all nodes. The default.
#define VUG_EXPIRY_DESTROY 1

// Its key stays, its value goes, on all nodes.
#define VUG_EXPIRY_INVALIDATE 2

// It is destroyed on this node only.
#define VUG_EXPIRY_LOCAL_DESTROY 3

// Its key stays, its value goes, on this node only.
#define VUG_EXPIRY_LOCAL_INVALIDATE 4

// A key that was absent is there now; without a value if it was created invalid.
#define VUG_EVENT_CREATE 1

// A key that was there has another value.
#define VUG_EVENT_UPDATE 2

// The key is there, its value is not any more.
#define VUG_EVENT_INVALIDATE 3

// The same, only on this node.
#define VUG_EVENT_LOCAL_INVALIDATE 4

// The key is gone.
#define VUG_EVENT_DESTROY 5

// The same, only on this node.
#define VUG_EVENT_LOCAL_DESTROY 6

// The value of an entry expired.
#define VUG_EVENT_EXPIRE_INVALIDATE 7

// An entry expired.
#define VUG_EVENT_EXPIRE_DESTROY 8

// An entry had to make room: `token` and `old_value` are what it had.
#define VUG_EVENT_EVICT 9

// Not a change: how an entry is, told while a subscription resynchronises.
#define VUG_EVENT_RESYNC 10

// All entries are gone whose version is below that of the token.
#define VUG_EVENT_CLEAR 11

// The same, only on this node.
#define VUG_EVENT_LOCAL_CLEAR 12

// All entries lost their values.
#define VUG_EVENT_REGION_INVALIDATE 13

// The same, only on this node.
#define VUG_EVENT_LOCAL_REGION_INVALIDATE 14

// The region is no more: the last event.
#define VUG_EVENT_REGION_DESTROY 15

// The same, only on this node.
#define VUG_EVENT_LOCAL_REGION_DESTROY 16

// No change: the announcements from `from` up to, not including, `position` cannot be told any
// more. Look at the region again, or have it resynchronised.
#define VUG_EVENT_LAPPED 100

// No change: all entries were told as VUG_EVENT_RESYNC; what was not among them is gone.
#define VUG_EVENT_IN_SYNC 101

// This process made the change.
#define VUG_ORIGIN_THIS_MEMBER 1

// Another process of the node made it; `origin_number` is its place among the members.
#define VUG_ORIGIN_MEMBER 2

// Another node made it; `origin_number` is the number of the node.
#define VUG_ORIGIN_NODE 3

// A process of the node made it that did not live to say so, or has not said so yet.
#define VUG_ORIGIN_UNKNOWN 4

// There was no value before: the key was absent, or invalid.
#define VUG_OLD_VALUE_NONE 1

// `old_value` is the value before.
#define VUG_OLD_VALUE_KNOWN 2

// The region does not keep old values, or the memory of this one has been used again.
#define VUG_OLD_VALUE_NOT_AVAILABLE 3

// Bit of `flags`: the change was made because the entry had expired.
#define VUG_EVENT_FLAG_EXPIRATION 1

// Bit of `flags`: the change was part of an operation on many keys.
#define VUG_EVENT_FLAG_BULK 2

// The region is complete.
#define VUG_REGION_STATE_READY 0

// Its initial image is on its way.
#define VUG_REGION_STATE_INITIALISING 1

// It is cut off from nodes it should have.
#define VUG_REGION_STATE_DEGRADED 2

// An iteration over the entries or the keys of a region.
typedef struct vug_iter_t vug_iter_t;

// A key that is read often.
typedef struct vug_key_t vug_key_t;

// A function that is called with every change of a region.
typedef struct vug_listener_t vug_listener_t;

// A node: one machine's cache, a directory with region files. Opening one makes the process a
// member of it, unless it is opened for reading only.
typedef struct vug_node_t vug_node_t;

// A region: a named map of keys to values, shared by all members of a node.
typedef struct vug_region_t vug_region_t;

// A subscription to the changes of a region.
typedef struct vug_subscription_t vug_subscription_t;

// The values of many keys.
typedef struct vug_values_t vug_values_t;

// Result of every function that can fail: 0 is success, a negative number is an error, a positive
// one means "there is no value" and is not an error. A number never changes its meaning and is
// never used again. Error -301 is the one that the command line prints as VUG-0301.
typedef int32_t vug_status_t;

// How a node is opened. Begin with `vug_node_options_t options = VUG_NODE_OPTIONS_INIT;`.
typedef struct vug_node_options_t {
    // Size of this structure as the program knows it. VUG_NODE_OPTIONS_INIT sets it.
    uint32_t struct_size;
    // One of VUG_ACCESS_*.
    uint32_t access;
    // Home directory. NULL: the environment variable VUG_HOME, else `/dev/shm/vug-<uid>`.
    const char *home;
    // VUG_ON: the group of the directory may use the node as well (modes 0770 and 0660).
    uint32_t group;
    // Zero.
    uint32_t reserved;
} vug_node_options_t;

// What is known of a node.
typedef struct vug_node_info_t {
    // Random identity of the node, made with it; zeros if the node file cannot be read.
    uint8_t id[16];
    // Number of the node in its cluster; 0 until one is assigned.
    uint32_t origin;
    // How it was opened, one of VUG_ACCESS_*.
    uint32_t access;
    // Members of the node, dead ones too until they are recovered.
    uint32_t members;
    // Process id of the running bridge; 0: none runs.
    uint32_t bridge_pid;
} vug_node_info_t;

// What a recovery found and did.
typedef struct vug_recovery_t {
    // Dead members removed from the node.
    uint64_t members;
    // Places of their threads that became free.
    uint64_t threads;
    // Inserts finished for them.
    uint64_t inserts_finished;
    // Changes announced for them.
    uint64_t events_announced;
    // Log segments that they were filling.
    uint64_t segments_released;
} vug_recovery_t;

// How much maintenance is done. Begin with
// `vug_maintain_options_t options = VUG_MAINTAIN_OPTIONS_INIT;`.
typedef struct vug_maintain_options_t {
    // Size of this structure as the program knows it. VUG_MAINTAIN_OPTIONS_INIT sets it.
    uint32_t struct_size;
    // VUG_ON: clean every segment of which an eighth is dead, not only until enough are free.
    uint32_t compact;
    // Bytes of records that may be copied; 0: 64 MiB.
    uint64_t copy_bytes;
    // Entries that may be looked at because they could have expired; 0: 1048576.
    uint64_t sweep;
} vug_maintain_options_t;

// What maintenance did.
typedef struct vug_maintenance_t {
    // For dead members.
    struct vug_recovery_t recovery;
    // Entries looked at because they could have expired.
    uint64_t entries_seen;
    // Of these, entries destroyed or invalidated.
    uint64_t entries_expired;
    // Segments emptied by copying what lived in them.
    uint64_t segments_cleaned;
    // Records copied by that.
    uint64_t records_moved;
    // Bytes of these.
    uint64_t bytes_moved;
    // Segments that became free.
    uint64_t segments_freed;
} vug_maintenance_t;

// What a region is like. Begin with `vug_region_options_t options = VUG_REGION_OPTIONS_INIT;`
// and set what matters. A field that is 0 is not given: a new region takes the default, and
// opening an existing one accepts what it has. A field that is given must agree with the existing
// region, or opening it fails with VUG_ERR_ATTRIBUTES_DIFFER; but expiry is that of the existing
// region, whatever is given. vug_region_attributes() fills all fields.
typedef struct vug_region_options_t {
    // Size of this structure as the program knows it. VUG_REGION_OPTIONS_INIT sets it.
    uint32_t struct_size;
    // One of VUG_DATA_POLICY_*.
    uint32_t data_policy;
    // One of VUG_SCOPE_*.
    uint32_t scope;
    // VUG_ON (default): changes are ordered by version. VUG_OFF: those of other nodes are applied
    // in the order in which they arrive.
    uint32_t concurrency_checks;
    // Most memory the region may take, in bytes: 1 MiB to 256 GiB, by default 64 MiB.
    // Memory is taken as it is needed.
    uint64_t max_bytes;
    // Bytes per log segment, a power of two from 64 KiB to 8 MiB, by default chosen from
    // max_bytes. Larger values take several segments side by side.
    uint64_t segment_bytes;
    // Most entries the region may have; only with eviction. By default there is no such bound.
    uint64_t max_entries;
    // Each value begins at a multiple of this many bytes: a power of two, 8 (default) to 4096.
    uint64_t alignment;
    // One of VUG_EVICTION_*.
    uint32_t eviction;
    // One of VUG_INTEREST_*.
    uint32_t interest;
    // VUG_ON: other nodes acknowledge changes on receipt instead of after applying them.
    uint32_t early_ack;
    // VUG_ON: events tell the value that an entry had before.
    uint32_t old_values;
    // Entries expire that long after they were written, in nanoseconds; VUG_NEVER: not.
    uint64_t entry_ttl_ns;
    // Entries expire when they were neither read nor written for so many nanoseconds; VUG_NEVER:
    // not.
    uint64_t entry_idle_ns;
    // What becomes of an entry behind entry_ttl_ns, one of VUG_EXPIRY_*.
    uint32_t entry_ttl_action;
    // What becomes of an entry behind entry_idle_ns, one of VUG_EXPIRY_*.
    uint32_t entry_idle_action;
} vug_region_options_t;

// A region in numbers. Collected by reading shared words; not one consistent instant. Later
// versions add fields at the end. From `gets` on it is what all processes counted since the
// region was made.
typedef struct vug_statistics_t {
    // Entries, with a value or invalid.
    uint64_t entries;
    // Bound on index and records, in bytes.
    uint64_t max_bytes;
    // Of these, bytes that have memory.
    uint64_t backed_bytes;
    // Bytes of the index.
    uint64_t index_bytes;
    // Bytes of records not known to be dead.
    uint64_t live_bytes;
    // Bytes of records known to be dead and not yet reused.
    uint64_t dead_bytes;
    // Bytes that records can be written to at once.
    uint64_t free_bytes;
    // Bytes of free segments that lie side by side, at most.
    uint64_t largest_free_bytes;
    // Bytes of records in full segments.
    uint64_t sealed_bytes;
    // Of these, bytes known to be dead: what cleaning can win.
    uint64_t sealed_dead_bytes;
    // Size of a segment in bytes.
    uint64_t segment_bytes;
    // Segments, with and without memory.
    uint64_t segments_total;
    // Segments that can be taken.
    uint64_t segments_free;
    // Segments that are being filled or can be filled further.
    uint64_t segments_active;
    // Full segments.
    uint64_t segments_sealed;
    // Dead segments that a reader still protects.
    uint64_t segments_quarantined;
    // Segments of the index.
    uint64_t segments_index;
    // Primary buckets of the index.
    uint64_t index_buckets;
    // Times that the index has grown.
    uint64_t growths;
    // Dead threads recovered.
    uint64_t recoveries;
    // Segments emptied by copying what lived in them.
    uint64_t segments_cleaned;
    // Records copied by that.
    uint64_t records_moved;
    // Bytes of these.
    uint64_t bytes_moved;
    // Segments whose memory went back to the system.
    uint64_t segments_released;
    // Members that have the region open.
    uint64_t members;
    // How many can.
    uint64_t members_max;
    // Threads that use the region.
    uint64_t threads;
    // How many can.
    uint64_t threads_max;
    // Segments pinned by views.
    uint64_t pins;
    // For how long the oldest of these pins has been set, in nanoseconds.
    uint64_t oldest_pin_ns;
    // Subscriptions of all members, of which each lists 64.
    uint64_t subscriptions;
    // Announcements that the slowest listed subscription has not read.
    uint64_t ring_lag;
    // Threads that wait for acknowledgements of other nodes.
    uint64_t ack_waiters;
    // For how long the one of them waits that waits longest, in nanoseconds.
    uint64_t oldest_ack_wait_ns;
    // Next position of the event ring.
    uint64_t ring_tail;
    // Cells of the event ring.
    uint64_t ring_len;
    // 1 if a bridge ever served the region, else 0.
    uint64_t bridged;
    // Everything below this position was sent to the other nodes.
    uint64_t sent;
    // Everything below this position was received by them.
    uint64_t received;
    // Everything below this position was applied by them.
    uint64_t applied;
    // State of a distributed region, one of VUG_REGION_STATE_*.
    uint64_t state;
    // Reads.
    uint64_t gets;
    // Reads that found a value.
    uint64_t hits;
    // Values written, also those that came from other nodes.
    uint64_t puts;
    // Entries destroyed by a call, here or on another node.
    uint64_t destroys;
    // Of the values written, those of keys that were absent.
    uint64_t creates;
    // Entries whose value was taken away.
    uint64_t invalidates;
    // Bytes of keys and values of all these writes.
    uint64_t bytes_written;
    // Of all these writes, those that came from other nodes.
    uint64_t remote_changes;
    // Attempts of a write that met another write of the same chain and began anew.
    uint64_t retries;
    // Conditional writes refused because the key was present.
    uint64_t refused_present;
    // Conditional writes refused because the key was absent.
    uint64_t refused_absent;
    // Conditional writes refused because the entry was another one.
    uint64_t refused_changed;
    // Changes of other nodes dropped because a newer one was here.
    uint64_t dropped_older;
    // Changes of other nodes dropped because they were here.
    uint64_t dropped_duplicate;
    // Writes that found no room and failed.
    uint64_t out_of_space;
    // Writes that had to make room themselves.
    uint64_t foreground_cleans;
    // Entries evicted to make room or to keep a bound.
    uint64_t evicted;
    // Of these, those over the bound on entries.
    uint64_t evicted_by_bound;
    // Entries destroyed or invalidated because they had expired.
    uint64_t expired;
    // Calls that cleared the region.
    uint64_t clears;
    // Events handed to subscriptions.
    uint64_t events_delivered;
    // Events not handed over because their memory was reused.
    uint64_t events_missed;
    // Events not handed over because the ring had gone round.
    uint64_t events_lapped;
    // Waits for a change that went to sleep.
    uint64_t waits;
    // Waits for acknowledgements that went to sleep.
    uint64_t ack_waits;
    // Of these, those that ended at their deadline.
    uint64_t ack_timeouts;
    // Calls that read many keys.
    uint64_t get_alls;
    // Calls that wrote many entries.
    uint64_t put_alls;
    // Calls that destroyed many entries.
    uint64_t remove_alls;
    // Evictions and expiries that were not announced.
    uint64_t events_dropped;
    // Panics of listeners.
    uint64_t listener_panics;
    // Entries in the index that reads do not see: destroyed ones of which other nodes may have to
    // hear, and changes on their way through a region that stores nothing.
    uint64_t tombstones;
} vug_statistics_t;

// Names one state of one entry. Every change of the entry makes a new token. A token of zeros
// stands for "no entry".
typedef struct vug_token_t {
    // Version of the entry; grows with every change.
    uint64_t version;
    // Node on which the change was made; 0 is a node without a number.
    uint16_t origin;
    // What the state is, one of VUG_KIND_*; 0 in the token of no entry.
    uint8_t kind;
    // Zero.
    uint8_t reserved[5];
} vug_token_t;

// A value in shared memory, read without a copy. It does not change while the view exists, even
// if the entry is replaced or removed meanwhile. Do not write through `data`. A copy of this
// structure is the same view: release it once.
typedef struct vug_view_t {
    // First byte of the value, aligned as the region's option `alignment` says (8 by default).
    // Not NULL, even if the value is empty.
    const void *data;
    // Length of the value in bytes.
    size_t len;
    // The state of the entry that was read.
    struct vug_token_t token;
    // What keeps the value in place. Leave it alone.
    void *pin;
} vug_view_t;

// How one read is done. Begin with `vug_read_options_t options = VUG_READ_OPTIONS_INIT;`.
typedef struct vug_read_options_t {
    // Size of this structure as the program knows it. VUG_READ_OPTIONS_INIT sets it.
    uint32_t struct_size;
    // VUG_ON: only what is on this node is read, and nobody is asked.
    uint32_t local;
    // How long other nodes may be asked for a value that is not here, in nanoseconds, before the
    // read returns VUG_ERR_SEARCH_TIMEOUT; 0: as the region says, see
    // vug_region_set_search_timeout(). VUG_FOREVER: as long as it takes.
    uint64_t search_within_ns;
} vug_read_options_t;

// What is known of an entry, valid or not.
typedef struct vug_entry_info_t {
    // Its state; `kind` says whether it has a value.
    struct vug_token_t token;
    // Length of its value in bytes.
    uint64_t value_len;
    // When it expires if it is neither written nor read until then, in nanoseconds since 1970;
    // 0: never.
    uint64_t expires_ns;
    // When it was written, in nanoseconds since 1970; 0 in a region of scope local that never had
    // a time to live, where nobody asks the clock.
    uint64_t modified_ns;
    // When it was last read or written, in nanoseconds since 1970, as far as that is noted: reads
    // at most once a second, or in a sixteenth of the idle time; 0 in a region without idle time.
    uint64_t accessed_ns;
} vug_entry_info_t;

// Nodes that left the cluster while a write of scope distributed-ack waited for them: all others
// have the change. None if everybody acknowledged, and where nobody was waited for.
typedef struct vug_departed_t {
    // How many `nodes` are named.
    uint32_t count;
    // Zero.
    uint32_t reserved;
    // Their numbers in the cluster. More than so many are not named.
    uint16_t nodes[VUG_DEPARTED_MAX];
} vug_departed_t;

// How one write is done. Begin with `vug_write_options_t options = VUG_WRITE_OPTIONS_INIT;`.
// Options with `departed` are for one call at a time.
typedef struct vug_write_options_t {
    // Size of this structure as the program knows it. VUG_WRITE_OPTIONS_INIT sets it.
    uint32_t struct_size;
    // Zero.
    uint32_t reserved;
    // The entry expires so many nanoseconds after this write, whatever the region has; 0: the
    // region decides.
    uint64_t ttl_ns;
    // How long a write to a region of scope distributed-ack waits for the other nodes, in
    // nanoseconds, before it returns VUG_ERR_ACK_TIMEOUT; 0 and VUG_FOREVER: as long as it takes.
    uint64_t ack_within_ns;
    // Receives the nodes that left the cluster instead of acknowledging the write; NULL: nobody
    // asks. vug_increment() stores nothing here.
    struct vug_departed_t *departed;
} vug_write_options_t;

// Bytes of the caller: a key.
typedef struct vug_bytes_t {
    // First byte.
    const void *data;
    // Length in bytes.
    size_t len;
} vug_bytes_t;

// The value of one key of vug_get_all(). It belongs to the vug_values_t.
typedef struct vug_value_t {
    // First byte of the value, NULL if the key has none; not NULL if the value is empty.
    const void *data;
    // Length of the value in bytes.
    size_t len;
    // The state of the entry that was read; zeros if there is no value.
    struct vug_token_t token;
} vug_value_t;

// An entry of the caller, to be stored.
typedef struct vug_pair_t {
    // First byte of the key.
    const void *key;
    // Length of the key in bytes.
    size_t key_len;
    // First byte of the value; may be NULL if it is empty.
    const void *value;
    // Length of the value in bytes.
    size_t value_len;
} vug_pair_t;

// What became of one key of an operation on many.
typedef struct vug_result_t {
    // VUG_OK, VUG_NOT_FOUND where a key is to be removed, or an error.
    vug_status_t status;
    // Zero.
    uint32_t reserved;
    // The token of the new state after VUG_OK, else zeros.
    struct vug_token_t token;
} vug_result_t;

// An entry as an iteration shows it: copies that belong to the iterator and stay until the next
// call of vug_iter_next() or vug_iter_free() with it. There is nothing to release.
typedef struct vug_entry_t {
    // First byte of the key.
    const void *key;
    // Length of the key in bytes.
    size_t key_len;
    // First byte of the value; not NULL, even if the value is empty. NULL in an iteration over
    // keys.
    const void *value;
    // Length of the value in bytes.
    size_t value_len;
    // The state of the entry that was read; zeros in an iteration over keys.
    struct vug_token_t token;
} vug_entry_t;

// What a subscription or a listener is told. Begin with
// `vug_listen_options_t options = VUG_LISTEN_OPTIONS_INIT;`.
typedef struct vug_listen_options_t {
    // Size of this structure as the program knows it. VUG_LISTEN_OPTIONS_INIT sets it.
    uint32_t struct_size;
    // One of VUG_INTEREST_*: only changes of entries that are on this node, or (default) all that
    // this node learns of.
    uint32_t interest;
    // Only events of keys that begin with these bytes, and those of the region; NULL: all.
    const void *prefix;
    // Length of the prefix in bytes.
    size_t prefix_len;
    // VUG_ON: after each VUG_EVENT_LAPPED all entries are told as VUG_EVENT_RESYNC, then
    // VUG_EVENT_IN_SYNC.
    uint32_t resynchronise;
    // VUG_ON: all entries that are there now are told first, in the same way.
    uint32_t content;
} vug_listen_options_t;

// One change. The bytes belong to the subscription until its next call, or to the listener until
// its function returns.
typedef struct vug_event_t {
    // What happened, one of VUG_EVENT_*. Later versions may know more.
    uint32_t kind;
    // VUG_EVENT_FLAG_* bits.
    uint32_t flags;
    // Position in the event ring; of VUG_EVENT_RESYNC, VUG_EVENT_LAPPED and VUG_EVENT_IN_SYNC
    // where the subscription goes on.
    uint64_t position;
    // Of VUG_EVENT_LAPPED: the first position that was missed.
    uint64_t from;
    // First byte of the key; NULL in events that concern no single key.
    const void *key;
    // Length of the key in bytes.
    size_t key_len;
    // First byte of the new value; NULL if there is none.
    const void *value;
    // Length of the new value in bytes.
    size_t value_len;
    // First byte of the value before; NULL unless `old_value_state` is VUG_OLD_VALUE_KNOWN.
    const void *old_value;
    // Its length in bytes.
    size_t old_value_len;
    // One of VUG_OLD_VALUE_*.
    uint32_t old_value_state;
    // Who made the change, one of VUG_ORIGIN_*.
    uint32_t origin;
    // The number that goes with `origin`.
    uint32_t origin_number;
    // Zero.
    uint32_t reserved;
    // The new state of the entry; of an eviction the state that it had. Versions of a key grow
    // from event to event.
    struct vug_token_t token;
} vug_event_t;

// Called with every event, on the listener's thread. `event`, `size` bytes of it, is valid during
// the call. It may call every function of this interface, also on the same region. It must return:
// an exception that leaves it ends the process, and longjmp out of it is undefined.
typedef void (*vug_event_function_t)(void *user,
                                     const struct vug_event_t *event,
                                     size_t size);

// Called once with the `user` of a listener when its function is not called any more, on whatever
// thread that is. The same rules.
typedef void (*vug_drop_function_t)(void *user);

// How a listener is doing.
typedef struct vug_listener_info_t {
    // Calls of the function that are over.
    uint64_t delivered;
    // Evictions of which it could not be told the key.
    uint64_t missed;
    // VUG_ON: the function is not called any more; the region ended, or there was an error.
    uint32_t finished;
    // The error after which it ended, or VUG_OK.
    int32_t error;
} vug_listener_info_t;

// Success.
#define VUG_OK 0

// The key is not in the region. Not an error.
#define VUG_NOT_FOUND 1

// The entry was in another state than the expected one, and nothing was done. Not an error.
#define VUG_CHANGED 2

// The iteration or subscription is complete. Not an error.
#define VUG_END 3

// Nothing happened until the timeout. Not an error.
#define VUG_TIMEOUT 4

// The key was in the region already, and nothing was done. Not an error.
#define VUG_PRESENT 5

// The file is not a vug file.
#define VUG_ERR_NOT_A_VUG_FILE -101

// The file was written on a machine of the other byte order.
#define VUG_ERR_OTHER_ENDIANNESS -102

// The file has a format version that this library does not read.
#define VUG_ERR_UNSUPPORTED_FORMAT -103

// The file is shorter than its header says.
#define VUG_ERR_TRUNCATED -104

// A header field is damaged.
#define VUG_ERR_DAMAGED_HEADER -105

// The file belongs to another user.
#define VUG_ERR_FOREIGN_OWNER -106

// The file was left behind by an earlier boot of the machine.
#define VUG_ERR_OTHER_BOOT -107

// The home directory is not on a memory-backed file system.
#define VUG_ERR_NOT_MEMORY_BACKED -108

// The file uses features that this library does not know.
#define VUG_ERR_UNKNOWN_FEATURES -109

// Damage was found while working on the file.
#define VUG_ERR_DAMAGED -110

// The region file belongs to another node.
#define VUG_ERR_OTHER_NODE -111

// The node has a number already and cannot take another.
#define VUG_ERR_ORIGIN_TAKEN -112

// The region name is not 1 to 128 characters of A-Z a-z 0-9 . _ -
#define VUG_ERR_INVALID_REGION_NAME -201

// The key is not 1 to 65536 bytes long.
#define VUG_ERR_INVALID_KEY -202

// The value is larger than the region takes.
#define VUG_ERR_VALUE_TOO_LARGE -203

// The combination of region options is not possible.
#define VUG_ERR_INVALID_ATTRIBUTES -204

// There is a region of this name already.
#define VUG_ERR_REGION_EXISTS -205

// There is no region of this name.
#define VUG_ERR_REGION_NOT_FOUND -206

// The region exists with other options than the ones given.
#define VUG_ERR_ATTRIBUTES_DIFFER -207

// This version of the library cannot do that yet.
#define VUG_ERR_NOT_BUILT_YET -208

// The region holds other types.
#define VUG_ERR_SCHEMA_MISMATCH -209

// The region is full.
#define VUG_ERR_OUT_OF_SPACE -301

// The file system of the home directory is full.
#define VUG_ERR_FILE_SYSTEM_FULL -302

// The node has no room for another process.
#define VUG_ERR_TOO_MANY_MEMBERS -303

// The region has no room for another thread.
#define VUG_ERR_TOO_MANY_THREADS -304

// This process holds views into too many log segments.
#define VUG_ERR_TOO_MANY_PINS -305

// The key is in the region already.
#define VUG_ERR_ENTRY_EXISTS -401

// The key is not in the region, and the operation needs it.
#define VUG_ERR_ENTRY_NOT_FOUND -402

// The region's data policy or scope does not allow the operation.
#define VUG_ERR_NOT_ALLOWED -403

// Other nodes did not acknowledge in time. The write itself is done on this node.
#define VUG_ERR_ACK_TIMEOUT -404

// The entry is no counter: a counter has a value of eight bytes.
#define VUG_ERR_NOT_A_COUNTER -405

// The sum does not fit a counter.
#define VUG_ERR_COUNTER_OVERFLOW -406

// The bytes of an entry are no value of the region's type.
#define VUG_ERR_NOT_OF_TYPE -407

// A codec could not turn a value into bytes, or bytes into a value.
#define VUG_ERR_CODEC -408

// The region was destroyed.
#define VUG_ERR_REGION_DESTROYED -409

// This process has closed the region.
#define VUG_ERR_REGION_CLOSED -410

// Some keys of an operation on many keys failed.
#define VUG_ERR_BULK_FAILED -411

// Other nodes were asked for a value and did not answer in time.
#define VUG_ERR_SEARCH_TIMEOUT -440

// The handle was opened before a fork, by the parent of this process.
#define VUG_ERR_FORKED_CHILD -501

// Another bridge serves this node.
#define VUG_ERR_BRIDGE_RUNS -502

// Other nodes are to be asked, and the bridge of this node does not run.
#define VUG_ERR_NO_BRIDGE -540

// A file operation failed.
#define VUG_ERR_IO -601

// A system call failed.
#define VUG_ERR_SYSTEM -602

// A required pointer is NULL.
#define VUG_ERR_NULL -701

// The handle is NULL, closed, of another kind, or was never one.
#define VUG_ERR_HANDLE -702

// An argument has an impossible value.
#define VUG_ERR_ARGUMENT -703

// The library failed in a way that is a bug. The handle takes no more writes.
#define VUG_ERR_INTERNAL -704

// More than 1048576 handles of one kind are open.
#define VUG_ERR_TOO_MANY_HANDLES -705

// An earlier call failed with VUG_ERR_INTERNAL, so this handle takes no more writes.
#define VUG_ERR_POISONED -706

// The buffer is too small. The needed length was stored.
#define VUG_ERR_BUFFER -707

// The library is older than the header the program was compiled with.
#define VUG_ERR_VERSION -708

// The handle belongs to another thread.
#define VUG_ERR_THREAD -709

// Another thread uses the handle at this moment.
#define VUG_ERR_BUSY -710

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Version of the library as text, e.g. "0.1.0". Never NULL, never freed.
const char *vug_version(void);

// Version of the library as a number, made like VUG_VERSION_NUMBER.
uint32_t vug_version_number(void);

// VUG_ABI_VERSION of the library.
uint32_t vug_abi_version(void);

// Version of the region files that the library writes. It changes independently of the others.
uint32_t vug_format_version(void);

// Says whether the library offers everything in the header the program was compiled with:
// `vug_check_version(VUG_ABI_VERSION)`.
//
// Returns VUG_OK, VUG_ERR_VERSION.
VUG_MUST_USE
vug_status_t vug_check_version(uint32_t abi);

// Fixed text of a status, e.g. "region is full". Never NULL, never freed; a number that this
// library does not know gives "unknown status". vug_last_error() knows more: names and remedy.
const char *vug_strerror(vug_status_t status);

// Copies the text of the last error of the calling thread to `buffer`, as text that ends with a
// zero byte: what happened, with names and numbers, and on a second line that begins with
// "help: " what to do about it. Texts are for people; programs go by the status.
//
// `needed` (may be NULL) receives the size of the whole text with its zero byte. A smaller buffer
// receives as much as fits. `vug_last_error(NULL, 0, &needed)` asks for the size. Calls that
// succeed leave the last error as it is, and so does this one.
//
// Returns VUG_OK, VUG_NOT_FOUND when this thread had no error (the text is empty), VUG_ERR_BUFFER
// when the text was cut, VUG_ERR_NULL, VUG_ERR_ARGUMENT.
vug_status_t vug_last_error(char *buffer,
                            size_t capacity,
                            size_t *needed);

// Copies the remedy alone, the second line of vug_last_error() without "help: ", in the same way.
//
// Returns what vug_last_error() returns.
vug_status_t vug_last_help(char *buffer,
                           size_t capacity,
                           size_t *needed);

// Opens the node whose home directory is `home`, and creates the directory if there is none (mode
// 0700). NULL stands for the default: the environment variable VUG_HOME, else
// `/dev/shm/vug-<uid>`. A process may open a node more than once. Close the handle with
// vug_node_close().
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_ARGUMENT, VUG_ERR_TOO_MANY_MEMBERS,
// VUG_ERR_FILE_SYSTEM_FULL, an error about the file (-101 to -112), VUG_ERR_IO, VUG_ERR_SYSTEM,
// VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_node_open(const char *home,
                           struct vug_node_t **node);

// Opens a node as `options` say; NULL: all defaults. A node that is open for reading only reads
// regions and tells of them; everything else returns VUG_ERR_NOT_ALLOWED. Its reads copy the
// value, also those that make a view.
//
// Returns what vug_node_open() returns, and VUG_ERR_NOT_BUILT_YET.
VUG_MUST_USE
vug_status_t vug_node_open_with(const struct vug_node_options_t *options,
                                struct vug_node_t **node);

// Closes a node handle. Regions opened through it stay open: each keeps what it needs.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_node_close(struct vug_node_t *node);

// Stores what is known of a node. `size` is the size of the structure.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_node_info(const struct vug_node_t *node,
                           struct vug_node_info_t *info,
                           size_t size);

// Copies the names of the regions of a node to `buffer`, sorted, each with a zero byte behind it.
// `needed` receives the size of all of them, `count` (may be NULL) how many they are. If the
// buffer is too small nothing is copied and the status is VUG_ERR_BUFFER; `buffer` may be NULL if
// `capacity` is 0.
//
// Returns VUG_OK, VUG_ERR_BUFFER, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_IO, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_node_regions(const struct vug_node_t *node,
                              char *buffer,
                              size_t capacity,
                              size_t *needed,
                              size_t *count);

// Removes the file of the region `name`, whatever state it is in. Processes that have it open go
// on with it among themselves; nobody else can open it, other nodes keep theirs, and nobody is
// told. To end a region for all that use it: vug_region_destroy().
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_INVALID_REGION_NAME,
// VUG_ERR_REGION_NOT_FOUND, VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD, VUG_ERR_IO,
// VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_node_remove_region(struct vug_node_t *node,
                                    const char *name);

// Recovers every dead member of the node, in all its regions. `recovery` (may be NULL, then
// `size` is ignored) receives what was found.
//
// Any member recovers what it meets of dead ones anyway: this is for doing it at once.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_FORKED_CHILD, VUG_ERR_DAMAGED, VUG_ERR_IO, VUG_ERR_INTERNAL.
vug_status_t vug_node_recover(struct vug_node_t *node,
                              struct vug_recovery_t *recovery,
                              size_t size);

// vug_region_maintain() of every region of the node, and recovery of its dead members. `options`
// may be NULL: all defaults; `done` may be NULL, then `size` is ignored.
//
// Returns what vug_node_recover() returns.
vug_status_t vug_node_maintain(struct vug_node_t *node,
                               const struct vug_maintain_options_t *options,
                               struct vug_maintenance_t *done,
                               size_t size);

// Creates the region `name` and opens it. `options` may be NULL: all defaults. When several
// processes create the same region, one succeeds and the others get VUG_ERR_REGION_EXISTS.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_REGION_NAME, VUG_ERR_INVALID_ATTRIBUTES, VUG_ERR_REGION_EXISTS,
// VUG_ERR_NOT_BUILT_YET, VUG_ERR_NOT_ALLOWED, VUG_ERR_FILE_SYSTEM_FULL, VUG_ERR_FORKED_CHILD,
// VUG_ERR_IO, VUG_ERR_SYSTEM, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_create(struct vug_node_t *node,
                               const char *name,
                               const struct vug_region_options_t *options,
                               struct vug_region_t **region);

// Opens the existing region `name`. `options` may be NULL: whatever it is like; they have to be
// where the node is open for reading only.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_REGION_NAME, VUG_ERR_REGION_NOT_FOUND, VUG_ERR_ATTRIBUTES_DIFFER,
// VUG_ERR_NOT_ALLOWED, an error about the file (-101 to -112), VUG_ERR_FORKED_CHILD, VUG_ERR_IO,
// VUG_ERR_SYSTEM, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_open(struct vug_node_t *node,
                             const char *name,
                             const struct vug_region_options_t *options,
                             struct vug_region_t **region);

// Opens the region `name`, and creates it if there is none. Safe to call from many processes at
// once: all of them get the same region. `options` may be NULL.
//
// Returns what vug_region_create() and vug_region_open() return, but neither
// VUG_ERR_REGION_EXISTS nor (as a member) VUG_ERR_REGION_NOT_FOUND.
VUG_MUST_USE
vug_status_t vug_region_open_or_create(struct vug_node_t *node,
                                       const char *name,
                                       const struct vug_region_options_t *options,
                                       struct vug_region_t **region);

// Closes a region handle. The region and its entries stay. Views, iterators, key handles,
// subscriptions and listeners made from the handle stay usable, and so do calls that are under way
// in other threads; the memory is unmapped when the last of them is done.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_region_close(struct vug_region_t *region);

// Ends the use of a region in this process: calls on all handles of it, and waits and
// subscriptions, return VUG_ERR_REGION_CLOSED from now on. The handles are still to be closed.
// Views stay as they are.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_NOT_ALLOWED, VUG_ERR_REGION_CLOSED,
// VUG_ERR_REGION_DESTROYED, VUG_ERR_FORKED_CHILD, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_close_all(struct vug_region_t *region);

// Copies the name of a region to `buffer`, with a zero byte: 129 bytes are enough for all.
// `needed` (may be NULL) receives the size.
//
// Returns VUG_OK, VUG_ERR_BUFFER, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
// VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_name(const struct vug_region_t *region,
                             char *buffer,
                             size_t capacity,
                             size_t *needed);

// Stores what a region is like now, as options that would make it: `segment_bytes` is what was
// chosen, times that are not set are VUG_NEVER. `size` is the size of the structure.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_attributes(const struct vug_region_t *region,
                                   struct vug_region_options_t *options,
                                   size_t size);

// Changes the attributes that can change, for all members at once: `entry_ttl_ns`,
// `entry_idle_ns` (VUG_NEVER: entries do not expire any more) with their actions, and
// `max_entries`. Others have to be 0.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_ATTRIBUTES, VUG_ERR_NOT_BUILT_YET, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_alter(struct vug_region_t *region,
                              const struct vug_region_options_t *options);

// Destroys a region with all its entries, on every node that has it. Handles of it get
// VUG_ERR_REGION_DESTROYED from now on, in all processes, and are still to be closed; views stay.
// Its name is free at once, its memory when the last process has let go of it.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_REGION_DESTROYED if somebody was faster, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD,
// VUG_ERR_IO, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_destroy(struct vug_region_t *region);

// Destroys a region on this node only, for all its processes.
//
// Returns what vug_region_destroy() returns.
VUG_MUST_USE
vug_status_t vug_region_local_destroy(struct vug_region_t *region);

// Takes all entries out of a region, at one instant for all processes of a node, on every node
// that has it: what is newer there stays. Waits until the nodes that can be reached have done it.
// One event for the region.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD,
// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_clear(struct vug_region_t *region);

// vug_region_clear() on this node only, for all its processes.
//
// Returns what vug_region_clear() returns; VUG_ERR_NOT_ALLOWED in a distributed replicate.
VUG_MUST_USE
vug_status_t vug_region_local_clear(struct vug_region_t *region);

// Takes the value of every entry and keeps its key, at one instant for all processes.
//
// Returns what vug_region_clear() returns.
VUG_MUST_USE
vug_status_t vug_region_invalidate(struct vug_region_t *region);

// vug_region_invalidate() on this node only, for all its processes.
//
// Returns what vug_region_local_clear() returns.
VUG_MUST_USE
vug_status_t vug_region_local_invalidate(struct vug_region_t *region);

// Counts the entries of a region, with a value or invalid, by a scan of its index: about a
// millisecond per million entries.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_len(const struct vug_region_t *region,
                     uint64_t *len);

// Recovers what dead members left in a region. `recovery` (may be NULL, then `size` is ignored)
// receives what was found.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_FORKED_CHILD, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
vug_status_t vug_region_recover(struct vug_region_t *region,
                                struct vug_recovery_t *recovery,
                                size_t size);

// Does what writes would have to do sooner or later: recovers dead members, takes out expired
// entries, frees dead segments, and copies what lives in mostly dead ones until there is room to
// spare. Any member may call it at any time; nobody waits for it. `options` may be NULL: all
// defaults; `done` may be NULL, then `size` is ignored.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_FORKED_CHILD, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
vug_status_t vug_region_maintain(struct vug_region_t *region,
                                 const struct vug_maintain_options_t *options,
                                 struct vug_maintenance_t *done,
                                 size_t size);

// Gives the memory of segments that hold nothing back to the system; `bytes` (may be NULL)
// receives how much. It is taken again as it is needed.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_FORKED_CHILD, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_DAMAGED, VUG_ERR_IO, VUG_ERR_INTERNAL.
vug_status_t vug_region_release_memory(struct vug_region_t *region,
                                       uint64_t *bytes);

// Sets how long a read of a key that is not here may ask other nodes, in nanoseconds, for all
// processes of the node: at least a microsecond, VUG_FOREVER as long as it takes. Five minutes if
// it was never set.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD,
// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_set_search_timeout(struct vug_region_t *region,
                                           uint64_t limit_ns);

// Stores how long a read of a key that is not here may ask other nodes, in nanoseconds;
// VUG_FOREVER if that is more than the number can tell.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_NOT_ALLOWED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_search_timeout(const struct vug_region_t *region,
                                       uint64_t *limit_ns);

// Stores the length of the longest value that an entry with a key of `key_len` bytes can have.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_NOT_ALLOWED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_max_value_len(const struct vug_region_t *region,
                               size_t key_len,
                               uint64_t *len);

// Stores counters and sizes of a region as they are now. `size` is the size of the structure:
// `vug_region_statistics(region, &statistics, sizeof(statistics))`. Counts the entries by a pass
// over the index, about a millisecond per million.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_DAMAGED,
// VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_statistics(const struct vug_region_t *region,
                                   struct vug_statistics_t *statistics,
                                   size_t size);

// Reads the value of a key without a copy. The view belongs to the calling thread, which releases
// it with vug_view_release() before it ends; with the thread it ends, too. It keeps a log segment,
// a small part of the region, from being used again: hold views briefly. The first five views of
// a thread cost least.
//
// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_PINS, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_TOO_MANY_HANDLES,
// VUG_ERR_INTERNAL. After anything but VUG_OK the view is empty, and there is nothing to release.
VUG_MUST_USE
vug_status_t vug_get(const struct vug_region_t *region,
                     const void *key,
                     size_t key_len,
                     struct vug_view_t *view);

// vug_get() with options; NULL: all defaults. In a distributed region that does not hold
// everything a read that finds nothing here asks the other nodes; in any other the options change
// nothing. A thread has at most five such views at a time.
//
// Returns what vug_get() returns, VUG_ERR_SEARCH_TIMEOUT, VUG_ERR_NO_BRIDGE, and
// VUG_ERR_TOO_MANY_PINS if the thread has five views.
VUG_MUST_USE
vug_status_t vug_get_with(const struct vug_region_t *region,
                          const void *key,
                          size_t key_len,
                          const struct vug_read_options_t *options,
                          struct vug_view_t *view);

// vug_get() of what is on this node: nobody is asked, so it never waits.
//
// Returns what vug_get() returns, and VUG_ERR_TOO_MANY_PINS if the thread has five views.
VUG_MUST_USE
vug_status_t vug_get_local(const struct vug_region_t *region,
                           const void *key,
                           size_t key_len,
                           struct vug_view_t *view);

// Reads the value of a key without a copy, through a view that any thread may use and release, and
// that outlives the thread that made it. Costs more than vug_get(): a process can pin 254 segments
// of a region at a time (VUG_ERR_TOO_MANY_PINS).
//
// Returns what vug_get() returns.
VUG_MUST_USE
vug_status_t vug_get_owned(const struct vug_region_t *region,
                           const void *key,
                           size_t key_len,
                           struct vug_view_t *view);

// Ends a view and makes the structure empty. Releasing an empty view, or a copy of a view that
// was released, changes nothing and returns VUG_ERR_HANDLE; a view of another thread stays as it
// is (VUG_ERR_THREAD).
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_THREAD, VUG_ERR_ARGUMENT,
// VUG_ERR_INTERNAL.
vug_status_t vug_view_release(struct vug_view_t *view);

// Copies the value of a key to `buffer`. `len` receives the length of the value, also if the
// buffer is too small: then nothing useful is in the buffer and the status is VUG_ERR_BUFFER.
// `buffer` may be NULL if `capacity` is 0. Nothing is to be released. The fastest way to a small
// value.
//
// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_BUFFER, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED,
// VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_get_copy(const struct vug_region_t *region,
                          const void *key,
                          size_t key_len,
                          void *buffer,
                          size_t capacity,
                          size_t *len);

// Stores the state of an entry, valid or not: its `kind` says which.
//
// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED,
// VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_token(const struct vug_region_t *region,
                       const void *key,
                       size_t key_len,
                       struct vug_token_t *token);

// Says whether a key is in the region, with a value or without: VUG_OK or VUG_NOT_FOUND.
//
// Returns what vug_token() returns.
VUG_MUST_USE
vug_status_t vug_contains_key(const struct vug_region_t *region,
                              const void *key,
                              size_t key_len);

// Says whether a key is in the region and has a value: VUG_OK or VUG_NOT_FOUND.
//
// Returns what vug_token() returns.
VUG_MUST_USE
vug_status_t vug_contains_value_for_key(const struct vug_region_t *region,
                                        const void *key,
                                        size_t key_len);

// Stores all that is known of an entry, valid or not. Does not count as an access. `size` is the
// size of the structure.
//
// Returns what vug_token() returns.
VUG_MUST_USE
vug_status_t vug_entry_info(const struct vug_region_t *region,
                            const void *key,
                            size_t key_len,
                            struct vug_entry_info_t *info,
                            size_t size);

// Makes a handle of a key that is read often; the key need not be in the region. It belongs to the
// calling thread, ends with it, and keeps the region open. Reads see every change, and are as fast
// as can be while the entry is not written. Free it with vug_key_free().
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_INVALID_KEY,
// VUG_ERR_NOT_ALLOWED, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_TOO_MANY_HANDLES (a thread has 65536),
// VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED,
// VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_key_new(const struct vug_region_t *region,
                         const void *key,
                         size_t key_len,
                         struct vug_key_t **handle);

// Reads the value without a copy, as vug_get() does. A thread has at most five such views at a
// time. The view stays when the handle is freed.
//
// Returns what vug_get() returns, and VUG_ERR_THREAD.
VUG_MUST_USE
vug_status_t vug_key_get(const struct vug_key_t *handle,
                         struct vug_view_t *view);

// Copies the value to `buffer`, as vug_get_copy() does.
//
// Returns what vug_get_copy() returns, and VUG_ERR_THREAD.
VUG_MUST_USE
vug_status_t vug_key_get_copy(const struct vug_key_t *handle,
                              void *buffer,
                              size_t capacity,
                              size_t *len);

// Frees a handle of a key.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_THREAD, VUG_ERR_INTERNAL.
vug_status_t vug_key_free(struct vug_key_t *handle);

// Stores a value under a key, whether there was one or not. `value` may be NULL if `value_len`
// is 0. `token` (may be NULL) receives the token of the new state.
//
// In a region with scope distributed-ack the call returns when the other nodes have the change.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_KEY, VUG_ERR_VALUE_TOO_LARGE, VUG_ERR_OUT_OF_SPACE, VUG_ERR_FILE_SYSTEM_FULL,
// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED,
// VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_SYSTEM, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_put(struct vug_region_t *region,
                     const void *key,
                     size_t key_len,
                     const void *value,
                     size_t value_len,
                     struct vug_token_t *token);

// vug_put() with options: a time to live of the entry, a limit for the wait. `options` may be NULL
// here and in all functions below: all defaults.
//
// Returns what vug_put() returns, and VUG_ERR_ACK_TIMEOUT: then the write itself is done here, and
// `departed` of the options is empty.
VUG_MUST_USE
vug_status_t vug_put_with(struct vug_region_t *region,
                          const void *key,
                          size_t key_len,
                          const void *value,
                          size_t value_len,
                          const struct vug_write_options_t *options,
                          struct vug_token_t *token);

// vug_put() that also gives the value that was replaced: `old` is a view of a copy of it, which
// any thread may use and release. It is empty, its `data` NULL, if there was none: the key was
// absent or invalid, or the region stores nothing.
//
// Returns what vug_put() returns, and VUG_ERR_TOO_MANY_HANDLES: then nothing is written.
VUG_MUST_USE
vug_status_t vug_swap_value(struct vug_region_t *region,
                            const void *key,
                            size_t key_len,
                            const void *value,
                            size_t value_len,
                            struct vug_token_t *token,
                            struct vug_view_t *old);

// Stores a value under a key that is not in the region yet; fails with VUG_ERR_ENTRY_EXISTS if
// it is. Of several members that create one key at a time, one succeeds.
//
// Returns what vug_put_with() returns, and VUG_ERR_ENTRY_EXISTS.
VUG_MUST_USE
vug_status_t vug_create(struct vug_region_t *region,
                        const void *key,
                        size_t key_len,
                        const void *value,
                        size_t value_len,
                        const struct vug_write_options_t *options,
                        struct vug_token_t *token);

// Creates an entry without a value: the key is there, and invalid.
//
// Returns what vug_create() returns.
VUG_MUST_USE
vug_status_t vug_create_invalid(struct vug_region_t *region,
                                const void *key,
                                size_t key_len,
                                struct vug_token_t *token);

// Stores a value under a key unless the key is in the region, with a value or without: then the
// status is VUG_PRESENT, and `token` is that of the entry that is there.
//
// Returns what vug_put_with() returns, and VUG_PRESENT.
VUG_MUST_USE
vug_status_t vug_put_if_absent(struct vug_region_t *region,
                               const void *key,
                               size_t key_len,
                               const void *value,
                               size_t value_len,
                               const struct vug_write_options_t *options,
                               struct vug_token_t *token);

// Stores a value under a key only if the key is in the region, with a value or without.
//
// Returns what vug_put_with() returns, and VUG_NOT_FOUND.
VUG_MUST_USE
vug_status_t vug_replace(struct vug_region_t *region,
                         const void *key,
                         size_t key_len,
                         const void *value,
                         size_t value_len,
                         const struct vug_write_options_t *options,
                         struct vug_token_t *token);

// Stores a value under a key only if the entry has the value `expected`. After VUG_CHANGED `token`
// (may be NULL) is that of the entry that is there, zeros if there is none.
//
// Returns what vug_put_with() returns, and VUG_CHANGED.
VUG_MUST_USE
vug_status_t vug_replace_if(struct vug_region_t *region,
                            const void *key,
                            size_t key_len,
                            const void *expected,
                            size_t expected_len,
                            const void *value,
                            size_t value_len,
                            const struct vug_write_options_t *options,
                            struct vug_token_t *token);

// Stores a value under a key only if the entry is still in the state that `expected` names.
// `token` (may be NULL, may be the same object as `expected`) receives the entry's token after the
// call: of the new state after VUG_OK, of the state that was found after VUG_CHANGED, zeros if
// there is no entry.
//
// Returns what vug_put_with() returns, and VUG_CHANGED.
VUG_MUST_USE
vug_status_t vug_compare_and_swap(struct vug_region_t *region,
                                  const void *key,
                                  size_t key_len,
                                  const struct vug_token_t *expected,
                                  const void *value,
                                  size_t value_len,
                                  const struct vug_write_options_t *options,
                                  struct vug_token_t *token);

// Adds `delta` to a counter and stores the sum in `sum` (may be NULL). A key that is not there
// counts as 0. A counter is a value of eight bytes, a signed integer with the lowest byte first.
//
// Returns what vug_put_with() returns, VUG_ERR_NOT_A_COUNTER and VUG_ERR_COUNTER_OVERFLOW: then
// nothing is changed.
VUG_MUST_USE
vug_status_t vug_increment(struct vug_region_t *region,
                           const void *key,
                           size_t key_len,
                           int64_t delta,
                           const struct vug_write_options_t *options,
                           int64_t *sum);

// Removes a key and its value. `token` (may be NULL) receives the token of the removal.
//
// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED,
// VUG_ERR_ARGUMENT, VUG_ERR_INVALID_KEY, VUG_ERR_OUT_OF_SPACE, VUG_ERR_TOO_MANY_THREADS,
// VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED,
// VUG_ERR_DAMAGED, VUG_ERR_SYSTEM, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_remove(struct vug_region_t *region,
                        const void *key,
                        size_t key_len,
                        struct vug_token_t *token);

// vug_remove() with options; a time to live has no meaning here.
//
// Returns what vug_remove() returns, and VUG_ERR_ACK_TIMEOUT.
VUG_MUST_USE
vug_status_t vug_remove_with(struct vug_region_t *region,
                             const void *key,
                             size_t key_len,
                             const struct vug_write_options_t *options,
                             struct vug_token_t *token);

// Removes a key only if the entry is still in the state that `expected` names. `token` as in
// vug_compare_and_swap().
//
// Returns what vug_remove_with() returns, and VUG_CHANGED.
VUG_MUST_USE
vug_status_t vug_remove_if(struct vug_region_t *region,
                           const void *key,
                           size_t key_len,
                           const struct vug_token_t *expected,
                           const struct vug_write_options_t *options,
                           struct vug_token_t *token);

// Removes a key only if the entry has the value `expected`. `token` as in vug_replace_if().
//
// Returns what vug_remove_with() returns, and VUG_CHANGED.
VUG_MUST_USE
vug_status_t vug_remove_if_value(struct vug_region_t *region,
                                 const void *key,
                                 size_t key_len,
                                 const void *expected,
                                 size_t expected_len,
                                 const struct vug_write_options_t *options,
                                 struct vug_token_t *token);

// Destroys an entry that has to be there: vug_remove() with VUG_ERR_ENTRY_NOT_FOUND in place of
// VUG_NOT_FOUND.
//
// Returns what vug_remove() returns, and VUG_ERR_ENTRY_NOT_FOUND.
VUG_MUST_USE
vug_status_t vug_destroy(struct vug_region_t *region,
                         const void *key,
                         size_t key_len,
                         struct vug_token_t *token);

// vug_destroy() on this node only, for all its processes.
//
// Returns what vug_destroy() returns; VUG_ERR_NOT_ALLOWED in a distributed replicate.
VUG_MUST_USE
vug_status_t vug_local_destroy(struct vug_region_t *region,
                               const void *key,
                               size_t key_len,
                               struct vug_token_t *token);

// Takes the value of an entry and keeps its key. VUG_CHANGED: it had none, nothing was done.
//
// Returns what vug_destroy() returns, and VUG_CHANGED.
VUG_MUST_USE
vug_status_t vug_invalidate(struct vug_region_t *region,
                            const void *key,
                            size_t key_len,
                            struct vug_token_t *token);

// vug_invalidate() on this node only, for all its processes.
//
// Returns what vug_invalidate() returns; VUG_ERR_NOT_ALLOWED in a distributed replicate.
VUG_MUST_USE
vug_status_t vug_local_invalidate(struct vug_region_t *region,
                                  const void *key,
                                  size_t key_len,
                                  struct vug_token_t *token);

// Makes a place for the values of many keys. It can be used again and again, and then costs no
// allocation. Free it with vug_values_free().
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_ARGUMENT, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_values_new(struct vug_values_t **values);

// Frees it with the values that it holds.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_values_free(struct vug_values_t *values);

// Reads `count` keys, several times as fast as one after the other when they are not in the
// processor's cache. The values are copied to `values`, where they stay until its next use;
// `results` has room for `count` and shows for each key where its value is, `data` NULL if it has
// none. Each key is read at an instant of its own.
//
// Returns VUG_OK, also if some or all keys have no value, VUG_ERR_NULL, VUG_ERR_HANDLE,
// VUG_ERR_BUSY, VUG_ERR_ARGUMENT, VUG_ERR_INVALID_KEY (before anything is read),
// VUG_ERR_TOO_MANY_PINS, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_get_all(const struct vug_region_t *region,
                         const struct vug_bytes_t *keys,
                         size_t count,
                         struct vug_values_t *values,
                         struct vug_value_t *results);

// Stores `count` entries, each as vug_put() does, in their order; in a region of scope
// distributed-ack there is one wait for all of them. `results` has room for `count` and receives
// what became of each.
//
// Returns VUG_OK if all are stored; VUG_ERR_BULK_FAILED if some are not, see `results`;
// VUG_ERR_ACK_TIMEOUT if all are stored here and not acknowledged in time. Any other error means
// that nothing was done: those of vug_put(), VUG_ERR_INVALID_KEY and VUG_ERR_VALUE_TOO_LARGE if
// any entry is impossible.
VUG_MUST_USE
vug_status_t vug_put_all(struct vug_region_t *region,
                         const struct vug_pair_t *entries,
                         size_t count,
                         const struct vug_write_options_t *options,
                         struct vug_result_t *results);

// Removes `count` keys, each as vug_remove() does, in their order, with one wait for all.
// `results` has room for `count`; the status of a key that is not there is VUG_NOT_FOUND.
//
// Returns what vug_put_all() returns.
VUG_MUST_USE
vug_status_t vug_remove_all(struct vug_region_t *region,
                            const struct vug_bytes_t *keys,
                            size_t count,
                            const struct vug_write_options_t *options,
                            struct vug_result_t *results);

// Begins an iteration over the entries that have a value. It never stops writers and is weakly
// consistent: an entry that is there all the time is seen at least once, one that comes, goes or
// changes meanwhile may be seen or not. Between calls the iterator pins no memory, but keeps the
// region mapped. Free it with vug_iter_free().
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_iter_new(const struct vug_region_t *region,
                          struct vug_iter_t **iter);

// Begins an iteration over the keys that are in the region, with a value or without. The entries
// that it shows have a key only.
//
// Returns what vug_iter_new() returns, and VUG_ERR_NOT_ALLOWED.
VUG_MUST_USE
vug_status_t vug_iter_new_keys(const struct vug_region_t *region,
                               struct vug_iter_t **iter);

// Moves to the next entry and shows it. After VUG_END there is none, and the structure is empty.
//
// Returns VUG_OK, VUG_END, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_BUSY, VUG_ERR_POISONED,
// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED,
// VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_iter_next(struct vug_iter_t *iter,
                           struct vug_entry_t *entry);

// Ends an iteration. May be called at any point of it.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_iter_free(struct vug_iter_t *iter);

// Waits until the state of a key differs from `since` and stores the state that it has then, zeros
// if the key is absent. `since` NULL, or a token of zeros, is the state of a key that is absent;
// it may be the same object as `token`. Every change makes a token of its own, so none is missed
// but those after which the key is absent again.
//
// `timeout_ns` in nanoseconds; 0: only look; VUG_FOREVER: as long as it takes. After VUG_TIMEOUT
// `token` is zeros.
//
// Returns VUG_OK, VUG_TIMEOUT, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_KEY, VUG_ERR_NOT_ALLOWED, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_wait_for_change(const struct vug_region_t *region,
                                 const void *key,
                                 size_t key_len,
                                 const struct vug_token_t *since,
                                 uint64_t timeout_ns,
                                 struct vug_token_t *token);

// Stores the position in the event ring behind the last change of a region, for
// vug_wait_for_region_change().
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_NOT_ALLOWED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_position(const struct vug_region_t *region,
                          uint64_t *position);

// Waits until there are changes behind position `since` and stores the position behind the last
// one. `timeout_ns` as in vug_wait_for_change().
//
// Returns VUG_OK, VUG_TIMEOUT, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_wait_for_region_change(const struct vug_region_t *region,
                                        uint64_t since,
                                        uint64_t timeout_ns,
                                        uint64_t *position);

// Follows the changes of a region from now on. `options` may be NULL: all changes. A subscription
// has a cursor of its own and slows nobody down; one that falls behind is told so
// (VUG_EVENT_LAPPED). A look at the region after this call, and the events from then on, miss no
// change. Free it with vug_subscription_free().
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_subscribe(const struct vug_region_t *region,
                           const struct vug_listen_options_t *options,
                           struct vug_subscription_t **subscription);

// Shows the next event, if there is one: else VUG_TIMEOUT, or VUG_END behind the last event of a
// region that was destroyed; then the structure is empty. `size` is the size of the structure. The
// bytes that `event` points to stay until the next call with the subscription.
//
// Returns VUG_OK, VUG_TIMEOUT, VUG_END, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_BUSY,
// VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD,
// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_subscription_poll(struct vug_subscription_t *subscription,
                                   struct vug_event_t *event,
                                   size_t size);

// The same, waiting for an event for `timeout_ns` nanoseconds; VUG_FOREVER: as long as it takes.
//
// Returns what vug_subscription_poll() returns.
VUG_MUST_USE
vug_status_t vug_subscription_wait(struct vug_subscription_t *subscription,
                                   uint64_t timeout_ns,
                                   struct vug_event_t *event,
                                   size_t size);

// Stores how many evictions the subscription could not tell the key of, because their memory was
// used again before it got there.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_BUSY, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_subscription_missed(const struct vug_subscription_t *subscription,
                                     uint64_t *missed);

// Ends a subscription.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_subscription_free(struct vug_subscription_t *subscription);

// Calls `function` with `user` and every event from now on, in order, on a thread that this call
// starts. `options` may be NULL: all changes. Nobody waits for the function: a slow one is told
// what it missed (VUG_EVENT_LAPPED). `drop` (may be NULL) is called with `user` at the end, also
// if this call fails. Stop it with vug_listener_stop().
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD, VUG_ERR_SYSTEM,
// VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_listen(const struct vug_region_t *region,
                        const struct vug_listen_options_t *options,
                        vug_event_function_t function,
                        void *user,
                        vug_drop_function_t drop,
                        struct vug_listener_t **listener);

// Stops a listener and frees it. Waits until a running call of the function is over; called by the
// function itself it does not wait, and that call is the last one.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_listener_stop(struct vug_listener_t *listener);

// Stores how a listener is doing. `size` is the size of the structure.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_BUSY, VUG_ERR_ARGUMENT, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_listener_info(const struct vug_listener_t *listener,
                               struct vug_listener_info_t *info,
                               size_t size);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* VUG_H */

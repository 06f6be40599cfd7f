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
 * VUG_ERR_FORKED_CHILD, and the parent's views are void there: do not read them. The child opens
 * the node anew. Fork and exec is fine. No function may be called from a signal handler.
 *
 * Views: a view pins a log segment, a part of the region that can then not be used again. A view
 * that is never released is memory lost until the process ends, and a process can pin 254
 * segments of a region at a time (VUG_ERR_TOO_MANY_PINS). Release views soon; copy what you keep.
 *
 * Kill: a process may be killed at any instruction. The others go on at once; only the operation
 * that it was in may be undone, and its views are taken back. Nothing has to be closed before
 * exit. But a process must never truncate or write a region file other than through vug:
 * that can stop every process that has it open.
 *
 * Waiting: only writes to regions of scope distributed-ack wait: for the node's bridge and the
 * other nodes, as long as it takes. All other calls return without waiting for another process.
 *
 * Threads:
 *
 * | object         | use by several threads                                        |
 * |----------------|---------------------------------------------------------------|
 * | `vug_node_t`   | all calls at any time                                         |
 * | `vug_region_t` | all calls at any time                                         |
 * | `vug_view_t`   | reading at any time; released once, by any thread             |
 * | `vug_iter_t`   | one thread at a time                                          |
 * | last error     | each thread has its own                                       |
 *
 * A region takes 1023 threads of all processes (VUG_ERR_TOO_MANY_THREADS); a thread counts from
 * its first call on the region until it ends.
 *
 * # Handles
 *
 * `vug_node_t *`, `vug_region_t *` and `vug_iter_t *` are numbers in the shape of pointers. The
 * library looks them up and never follows them: NULL, a closed handle, a handle of another kind
 * or any other pointer gives VUG_ERR_HANDLE and does no harm. Each handle is closed once; closing
 * one does not close others made from it.
 *
 * # Pointers
 *
 * Every other pointer is checked for NULL (VUG_ERR_NULL, unless its description allows NULL) and
 * for alignment (VUG_ERR_ARGUMENT). Beyond that the library believes the caller: a pointer leads
 * to an object of its type, or to as many bytes as the length beside it says; text ends with a
 * zero byte; inputs do not change during the call; outputs are used by nobody else during the
 * call and overlap no input unless a description allows it. No pointer is kept after the call.
 *
 * Outputs come last. A call that gets as far as its outputs sets them to zero or NULL first, so
 * they hold a result or nothing. The library frees no memory of the caller and hands out none
 * that the caller frees.
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

/* Options that are all at their defaults. */
#define VUG_REGION_OPTIONS_INIT { sizeof(vug_region_options_t), 0, 0, 0, 0, 0 }

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
#define VUG_ABI_VERSION 1

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

// The region is not shared with other nodes. The default.
#define VUG_SCOPE_LOCAL 1

// Changes are sent to other nodes; writers do not wait.
#define VUG_SCOPE_DISTRIBUTED_NO_ACK 2

// Changes are sent to other nodes; a writer waits until they have it.
#define VUG_SCOPE_DISTRIBUTED_ACK 3

// Writers of all nodes take turns on a key.
#define VUG_SCOPE_GLOBAL 4

// Changes are ordered by version. The default.
#define VUG_CONCURRENCY_CHECKS_ON 1

// Changes are applied in the order in which they arrive.
#define VUG_CONCURRENCY_CHECKS_OFF 2

// An iteration over the entries of a region.
typedef struct vug_iter_t vug_iter_t;

// A node: one machine's cache, a directory with region files. Opening one makes the process a
// member of it.
typedef struct vug_node_t vug_node_t;

// A region: a named map of keys to values, shared by all members of a node.
typedef struct vug_region_t vug_region_t;

// Result of every function that can fail: 0 is success, a negative number is an error, a positive
// one means "there is no value" and is not an error. A number never changes its meaning and is
// never used again. Error -301 is the one that the command line prints as VUG-0301.
typedef int32_t vug_status_t;

// What a region is like. Begin with `vug_region_options_t options = VUG_REGION_OPTIONS_INIT;`
// and set what matters. A field that is 0 is not given: a new region takes the default, and
// opening an existing one accepts what it has. A field that is given must agree with the existing
// region, or opening it fails with VUG_ERR_ATTRIBUTES_DIFFER.
typedef struct vug_region_options_t {
    // Size of this structure as the program knows it. VUG_REGION_OPTIONS_INIT sets it.
    uint32_t struct_size;
    // One of VUG_DATA_POLICY_*.
    uint32_t data_policy;
    // One of VUG_SCOPE_*.
    uint32_t scope;
    // One of VUG_CONCURRENCY_CHECKS_*.
    uint32_t concurrency_checks;
    // Most memory the region may take, in bytes: 1 MiB to 256 GiB, by default 64 MiB.
    // Memory is taken as it is needed.
    uint64_t max_bytes;
    // Bytes per log segment, a power of two from 64 KiB to 8 MiB, by default chosen from
    // max_bytes. It limits the size of a value.
    uint64_t segment_bytes;
} vug_region_options_t;

// Names one state of one entry. Every change of the entry makes a new token. A token of zeros
// stands for "no entry".
typedef struct vug_token_t {
    // Version of the entry; grows with every change.
    uint64_t version;
    // Node on which the change was made; 0 is a node without a number.
    uint16_t origin;
    // What the state is: 1 a value; other numbers are states that reads report as not found.
    uint8_t kind;
    // Zero.
    uint8_t reserved[5];
} vug_token_t;

// A value in shared memory, read without a copy. It does not change while the view exists, even
// if the entry is replaced or removed meanwhile. Do not write through `data`. A copy of this
// structure is the same view: release it once.
typedef struct vug_view_t {
    // First byte of the value. Not aligned in any particular way.
    const void *data;
    // Length of the value in bytes.
    size_t len;
    // The state of the entry that was read.
    struct vug_token_t token;
    // What keeps the value in place. Leave it alone.
    void *pin;
} vug_view_t;

// An entry as an iteration shows it: copies that belong to the iterator and stay until the next
// call of vug_iter_next() or vug_iter_free() with it. There is nothing to release.
typedef struct vug_entry_t {
    // First byte of the key.
    const void *key;
    // Length of the key in bytes.
    size_t key_len;
    // First byte of the value; not NULL, even if the value is empty.
    const void *value;
    // Length of the value in bytes.
    size_t value_len;
    // The state of the entry that was read.
    struct vug_token_t token;
} vug_entry_t;

// Success.
#define VUG_OK 0

// The key is not in the region. Not an error.
#define VUG_NOT_FOUND 1

// Compare-and-swap found another state than the expected one. Not an error.
#define VUG_CHANGED 2

// The iteration is complete. Not an error.
#define VUG_END 3

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

// The handle was opened before a fork, by the parent of this process.
#define VUG_ERR_FORKED_CHILD -501

// Another bridge serves this node.
#define VUG_ERR_BRIDGE_RUNS -502

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

// Closes a node handle. Regions opened through it stay open: each keeps what it needs.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_node_close(struct vug_node_t *node);

// Creates the region `name` and opens it. `options` may be NULL: all defaults. When several
// processes create the same region, one succeeds and the others get VUG_ERR_REGION_EXISTS.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_REGION_NAME, VUG_ERR_INVALID_ATTRIBUTES, VUG_ERR_REGION_EXISTS,
// VUG_ERR_NOT_BUILT_YET, VUG_ERR_FILE_SYSTEM_FULL, VUG_ERR_FORKED_CHILD, VUG_ERR_IO,
// VUG_ERR_SYSTEM, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_create(struct vug_node_t *node,
                               const char *name,
                               const struct vug_region_options_t *options,
                               struct vug_region_t **region);

// Opens the existing region `name`. `options` may be NULL: whatever it is like.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_REGION_NAME, VUG_ERR_REGION_NOT_FOUND, VUG_ERR_ATTRIBUTES_DIFFER, an error
// about the file (-101 to -112), VUG_ERR_FORKED_CHILD, VUG_ERR_IO, VUG_ERR_SYSTEM,
// VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_region_open(struct vug_node_t *node,
                             const char *name,
                             const struct vug_region_options_t *options,
                             struct vug_region_t **region);

// Opens the region `name`, and creates it if there is none. Safe to call from many processes at
// once: all of them get the same region. `options` may be NULL.
//
// Returns what vug_region_create() and vug_region_open() return, but neither
// VUG_ERR_REGION_EXISTS nor VUG_ERR_REGION_NOT_FOUND.
VUG_MUST_USE
vug_status_t vug_region_open_or_create(struct vug_node_t *node,
                                       const char *name,
                                       const struct vug_region_options_t *options,
                                       struct vug_region_t **region);

// Closes a region handle. The region and its entries stay. Views and iterators made from the
// handle stay usable, and so do calls that are under way in other threads; the memory is unmapped
// when the last of them is done.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_region_close(struct vug_region_t *region);

// Reads the value of a key without a copy. The view pins the log segment that holds the value, a
// small part of the region, until vug_view_release(): hold views briefly. It may be used and
// released by any thread.
//
// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_PINS, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
// VUG_ERR_DAMAGED, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL. After anything but VUG_OK the view
// is empty, and there is nothing to release.
VUG_MUST_USE
vug_status_t vug_get(const struct vug_region_t *region,
                     const void *key,
                     size_t key_len,
                     struct vug_view_t *view);

// Ends a view and makes the structure empty. Releasing an empty view, or a copy of a view that
// was released, changes nothing and returns VUG_ERR_HANDLE.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_view_release(struct vug_view_t *view);

// Copies the value of a key to `buffer`. `len` receives the length of the value, also if the
// buffer is too small: then nothing is copied and the status is VUG_ERR_BUFFER. `buffer` may be
// NULL if `capacity` is 0. Nothing is to be released.
//
// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_BUFFER, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_PINS, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
// VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_get_copy(const struct vug_region_t *region,
                          const void *key,
                          size_t key_len,
                          void *buffer,
                          size_t capacity,
                          size_t *len);

// Stores a value under a key, whether there was one or not. `value` may be NULL if `value_len`
// is 0. `token` (may be NULL) receives the token of the new state.
//
// In a region with scope distributed-ack the call returns when the other nodes have the change.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
// VUG_ERR_INVALID_KEY, VUG_ERR_VALUE_TOO_LARGE, VUG_ERR_OUT_OF_SPACE, VUG_ERR_FILE_SYSTEM_FULL,
// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD,
// VUG_ERR_DAMAGED, VUG_ERR_SYSTEM, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_put(struct vug_region_t *region,
                     const void *key,
                     size_t key_len,
                     const void *value,
                     size_t value_len,
                     struct vug_token_t *token);

// Stores a value under a key that is not in the region yet; fails with VUG_ERR_ENTRY_EXISTS if
// it is. Of several members that create one key at a time, one succeeds.
//
// Returns what vug_put() returns, and VUG_ERR_ENTRY_EXISTS.
VUG_MUST_USE
vug_status_t vug_create(struct vug_region_t *region,
                        const void *key,
                        size_t key_len,
                        const void *value,
                        size_t value_len,
                        struct vug_token_t *token);

// Stores a value under a key only if the key is in the region.
//
// Returns what vug_put() returns, and VUG_NOT_FOUND.
VUG_MUST_USE
vug_status_t vug_replace(struct vug_region_t *region,
                         const void *key,
                         size_t key_len,
                         const void *value,
                         size_t value_len,
                         struct vug_token_t *token);

// Stores a value under a key only if the entry is still in the state that `expected` names.
// `token` (may be NULL, may be the same object as `expected`) receives the entry's token after the
// call: of the new state after VUG_OK, of the state that was found after VUG_CHANGED, zeros if
// there is no entry.
//
// Returns what vug_put() returns, and VUG_CHANGED.
VUG_MUST_USE
vug_status_t vug_compare_and_swap(struct vug_region_t *region,
                                  const void *key,
                                  size_t key_len,
                                  const struct vug_token_t *expected,
                                  const void *value,
                                  size_t value_len,
                                  struct vug_token_t *token);

// Removes a key and its value. `token` (may be NULL) receives the token of the removal.
//
// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED,
// VUG_ERR_ARGUMENT, VUG_ERR_INVALID_KEY, VUG_ERR_OUT_OF_SPACE, VUG_ERR_TOO_MANY_THREADS,
// VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD, VUG_ERR_DAMAGED,
// VUG_ERR_SYSTEM, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_delete(struct vug_region_t *region,
                        const void *key,
                        size_t key_len,
                        struct vug_token_t *token);

// Counts the entries of a region by a scan of its index: not for a hot path.
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
// VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_len(const struct vug_region_t *region,
                     uint64_t *len);

// Begins an iteration. It never stops writers and is weakly consistent: an entry that is there
// all the time is seen at least once, one that comes, goes or changes meanwhile may be seen or
// not. Between calls the iterator pins no memory, but keeps the region mapped. Free it with
// vug_iter_free().
//
// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_iter_new(const struct vug_region_t *region,
                          struct vug_iter_t **iter);

// Moves to the next entry and shows it. After VUG_END there is none, and the structure is empty.
//
// Returns VUG_OK, VUG_END, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_THREADS,
// VUG_ERR_FORKED_CHILD, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
VUG_MUST_USE
vug_status_t vug_iter_next(struct vug_iter_t *iter,
                           struct vug_entry_t *entry);

// Ends an iteration. May be called at any point of it.
//
// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
vug_status_t vug_iter_free(struct vug_iter_t *iter);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* VUG_H */

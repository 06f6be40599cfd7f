//! Nodes: the home directory that a process joins.

use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::OsStrExt;

use crate::boundary::entry;
use crate::handle::{Kind, Table};
use crate::status::{Failure, VUG_OK, vug_status_t};
use crate::types::vug_node_t;

pub(crate) static NODES: Table<vug_node_t, vug::Node> = Table::new(Kind::Node);

/// Opens the node whose home directory is `home`, and creates the directory if there is none (mode
/// 0700). NULL stands for the default: the environment variable VUG_HOME, else
/// `/dev/shm/vug-<uid>`. A process may open a node more than once. Close the handle with
/// vug_node_close().
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_ARGUMENT, VUG_ERR_TOO_MANY_MEMBERS,
/// VUG_ERR_FILE_SYSTEM_FULL, an error about the file (-101 to -112), VUG_ERR_IO, VUG_ERR_SYSTEM,
/// VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_node_open(
    home: *const c_char,
    node: *mut *mut vug_node_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.handle_output(node, "node")?;
        let opened = match caller.optional_text(home)? {
            None => vug::Node::open_default()?,
            Some(b"") => {
                let help = "pass the path of a directory, or NULL for the default";
                return Err(Failure::argument("`home` is empty", help));
            }
            Some(path) => vug::Node::open(OsStr::from_bytes(path))?,
        };
        let (handle, _) = NODES.insert(opened)?;
        output.set(handle);
        Ok(VUG_OK)
    })
}

/// Closes a node handle. Regions opened through it stay open: each keeps what it needs.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_node_close(node: *mut vug_node_t) -> vug_status_t {
    entry!(|_caller| {
        NODES.remove(node)?;
        Ok(VUG_OK)
    })
}

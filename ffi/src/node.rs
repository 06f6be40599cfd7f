//! Nodes: the home directory that a process joins.

use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::boundary::{Caller, entry};
use crate::handle::{Kind, Table};
use crate::options::{
    VUG_ACCESS_MEMBER, VUG_ACCESS_READ_ONLY, choice, reserved, switch, vug_maintain_options_t,
    vug_node_options_t,
};
use crate::reports::{vug_maintenance_t, vug_node_info_t, vug_recovery_t};
use crate::status::{Failure, VUG_ERR_BUFFER, VUG_ERR_NOT_ALLOWED, VUG_OK, vug_status_t};
use crate::types::vug_node_t;

pub(crate) static NODES: Table<vug_node_t, Home> = Table::new(Kind::Node);

/// What a node handle stands for.
pub(crate) enum Home {
    Member(vug::Node),
    Watched(vug::ReadOnlyNode),
}

impl Home {
    fn member(&self) -> Result<&vug::Node, Failure> {
        match self {
            Self::Member(node) => Ok(node),
            Self::Watched(_) => Err(read_only()),
        }
    }

    fn regions(&self) -> vug::Result<Vec<String>> {
        match self {
            Self::Member(node) => node.regions(),
            Self::Watched(node) => node.regions(),
        }
    }

    fn info(&self) -> vug_node_info_t {
        let (id, origin, access, members, bridge) = match self {
            Self::Member(node) => (
                node.id(),
                node.origin(),
                VUG_ACCESS_MEMBER,
                node.members().len(),
                node.bridge_pid(),
            ),
            Self::Watched(node) => (
                node.id().unwrap_or(0),
                node.origin(),
                VUG_ACCESS_READ_ONLY,
                node.members().len(),
                node.bridge_pid(),
            ),
        };
        vug_node_info_t {
            id: id.to_be_bytes(),
            origin: origin.into(),
            access,
            members: u32::try_from(members).unwrap_or(u32::MAX),
            bridge_pid: bridge.unwrap_or(0),
        }
    }
}

/// What is refused where a node is open for reading only.
#[cold]
pub(crate) fn read_only() -> Failure {
    Failure::new(
        VUG_ERR_NOT_ALLOWED,
        "the node is open for reading only",
        "open it as a member: vug_node_open, or `access` VUG_ACCESS_MEMBER",
    )
}

fn home_of(home: Option<&[u8]>) -> Result<PathBuf, Failure> {
    match home {
        None => Ok(vug::Node::default_home()),
        Some(b"") => {
            let help = "pass the path of a directory, or NULL for the default";
            Err(Failure::argument("`home` is empty", help))
        }
        Some(path) => Ok(Path::new(OsStr::from_bytes(path)).to_owned()),
    }
}

fn open_with(caller: &Caller, options: vug_node_options_t) -> Result<Home, Failure> {
    let accesses = [(VUG_ACCESS_MEMBER, false), (VUG_ACCESS_READ_ONLY, true)];
    let read_only = choice("access", options.access, &accesses, "VUG_ACCESS_*")?;
    reserved("reserved", options.reserved)?;
    if switch("group", options.group)? == Some(true) {
        let what = "nodes that a group shares (`group`)".into();
        return Err(vug::Error::NotBuiltYet { what }.into());
    }
    let home = home_of(caller.optional_text(options.home)?)?;
    Ok(if read_only == Some(true) {
        Home::Watched(vug::Node::open_read_only(home)?)
    } else {
        Home::Member(vug::Node::open(home)?)
    })
}

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
        let home = home_of(caller.optional_text(home)?)?;
        output.set(NODES.insert(Home::Member(vug::Node::open(home)?))?);
        Ok(VUG_OK)
    })
}

/// Opens a node as `options` say; NULL: all defaults. A node that is open for reading only reads
/// regions and tells of them; everything else returns VUG_ERR_NOT_ALLOWED. Its reads copy the
/// value, also those that make a view.
///
/// Returns what vug_node_open() returns, and VUG_ERR_NOT_BUILT_YET.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_node_open_with(
    options: *const vug_node_options_t,
    node: *mut *mut vug_node_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.handle_output(node, "node")?;
        let options = caller.options_or_default(options)?;
        output.set(NODES.insert(open_with(caller, options)?)?);
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

/// Stores what is known of a node. `size` is the size of the structure.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_node_info(
    node: *const vug_node_t,
    info: *mut vug_node_info_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.report(info, size, "info")?;
        output.set(caller.with(&NODES, node, |home| Ok(home.info()))?);
        Ok(VUG_OK)
    })
}

/// Copies the names of the regions of a node to `buffer`, sorted, each with a zero byte behind it.
/// `needed` receives the size of all of them, `count` (may be NULL) how many they are. If the
/// buffer is too small nothing is copied and the status is VUG_ERR_BUFFER; `buffer` may be NULL if
/// `capacity` is 0.
///
/// Returns VUG_OK, VUG_ERR_BUFFER, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_IO, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_node_regions(
    node: *const vug_node_t,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
    count: *mut usize,
) -> vug_status_t {
    entry!(|caller| {
        let mut needed = caller.output(needed, "needed")?;
        let count = caller.optional_output(count, "count")?;
        let mut buffer = caller.buffer(buffer.cast(), capacity)?;
        let names = caller.with(&NODES, node, |home| Ok(home.regions()?))?;
        let text: Vec<u8> =
            names.iter().flat_map(|name| name.bytes().chain(std::iter::once(0))).collect();
        needed.set(text.len());
        if let Some(mut count) = count {
            count.set(names.len());
        }
        if buffer.fill(&text) {
            return Ok(VUG_OK);
        }
        let what = format_args!("the names take {} bytes, the buffer has {capacity}", text.len());
        Err(Failure::new(VUG_ERR_BUFFER, what, "pass a buffer of the size that was stored"))
    })
}

/// Removes the file of the region `name`, whatever state it is in. Processes that have it open go
/// on with it among themselves; nobody else can open it, other nodes keep theirs, and nobody is
/// told. To end a region for all that use it: vug_region_destroy().
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_INVALID_REGION_NAME,
/// VUG_ERR_REGION_NOT_FOUND, VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD, VUG_ERR_IO,
/// VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_node_remove_region(
    node: *mut vug_node_t,
    name: *const c_char,
) -> vug_status_t {
    entry!(|caller| {
        let name = String::from_utf8_lossy(caller.text(name, "name")?);
        let remove = |home: &Home| Ok(home.member()?.remove_region(&name)?);
        caller.with_for_write(&NODES, node, remove)?;
        Ok(VUG_OK)
    })
}

/// Recovers every dead member of the node, in all its regions. `recovery` (may be NULL, then
/// `size` is ignored) receives what was found.
///
/// Any member recovers what it meets of dead ones anyway: this is for doing it at once.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_FORKED_CHILD, VUG_ERR_DAMAGED, VUG_ERR_IO, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_node_recover(
    node: *mut vug_node_t,
    recovery: *mut vug_recovery_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| {
        let output = caller.optional_report(recovery, size, "recovery")?;
        let found = caller.with_for_write(&NODES, node, |home| Ok(home.member()?.recover()?))?;
        if let Some(mut output) = output {
            output.set(found.into());
        }
        Ok(VUG_OK)
    })
}

/// vug_region_maintain() of every region of the node, and recovery of its dead members. `options`
/// may be NULL: all defaults; `done` may be NULL, then `size` is ignored.
///
/// Returns what vug_node_recover() returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_node_maintain(
    node: *mut vug_node_t,
    options: *const vug_maintain_options_t,
    done: *mut vug_maintenance_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| {
        let output = caller.optional_report(done, size, "done")?;
        let options = caller.options_or_default(options)?.to_options()?;
        let found =
            caller.with_for_write(&NODES, node, |home| Ok(home.member()?.maintain(&options)?))?;
        if let Some(mut output) = output {
            output.set(found.into());
        }
        Ok(VUG_OK)
    })
}

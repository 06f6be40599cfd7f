//! Which process is it, and is it gone?
//!
//! A pid alone names nothing: it is reused. Pid and start time together name one process of one
//! boot, as long as the reader counts pids (pid namespace) and boot time (time namespace) as the
//! writer did and `/proc` shows the reader's own namespace. Wherever that is not certain the answer
//! is "cannot tell", and the lock byte decides.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;

/// One process of this boot. Zero = unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Field 22 of `/proc/<pid>/stat`: clock ticks since boot.
    pub(crate) start_time: u64,
    pub(crate) pidns_inode: u64,
    /// Start times are shifted by the time namespace of whoever reads them.
    pub(crate) timens_inode: u64,
}

impl Identity {
    /// Identity of the calling process. What cannot be found out is 0.
    pub(crate) fn current() -> Self {
        let inode = |name| fs::metadata(name).map_or(0, |m| m.ino());
        let pid = std::process::id();
        let start_time = if proc_shows_this_namespace(pid) {
            read_stat(pid).map_or(0, |stat| stat.start_time)
        } else {
            0
        };
        Self {
            pid,
            start_time,
            pidns_inode: inode("/proc/self/ns/pid"),
            timens_inode: inode("/proc/self/ns/time"),
        }
    }

    /// What `self`, the calling process, can say about another: `Some(true)` = proved gone,
    /// `Some(false)` = that very process exists, `None` = cannot tell.
    ///
    /// A zombie is "cannot tell": it may be a main thread that ended while others still run.
    pub(crate) fn sees_gone(&self, other: &Self) -> Option<bool> {
        let known = self.pidns_inode != 0 && other.pidns_inode != 0 && other.pid != 0;
        if !known || self.pidns_inode != other.pidns_inode {
            return None;
        }
        let pid = libc::pid_t::try_from(other.pid).ok()?;
        // SAFETY: signal 0 only asks whether the process exists; nothing is delivered.
        if unsafe { libc::kill(pid, 0) } != 0 && Errno::last() == Errno::ESRCH {
            return Some(true);
        }
        // Somebody has this pid. Start times decide whether it is the one that was meant.
        let comparable = self.start_time != 0
            && other.start_time != 0
            && self.timens_inode == other.timens_inode;
        if !comparable {
            return None;
        }
        let stat = read_stat(other.pid).ok()?;
        if stat.start_time != other.start_time {
            return Some(true);
        }
        if matches!(stat.state, b'Z' | b'X' | b'x') { None } else { Some(false) }
    }
}

/// Name of the running program, for people: what it calls itself, or the whole name of its file if
/// that is only longer. Empty if `/proc` says neither.
pub(crate) fn program() -> String {
    let called = fs::read_to_string("/proc/self/comm").unwrap_or_default();
    let called = called.trim_end_matches('\n');
    let file = std::env::current_exe().unwrap_or_default();
    let file = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let file = file.trim_end_matches(" (deleted)");
    if file.starts_with(called) { file.to_owned() } else { called.to_owned() }
}

struct Stat {
    state: u8,
    start_time: u64,
}

fn read_stat(pid: u32) -> io::Result<Stat> {
    parse_stat(&fs::read(format!("/proc/{pid}/stat"))?)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The program's name, field 2, stands in parentheses and may contain anything, also `) R 1 2`:
/// count from the last parenthesis.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let mut fields = text.get(end + 1..)?.split(u8::is_ascii_whitespace).filter(|f| !f.is_empty());
    let state = *fields.next()?.first()?;
    let start_time = std::str::from_utf8(fields.nth(18)?).ok()?.parse().ok()?;
    Some(Stat { state, start_time })
}

/// Whether `/proc` counts pids as this process does: the list of our pids, from the namespace of
/// the mounted `/proc` inwards, then has one element.
fn proc_shows_this_namespace(pid: u32) -> bool {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return false;
    };
    let Some(list) = status.lines().find_map(|line| line.strip_prefix("NSpid:")) else {
        return false;
    };
    list.split_ascii_whitespace().eq([pid.to_string().as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::fork::tests::wait_for;

    #[test]
    fn this_process_exists_and_another_start_time_is_another_process() {
        let me = Identity::current();
        assert_ne!(me.start_time, 0);
        assert_eq!(me.sees_gone(&me), Some(false));
        let before = Identity { start_time: me.start_time - 1, ..me };
        assert_eq!(me.sees_gone(&before), Some(true), "the pid was reused");
        let elsewhere = Identity { pidns_inode: me.pidns_inode + 1, ..me };
        assert_eq!(me.sees_gone(&elsewhere), None);
        let other_clock = Identity { timens_inode: me.timens_inode + 1, ..before };
        assert_eq!(me.sees_gone(&other_clock), None);
        assert_eq!(me.sees_gone(&Identity { pid: 0, ..me }), None);
    }

    #[test]
    fn a_zombie_proves_nothing_and_a_reaped_child_is_gone() {
        // SAFETY: the child only sleeps.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            loop {
                // SAFETY: waits for a signal; always allowed.
                unsafe { libc::pause() };
            }
        }
        let me = Identity::current();
        let start_time = read_stat(pid as u32).unwrap().start_time;
        let child = Identity { pid: pid as u32, start_time, ..me };
        assert_eq!(me.sees_gone(&child), Some(false));
        // SAFETY: the pid is our unreaped child, so it cannot have been reused.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        while read_stat(pid as u32).unwrap().state != b'Z' {
            std::thread::yield_now();
        }
        assert_eq!(me.sees_gone(&child), None);
        assert_eq!(wait_for(pid), -libc::SIGKILL);
        assert_eq!(me.sees_gone(&child), Some(true));
    }

    #[test]
    fn names_with_parentheses_do_not_shift_the_fields() {
        let mut text = b"7 (a) R 1 (b)) S".to_vec();
        for field in 4..=25 {
            text.extend(format!(" {field}").bytes());
        }
        let stat = parse_stat(&text).unwrap();
        assert_eq!((stat.state, stat.start_time), (b'S', 22));
        assert!(parse_stat(b"7 (x) S 1").is_none());
        assert!(parse_stat(b"").is_none());
    }
}

//! A memory barrier in every process that asked to be reached by it, made by one of them.
//!
//! It lets a reader get along with a plain store where it would need a full barrier: whoever rarely
//! looks at what readers store pays for both sides. `membarrier(2)`, the expedited global kind: a
//! system call that interrupts the processors on which a registered process runs at the moment
//! (0.2 us if there is none, about 10 us per processor in a virtual machine); a thread that does
//! not run has passed a barrier when it was switched out. It waits for nobody.

/// Makes the calling process one of those that [`everywhere`] reaches, with all its threads, until
/// it ends. False: the kernel or a sandbox does not let it.
pub(crate) fn register() -> bool {
    call(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)
}

/// Every thread of every registered process executes a full barrier between the begin and the end
/// of the call, and so does the caller. False: there was none.
pub(crate) fn everywhere() -> bool {
    call(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED)
}

/// Every thread of the system, registered or not, does so. It takes milliseconds. False: there was
/// no barrier.
pub(crate) fn of_all() -> bool {
    call(libc::MEMBARRIER_CMD_GLOBAL)
}

fn call(command: libc::c_int) -> bool {
    let none: libc::c_uint = 0;
    // SAFETY: the commands take no pointer and change nothing that Rust knows of.
    unsafe { libc::syscall(libc::SYS_membarrier, command, none, none) == 0 }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_registered_process_is_reached_where_the_kernel_can() {
        // Linux 4.16; a sandbox may forbid it, then both say so.
        if super::register() {
            assert!(super::everywhere());
        }
    }
}

//! The text of a thread's last error, for C.

use std::ffi::c_char;

use crate::boundary::{Caller, entry};
use crate::status::{Failure, VUG_ERR_BUFFER, VUG_NOT_FOUND, VUG_OK, last_error, vug_status_t};

/// Copies the text of the last error of the calling thread to `buffer`, as text that ends with a
/// zero byte: what happened, with names and numbers, and on a second line that begins with
/// "help: " what to do about it. Texts are for people; programs go by the status.
///
/// `needed` (may be NULL) receives the size of the whole text with its zero byte. A smaller buffer
/// receives as much as fits. `vug_last_error(NULL, 0, &needed)` asks for the size. Calls that
/// succeed leave the last error as it is, and so does this one.
///
/// Returns VUG_OK, VUG_NOT_FOUND when this thread had no error (the text is empty), VUG_ERR_BUFFER
/// when the text was cut, VUG_ERR_NULL, VUG_ERR_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_last_error(
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> vug_status_t {
    entry!(|caller| {
        // A failure of this call must not take the place of the error that is asked for.
        let copied = copy_text(caller, &last_error(), buffer, capacity, needed);
        Ok(copied.unwrap_or_else(|failure| failure.code()))
    })
}

/// Copies the remedy alone, the second line of vug_last_error() without "help: ", in the same way.
///
/// Returns what vug_last_error() returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_last_help(
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> vug_status_t {
    entry!(|caller| {
        let text = last_error();
        let help = text.split_once("\nhelp: ").map_or("", |(_, help)| help);
        let copied = copy_text(caller, help, buffer, capacity, needed);
        Ok(copied.unwrap_or_else(|failure| failure.code()))
    })
}

fn copy_text(
    caller: &Caller,
    text: &str,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> Result<vug_status_t, Failure> {
    let needed = caller.optional_output(needed, "needed")?;
    let mut buffer = caller.buffer(buffer.cast(), capacity)?;
    if let Some(mut needed) = needed {
        needed.set(text.len() + 1);
    }
    if !buffer.fill_text(text) && capacity != 0 {
        return Ok(VUG_ERR_BUFFER);
    }
    Ok(if text.is_empty() { VUG_NOT_FOUND } else { VUG_OK })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    fn ask(capacity: usize) -> (vug_status_t, usize, Vec<u8>) {
        let (mut buffer, mut needed) = (vec![7_u8; 64], 0);
        let start = if capacity == 0 { ptr::null_mut() } else { buffer.as_mut_ptr().cast() };
        // SAFETY: `needed` and the first `capacity` bytes of the buffer are writable.
        let status = unsafe { vug_last_error(start, capacity, &raw mut needed) };
        (status, needed, buffer)
    }

    #[test]
    fn the_text_is_cut_between_characters() {
        assert_eq!(ask(64), (VUG_NOT_FOUND, 1, [&[0_u8][..], &[7; 63]].concat()));
        let _code = Failure::argument("\u{e4}\u{e4}", "ok").report();
        let whole = "VUG-0703: \u{e4}\u{e4}\nhelp: ok\0";
        let (status, needed, buffer) = ask(64);
        assert_eq!((status, needed), (VUG_OK, whole.len()));
        assert_eq!(&buffer[..needed], whole.as_bytes());
        assert_eq!(ask(0), (VUG_OK, whole.len(), vec![7; 64]));
        for capacity in 1..whole.len() {
            let (status, needed, buffer) = ask(capacity);
            assert_eq!((status, needed), (VUG_ERR_BUFFER, whole.len()));
            let end = buffer.iter().position(|byte| *byte == 0).expect("a zero byte");
            assert!(end < capacity);
            assert!(whole.starts_with(std::str::from_utf8(&buffer[..end]).expect("UTF-8")));
            assert!(buffer[capacity..].iter().all(|byte| *byte == 7), "nothing behind the buffer");
        }
    }
}

//! Copies between private bytes and the 64-bit words of a record.
//!
//! Whoever has no hazard (a read-only process, a handle) copies a record first and finds out
//! afterwards whether somebody wrote it meanwhile. That is sound only if both sides access it
//! atomically and in the same pieces: aligned words, relaxed.
//!
//! Long copies go through `rep movsq`: by its definition a sequence of such word accesses, which
//! the compiler neither sees nor splits, and the processor moves whole lines at a time.

use core::ptr::NonNull;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

/// From here on `rep movsq` is faster than a loop (measured on an EPYC of family 25).
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LONG: usize = 1024;

/// Writes `bytes` to shared words; the rest of the last word becomes zero.
///
/// # Safety
/// `to` is 8-aligned, and `padded(bytes.len())` bytes from there are inside one mapping and belong
/// to the caller: others may read them, in words, and nobody else writes.
#[inline(never)]
pub(crate) unsafe fn store(to: NonNull<u8>, bytes: &[u8]) {
    let to = to.cast::<u64>();
    let (words, rest) = bytes.as_chunks::<8>();
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    let mut at = if bytes.len() >= LONG {
        // SAFETY: whole words inside the caller's range; the source is a slice of as many.
        unsafe { move_words(to.as_ptr(), words.as_ptr().cast(), words.len()) };
        words.len()
    } else {
        0
    };
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let mut at = 0;
    // In pieces of lengths that are known: a loop of single words costs three times as much.
    while let Some(piece) = words[at..].first_chunk::<8>() {
        // SAFETY: whole words inside the caller's range.
        unsafe { store_piece(to, at, piece) };
        at += piece.len();
    }
    if let Some(piece) = words[at..].first_chunk::<4>() {
        // SAFETY: as above.
        unsafe { store_piece(to, at, piece) };
        at += piece.len();
    }
    if let Some(piece) = words[at..].first_chunk::<2>() {
        // SAFETY: as above.
        unsafe { store_piece(to, at, piece) };
        at += piece.len();
    }
    if let Some(piece) = words[at..].first_chunk::<1>() {
        // SAFETY: as above.
        unsafe { store_piece(to, at, piece) };
    }
    if !rest.is_empty() {
        // The first byte of a word is its lowest.
        let last = match bytes.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        // SAFETY: the last, padded word of the range.
        unsafe { store_word(to, words.len(), last.to_le()) };
    }
}

/// # Safety
/// As many words as the piece has, from word `at` on, are 8-aligned, mapped and the caller's.
#[inline(always)]
unsafe fn store_piece<const N: usize>(to: NonNull<u64>, at: usize, piece: &[[u8; 8]; N]) {
    for (number, word) in piece.iter().enumerate() {
        // SAFETY: inside the caller's range.
        unsafe { store_word(to, at + number, u64::from_ne_bytes(*word)) };
    }
}

/// Writes words from word `number` on.
///
/// # Safety
/// As for [`store`], for the words from that one on.
#[inline(always)]
pub(crate) unsafe fn store_words(to: NonNull<u8>, number: usize, words: &[u64]) {
    for (at, word) in words.iter().enumerate() {
        // SAFETY: inside the caller's range.
        unsafe { store_word(to.cast(), number + at, *word) };
    }
}

/// # Safety
/// Word `number` from `to` is 8-aligned, mapped and the caller's.
#[inline(always)]
unsafe fn store_word(to: NonNull<u64>, number: usize, word: u64) {
    // SAFETY: the caller says that the word is inside the mapping.
    let place = unsafe { to.add(number) };
    // SAFETY: aligned, mapped, and accessed in whole atomic words while others may look.
    unsafe { AtomicU64::from_ptr(place.as_ptr()) }.store(word, Relaxed);
}

/// Copies shared words out; what they held together is for the caller to find out.
///
/// # Safety
/// `from` is 8-aligned, and as many words from there as `to` has are inside one mapping, which
/// others may write in words only.
#[inline]
pub(crate) unsafe fn load(from: NonNull<u8>, to: &mut [u64]) {
    let from = from.cast::<u64>();
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if to.len() * 8 >= LONG {
        // SAFETY: whole words inside the caller's range; the target is a slice of as many.
        return unsafe { move_words(to.as_mut_ptr(), from.as_ptr(), to.len()) };
    }
    for (number, word) in to.iter_mut().enumerate() {
        // SAFETY: whole words inside the caller's range.
        *word = unsafe { load_word(from, number) };
    }
}

/// # Safety
/// Word `number` from `from` is 8-aligned and mapped.
#[inline(always)]
unsafe fn load_word(from: NonNull<u64>, number: usize) -> u64 {
    // SAFETY: the caller says that the word is inside the mapping.
    let place = unsafe { from.add(number) };
    // SAFETY: aligned, mapped, written in whole atomic words only. A relaxed load of 8 bytes is
    // allowed on memory that is mapped read-only, too.
    unsafe { AtomicU64::from_ptr(place.as_ptr()) }.load(Relaxed)
}

/// # Safety
/// `count` words are readable at `from` and writable at `to`, and they do not overlap.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
unsafe fn move_words(to: *mut u64, from: *const u64, count: usize) {
    // SAFETY: the caller's ranges; the direction flag is clear by the calling convention.
    unsafe {
        core::arch::asm!(
            "rep movsq",
            inout("rcx") count => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags)
        );
    }
}

#[cfg(all(test, not(vug_loom)))]
mod tests {
    use super::*;
    use crate::layout::record::padded;

    /// All lengths around the pieces, both ways; nothing beyond the last word is touched.
    #[test]
    fn copies_are_exact_and_padded_with_zeros() {
        let mut shared = vec![u64::MAX; 600];
        for len in (0..200).chain(1000..1050).chain([4093, 4096]) {
            let bytes: Vec<u8> = (0..len).map(|n| (n * 7 + len) as u8).collect();
            shared.fill(u64::MAX);
            let place = NonNull::from(shared.as_mut_slice()).cast::<u8>();
            // SAFETY: the vector is longer than any of the lengths.
            unsafe { store(place, &bytes) };
            let mut copy = vec![0; padded(len) / 8];
            // SAFETY: as above.
            unsafe { load(place, &mut copy) };
            assert_eq!(copy, shared[..copy.len()]);
            let all: Vec<u8> = shared.iter().flat_map(|word| word.to_ne_bytes()).collect();
            assert_eq!(all[..len], bytes);
            assert!(all[len..padded(len)].iter().all(|&byte| byte == 0));
            assert!(all[padded(len)..].iter().all(|&byte| byte == 0xff));
        }
    }
}

//! Keys and values as text. One set of rules for all commands:
//!
//! | where | how bytes are written |
//! |---|---|
//! | command line, files, raw output | as they are; with `--hex`, two hexadecimal digits per byte |
//! | JSON | UTF-8 as a string in `NAME`, anything else as base64 in `NAME_base64` |
//! | CSV | UTF-8 as it is, anything else is refused; with `--hex`, hexadecimal digits |
//! | tables and messages | UTF-8, and escapes for what cannot be shown: `\n`, `\\`, `\xff` |
//!
//! The first three are read back to the same bytes by the same option. Tables are for people only.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::failure::Failure;

/// Longest key of a region.
pub(crate) const MAX_KEY: usize = 65_536;

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes that the digits stand for; `Err` says what is wrong and where.
pub(crate) fn from_hex(digits: &[u8]) -> Result<Vec<u8>, String> {
    let value = |at: usize| {
        let digit = char::from(digits[at]).to_digit(16);
        digit.map(|digit| digit as u8).ok_or_else(|| {
            format!("`{}` at place {} is no hexadecimal digit", escaped(&digits[at..=at]), at + 1)
        })
    };
    if !digits.len().is_multiple_of(2) {
        return Err(format!("{} hexadecimal digits are no whole bytes", digits.len()));
    }
    (0..digits.len()).step_by(2).map(|at| Ok(value(at)? << 4 | value(at + 1)?)).collect()
}

/// For people: what cannot be shown becomes an escape.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' | '\'' => text.push(char),
                _ => text.extend(char.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Bytes given on the command line.
pub(crate) fn argument(given: &OsStr, hex: bool, what: &str) -> Result<Vec<u8>, Failure> {
    if !hex {
        return Ok(given.as_bytes().to_vec());
    }
    from_hex(given.as_bytes()).map_err(|wrong| {
        let text = format!("the {what} `{}`: {wrong}", escaped(given.as_bytes()));
        Failure::usage(text, "--hex wants two digits of 0-9 a-f per byte, such as 00ff")
    })
}

/// A key given on the command line.
pub(crate) fn key(given: &OsStr, hex: bool) -> Result<Vec<u8>, Failure> {
    let bytes = argument(given, hex, "key")?;
    if bytes.is_empty() || bytes.len() > MAX_KEY {
        return Err(vug::Error::InvalidKey { len: bytes.len() }.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        let digits = to_hex(&all);
        assert!(digits.starts_with("000102") && digits.ends_with("feff"));
        assert_eq!(from_hex(digits.as_bytes()), Ok(all.clone()));
        assert_eq!(from_hex(digits.to_uppercase().as_bytes()), Ok(all));
        assert_eq!(from_hex(b"0"), Err("1 hexadecimal digits are no whole bytes".into()));
        assert_eq!(from_hex(b"0g"), Err("`g` at place 2 is no hexadecimal digit".into()));
    }

    #[test]
    fn escapes() {
        assert_eq!(escaped("a \"b\" \u{e9}".as_bytes()), "a \"b\" \u{e9}");
        assert_eq!(escaped(b"a\n\t\\\x00\xff"), "a\\n\\t\\\\\\0\\xff");
        assert_eq!(escaped("\u{202e}".as_bytes()), "\\u{202e}");
    }
}

//! Bytes in JSON: text, or hexadecimal digits, perhaps repeated.

use serde_json::{Value, json};

/// The bytes that a value stands for; `None` if it stands for none.
pub(super) fn bytes(value: &Value) -> Option<Vec<u8>> {
    if let Some(text) = value.as_str() {
        return Some(text.as_bytes().to_vec());
    }
    let digits = value.get("hex")?.as_str()?;
    let pairs = (0..digits.len()).step_by(2);
    let once: Option<Vec<u8>> =
        pairs.map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect();
    let times = value.get("times").map_or(Some(1), Value::as_u64)?;
    Some(once?.repeat(usize::try_from(times).ok()?))
}

/// How results show bytes: as text if all are printable ASCII, else as digits.
pub(super) fn show(bytes: &[u8]) -> Value {
    if bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return json!(String::from_utf8_lossy(bytes));
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "hex": digits })
}

/// A result with all bytes in it as results show them.
pub fn canonical(result: &Value) -> Value {
    match result {
        Value::Object(fields) if fields.contains_key("hex") => {
            show(&bytes(result).expect("hexadecimal digits"))
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), canonical(value))).collect()
        }
        Value::Array(parts) => parts.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

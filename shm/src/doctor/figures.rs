//! Figures as people read them.

use std::fmt;

/// A number with commas between thousands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count(pub(super) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() * 4 / 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// Bytes in the largest binary unit of which there is at least one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match units.iter().find(|(_, shift)| self.0 >> shift != 0) {
            Some((unit, shift)) => {
                write!(f, "{:.1} {unit}", self.0 as f64 / (1_u64 << shift) as f64)
            }
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        let counts = [0, 999, 1000, 2_000_000].map(|n| Count(n).to_string());
        assert_eq!(counts, ["0", "999", "1,000", "2,000,000"]);
        let bytes = [0, 1023, 1536, 64 << 20, 5 << 30].map(|n| Bytes(n).to_string());
        assert_eq!(bytes, ["0 bytes", "1023 bytes", "1.5 KiB", "64.0 MiB", "5.0 GiB"]);
    }
}

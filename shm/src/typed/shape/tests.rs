use super::*;
use crate::typed::Schema;

crate::record! {
    struct Time { seconds: u64, nanos: u64 }
    struct Quote { bid: f64, ask: f64, at: Time, sizes: [u32; 4], flags: [[u8; 2]; 8] }
}

mod changed {
    crate::record! {
        pub(super) struct Time { pub(super) seconds: u64, pub(super) nanos: i64 }
        pub(super) struct Quote { pub(super) bid: f32, pub(super) ask: f32, pub(super) at: Time,
            pub(super) sizes: [u32; 4], pub(super) venue: u64 }
    }
}

#[test]
fn shapes_are_what_their_text_says() {
    for text in ["f64", "[u8; 16]", "[[f32; 3]; 4]", "[u64]", "(u32be, str)", "postcard:quote-1"] {
        let shape: Shape = text.parse().expect(text);
        assert_eq!(shape.to_string(), text);
    }
    let quote = Quote::shape();
    assert_eq!(quote.to_string().parse(), Ok(quote.clone()));
    assert!(quote.to_string().starts_with("Quote { bid: f64 at 0, ask: f64 at 8, at: Time {"));
}

#[test]
fn other_texts_are_none() {
    let nested = "[".repeat(100_000);
    let odd = ["", " ", "[u8", "[u8; x]", "A { b: u8 }", "A { b u8 at 0 } (1 bytes)", "u8 ", "()"];
    for text in odd.into_iter().chain([nested.as_str()]) {
        assert_eq!(text.parse::<Shape>(), Err(NotAShape), "{text:.40}");
    }
}

#[test]
fn differences_are_told_field_by_field() {
    let list = Quote::shape().differences(&changed::Quote::shape(), "value");
    let list: Vec<String> = list.iter().map(SchemaDifference::to_string).collect();
    assert_eq!(
        list,
        [
            "size of value is 48 bytes, asked for 64 bytes",
            "bid is f32 at 0, asked for f64 at 0",
            "ask is f32 at 4, asked for f64 at 8",
            "at is Time at 8, asked for Time at 16",
            "sizes is [u32; 4] at 24, asked for [u32; 4] at 32",
            "flags is missing, asked for [[u8; 2]; 8] at 48",
            "venue is u64 at 40, asked for none",
            "at.nanos is i64 at 8, asked for u64 at 8",
        ]
    );
    assert!(Quote::shape().differences(&Quote::shape(), "value").is_empty());
    let plain = u64::shape().differences(&Quote::shape(), "value");
    assert_eq!(plain[0].place, "value");
    assert_eq!(plain[0].wanted.as_deref(), Some("u64"));
}

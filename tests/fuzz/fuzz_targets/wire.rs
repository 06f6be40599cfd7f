//! Every decoder of the protocol between bridges: control messages, frames, records, the framing
//! of streams. The first byte chooses; the rest is what a peer sends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vug_netbridge::wire::frame::{Body, Frames, frame_len};
use vug_netbridge::wire::control;

fuzz_target!(|data: &[u8]| {
    let [choice, bytes @ ..] = data else { return };
    match choice % 3 {
        0 => drop(control::decode(bytes)),
        1 => drop(frame_len(bytes)),
        _ => {
            let mut frames = Frames::new(bytes);
            while let Ok(Some((_, body))) = frames.next_frame() {
                if let Body::Records(mut records) | Body::Image(_, mut records) = body {
                    while let Ok(Some(_)) = records.next_record() {}
                }
            }
        }
    }
});

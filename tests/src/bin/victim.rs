//! A process that is killed in the middle of its work; see `vug_tests::victim`.

#![forbid(unsafe_code)]

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    vug_tests::victim::main(&arguments);
}

//! Replays steps of the conformance suite that another process sends: `conformance HOME`.

#![forbid(unsafe_code)]

fn main() {
    let home = std::env::args_os().nth(1).expect("usage: conformance HOME");
    vug_tests::conformance::serve(home.as_ref(), std::io::stdin().lock(), std::io::stdout().lock());
}

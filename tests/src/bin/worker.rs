//! The child process of the multi-process tests: see `vug_tests::Worker`.

#![forbid(unsafe_code)]

fn main() {
    vug_tests::serve(std::io::stdin().lock(), std::io::stdout().lock());
}

//! Compiles the peer in C++, where Boost's headers are.

use std::path::Path;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(boost)");
    println!("cargo::rerun-if-changed=src/boost.cpp");
    let header = "boost/interprocess/managed_mapped_file.hpp";
    let found = ["/usr/include", "/usr/local/include"].map(Path::new);
    if !found.iter().any(|include| include.join(header).exists()) {
        println!("cargo::warning=no {header}: the table will be without Boost.Interprocess");
        return;
    }
    cc::Build::new()
        .cpp(true)
        .file("src/boost.cpp")
        .std("c++17")
        .opt_level(3)
        .flag("-march=x86-64-v2")
        .compile("vug_compare_boost");
    println!("cargo::rustc-cfg=boost");
}

//! The C interface as a C program sees it: compiled by the system's compilers without a warning,
//! linked with the static library, run on regions that Rust reads and writes as well; the same with
//! sanitizers; the C++ wrapper; installed; the examples.

mod bad_use;
mod compile;
mod conformance;
mod examples;
mod install;

use std::fs;
use std::process::Command;

use compile::{
    Program, SANITIZERS, WARNINGS, c_compiler, cxx_compiler, has_sanitizers, home, path, present,
    root, succeed,
};

/// Programs that need a home directory and end with `<name>=ok`.
const PROGRAMS: [&str; 5] = ["misuse", "operations", "regions", "events", "threads"];

#[test]
fn layout_numbers_and_versions() {
    let Some(program) = Program::build("abi") else {
        return;
    };
    let abi = vug_ffi::VUG_ABI_VERSION.to_string();
    let format = vug::FORMAT_VERSION.to_string();
    let output = program.output(&[env!("CARGO_PKG_VERSION"), &abi, &format]);
    assert_eq!(output, "abi=ok\n");
}

#[test]
fn every_call() {
    let Some(compiler) = c_compiler() else {
        return;
    };
    for name in PROGRAMS {
        let program = Program::compile(&compiler, &format!("tests/c/{name}.c"), &[]);
        assert_eq!(program.output(&[path(&home())]), format!("{name}=ok\n"));
    }
}

#[test]
fn every_call_under_sanitizers() {
    let Some(compiler) = c_compiler().filter(|compiler| has_sanitizers(compiler)) else {
        return;
    };
    for name in PROGRAMS {
        let program = Program::compile(&compiler, &format!("tests/c/{name}.c"), &SANITIZERS);
        assert_eq!(program.output(&[path(&home())]), format!("{name}=ok\n"));
    }
}

#[test]
fn departures_and_searches() {
    let Some(program) = Program::build("distributed") else {
        return;
    };
    let bridged = vug_tests::Bridged::new();
    let home = bridged.path().to_str().expect("a home directory in UTF-8");
    assert_eq!(program.output(&[home]), "distributed=ok\n");
}

#[test]
fn misuse_without_a_node() {
    let Some(program) = Program::build("misuse") else {
        return;
    };
    assert_eq!(program.output(&[]), "misuse=ok\n");
}

#[test]
fn the_wrapper_for_cxx() {
    for compiler in present(&["g++", "clang++"]) {
        let conversions = ["-Wconversion", "-Wshadow"];
        let program = Program::compile(compiler, "tests/c/wrapper.cpp", &conversions);
        assert_eq!(program.output(&[path(&home())]), "wrapper=ok\n", "{compiler}");
        if has_sanitizers(compiler) {
            let program = Program::compile(compiler, "tests/c/wrapper.cpp", &SANITIZERS);
            assert_eq!(program.output(&[path(&home())]), "wrapper=ok\n", "{compiler}");
        }
    }
}

#[test]
fn the_wrapper_without_exceptions() {
    let Some(compiler) = cxx_compiler() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let source = directory.path().join("quiet.cpp");
    let text = "#include \"vug.hpp\"\n\
        int main() { return vug::node::try_open().code() == VUG_OK ? 0 : 1; }\n";
    fs::write(&source, text).expect("a source file");
    let source = source.to_str().expect("a path in UTF-8");
    let program = Program::compile(&compiler, source, &["-fno-exceptions", "-fno-rtti"]);
    let home = home();
    let output = program.command().env("VUG_HOME", home.path()).output().expect("it runs");
    succeed("quiet.cpp", &output);
}

/// FNV-1a as in `tests/c/reader.c`.
fn checksum(key: &[u8], value: &[u8]) -> u64 {
    let len = (key.len() as u64).to_le_bytes();
    len.iter().chain(key).chain(value).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn c_reads_what_rust_wrote() {
    let Some(reader) = Program::build("reader") else {
        return;
    };
    let home = home();
    let node = vug::Node::open(home.path()).expect("node");
    let region = node.region("from-rust").create().expect("region");
    assert_eq!(reader.output(&[path(&home), "from-rust"]), "entries=0 checksum=0000000000000000\n");
    let mut sum = 0_u64;
    for number in 0..5_000_u64 {
        let key = format!("key {number}");
        let value = vec![number as u8; (number % 1_500) as usize];
        region.put(key.as_bytes(), &value).expect("put");
        sum = sum.wrapping_add(checksum(key.as_bytes(), &value));
    }
    assert_eq!(
        reader.output(&[path(&home), "from-rust"]),
        format!("entries=5000 checksum={sum:016x}\n")
    );
}

#[test]
fn rust_reads_what_c_wrote() {
    let Some(writer) = Program::build("writer") else {
        return;
    };
    let home = home();
    for prefix in ["one-", "two-"] {
        let output = writer.output(&[path(&home), "from-c", "2000", prefix]);
        assert_eq!(output, "written=2000\n");
    }
    let node = vug::Node::open(home.path()).expect("node");
    let region = node.region("from-c").open().expect("region");
    assert_eq!(region.len().expect("len"), 4_000);
    for prefix in ["one-", "two-"] {
        for number in 0..2_000 {
            let key = format!("{prefix}{number}");
            let value = region.get(key.as_bytes()).expect("get").expect("the entry is there");
            assert_eq!(&*value, format!("value {number} of {prefix}").as_bytes());
        }
    }
}

#[test]
fn errors_reach_the_user_of_a_c_program() {
    let Some(reader) = Program::build("reader") else {
        return;
    };
    let home = home();
    let output = reader.run(&[path(&home), "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("VUG-0206") && text.contains("nowhere"), "{text}");
    assert!(text.contains("\nhelp: "), "{text}");
}

#[test]
fn the_header_is_clean_in_c_and_cxx() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = "#include \"vug.h\"\n#include \"vug.h\"\n\
        int main(void) {\n\
        vug_region_options_t options = VUG_REGION_OPTIONS_INIT;\n\
        vug_node_options_t node = VUG_NODE_OPTIONS_INIT;\n\
        vug_write_options_t write = VUG_WRITE_OPTIONS_INIT;\n\
        vug_read_options_t read = VUG_READ_OPTIONS_INIT;\n\
        vug_listen_options_t listen = VUG_LISTEN_OPTIONS_INIT;\n\
        vug_maintain_options_t maintain = VUG_MAINTAIN_OPTIONS_INIT;\n\
        vug_view_t view = VUG_VIEW_INIT;\n\
        return (int)(options.scope + node.access + write.reserved + read.local + listen.interest\n\
            + maintain.compact) + (int)view.len;\n}\n";
    for (compiler, file, standards) in [
        (c_compiler(), "header.c", &["-std=c99", "-std=c11"][..]),
        (cxx_compiler(), "header.cpp", &["-std=c++11", "-std=c++17"][..]),
    ] {
        let Some(compiler) = compiler else { continue };
        let file = directory.path().join(file);
        fs::write(&file, source).expect("a source file");
        for standard in standards {
            let output = Command::new(&compiler)
                .args(WARNINGS)
                .args([standard, "-Wconversion", "-fsyntax-only", "-I"])
                .arg(root().join("include"))
                .arg(&file)
                .output()
                .expect("the compiler runs");
            succeed(&format!("{compiler} {standard}"), &output);
        }
    }
}

//! The C interface as a C program sees it: compiled by the system's compiler without a warning,
//! linked with the static library, run on regions that Rust reads and writes as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"];
/// What the Rust standard library needs, as `rustc --print native-static-libs` says; the C
/// compiler adds libgcc_s and libc itself.
const NATIVE_LIBRARIES: [&str; 5] = ["-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

fn home() -> TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a home directory")
}

fn first_that_runs(candidates: &[Option<String>]) -> Option<String> {
    let runs = |program: &&String| Command::new(program).arg("--version").output().is_ok();
    candidates.iter().flatten().find(runs).cloned()
}

/// The C compiler, or nothing and a line that says so.
fn c_compiler() -> Option<String> {
    let names = ["cc", "gcc", "clang"].map(|name| Some(name.to_owned()));
    let found = first_that_runs(&[&[std::env::var("CC").ok()][..], &names].concat());
    if found.is_none() {
        println!("skipped: no C compiler");
    }
    found
}

fn cxx_compiler() -> Option<String> {
    let names = ["c++", "g++", "clang++"].map(|name| Some(name.to_owned()));
    let found = first_that_runs(&[&[std::env::var("CXX").ok()][..], &names].concat());
    if found.is_none() {
        println!("skipped: no C++ compiler");
    }
    found
}

/// `libvug_ffi.a`. Cargo builds it beside this test, because the package depends on vug-ffi; where
/// it does not lie there, it is built again in the profile of this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("a path of this test");
    let deps = test.parent().expect("a directory of this test");
    let profile = deps.parent().expect("target/<profile>");
    let beside = deps.join("libvug_ffi.a");
    if beside.is_file() {
        return beside;
    }
    let name = match profile.file_name().and_then(|name| name.to_str()).expect("a profile") {
        "debug" => "dev",
        other => other,
    };
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--package", "vug-ffi", "--profile", name, "--target-dir"])
        .arg(profile.parent().expect("target/"))
        .current_dir(root())
        .status()
        .expect("cargo runs");
    assert!(status.success(), "vug-ffi is built");
    profile.join("libvug_ffi.a")
}

fn succeed(what: &str, output: &Output) -> String {
    assert!(
        output.status.success(),
        "{what}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).expect("output in UTF-8")
}

/// A program of `tests/c`, removed with its directory at the end.
struct Program {
    path: PathBuf,
    _directory: TempDir,
}

impl Program {
    /// `None` without a C compiler.
    fn build(name: &str) -> Option<Self> {
        let compiler = c_compiler()?;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(name);
        let output = Command::new(compiler)
            .args(WARNINGS)
            .args(["-std=c99", "-I"])
            .arg(root().join("include"))
            .arg(root().join(format!("tests/c/{name}.c")))
            .arg(library())
            .args(NATIVE_LIBRARIES)
            .arg("-o")
            .arg(&path)
            .output()
            .expect("the compiler runs");
        succeed(&format!("compile {name}.c"), &output);
        Some(Self { path, _directory: directory })
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.path).args(arguments).output().expect("the program runs")
    }

    /// The output of a run that succeeds.
    fn output(&self, arguments: &[&str]) -> String {
        succeed(&format!("{} {arguments:?}", self.path.display()), &self.run(arguments))
    }
}

fn path(home: &TempDir) -> &str {
    home.path().to_str().expect("a home directory in UTF-8")
}

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
fn misuse_without_a_node() {
    let Some(program) = Program::build("misuse") else {
        return;
    };
    assert_eq!(program.output(&[]), "misuse=ok\n");
}

#[test]
fn misuse_of_handles() {
    let Some(program) = Program::build("misuse") else {
        return;
    };
    let home = home();
    assert_eq!(program.output(&[path(&home)]), "misuse=ok\n");
}

#[test]
fn every_operation() {
    let Some(program) = Program::build("operations") else {
        return;
    };
    let home = home();
    assert_eq!(program.output(&[path(&home)]), "operations=ok\n");
}

#[test]
fn threads_and_forks() {
    let Some(program) = Program::build("threads") else {
        return;
    };
    let home = home();
    assert_eq!(program.output(&[path(&home)]), "threads=ok\n");
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
        vug_view_t view = VUG_VIEW_INIT;\n\
        return (int)options.scope + (int)view.len;\n}\n";
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

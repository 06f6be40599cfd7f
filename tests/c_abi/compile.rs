//! Compiling C and C++ against the static library, as a user of the source tree would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub(crate) const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"];
/// What the Rust standard library needs, as `rustc --print native-static-libs` says; the C
/// compiler adds libgcc_s and libc itself.
const NATIVE_LIBRARIES: [&str; 5] = ["-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];
pub(crate) const SANITIZERS: [&str; 3] =
    ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

pub(crate) fn home() -> TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a home directory")
}

pub(crate) fn path(home: &TempDir) -> &str {
    home.path().to_str().expect("a home directory in UTF-8")
}

/// Whether a program is there.
pub(crate) fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn first_that_runs(candidates: &[Option<String>]) -> Option<String> {
    candidates.iter().flatten().find(|program| runs(program)).cloned()
}

/// The C compiler, or nothing and a line that says so.
pub(crate) fn c_compiler() -> Option<String> {
    let names = ["cc", "gcc", "clang"].map(|name| Some(name.to_owned()));
    let found = first_that_runs(&[&[std::env::var("CC").ok()][..], &names].concat());
    if found.is_none() {
        println!("skipped: no C compiler");
    }
    found
}

pub(crate) fn cxx_compiler() -> Option<String> {
    let names = ["c++", "g++", "clang++"].map(|name| Some(name.to_owned()));
    let found = first_that_runs(&[&[std::env::var("CXX").ok()][..], &names].concat());
    if found.is_none() {
        println!("skipped: no C++ compiler");
    }
    found
}

/// The compilers of a list that are there; a line for each that is not.
pub(crate) fn present(names: &[&'static str]) -> Vec<&'static str> {
    let (there, missing): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| runs(name));
    for name in missing {
        println!("skipped: no {name}");
    }
    there
}

/// Whether a compiler has the sanitizers and programs that it makes with them can run.
pub(crate) fn has_sanitizers(compiler: &str) -> bool {
    let directory = tempfile::tempdir().expect("a directory");
    let (source, program) = (directory.path().join("empty.c"), directory.path().join("empty"));
    fs::write(&source, "int main(void) { return 0; }\n").expect("a source file");
    let mut command = Command::new(compiler);
    command.args(SANITIZERS).arg(&source).arg("-o").arg(&program);
    let compiled = command.output().is_ok_and(|output| output.status.success());
    let fine =
        compiled && Command::new(&program).output().is_ok_and(|output| output.status.success());
    if !fine {
        println!("skipped: {compiler} has no working sanitizers");
    }
    fine
}

/// `libvug_ffi.a`. Cargo builds it beside this test, because the package depends on vug-ffi; where
/// it does not lie there, it is built again in the profile of this test.
pub(crate) fn library() -> PathBuf {
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

pub(crate) fn succeed(what: &str, output: &Output) -> String {
    assert!(
        output.status.success(),
        "{what}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).expect("output in UTF-8")
}

/// A compiled program, removed with its directory at the end.
pub(crate) struct Program {
    path: PathBuf,
    _directory: TempDir,
}

impl Program {
    /// A program of `tests/c`. `None` without a compiler.
    pub(crate) fn build(name: &str) -> Option<Self> {
        Some(Self::compile(&c_compiler()?, &format!("tests/c/{name}.c"), &[]))
    }

    /// Any source of the workspace, with more arguments for the compiler.
    pub(crate) fn compile(compiler: &str, source: &str, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("program");
        let standard = if source.ends_with(".cpp") { "-std=c++17" } else { "-std=c99" };
        let output = Command::new(compiler)
            .args(WARNINGS)
            .arg(standard)
            .args(arguments)
            .arg("-I")
            .arg(root().join("include"))
            .arg(root().join(source))
            .arg(library())
            .args(NATIVE_LIBRARIES)
            .arg("-o")
            .arg(&path)
            .output()
            .expect("the compiler runs");
        succeed(&format!("{compiler} {source}"), &output);
        Self { path, _directory: directory }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        // Leaks are looked for by a tracer, which not every machine allows.
        command.env("ASAN_OPTIONS", "detect_leaks=0");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("the program runs")
    }

    /// The output of a run that succeeds.
    pub(crate) fn output(&self, arguments: &[&str]) -> String {
        succeed(&format!("{} {arguments:?}", self.path.display()), &self.run(arguments))
    }
}

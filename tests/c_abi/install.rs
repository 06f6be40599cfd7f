//! An installation as C and C++ users expect it: a prefix with headers, libraries, pkg-config and
//! CMake packages, and projects that are built against nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::compile::{c_compiler, cxx_compiler, home, path, root, runs, succeed};

/// Installs into a new prefix; `None`, and a line that says why, where that cannot be.
fn install() -> Option<TempDir> {
    if !runs("cargo-cinstall") {
        println!("skipped: no cargo-c; `.ci/run` installs it, or `cargo install cargo-c`");
        return None;
    }
    let prefix = tempfile::tempdir().expect("a prefix");
    let test = std::env::current_exe().expect("a path of this test");
    let target = test.ancestors().nth(3).expect("target/");
    // Without optimisation: what is installed where does not depend on it.
    let output = Command::new("cargo-cinstall")
        .args(["cinstall", "--locked", "--profile", "dev", "--package", "vug-ffi", "--libdir"])
        .args(["lib", "--prefix"])
        .arg(prefix.path())
        .arg("--target-dir")
        .arg(target)
        .current_dir(root())
        .output()
        .expect("cargo-c runs");
    succeed("cargo cinstall", &output);
    Some(prefix)
}

fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry"))
    {
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        if entry.path().is_dir() {
            found.extend(files(&entry.path()).iter().map(|file| format!("{name}/{file}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// What pkg-config says of the installed package.
fn pkg_config(prefix: &Path, arguments: &[&str]) -> Vec<String> {
    let output = Command::new("pkg-config")
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        .args(arguments)
        .arg("vug")
        .output()
        .expect("pkg-config runs");
    succeed("pkg-config", &output).split_whitespace().map(str::to_owned).collect()
}

/// Runs a program against the installed shared library.
fn run(prefix: &Path, program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .env("LD_LIBRARY_PATH", prefix.join("lib"))
        .args(arguments)
        .output()
        .expect("the program runs");
    succeed(&program.display().to_string(), &output)
}

fn compile(prefix: &Path, compiler: &str, source: &str, static_library: bool) -> PathBuf {
    let program = prefix.join(if static_library { "static" } else { "shared" });
    let mut command = Command::new(compiler);
    command.arg(root().join(source)).arg("-o").arg(&program);
    if static_library {
        let flags = pkg_config(prefix, &["--static", "--cflags", "--libs"]);
        let named: Vec<String> =
            flags.iter().map(|flag| flag.replace("-lvug", "-l:libvug.a")).collect();
        command.args(named);
    } else {
        command.args(pkg_config(prefix, &["--cflags", "--libs"]));
    }
    succeed(source, &command.output().expect("the compiler runs"));
    program
}

fn c_and_cxx(prefix: &Path) {
    if !runs("pkg-config") {
        println!("skipped: no pkg-config");
        return;
    }
    let version = pkg_config(prefix, &["--modversion"]);
    assert_eq!(version, [env!("CARGO_PKG_VERSION")]);
    if let Some(compiler) = c_compiler() {
        for static_library in [false, true] {
            let program = compile(prefix, &compiler, "tests/c/operations.c", static_library);
            assert_eq!(run(prefix, &program, &[path(&home())]), "operations=ok\n");
        }
        let needed = Command::new("ldd")
            .env("LD_LIBRARY_PATH", prefix.join("lib"))
            .arg(prefix.join("shared"))
            .output();
        if let Ok(needed) = needed {
            let needed = String::from_utf8_lossy(&needed.stdout).into_owned();
            assert!(needed.contains("libvug.so.0 =>"), "{needed}");
        }
    }
    if let Some(compiler) = cxx_compiler() {
        let program = compile(prefix, &compiler, "tests/c/wrapper.cpp", false);
        assert_eq!(run(prefix, &program, &[path(&home())]), "wrapper=ok\n");
    }
}

const PROJECT: &str = "cmake_minimum_required(VERSION 3.16)\n\
    project(user C CXX)\n\
    set(CMAKE_CXX_STANDARD 17)\n\
    find_package(vug 0.1 REQUIRED)\n\
    add_executable(in_c ${SOURCES}/operations.c)\n\
    target_link_libraries(in_c vug::vug)\n\
    add_executable(in_cxx ${SOURCES}/wrapper.cpp)\n\
    target_link_libraries(in_cxx vug::static)\n";

fn cmake(prefix: &Path) {
    if !runs("cmake") || c_compiler().is_none() || cxx_compiler().is_none() {
        println!("skipped: no cmake, or no compiler");
        return;
    }
    let project = tempfile::tempdir().expect("a directory");
    fs::write(project.path().join("CMakeLists.txt"), PROJECT).expect("a project");
    let build = project.path().join("build");
    let configured = Command::new("cmake")
        .arg("-S")
        .arg(project.path())
        .arg("-B")
        .arg(&build)
        .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display()))
        .arg(format!("-DSOURCES={}", root().join("tests/c").display()))
        .output()
        .expect("cmake runs");
    succeed("cmake", &configured);
    let built = Command::new("cmake").arg("--build").arg(&build).output().expect("cmake runs");
    succeed("cmake --build", &built);
    assert_eq!(run(prefix, &build.join("in_c"), &[path(&home())]), "operations=ok\n");
    assert_eq!(run(prefix, &build.join("in_cxx"), &[path(&home())]), "wrapper=ok\n");
}

#[test]
fn projects_build_against_an_installation() {
    let Some(prefix) = install() else {
        return;
    };
    let installed = files(prefix.path());
    for file in [
        "include/vug.h",
        "include/vug.hpp",
        "include/vug/options.hpp",
        "include/vug/result.hpp",
        "lib/libvug.a",
        "lib/libvug.so",
        "lib/libvug.so.0",
        "lib/pkgconfig/vug.pc",
        "share/vug/cmake/vugConfig.cmake",
        "share/vug/cmake/vugConfigVersion.cmake",
    ] {
        assert!(installed.iter().any(|installed| installed == file), "{file}: {installed:?}");
    }
    c_and_cxx(prefix.path());
    cmake(prefix.path());
}

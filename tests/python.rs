//! The Python package: built as a wheel, installed into an environment of its own, and tested there
//! with pytest; and a program that uses the C interface by ctypes alone.
//!
//! Building takes a compiler of its own for some minutes the first time, so it happens only where
//! the tools are installed already: a Python environment with maturin and pytest, named by
//! `VUG_PYTHON_TOOLS` or in `target/python-tools` (`.ci/run` makes it). Else: "skipped: ...".

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use vug_tests::{Bridged, TempHome};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

fn succeed(what: &str, output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{said}{errors}", output.status);
    said
}

fn run(what: &str, command: &mut Command) -> String {
    succeed(what, &command.output().unwrap_or_else(|error| panic!("{what}: {error}")))
}

fn python() -> Option<PathBuf> {
    let old = "import sys; sys.exit(sys.version_info < (3, 11))";
    let works = Command::new("python3").args(["-c", old]).output();
    let found = works.is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: no python3, or one older than 3.11");
    }
    found.then(|| "python3".into())
}

/// The environment with maturin and pytest.
fn tools() -> Option<PathBuf> {
    let named = std::env::var_os("VUG_PYTHON_TOOLS").map(PathBuf::from);
    let tools = named.unwrap_or_else(|| root().join("target/python-tools"));
    if tools.join("bin/maturin").is_file() && tools.join("bin/pytest").is_file() {
        return Some(tools);
    }
    println!(
        "skipped: no maturin and pytest in {}: python3 -m venv {0} && {0}/bin/pip install maturin \
         pytest numpy mypy",
        tools.display()
    );
    None
}

/// A fresh environment that sees the packages of `tools`, with the wheel of the package.
fn installed(tools: &Path, directory: &Path) -> PathBuf {
    let wheels = directory.join("wheels");
    run(
        "maturin build",
        Command::new(tools.join("bin/maturin"))
            .args(["build", "--release", "--locked", "--quiet", "--interpreter"])
            .arg(tools.join("bin/python"))
            .arg("--manifest-path")
            .arg(root().join("ffi/python/Cargo.toml"))
            .arg("--target-dir")
            .arg(root().join("target/python"))
            .arg("--out")
            .arg(&wheels),
    );
    let wheel = std::fs::read_dir(&wheels).expect("wheels").next().expect("a wheel");
    let wheel = wheel.expect("a wheel").path();
    let environment = directory.join("environment");
    run("venv", Command::new(tools.join("bin/python")).args(["-m", "venv"]).arg(&environment));
    let python = environment.join("bin/python");
    run(
        "pip install",
        Command::new(&python).args(["-m", "pip", "install", "-q", "--no-index"]).arg(wheel),
    );
    let libraries = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let theirs = run("purelib", Command::new(tools.join("bin/python")).args(["-c", libraries]));
    let ours = run("purelib", Command::new(&python).args(["-c", libraries]));
    std::fs::write(Path::new(ours.trim()).join("tools.pth"), theirs).expect("a path file");
    python
}

#[test]
fn the_wheel_is_installed_and_passes_its_tests() {
    let Some(tools) = tools() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let python = installed(&tools, directory.path());
    let bridged = Bridged::new();
    let said = run(
        "pytest",
        Command::new(python)
            .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("VUG_TEST_BRIDGED", bridged.path())
            .current_dir(root().join("ffi/python")),
    );
    println!("{said}");
}

#[test]
fn the_c_interface_alone_is_enough() {
    let Some(python) = python() else { return };
    let deps = std::env::current_exe().expect("a path of this test");
    let deps = deps.parent().expect("a directory of this test");
    let library = deps.join("libvug_ffi.so");
    assert!(library.is_file(), "cargo builds {} beside this test", library.display());
    let home = TempHome::new();
    let example = root().join("ffi/examples/python/ctypes_board.py");
    let said =
        run("ctypes_board.py", Command::new(&python).arg(&example).arg(&library).arg(home.path()));
    assert_eq!(said, "ACME     17.50   18.50\nGEODE     9.50   10.50\nVUG       3.50    4.50\n");
    let quotes = home.node().region("quotes").open().expect("the region is there");
    assert_eq!(quotes.get(b"ACME").expect("get").expect("a quote")[..8], 17.5_f64.to_le_bytes());

    let refused = Command::new(&python)
        .arg(&example)
        .arg(&library)
        .arg(home.path().join("no/such/place"))
        .output()
        .expect("python runs");
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && errors.contains("\nhelp: "), "{errors}");
}

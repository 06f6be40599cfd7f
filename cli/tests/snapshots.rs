//! Texts that people and scripts depend on, as files: `VUG_BLESS=1` writes them anew.

mod command;

use std::path::{Path, PathBuf};

use command::{Home, command, run, temporary};

/// Commands on data; their help begins with examples.
const DATA: [&str; 14] = [
    "get",
    "put",
    "del",
    "incr",
    "scan",
    "wait",
    "create",
    "alter",
    "invalidate",
    "clear",
    "rm",
    "import",
    "export",
    "bench",
];
/// The other commands whose help is kept.
const REST: [&str; 19] = [
    "",
    "gen",
    "gen completions",
    "gen man",
    "recover",
    "maintain",
    "bridge",
    "bridge run",
    "bridge events",
    "bridge reload",
    "bridge config",
    "bridge config check",
    "bridge config show",
    "bridge config example",
    "cert",
    "cert init",
    "cert issue",
    "cert rotate",
    "demo",
];

fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

#[track_caller]
fn compare(name: &str, text: &str) {
    let file = place().join(name);
    if std::env::var_os("VUG_BLESS").is_some() {
        std::fs::create_dir_all(place()).unwrap();
        std::fs::write(&file, text).unwrap();
        return;
    }
    let want = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        want == text,
        "{} differs; VUG_BLESS=1 writes it anew. It is now:\n{text}",
        file.display()
    );
}

#[test]
fn help() {
    for name in DATA.into_iter().chain(REST) {
        let mut command = command();
        command.env("COLUMNS", "100").args(name.split_whitespace()).arg("--help");
        let text = run(command, b"").ok();
        let ends: Vec<&str> = text.lines().map(str::trim_end).collect();
        let file = if name.is_empty() { "vug" } else { name };
        compare(&format!("help-{}.txt", file.replace(' ', "-")), &(ends.join("\n") + "\n"));
    }
}

/// Every command with a long help shows how it is used before it lists its options.
#[test]
fn help_begins_with_examples() {
    for name in DATA {
        let text = std::fs::read_to_string(place().join(format!("help-{name}.txt"))).unwrap();
        let examples = text.find("\nExamples:\n").unwrap_or(usize::MAX);
        assert!(examples < text.find("\nUsage: ").unwrap(), "{name}");
    }
}

/// What is typed wrongly, what is not there, what is damaged: the words and the exit codes.
#[test]
fn errors() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "k", "v"]).ok();
    home.file("bad.csv", b"id,a\n1,2\n2\n");
    home.file("bad.jsonl", b"{\"id\":\"1\"}\n{\"id\"\n");
    home.file("dup.csv", b"id,a\n1,2\n1,2\n");
    home.file("broken.region", b"this is no region");
    home.file("cut.dump", b"\x89VUG\r\n\x1a\n");
    let lines = "get r k\nget r\nget r nobody\nget absent k\nget r xyz --hex\nput r\nput r k\n\
        put r k v --json\nput r k v --if-absent\nput r k v --ttl soon\nput r k --file /nowhere\n\
        del r\ndel r --prefix k\ndel r nobody\nincr r k\nscan r --match [\nscan r --format xml\n\
        wait r k --timeout 1ms\ncreate r\ncreate a/b\ncreate x --max-bytes 1KiB\n\
        create x --scope near\nimport r HOME/bad.csv\nimport r HOME/bad.csv --key nobody\n\
        import r HOME/bad.csv --key id\nimport r HOME/bad.jsonl --key id\n\
        import r HOME/dup.csv --key id\nimport r HOME/cut.dump\nimport r nothing.csv --key id\n\
        import r HOME/bad.txt --key id\nimport r - --from csv --key id --resume\n\
        export r --to csv\nexport r --to xml\nexport r -o /nowhere/r.jsonl\nget broken k\n\
        bench\nbench r\nbench --new --entries 0\ngen completions tcsh\nls --format raw\nbogus\n";
    let place = home.path().to_str().unwrap();
    let mut text = String::new();
    for line in lines.lines() {
        let args: Vec<String> = line.split(' ').map(|word| word.replace("HOME", place)).collect();
        let run = home.vug(&args);
        let words = run.err.replace(place, "HOME");
        text.push_str(&format!("$ vug {line}\nexit {}\n{words}\n", run.code));
    }
    compare("errors.txt", &text);
}

/// Each exit code has its meaning; 75 is tested with the bridge.
#[test]
fn exit_codes() {
    let home = Home::with_region("r");
    home.file("broken.region", b"this is no region");
    for (code, args) in [
        (0, &["ls", "--help"][..]),
        (1, &["export", "r", "-o", "/nowhere/r.jsonl"]),
        (2, &["get", "r"]),
        (3, &["get", "broken", "k"]),
        (4, &["get", "r", "nobody"]),
        (4, &["get", "absent", "k"]),
    ] {
        let run = home.vug(args);
        assert_eq!(run.code, code, "{args:?}: {run:?}");
    }
    let nobody = temporary();
    let mut command = command();
    command.arg("--home").arg(nobody.path().join("nobody")).arg("ls");
    assert_eq!(run(command, b"").code, 4);
}

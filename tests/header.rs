//! `include/vug.h` is what the sources of `vug-ffi` say, and offers what the library exports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The crate documentation of `vug-ffi` as one C comment.
fn manual() -> String {
    let lines: Vec<String> = read("ffi/src/lib.rs")
        .lines()
        .map_while(|line| line.strip_prefix("//!").map(|text| format!(" *{text}\n")))
        .collect();
    format!("/*\n{} */", lines.concat())
}

fn generate() -> String {
    let ffi = root().join("ffi");
    let mut config =
        cbindgen::Config::from_file(ffi.join("cbindgen.toml")).expect("ffi/cbindgen.toml");
    config.header = Some(manual());
    let bindings = cbindgen::Builder::new()
        .with_src(ffi.join("src/lib.rs"))
        .with_config(config)
        .generate()
        .expect("ffi/src is understood by cbindgen");
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).expect("a header in UTF-8")
}

#[test]
fn the_committed_header_is_up_to_date() {
    let path = root().join("include/vug.h");
    let generated = generate();
    if std::env::var_os("VUG_BLESS").is_some() {
        fs::write(&path, &generated).expect("include/ can be written");
    }
    let committed = read("include/vug.h");
    for (number, (committed, generated)) in committed.lines().zip(generated.lines()).enumerate() {
        assert_eq!(
            committed,
            generated,
            "include/vug.h:{}: run VUG_BLESS=1 cargo test -p vug-tests --test header",
            number + 1
        );
    }
    assert_eq!(committed.lines().count(), generated.lines().count());
}

/// Names that follow `prefix` in a text, up to the first character that cannot be in a name.
fn names_after<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// Functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = read("include/vug.h");
    let code: String = header.lines().filter(|line| !line.starts_with("//")).collect();
    let (_, code) = code.split_once("extern \"C\" {").expect("the functions");
    names_after(code, " vug_")
        .chain(names_after(code, "*vug_"))
        .map(|name| format!("vug_{name}"))
        .filter(|name| code.contains(&format!("{name}(")))
        .collect()
}

/// The functions of the C interface. A program may rely on each of them for ever.
const SYMBOLS: [&str; 90] = [
    "vug_abi_version",
    "vug_check_version",
    "vug_compare_and_swap",
    "vug_contains_key",
    "vug_contains_value_for_key",
    "vug_create",
    "vug_create_invalid",
    "vug_destroy",
    "vug_entry_info",
    "vug_format_version",
    "vug_get",
    "vug_get_all",
    "vug_get_copy",
    "vug_get_local",
    "vug_get_owned",
    "vug_get_with",
    "vug_increment",
    "vug_invalidate",
    "vug_iter_free",
    "vug_iter_new",
    "vug_iter_new_keys",
    "vug_iter_next",
    "vug_key_free",
    "vug_key_get",
    "vug_key_get_copy",
    "vug_key_new",
    "vug_last_error",
    "vug_last_help",
    "vug_len",
    "vug_listen",
    "vug_listener_info",
    "vug_listener_stop",
    "vug_local_destroy",
    "vug_local_invalidate",
    "vug_max_value_len",
    "vug_node_close",
    "vug_node_info",
    "vug_node_maintain",
    "vug_node_open",
    "vug_node_open_with",
    "vug_node_recover",
    "vug_node_regions",
    "vug_node_remove_region",
    "vug_position",
    "vug_put",
    "vug_put_all",
    "vug_put_if_absent",
    "vug_put_with",
    "vug_region_alter",
    "vug_region_attributes",
    "vug_region_clear",
    "vug_region_close",
    "vug_region_close_all",
    "vug_region_create",
    "vug_region_destroy",
    "vug_region_invalidate",
    "vug_region_local_clear",
    "vug_region_local_destroy",
    "vug_region_local_invalidate",
    "vug_region_maintain",
    "vug_region_name",
    "vug_region_open",
    "vug_region_open_or_create",
    "vug_region_recover",
    "vug_region_release_memory",
    "vug_region_search_timeout",
    "vug_region_set_search_timeout",
    "vug_region_statistics",
    "vug_remove",
    "vug_remove_all",
    "vug_remove_if",
    "vug_remove_if_value",
    "vug_remove_with",
    "vug_replace",
    "vug_replace_if",
    "vug_strerror",
    "vug_subscribe",
    "vug_subscription_free",
    "vug_subscription_missed",
    "vug_subscription_poll",
    "vug_subscription_wait",
    "vug_swap_value",
    "vug_token",
    "vug_values_free",
    "vug_values_new",
    "vug_version",
    "vug_version_number",
    "vug_view_release",
    "vug_wait_for_change",
    "vug_wait_for_region_change",
];

#[test]
fn the_header_declares_the_known_functions() {
    assert_eq!(declared(), SYMBOLS.map(str::to_owned).into());
}

/// Functions that nobody can misuse: they take no handle and no pointer that matters.
const HARMLESS: [&str; 6] = [
    "vug_abi_version",
    "vug_check_version",
    "vug_format_version",
    "vug_strerror",
    "vug_version",
    "vug_version_number",
];

#[test]
fn every_function_is_misused_on_purpose() {
    let misuse = read("tests/c/misuse.c");
    for symbol in SYMBOLS.iter().filter(|symbol| !HARMLESS.contains(symbol)) {
        assert!(misuse.contains(&format!("{symbol}(")), "{symbol} is not in tests/c/misuse.c");
    }
}

#[test]
fn the_shared_library_exports_the_known_functions_and_nothing_else() {
    let test = std::env::current_exe().expect("a path of this test");
    let library = test.with_file_name("libvug_ffi.so");
    if !library.is_file() {
        println!("skipped: no {}", library.display());
        return;
    }
    let nm = match Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output() {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            println!("skipped: nm fails: {}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        Err(error) => {
            println!("skipped: no nm: {error}");
            return;
        }
    };
    let exported: BTreeSet<String> = String::from_utf8(nm.stdout)
        .expect("names in UTF-8")
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(|name| name.split('@').next().unwrap_or(name).to_owned())
        .collect();
    assert_eq!(exported, SYMBOLS.map(str::to_owned).into());
}

/// `#define NAME number` of the header.
fn constants(prefix: &str) -> Vec<(String, i32)> {
    let header = read("include/vug.h");
    let defines = header.lines().filter_map(|line| line.strip_prefix("#define "));
    defines
        .filter_map(|define| define.split_once(' '))
        .filter(|(name, _)| name.starts_with(prefix))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

#[test]
fn every_status_of_the_header_has_a_text() {
    let mut codes = BTreeSet::from([0, 1, 2, 3, 4, 5]);
    for (name, code) in constants("VUG_ERR_") {
        assert!(codes.insert(code), "{name} has the number of another status");
    }
    assert!(codes.len() > 40, "{codes:?}");
    for code in (-1_000..1_000).filter(|code| !codes.contains(code)) {
        assert_eq!(text(code), "unknown status", "{code}");
    }
    for code in codes {
        assert_ne!(text(code), "unknown status", "{code}");
    }
}

/// The library's own numbers, from the table in its source.
#[test]
fn every_error_of_the_library_has_a_text() {
    let source = read("shm/src/error.rs");
    let numbers = source.lines().filter_map(|line| {
        let number = line.trim().strip_prefix("Self::")?.split_once(" => ")?.1;
        number.strip_suffix(',')?.parse::<i32>().ok()
    });
    let numbers: Vec<i32> = numbers.collect();
    assert!(numbers.len() > 30, "{numbers:?}");
    for number in numbers {
        assert_ne!(text(-number), "unknown status", "VUG-{number:04}");
    }
}

fn text(code: i32) -> &'static str {
    let text = vug_ffi::vug_strerror(code);
    // SAFETY: vug_strerror returns static text that ends with a zero byte.
    let text = unsafe { std::ffi::CStr::from_ptr(text) };
    text.to_str().expect("text in UTF-8")
}

#[test]
fn the_version_number_orders_versions() {
    let version = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse::<u32>());
    let version: Vec<u32> = version.collect::<Result<_, _>>().expect("three numbers");
    let [major, minor, patch] = version[..] else { panic!("three numbers") };
    assert_eq!(vug_ffi::VUG_VERSION_NUMBER, major * 1_000_000 + minor * 1_000 + patch);
    assert_eq!(vug_ffi::vug_version_number(), vug_ffi::VUG_VERSION_NUMBER);
    assert_eq!(vug_ffi::vug_abi_version(), vug_ffi::VUG_ABI_VERSION);
    assert_eq!(vug_ffi::vug_format_version(), vug::FORMAT_VERSION);
    let cmake = read("ffi/cmake/vugConfigVersion.cmake");
    assert!(cmake.contains(&format!("set(PACKAGE_VERSION \"{major}.{minor}.{patch}\")")));
    assert!(cmake.contains(&format!("PACKAGE_FIND_VERSION_MINOR EQUAL {minor}")));
}

/// Sources that may use pointers: those of the boundary, and of handles.
const BEHIND: [&str; 5] = ["boundary.rs", "desk.rs", "handle.rs", "plain.rs", "retire.rs"];

/// `boundary.rs` relies on this: `entry!` promises what only a C caller can.
#[test]
fn pointers_are_used_behind_the_boundary_only() {
    let sources = fs::read_dir(root().join("ffi/src")).expect("ffi/src");
    for source in sources.map(|source| source.expect("an entry of ffi/src").path()) {
        let name = source.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if source.is_dir() || BEHIND.contains(&name.as_str()) {
            continue;
        }
        let code = fs::read_to_string(&source).expect("a source in UTF-8");
        let code = code.split("#[cfg(test)]").next().expect("code before the tests");
        let code: Vec<&str> =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let count = |word| code.iter().map(|line| line.matches(word).count()).sum::<usize>();
        let exported = count("pub unsafe extern \"C\" fn vug_");
        assert_eq!(count("entry!("), exported, "{name}: one entry! each");
        let words = count("unsafe") - count("unsafe extern \"C-unwind\" fn(");
        let attributes = count("#[unsafe(no_mangle)]");
        assert_eq!(words, exported + attributes, "{name}: unsafe belongs behind the boundary");
    }
}

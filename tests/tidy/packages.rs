//! Rules about packages: who depends on whom, and which compiler dependencies ask for.

use crate::Finding;
use serde_json::Value;

/// Our packages and those of ours that each may depend on (tests included).
const MAY_USE: &[(&str, &[&str])] = &[
    ("vug", &[]),
    ("vug-netbridge", &["vug"]),
    ("vug-cli", &["vug", "vug-netbridge", "vug-ffi", "vug-workload"]),
    ("vug-ffi", &["vug"]),
    ("vug-python", &["vug"]),
    ("vug-tests", &["vug", "vug-netbridge", "vug-cli", "vug-ffi"]),
    ("vug-workload", &[]),
    ("vug-bench", &["vug", "vug-ffi", "vug-netbridge", "vug-workload"]),
    ("vug-compare", &["vug-bench"]),
];

/// Dependencies between our packages that are not in the table.
pub(crate) fn dependencies(path: &str, manifest: &str) -> Vec<Finding> {
    let table: toml::Table = match manifest.parse() {
        Ok(table) => table,
        Err(error) => return vec![Finding::file(path, format!("not TOML: {error}"))],
    };
    let Some(name) = table.get("package").and_then(|package| package.get("name")?.as_str()) else {
        return Vec::new();
    };
    let Some((_, allowed)) = MAY_USE.iter().find(|(package, _)| *package == name) else {
        return vec![Finding::file(path, format!("package `{name}` is not in tidy's table"))];
    };
    let mut found = Vec::new();
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let used = table.get(kind).and_then(toml::Value::as_table);
        for dependency in used.into_iter().flat_map(toml::Table::keys) {
            let ours = MAY_USE.iter().any(|(package, _)| package == dependency);
            if ours && !allowed.contains(&dependency.as_str()) {
                let message = format!("`{name}` must not depend on `{dependency}`");
                found.push(Finding::file(path, message));
            }
        }
    }
    found
}

/// Packages in the output of `cargo metadata` whose rust-version is above that of our packages.
pub(crate) fn rust_versions(metadata: &Value) -> Vec<Finding> {
    let used: Vec<&Value> = metadata["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|node| &node["id"])
        .collect();
    let packages: Vec<&Value> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|package| used.contains(&&package["id"]))
        .collect();
    let ours = packages.iter().find(|package| package["name"] == "vug");
    let Some(limit) = ours.and_then(|package| version(&package["rust_version"])) else {
        return vec![Finding::file("shm/Cargo.toml", "`vug` has no rust-version".into())];
    };
    packages
        .iter()
        .filter(|package| version(&package["rust_version"]).is_some_and(|needs| needs > limit))
        .map(|package| {
            let message = format!(
                "{} {} needs Rust {}, above ours",
                package["name"], package["version"], package["rust_version"]
            );
            Finding::file("Cargo.lock", message)
        })
        .collect()
}

fn version(value: &Value) -> Option<Vec<u32>> {
    let mut parts: Vec<u32> = value.as_str()?.split('.').map_while(|p| p.parse().ok()).collect();
    parts.resize(3, 0);
    Some(parts)
}

#[test]
fn dependencies_fires() {
    let manifest =
        "[package]\nname = \"vug-ffi\"\n[dependencies]\nvug-netbridge.workspace = true\n";
    assert_eq!(dependencies("ffi/Cargo.toml", manifest).len(), 1);
    let on_tests = "[package]\nname = \"vug\"\n[dev-dependencies]\nvug-tests = \"0.1\"\n";
    assert_eq!(dependencies("shm/Cargo.toml", on_tests).len(), 1);
    assert_eq!(dependencies("new/Cargo.toml", "[package]\nname = \"vug-new\"\n").len(), 1);
    let fine =
        "[package]\nname = \"vug-ffi\"\n[dependencies]\nvug.workspace = true\nlibc = \"0\"\n";
    assert!(dependencies("ffi/Cargo.toml", fine).is_empty());
}

#[test]
fn rust_versions_fires() {
    let package = |name: &str, needs: &str| {
        serde_json::json!({
            "id": name, "name": name, "version": "1.0.0", "rust_version": needs
        })
    };
    let metadata = serde_json::json!({
        "packages": [package("vug", "1.88"), package("old", "1.60.0"), package("new", "1.88.1"),
                     package("unused", "1.99")],
        "resolve": { "nodes": [{ "id": "vug" }, { "id": "old" }, { "id": "new" }] },
    });
    let found = rust_versions(&metadata);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].to_string().contains("\"new\""));
}

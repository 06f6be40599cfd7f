use super::*;
use std::collections::BTreeSet;

/// One value of every variant.
fn all() -> Vec<Error> {
    let path = || PathBuf::from("/dev/shm/vug-test/prices.region");
    let region = || String::from("prices");
    let io = || io::Error::from_raw_os_error(libc::EACCES);
    let difference =
        AttributeDifference { attribute: "scope", wanted: "local".into(), found: "global".into() };
    vec![
        Error::NotAVugFile { path: path() },
        Error::OtherEndianness { path: path() },
        Error::UnsupportedFormat { path: path(), found: 2, supported: 1 },
        Error::Truncated { path: path(), expected: 512, found: 3 },
        Error::DamagedHeader { path: path(), field: "checksum" },
        Error::ForeignOwner { path: path(), owner: 7, expected: 8 },
        Error::OtherBoot { path: path() },
        Error::NotMemoryBacked { path: path() },
        Error::UnknownFeatures { path: path(), bits: 4 },
        Error::Damaged { path: path(), place: "bucket 7".into() },
        Error::OtherNode { path: path() },
        Error::OriginTaken { home: path(), found: 1, wanted: 2 },
        Error::InvalidRegionName { name: "a/b".into() },
        Error::InvalidKey { len: 0 },
        Error::ValueTooLarge { len: 9, max: 8 },
        Error::InvalidAttributes { region: region(), reason: "r".into(), remedy: "m".into() },
        Error::RegionExists { path: path() },
        Error::RegionNotFound { path: path() },
        Error::AttributesDiffer { region: region(), differences: vec![difference] },
        Error::NotBuiltYet { what: "expiry".into() },
        Error::SchemaMismatch {
            region: region(),
            wanted: "u64 -> f64".into(),
            found: Some("u64 -> f32".into()),
            differences: vec![SchemaDifference {
                place: "value".into(),
                wanted: Some("f64".into()),
                found: Some("f32".into()),
            }],
        },
        Error::OutOfSpace { region: region(), what: "segments", max_bytes: 1 << 20 },
        Error::FileSystemFull { path: path(), needed: (1 << 20) + 1 },
        Error::TooManyMembers { path: path(), max: 256 },
        Error::TooManyThreads { region: region(), max: 1023 },
        Error::TooManyPins { region: region(), max: 256 },
        Error::EntryExists { region: region() },
        Error::EntryNotFound { region: region() },
        Error::NotAllowed { region: region(), what: "create".into() },
        Error::AckTimeout { region: region(), position: 5 },
        Error::SearchTimeout { region: region(), limit: std::time::Duration::from_secs(1) },
        Error::NoBridge { home: path() },
        Error::NotACounter { region: region(), len: Some(3) },
        Error::CounterOverflow { region: region(), value: i64::MAX.into(), delta: 1 },
        Error::NotOfType { region: region(), part: "value", expected: "f64".into(), len: 3 },
        Error::Codec { region: region(), what: "postcard: too short".into() },
        Error::RegionDestroyed { region: region() },
        Error::RegionClosed { region: region() },
        Error::BulkFailed {
            region: region(),
            done: 2,
            failed: 1,
            first: 1,
            source: Box::new(Error::InvalidKey { len: 0 }),
        },
        Error::ForkedChild,
        Error::BridgeRuns { home: path(), pid: 12 },
        Error::Io { op: "open", path: path(), source: io() },
        Error::System { op: "ask for random bytes", source: io() },
    ]
}

#[test]
fn every_error_has_its_own_code_a_text_and_a_remedy() {
    let errors = all();
    let codes: BTreeSet<u16> = errors.iter().map(Error::code).collect();
    assert_eq!(codes.len(), errors.len(), "two variants share a code");
    for error in &errors {
        let (text, help) = (error.to_string(), error.help());
        assert!(!help.trim().is_empty(), "{error:?} has no remedy");
        assert!(!text.starts_with("VUG-"), "{error:?} has no text");
        let table = matches!(error, Error::AttributesDiffer { .. });
        assert!(!text.ends_with('.') && text.contains('\n') == table, "{text}");
        assert!(!help.contains('\n') && !help.contains("  "), "{help}");
    }
}

#[test]
fn system_errors_keep_their_source() {
    use std::error::Error as _;
    let error = Error::System { op: "x", source: io::Error::from_raw_os_error(libc::ENOMEM) };
    assert!(error.source().is_some());
    assert!(Error::ForkedChild.source().is_none());
}

#[test]
fn a_full_file_system_says_how_much_and_how() {
    let error = Error::FileSystemFull { path: "/dev/shm/x".into(), needed: (1 << 20) + 1 };
    assert!(error.to_string().contains("2 MiB"), "{error}");
    let help = error.help();
    assert!(help.contains("--shm-size") && help.contains("remount,size="), "{help}");
}

#[test]
fn attributes_that_differ_stand_side_by_side() {
    let row = |attribute, wanted: &str, found: &str| AttributeDifference {
        attribute,
        wanted: wanted.into(),
        found: found.into(),
    };
    let differences = vec![
        row("data_policy", "replicate", "normal"),
        row("scope", "distributed-ack", "local"),
        row("max_bytes", "67108864", "1048576"),
    ];
    let error = Error::AttributesDiffer { region: "prices".into(), differences };
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "region prices has other attributes:",
            "  attribute    wanted           found",
            "  data_policy  replicate        normal",
            "  scope        distributed-ack  local",
            "  max_bytes    67108864         1048576",
        ]
    );
}

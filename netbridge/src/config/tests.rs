use super::*;

const BASE: &str = r#"[node]
home = "/dev/shm/x"
[cluster]
id = "lab"
[listen]
address = "127.0.0.1:0"
[tls]
ca = "ca.pem"
cert = "node.pem"
key = "node.key"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/vug/bridge.toml"))
}

#[test]
fn the_example_parses_as_it_stands_and_with_every_comment_removed() {
    let config = parse(Config::example()).expect("example");
    assert_eq!(config.regions[0].max_bytes, Some(256 << 20));
    assert_eq!(config.tls.ca, Path::new("/etc/vug/ca.pem"));
    let all: String = Config::example()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let config = parse(&all).expect("example with optional keys");
    assert_eq!(config.origin, Some(1));
    assert_eq!(config.peers[0].origin, Some(2));
    assert_eq!(config.peer_timeout, Duration::from_secs(10));
    assert_eq!(config.status_path(), Path::new("/run/vug/bridge.sock"));
}

#[test]
fn optional_parts_have_defaults() {
    let config = parse(BASE).expect("base");
    let mut plain = Config::new("/dev/shm/x", "lab", Path::new("/etc/vug"));
    plain.listen = "127.0.0.1:0".parse().expect("address");
    assert_eq!(config, plain);
    assert_eq!(config.status_path(), Path::new("/dev/shm/x/bridge.sock"));
}

/// Text added to the base (or replacing it), then line, key, part of the problem, part of the help.
type Case = (&'static str, usize, &'static str, &'static str, &'static str);

const REGION: &str = "[[region]]\nname = \"a\"\n";

#[test]
fn each_mistake_is_placed_named_and_remedied() {
    let cases: &[Case] = &[
        ("[bridge]\npeer_timeut = \"1s\"\n", 12, "bridge.peer_timeut", "unknown field", "correct"),
        ("[brige]\nwake = \"park\"\n", 11, "brige", "unknown field", "correct"),
        ("[status]\nsocket = 7\n", 12, "status.socket", "invalid type", "example"),
        ("[[peer]]\naddress = \"host\"\n", 12, "peer.address", "no address", "port"),
        ("[[peer]]\naddress = \"10.0.0.1\"\n", 12, "peer.address", "no address", "port"),
        (
            "[[peer]]\naddress = \"10.0.0.1:1\"\norigin = 0\n",
            13,
            "peer.origin",
            "0 is no origin",
            "1 to 65535",
        ),
        ("[[peer]]\norigin = 70000\n", 12, "peer.origin", "invalid value", "example"),
        ("[[peer]]\norigin = 2\n", 11, "peer", "missing field `address`", "add"),
        ("[bridge]\npeer_timeout = \"10\"\n", 12, "bridge.peer_timeout", "no duration", "unit"),
        ("[bridge]\nwake = \"poll\"\n", 12, "bridge.wake", "not built yet", "park"),
        ("[bridge]\nwake = \"spin\"\n", 12, "bridge.wake", "not known", "one of: park"),
        ("[bridge]\nwake = park\n", 12, "bridge.wake", "", "example"),
    ];
    for (added, line, key, problem, help) in cases {
        let error = parse(&format!("{BASE}{added}")).expect_err(added);
        assert_eq!((error.line, error.key.as_str()), (*line, *key), "{added}: {error}");
        assert!(error.problem.contains(problem), "{added}: {error}");
        assert!(error.help.contains(help), "{added}: {}", error.help);
        assert!(error.column > 0 && error.to_string().starts_with("/etc/vug/bridge.toml:"));
    }
}

#[test]
fn region_mistakes() {
    let cases: &[(&str, &str, &str)] = &[
        ("data_policy = \"normal\"\nscope = \"distributed-ack\"\n", "data_policy", "not built"),
        ("data_policy = \"replicate\"\nscope = \"global\"\n", "scope", "not built"),
        ("data_policy = \"replicate\"\nscope = \"local\"\n", "scope", "not distributed"),
        ("data_policy = \"replicat\"\nscope = \"global\"\n", "data_policy", "not known"),
        (
            "data_policy = \"replicate\"\nscope = \"distributed-ack\"\nmax_bytes = \"1 MB\"\n",
            "max_bytes",
            "no size",
        ),
    ];
    for (added, key, problem) in cases {
        let error = parse(&format!("{BASE}{REGION}{added}")).expect_err(added);
        assert_eq!(error.key, format!("region.{key}"), "{added}");
        assert!(error.problem.contains(problem), "{added}: {error}");
    }
    let twice = format!("{REGION}data_policy = \"replicate\"\nscope = \"distributed-ack\"\n");
    let error = parse(&format!("{BASE}{twice}{twice}")).expect_err("twice");
    assert_eq!((error.line, error.key.as_str()), (16, "region.name"));
    let bad = format!("{BASE}{}", twice.replace("\"a\"", "\"a/b\""));
    assert!(parse(&bad).expect_err("name").problem.contains("no region name"));
}

#[test]
fn mistakes_in_the_required_part() {
    let bad_id = BASE.replace("\"lab\"", "\"Lab\"");
    assert_eq!(parse(&bad_id).expect_err("id").key, "cluster.id");
    let no_home = BASE.replace("home = \"/dev/shm/x\"\n", "");
    let error = parse(&no_home).expect_err("home");
    assert!(error.problem.contains("missing field `home`"), "{error}");
    let no_port = BASE.replace("127.0.0.1:0", "127.0.0.1");
    assert_eq!(parse(&no_port).expect_err("port").key, "listen.address");
}

#[test]
fn files_must_exist() {
    let dir = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("tempdir");
    let file = dir.path().join("bridge.toml");
    let error = Config::load(&file).expect_err("no configuration");
    assert_eq!((error.line, error.file.as_path()), (0, file.as_path()));
    std::fs::write(&file, BASE).expect("write");
    std::fs::write(dir.path().join("ca.pem"), "").expect("write");
    let error = Config::load(&file).expect_err("no certificate");
    assert_eq!((error.line, error.key.as_str()), (9, "tls.cert"));
    assert!(error.help.contains("vug cert"));
}

fn from_environment(pairs: &[(&str, &str)]) -> Vec<Override> {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Override::environment(pairs)
}

#[test]
fn the_environment_wins_over_the_file_and_options_over_both() {
    let dir = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("tempdir");
    let file = dir.path().join("bridge.toml");
    std::fs::write(&file, format!("{BASE}[bridge]\npeer_timeout = \"3s\"\n")).expect("write");
    let mut overrides = from_environment(&[
        ("VUG_BRIDGE__PEER_TIMEOUT", "4s"),
        ("VUG_LISTEN__ADDRESS", "127.0.0.1:9"),
        ("VUG_PEER__ADDRESS", "2@192.0.2.2:7420, 192.0.2.3:7420"),
        ("VUG_HOME", "/not/a/setting"),
        ("OTHER__KEY", "x"),
    ]);
    overrides.push(Override::option("--listen", "listen.address", "127.0.0.1:10"));
    let (config, settings) = Config::resolve(Some(&file), &overrides).expect("good");
    assert_eq!(config.peer_timeout, Duration::from_secs(4));
    assert_eq!(config.listen.port(), 10);
    assert_eq!((config.peers[0].origin, config.peers.len()), (Some(2), 2));
    let from = |key: &str| {
        let found = settings.iter().find(|s| s.key == key).expect(key);
        (found.value.clone(), found.source.to_string())
    };
    let name = file.display();
    assert_eq!(from("node.home"), ("/dev/shm/x".into(), format!("{name}:2")));
    assert_eq!(
        from("bridge.peer_timeout"),
        ("4s".into(), "environment VUG_BRIDGE__PEER_TIMEOUT".into())
    );
    assert_eq!(from("listen.address"), ("127.0.0.1:10".into(), "option --listen".into()));
    assert_eq!(from("bridge.unreachable_timeout"), ("30s".into(), "default".into()));
}

#[test]
fn the_environment_alone_can_be_the_configuration() {
    let mut pairs = vec![
        ("VUG_NODE__HOME", "/dev/shm/x"),
        ("VUG_CLUSTER__ID", "lab"),
        ("VUG_LISTEN__ADDRESS", "127.0.0.1:0"),
        ("VUG_TLS__CA", "/etc/vug/ca.pem"),
        ("VUG_TLS__CERT", "/etc/vug/node.pem"),
        ("VUG_TLS__KEY", "/etc/vug/node.key"),
    ];
    let (config, _) = Config::resolve(None, &from_environment(&pairs)).expect("complete");
    assert_eq!(config.cluster, "lab");
    pairs.remove(1);
    let error = Config::resolve(None, &from_environment(&pairs)).expect_err("no cluster");
    assert_eq!(error.key, "cluster.id");
    assert!(error.help.contains("VUG_CLUSTER__ID"), "{}", error.help);
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    for (name, value, problem) in [
        ("VUG_BRIDGE__PEER_TIMEUT", "4s", "no such setting"),
        ("VUG_BRIDGE__PEER_TIMEOUT", "4", "no duration"),
        ("VUG_NODE__ORIGIN", "0", "0 is no origin"),
        ("VUG_HTTP__ADDRESS", "192.0.2.1:80", "no loopback address"),
        ("VUG_LISTEN__ADVERTISE", "0.0.0.0:7420", "cannot dial"),
        ("VUG_LOG__FORMAT", "xml", "not known"),
        ("VUG_PEER__ADDRESS", "0@192.0.2.1:80", "0 is no origin"),
    ] {
        let overrides = from_environment(&[(name, value)]);
        let error = Config::resolve(None, &overrides).expect_err(name);
        assert!(error.problem.contains(problem) && error.problem.contains(name), "{error}");
        assert!(!error.help.is_empty());
    }
}

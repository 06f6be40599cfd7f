//! Region files that are damaged at rest: random bits, bytes and words of valid files of many
//! shapes are changed; then the audit and all operations run over them. Errors are allowed; a
//! signal, a panic, a call that does not return, and memory without bound are not.
//!
//! The cases run in children (this binary again), many in each, so that a signal or a hang is seen
//! as such and names its case. `VUG_CASES` = how many cases, or `FIRST..END` to repeat some.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use vug::Node;
use vug::check::check_file;
use vug_tests::TempHome;
use vug_tests::damage::{Layout, Random, exercise, prepare, read_only, strike};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
/// Tells a child what to do: `first..end` and the home directory.
const CHILD: &str = "VUG_TEST_CORRUPTION_CHILD";
/// A case takes about a millisecond; one that takes this long on however busy a machine hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);
/// Address space of a child; its region files have 1.5 MB.
const MAX_MEMORY: u64 = 4 << 30;
/// After so many failures nothing new is learned.
const ENOUGH: usize = 20;

fn range(text: &str) -> Range<u64> {
    let number = |text: &str| text.parse().expect("a number");
    match text.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => 0..number(text),
    }
}

/// The part that runs in children.
#[test]
fn child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (cases, home) = task.split_once(' ').expect("two parts");
    let limit = nix::sys::resource::Resource::RLIMIT_AS;
    nix::sys::resource::setrlimit(limit, MAX_MEMORY, MAX_MEMORY).expect("a limit");
    listen_to_panics();
    Bench::new(Path::new(home)).run(range(cases));
}

/// What a child works with.
struct Bench<'h> {
    home: &'h Path,
    /// Bytes and layout of the valid files.
    shapes: Vec<(String, Vec<u8>, Layout)>,
    file: File,
    progress: File,
}

impl Bench<'_> {
    fn new(home: &Path) -> Bench<'_> {
        let entries = fs::read_dir(home).expect("the home directory");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut shapes: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|e| e == "good"))
            .map(|path| {
                let bytes = fs::read(&path).expect("a valid file");
                let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
                let layout = Layout::of(&bytes);
                (name, bytes, layout)
            })
            .collect();
        shapes.sort_by(|a, b| a.0.cmp(&b.0));
        let open = |path| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.open(path).expect("a file of our own")
        };
        let file = open(home.join("damaged.region"));
        Bench { home, shapes, file, progress: open(home.join("case")) }
    }

    fn run(&self, cases: Range<u64>) {
        let mut buffer = Vec::new();
        let mut node = None;
        for case in cases {
            self.progress.write_all_at(&case.to_le_bytes(), 0).expect("write");
            let mut random = Random(case);
            let (_, bytes, layout) = &self.shapes[random.below(self.shapes.len())];
            buffer.clone_from(bytes);
            strike(&mut buffer, layout, &mut random);
            self.file.set_len(buffer.len() as u64).expect("length");
            self.file.write_all_at(&buffer, 0).expect("write");
            let used = catch_unwind(AssertUnwindSafe(|| self.case(&mut node, &mut random)));
            if used.is_err() {
                self.note(case);
                node = None;
            }
        }
    }

    fn case(&self, node: &mut Option<Node>, random: &mut Random) {
        let path = self.home.join("damaged.region");
        let _ = check_file(&path);
        if random.below(256) == 0 {
            *node = None;
        }
        let node = node.get_or_insert_with(|| Node::open(self.home).expect("the node is good"));
        if random.below(3) == 0 {
            read_only(self.home, "damaged", random);
        }
        let Ok(region) = node.region("damaged").open() else { return };
        exercise(node, &region, random);
        drop(region);
        if random.below(16) == 0 {
            let _ = check_file(&path);
        }
    }

    /// Writes down where the panic of a case was, as the hook has heard it.
    fn note(&self, case: u64) {
        let text = std::mem::take(&mut *PANIC.lock().unwrap_or_else(PoisonError::into_inner));
        let path = self.home.join("panics");
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a file");
        writeln!(file, "case {case}: {text}").expect("write");
    }
}

/// What the last panic said.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn listen_to_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string().replace('\n', " ");
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }));
}

fn start(home: &Path, cases: &Range<u64>) -> Child {
    let log = File::create(home.join("log")).expect("a file");
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, format!("{}..{} {}", cases.start, cases.end, home.display()))
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("a child starts")
}

/// Which case a child has begun.
fn begun(home: &Path) -> Option<u64> {
    let bytes = fs::read(home.join("case")).ok()?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Waits for a child. `Err`: how it failed, if it did not end well.
fn watch(home: &Path, child: &mut Child) -> Result<(), String> {
    let (mut last, mut since) = (None, Instant::now());
    loop {
        if let Some(status) = child.try_wait().expect("wait") {
            return match (status.success(), status.signal()) {
                (true, _) => Ok(()),
                (_, Some(signal)) => Err(format!("signal {signal}")),
                _ => Err(format!("{status}: {}", log(home))),
            };
        }
        let now = begun(home);
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > HANGS_AFTER {
            child.kill().expect("own child");
            child.wait().expect("it ends");
            return Err("does not return".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn log(home: &Path) -> String {
    let text = fs::read(home.join("log")).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned()
}

#[test]
fn case_09_all_operations_survive_any_damage() {
    let mut cases = std::env::var("VUG_CASES").map_or(0..1500, |text| range(&text));
    let home = TempHome::new();
    for shape in prepare(Some(Path::new(VICTIM)), home.path()) {
        let path = home.path().join(format!("{}.good", shape.name));
        fs::write(path, &shape.bytes).expect("write");
    }
    let all = cases.clone();
    let started = Instant::now();
    let mut failures = Vec::new();
    while !cases.is_empty() && failures.len() < ENOUGH {
        let mut child = start(home.path(), &cases);
        match watch(home.path(), &mut child) {
            Ok(()) => break,
            Err(how) => {
                let case = begun(home.path()).expect("a case was begun");
                failures.push(format!("case {case}: {how}"));
                println!("case {case}: {how}");
                cases.start = case + 1;
            }
        }
    }
    let panics = fs::read_to_string(home.path().join("panics")).unwrap_or_default();
    failures.extend(panics.lines().map(str::to_owned));
    println!(
        "{} cases in {:.0} s, {} failures",
        all.end - all.start,
        started.elapsed().as_secs_f64(),
        failures.len()
    );
    assert!(failures.is_empty(), "repeat with VUG_CASES=FIRST..END: {failures:#?}");
}

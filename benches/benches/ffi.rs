//! What the C interface costs over the Rust library: `cargo bench -p vug-bench --bench ffi`.
//!
//! The shared library is loaded as a program loads it, and its functions are called through
//! pointers, beside the same operations of the Rust library, on one region in this process. Short
//! slices of both alternate; the table gives the fastest slice of each and the median difference.
//! `-- --instructions` counts instead of measuring: it runs itself under callgrind with two numbers
//! of operations, so that what is before and after them does not count.

use std::ffi::{CString, c_char, c_void};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;
use std::time::Instant;

use vug_ffi::{vug_key_t, vug_node_t, vug_region_t, vug_status_t, vug_token_t, vug_view_t};

/// Operations in a slice.
const SLICE: usize = 50_000;
const SLICES: usize = 61;
const ENTRIES: usize = 1_000;
const VALUE: [u8; 64] = [7; 64];
/// Nanoseconds that a get and a put may cost more.
const GOAL: f64 = 10.0;

const NAMES: [&str; 4] = ["get, view", "get, copy", "put", "hot key, copy"];

type Key = [u8; 16];

fn key(number: usize) -> Key {
    let mut key = *b"key 000000000000";
    key[4..12].copy_from_slice(&(number as u64).to_le_bytes());
    key
}

type Get = unsafe extern "C" fn(*const vug_region_t, *const c_void, usize, *mut vug_view_t) -> i32;
type GetCopy = unsafe extern "C" fn(
    *const vug_region_t,
    *const c_void,
    usize,
    *mut c_void,
    usize,
    *mut usize,
) -> vug_status_t;
type Put = unsafe extern "C" fn(
    *mut vug_region_t,
    *const c_void,
    usize,
    *const c_void,
    usize,
    *mut vug_token_t,
) -> vug_status_t;
type KeyNew =
    unsafe extern "C" fn(*const vug_region_t, *const c_void, usize, *mut *mut vug_key_t) -> i32;
type KeyGetCopy = unsafe extern "C" fn(*const vug_key_t, *mut c_void, usize, *mut usize) -> i32;
type NodeOpen = unsafe extern "C" fn(*const c_char, *mut *mut vug_node_t) -> vug_status_t;
type RegionOpen = unsafe extern "C" fn(
    *mut vug_node_t,
    *const c_char,
    *const c_void,
    *mut *mut vug_region_t,
) -> vug_status_t;

/// The C interface, loaded, with the region of the Rust side open.
struct Loaded {
    get: Get,
    release: unsafe extern "C" fn(*mut vug_view_t) -> vug_status_t,
    get_copy: GetCopy,
    put: Put,
    key_get_copy: KeyGetCopy,
    region: *mut vug_region_t,
    key: *mut vug_key_t,
}

/// A function of the library.
fn symbol(library: *mut c_void, name: &str) -> *mut c_void {
    let name = CString::new(name).expect("a name");
    // SAFETY: the library is open, and the name ends with a zero byte.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?} is not in the library");
    found
}

impl Loaded {
    fn load(path: &Path, home: &Path) -> Self {
        let text = |path: &Path| CString::new(path.to_str().expect("UTF-8")).expect("a path");
        // SAFETY: the path ends with a zero byte; the library's constructors do nothing.
        let library = unsafe { libc::dlopen(text(path).as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null(), "{} cannot be loaded", path.display());
        macro_rules! function {
            ($name:literal as $type:ty) => {{
                let found = symbol(library, $name);
                // SAFETY: the header declares a function of this type under this name, and all
                // pointers have one size.
                unsafe { (&raw const found).cast::<$type>().read() }
            }};
        }
        let (mut node, mut region, mut hot) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let open = function!("vug_node_open" as NodeOpen);
        // SAFETY: the path ends with a zero byte, and there is room for a handle.
        assert_eq!(unsafe { open(text(home).as_ptr(), &raw mut node) }, 0);
        let open = function!("vug_region_open" as RegionOpen);
        // SAFETY: as above; options may be NULL.
        let opened = unsafe { open(node, c"ffi".as_ptr(), ptr::null(), &raw mut region) };
        assert_eq!(opened, 0);
        let key_new = function!("vug_key_new" as KeyNew);
        let first = key(0);
        // SAFETY: the key has so many bytes, and there is room for a handle.
        let made = unsafe { key_new(region, first.as_ptr().cast(), first.len(), &raw mut hot) };
        assert_eq!(made, 0);
        Self {
            get: function!("vug_get" as Get),
            release: function!(
                "vug_view_release" as unsafe extern "C" fn(*mut vug_view_t) -> vug_status_t
            ),
            get_copy: function!("vug_get_copy" as GetCopy),
            put: function!("vug_put" as Put),
            key_get_copy: function!("vug_key_get_copy" as KeyGetCopy),
            region,
            key: hot,
        }
    }

    /// Does operation number `what` once.
    #[inline(always)]
    fn once(&self, what: usize, key: &Key, buffer: &mut [u8; 64]) {
        let (data, len) = (key.as_ptr().cast(), key.len());
        let (mut view, mut found) = (vug_view_t::default(), 0);
        let into: *mut c_void = buffer.as_mut_ptr().cast();
        let status = match what {
            0 => {
                // SAFETY: key and view are valid.
                let status = unsafe { (self.get)(self.region, data, len, &raw mut view) };
                // SAFETY: the value is readable while the view is.
                buffer[0] = unsafe { *view.data.cast::<u8>() };
                // SAFETY: the view is valid.
                status | unsafe { (self.release)(&raw mut view) }
            }
            // SAFETY: key, buffer and length are valid.
            1 => unsafe { (self.get_copy)(self.region, data, len, into, 64, &raw mut found) },
            2 => {
                let value = VALUE.as_ptr().cast();
                // SAFETY: key and value are valid, and no token is asked for.
                unsafe { (self.put)(self.region, data, len, value, VALUE.len(), ptr::null_mut()) }
            }
            // SAFETY: handle, buffer and length are valid.
            _ => unsafe { (self.key_get_copy)(self.key, into, 64, &raw mut found) },
        };
        assert_eq!(status, 0);
    }
}

/// The same by the Rust library.
#[inline(always)]
fn once(region: &vug::Region, hot: &vug::Handle, what: usize, key: &Key, buffer: &mut [u8; 64]) {
    match what {
        0 => {
            let guard = region.get(key).expect("get").expect("an entry");
            buffer[0] = guard[0];
        }
        1 => assert!(region.read(key, buffer).expect("read").is_some()),
        2 => {
            region.put(key, &VALUE).expect("put");
        }
        _ => assert!(hot.read(buffer).expect("read").is_some()),
    }
}

struct Bench {
    keys: Vec<Key>,
    region: vug::Region,
    hot: vug::Handle,
    loaded: Loaded,
}

impl Bench {
    fn new(home: &Path) -> Self {
        let node = vug::Node::open(home).expect("node");
        let region = node.region("ffi").max_bytes(64 << 20).create().expect("region");
        let keys: Vec<Key> = (0..ENTRIES).map(key).collect();
        for key in &keys {
            region.put(key, &VALUE).expect("put");
        }
        let hot = region.handle(&keys[0]).expect("handle");
        let loaded = Loaded::load(&library(), home);
        Self { keys, region, hot, loaded }
    }

    #[inline(never)]
    fn rust<const WHAT: usize>(&self, count: usize) {
        let mut buffer = [0; 64];
        for key in self.keys.iter().cycle().take(count) {
            once(&self.region, &self.hot, WHAT, black_box(key), &mut buffer);
            black_box(&mut buffer);
        }
    }

    #[inline(never)]
    fn c<const WHAT: usize>(&self, count: usize) {
        let mut buffer = [0; 64];
        for key in self.keys.iter().cycle().take(count) {
            self.loaded.once(WHAT, black_box(key), &mut buffer);
            black_box(&mut buffer);
        }
    }

    fn run(&self, c: bool, what: usize, count: usize) {
        match (c, what) {
            (false, 0) => self.rust::<0>(count),
            (false, 1) => self.rust::<1>(count),
            (false, 2) => self.rust::<2>(count),
            (false, _) => self.rust::<3>(count),
            (true, 0) => self.c::<0>(count),
            (true, 1) => self.c::<1>(count),
            (true, 2) => self.c::<2>(count),
            (true, _) => self.c::<3>(count),
        }
    }

    fn nanos(&self, c: bool, what: usize) -> f64 {
        let start = Instant::now();
        self.run(c, what, SLICE);
        start.elapsed().as_nanos() as f64 / SLICE as f64
    }
}

/// `libvug_ffi.so`, which Cargo builds beside this bench.
fn library() -> PathBuf {
    let bench = std::env::current_exe().expect("a path of this bench");
    bench.with_file_name("libvug_ffi.so")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let home = tempfile::Builder::new().prefix("vug-bench-").tempdir_in("/dev/shm");
    let home = home.expect("a home directory");
    if let [flag, side, what, count] = arguments.as_slice()
        && flag == "--only"
    {
        let bench = Bench::new(home.path());
        let number = |text: &String| text.parse().expect("a number");
        bench.run(side == "c", number(what), number(count));
    } else if arguments.iter().any(|argument| argument == "--instructions") {
        instructions();
    } else {
        times(&Bench::new(home.path()));
    }
}

fn times(bench: &Bench) {
    println!("{:<16} {:>9} {:>9} {:>12}   goal", "64-byte values", "Rust ns", "C ns", "difference");
    for (what, name) in NAMES.iter().enumerate() {
        let (mut rust, mut c, mut more) = (f64::MAX, f64::MAX, Vec::new());
        for _ in 0..SLICES {
            let (one, other) = (bench.nanos(false, what), bench.nanos(true, what));
            (rust, c) = (rust.min(one), c.min(other));
            more.push(other - one);
        }
        more.sort_by(f64::total_cmp);
        let median = more[more.len() / 2];
        let met = if median <= GOAL { "met" } else { "missed" };
        println!("{name:<16} {rust:>9.1} {c:>9.1} {median:>12.1}   {met}");
    }
}

fn instructions() {
    println!("{:<16} {:>9} {:>9} {:>12}", "instructions", "Rust", "C", "difference");
    for (what, name) in NAMES.iter().enumerate() {
        let counted =
            |side| Some((counted(side, what, 30_000)? - counted(side, what, 10_000)?) / 20_000);
        match (counted("rust"), counted("c")) {
            (Some(rust), Some(c)) => println!("{name:<16} {rust:>9} {c:>9} {:>12}", c - rust),
            _ => return println!("skipped: valgrind does not run"),
        }
    }
}

/// Instructions of a whole run, as callgrind counts them.
fn counted(side: &str, what: usize, count: usize) -> Option<i64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args(["--only", side, &what.to_string(), &count.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

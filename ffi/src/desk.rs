//! What each thread uses: the objects of handles during its calls, its views, its handles of keys.
//!
//! A thread takes a *desk* with its first call and gives it back when it ends. The places of a desk
//! name the handles whose objects the thread uses, for whoever closes one (`handle` has the
//! protocol): place 0 is that of the running call, the others those of views. Everything else on a
//! desk is for the thread alone.
//!
//! A view of `vug_get` is a guard of the library on a hazard word of the thread: it costs no locked
//! instruction. Its number is `generation << 27 | desk << 11 | place << 8 | kind`, that of a key's
//! handle `serial << 40 | slot << 24 | desk << 8 | kind`: so a number of another thread is told
//! apart, and one that was released is not found again (views: until 2^37 others were made on that
//! place).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::handle::{Kind, Lease, Leaving};
use crate::region::Area;
use crate::retire;
use crate::status::{Failure, VUG_ERR_THREAD, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_TOO_MANY_THREADS};

/// Views of a thread at a time that need no pin. The library has hazard words for five.
const VIEWS: usize = 5;
const CHUNK_DESKS: usize = 64;
const CHUNKS: usize = 1024;
const MOST_KEYS: usize = 1 << 16;
const LAST_SERIAL: u32 = (1 << 24) - 1;

/// The part of a desk that other threads look at. A line of its own for each.
#[repr(align(128))]
pub(crate) struct Shared {
    /// Handles in use; 0 = none.
    places: [AtomicUsize; 1 + VIEWS],
    /// Of the views: how many there were on each place. Written by the thread only.
    generations: [AtomicU64; VIEWS],
    /// Handles of keys that were made here. Written by the thread only.
    serial: AtomicU32,
    number: usize,
    taken: AtomicBool,
}

static DESKS: [OnceLock<Box<[Shared]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];

/// A view's guard.
struct Lent {
    guard: vug::Guard<'static>,
    keeper: Keeper,
}

/// What the guard of a view borrows.
enum Keeper {
    /// A region, kept by the place of the view.
    Region {
        _leaving: Leaving<'static>,
    },
    Key {
        _handle: Rc<vug::Handle>,
    },
}

struct Key {
    serial: u32,
    handle: Rc<vug::Handle>,
}

/// The desk of the calling thread.
pub(crate) struct Desk {
    shared: Cell<Option<&'static Shared>>,
    lent: [Cell<Option<Lent>>; VIEWS],
    /// Bit n: place n is taken.
    taken: Cell<u8>,
    keys: RefCell<Vec<Option<Key>>>,
}

/// Whether any thread uses the object of a handle. After a heavy barrier of `retire`.
pub(crate) fn is_used(handle: usize) -> bool {
    let desks = DESKS.iter().map_while(OnceLock::get).flatten();
    desks.into_iter().any(|desk| desk.uses(handle))
}

thread_local! {
    static DESK: Desk = const { Desk::new() };
}

/// Runs `f` with the desk of the calling thread.
#[inline(always)]
pub(crate) fn with<R>(f: impl FnOnce(&Desk) -> R) -> Result<R, Failure> {
    let mut f = Some(f);
    let mut run = |desk: &Desk| f.take().map(|f| f(desk));
    match DESK.try_with(&mut run) {
        Ok(result) => result,
        Err(_) => run(&Desk::for_one_call()),
    }
    .ok_or_else(|| Failure::internal("a call ran twice"))
}

/// An empty place on the calling thread's desk, or a taken one; emptied on drop.
pub(crate) struct Place<'d> {
    desk: &'d Desk,
    shared: &'static Shared,
    number: usize,
}

impl Place<'_> {
    /// Tells closers that the thread is about to use the object of a handle. The caller has to make
    /// sure afterwards that the handle is still open.
    #[inline(always)]
    pub(crate) fn note(&self, handle: usize) {
        self.shared.places[self.number].store(handle, Ordering::Release);
        retire::light_barrier();
    }

    /// The place stays taken, until `Desk::clear`.
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.desk.clear(self.shared, self.number);
    }
}

impl Desk {
    const fn new() -> Self {
        Self {
            shared: Cell::new(None),
            lent: [const { Cell::new(None) }; VIEWS],
            taken: Cell::new(0),
            keys: RefCell::new(Vec::new()),
        }
    }

    /// Of a thread that is being torn down, whose own desk is gone: one without places for views.
    fn for_one_call() -> Self {
        let desk = Self::new();
        desk.taken.set(!1);
        desk
    }

    #[inline(always)]
    fn shared(&self) -> Result<&'static Shared, Failure> {
        match self.shared.get() {
            Some(shared) => Ok(shared),
            None => self.sit_down(),
        }
    }

    #[cold]
    fn sit_down(&self) -> Result<&'static Shared, Failure> {
        retire::choose_barriers();
        for (chunk, desks) in DESKS.iter().enumerate() {
            if desks.get().is_none() {
                let number = |desk| chunk * CHUNK_DESKS + desk;
                let new = (0..CHUNK_DESKS).map(|desk| Shared::new(number(desk)));
                let _other_was_faster = desks.set(new.collect());
            }
            for shared in desks.wait() {
                if !shared.taken.load(Ordering::Relaxed)
                    && !shared.taken.swap(true, Ordering::Acquire)
                {
                    self.shared.set(Some(shared));
                    return Ok(shared);
                }
            }
        }
        let what = format_args!("{} threads use the library", CHUNKS * CHUNK_DESKS);
        Err(Failure::new(VUG_ERR_TOO_MANY_THREADS, what, "use fewer threads"))
    }

    /// The place of the running call.
    #[inline(always)]
    pub(crate) fn place_of_call(&self) -> Result<Place<'_>, Failure> {
        let place = Place { desk: self, shared: self.shared()?, number: 0 };
        if self.taken.get() & 1 != 0 {
            place.keep();
            return Err(Failure::internal("a call within a call"));
        }
        self.taken.set(self.taken.get() | 1);
        Ok(place)
    }

    /// A place for a view, if one is left.
    #[inline(always)]
    pub(crate) fn place_of_view(&self) -> Result<Option<Place<'_>>, Failure> {
        let shared = self.shared()?;
        let taken = self.taken.get();
        let number = (taken | 1).trailing_ones() as usize;
        Ok((number <= VIEWS).then(|| {
            self.taken.set(taken | 1 << number);
            Place { desk: self, shared, number }
        }))
    }

    #[inline(always)]
    fn clear(&self, shared: &Shared, number: usize) {
        self.taken.set(self.taken.get() & !(1 << number));
        shared.places[number].store(0, Ordering::Release);
        retire::light_barrier();
    }

    /// Makes a view of what `find` finds in a region: its number, value and token.
    #[inline(always)]
    pub(crate) fn lend(
        &self,
        lease: Lease<'static, '_, Area>,
        find: impl FnOnce(&'static vug::Region) -> Result<Option<vug::Guard<'static>>, Failure>,
    ) -> Result<Lend, Failure> {
        // SAFETY: the guard, the only thing that may keep the object, is dropped before the place
        // is emptied: by `end`, or here, where it is younger than `place`.
        let (area, leaving, place) = unsafe { lease.into_parts() };
        let Some(guard) = find(area.shared()?)? else {
            return Ok(Lend::Nothing);
        };
        let keeper = Keeper::Region { _leaving: leaving };
        Ok(Lend::View(self.show(place, Lent { guard, keeper })))
    }

    #[inline(always)]
    fn show(&self, place: Place<'_>, lent: Lent) -> View {
        let (shared, number) = (place.shared, place.number);
        let generations = &shared.generations[number - 1];
        let generation = generations.load(Ordering::Relaxed).wrapping_add(1);
        generations.store(generation, Ordering::Relaxed);
        let pin = (generation << 27) as usize | shared.number << 11 | number << 8;
        let (token, value) = (lent.guard.token(), &*lent.guard);
        let (data, len) = (value.as_ptr(), value.len());
        self.lent[number - 1].set(Some(lent));
        place.keep();
        View { pin: pin | Kind::ThreadView as usize, data, len, token }
    }

    /// Ends a view of the calling thread.
    #[inline(always)]
    pub(crate) fn release(&self, pin: usize) -> Result<(), Failure> {
        let shared = self.shared()?;
        let refuse = || Kind::ThreadView.refuse(pin);
        if pin >> 11 & 0xffff != shared.number {
            return Err(self.of_other_thread(pin >> 11 & 0xffff, refuse));
        }
        let number = pin >> 8 & 7;
        let place = number.checked_sub(1).filter(|place| *place < VIEWS).ok_or_else(refuse)?;
        let generation = shared.generations[place].load(Ordering::Relaxed);
        if (generation << 27) as usize != pin & !((1 << 27) - 1) {
            return Err(refuse());
        }
        let lent = self.lent[place].take().ok_or_else(refuse)?;
        self.end(shared, number, lent);
        Ok(())
    }

    #[inline(always)]
    fn end(&self, shared: &Shared, number: usize, lent: Lent) {
        let Lent { guard, keeper } = lent;
        drop(guard);
        self.clear(shared, number);
        // Behind both: see `Leaving`.
        drop(keeper);
    }

    #[cold]
    fn of_other_thread(&self, desk: usize, refuse: impl FnOnce() -> Failure) -> Failure {
        let chunk = DESKS.get(desk / CHUNK_DESKS).and_then(OnceLock::get);
        let shared = chunk.map(|chunk| &chunk[desk % CHUNK_DESKS]);
        if !shared.is_some_and(|shared| shared.taken.load(Ordering::Relaxed)) {
            return refuse();
        }
        Failure::new(
            VUG_ERR_THREAD,
            "the handle belongs to another thread",
            "use and close it on the thread that made it; views for all threads: vug_get_owned",
        )
    }

    /// Keeps the handle of a key.
    pub(crate) fn add_key(&self, handle: vug::Handle) -> Result<usize, Failure> {
        let shared = self.shared()?;
        if self.taken.get() & !1 == !1 {
            let what = "the thread is ending, and the handle would end with it";
            return Err(Failure::new(VUG_ERR_THREAD, what, "read by vug_get_copy instead"));
        }
        let serial = shared.serial.load(Ordering::Relaxed);
        let mut keys = self.keys.borrow_mut();
        let free = keys.iter().position(Option::is_none).unwrap_or(keys.len());
        if free >= MOST_KEYS || serial >= LAST_SERIAL {
            let what = format_args!("this thread made {serial} key handles, {free} are open");
            return Err(Failure::new(VUG_ERR_TOO_MANY_HANDLES, what, "read by vug_get instead"));
        }
        shared.serial.store(serial + 1, Ordering::Relaxed);
        let key = Some(Key { serial: serial + 1, handle: Rc::new(handle) });
        if free == keys.len() {
            keys.push(key);
        } else {
            keys[free] = key;
        }
        let number = (serial as usize + 1) << 40 | free << 24 | shared.number << 8;
        Ok(number | Kind::Key as usize)
    }

    /// Lets `f` use the handle of a key.
    #[inline(always)]
    pub(crate) fn with_key<R>(
        &self,
        address: usize,
        f: impl FnOnce(&Rc<vug::Handle>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let keys = self.keys.borrow();
        let key = keys.get(address >> 24 & 0xffff).and_then(Option::as_ref);
        match key.filter(|key| self.is_number_of(key, address)) {
            Some(key) => f(&key.handle),
            None => Err(self.no_key(address)),
        }
    }

    #[inline(always)]
    fn is_number_of(&self, key: &Key, address: usize) -> bool {
        address & 0xff == Kind::Key as usize
            && key.serial as usize == address >> 40
            && self.shared.get().is_some_and(|shared| address >> 8 & 0xffff == shared.number)
    }

    #[cold]
    fn no_key(&self, address: usize) -> Failure {
        let refuse = || Kind::Key.refuse(address);
        let mine = self.shared.get().map(|shared| shared.number);
        if Kind::of(address) != Some(Kind::Key) || mine == Some(address >> 8 & 0xffff) {
            return refuse();
        }
        self.of_other_thread(address >> 8 & 0xffff, refuse)
    }

    /// Closes the handle of a key. Views of it stay.
    pub(crate) fn remove_key(&self, address: usize) -> Result<(), Failure> {
        self.with_key(address, |_| Ok(()))?;
        let key = self.keys.borrow_mut()[address >> 24 & 0xffff].take();
        drop(key);
        Ok(())
    }

    /// Makes a view of the value of a key.
    pub(crate) fn lend_key(&self, address: usize) -> Result<Lend, Failure> {
        let key = self.with_key(address, |key| Ok(Rc::clone(key)))?;
        let Some(place) = self.place_of_view()? else {
            return Ok(Lend::NoPlace);
        };
        let borrowed: *const vug::Handle = Rc::as_ptr(&key);
        // SAFETY: `end` drops the guard before the `Rc` that keeps the handle, which does not move
        // and is never borrowed mutably.
        let borrowed: &'static vug::Handle = unsafe { &*borrowed };
        let Some(guard) = borrowed.get()? else {
            return Ok(Lend::Nothing);
        };
        let keeper = Keeper::Key { _handle: key };
        Ok(Lend::View(self.show(place, Lent { guard, keeper })))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let Some(shared) = self.shared.get() else { return };
        for (place, lent) in self.lent.iter().enumerate() {
            if let Some(lent) = lent.take() {
                self.end(shared, place + 1, lent);
            }
        }
        self.keys.borrow_mut().clear();
        shared.taken.store(false, Ordering::Release);
    }
}

impl Shared {
    fn new(number: usize) -> Self {
        Self {
            places: [const { AtomicUsize::new(0) }; 1 + VIEWS],
            generations: [const { AtomicU64::new(0) }; VIEWS],
            serial: AtomicU32::new(0),
            number,
            taken: AtomicBool::new(false),
        }
    }

    /// Whether a place of the desk names the handle. A thread never moves a handle from one place
    /// to another, so looking at one after the other is enough.
    fn uses(&self, handle: usize) -> bool {
        self.places.iter().any(|place| place.load(Ordering::Acquire) == handle)
    }
}

/// What became of an attempt to make a view.
pub(crate) enum Lend {
    View(View),
    /// There is no value.
    Nothing,
    /// The thread has as many views as it can without pins.
    NoPlace,
}

/// What C gets to know of a view.
pub(crate) struct View {
    pub(crate) pin: usize,
    pub(crate) data: *const u8,
    pub(crate) len: usize,
    pub(crate) token: vug::Token,
}

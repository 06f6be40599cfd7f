use super::*;
use crate::handle::Kind;
use crate::options::{VUG_SCOPE_LOCAL, vug_region_options_t};
use crate::status::{
    VUG_ERR_ARGUMENT, VUG_ERR_INTERNAL, VUG_ERR_NULL, VUG_ERR_POISONED, VUG_OK, last_error,
};

static THINGS: Table<u8, u32> = Table::new(Kind::Region);

fn options_of(bytes: &[u64]) -> Result<vug_region_options_t, vug_status_t> {
    let mut options = Ok(vug_region_options_t::default());
    let status = entry!(|caller| {
        options = Ok(caller.options(bytes.as_ptr().cast::<vug_region_options_t>())?);
        Ok(VUG_OK)
    });
    if status == VUG_OK { options } else { Err(status) }
}

#[test]
fn a_panic_becomes_a_status_and_poisons_the_handle() {
    let handle = THINGS.insert(1).map_err(Failure::report).expect("room");
    let status = entry!(|caller| {
        let thing = caller.object(&THINGS, handle)?;
        assert_eq!(**thing, 2, "on purpose");
        Ok(VUG_OK)
    });
    assert_eq!(status, VUG_ERR_INTERNAL);
    assert!(last_error().contains("on purpose"), "{}", last_error());
    let status = entry!(|caller| caller.object_for_write(&THINGS, handle).map(|_| VUG_OK));
    assert_eq!(status, VUG_ERR_POISONED);
    let status = entry!(|caller| caller.object(&THINGS, handle).map(|_| VUG_OK));
    assert_eq!(status, VUG_OK);
}

#[test]
fn a_panic_without_text_is_caught_too() {
    let status = entry!(|_caller| std::panic::panic_any(7_u32));
    assert_eq!(status, VUG_ERR_INTERNAL);
    assert!(last_error().starts_with("VUG-0704: panic: no message\nhelp: "));
}

#[test]
fn options_of_other_sizes_are_read_as_far_as_both_sides_know_them() {
    let scope = u64::from(VUG_SCOPE_LOCAL);
    let whole = options_of(&[88, scope, 5, 6, 0, 0, 0, 0, 0, 0, 0]).expect("this version");
    assert_eq!((whole.scope, whole.max_bytes, whole.segment_bytes), (VUG_SCOPE_LOCAL, 5, 6));
    let older = options_of(&[24, scope, 5, 6]).expect("an older version");
    assert_eq!((older.scope, older.max_bytes, older.segment_bytes), (VUG_SCOPE_LOCAL, 5, 0));
    let newer = options_of(&[96, scope, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0]).expect("a newer version");
    assert_eq!((newer.max_bytes, newer.segment_bytes), (5, 6));
    assert_eq!(
        options_of(&[96, scope, 5, 6, 0, 0, 0, 0, 0, 0, 0, 1]).err(),
        Some(VUG_ERR_ARGUMENT)
    );
    for size in [0, 4, 7, 31, 4_104] {
        assert_eq!(options_of(&[size, 0, 0, 0]).err(), Some(VUG_ERR_ARGUMENT));
    }
}

#[test]
fn pointers_are_checked() {
    let object = [0_u64; 2];
    let odd: *const u64 = object.as_ptr().cast::<u8>().wrapping_add(1).cast();
    assert_eq!(check(odd, "x").map_err(Failure::report), Err(VUG_ERR_ARGUMENT));
    let null: *const u64 = ptr::null();
    assert_eq!(check(null, "x").map_err(Failure::report), Err(VUG_ERR_NULL));
    let status = entry!(|caller| {
        assert!(caller.value(ptr::null(), 0)?.is_empty());
        assert_eq!(caller.value(object.as_ptr().cast(), 16)?, [0; 16]);
        caller.key(ptr::null(), 0).map(|_| VUG_OK)
    });
    assert_eq!(status, VUG_ERR_NULL);
}

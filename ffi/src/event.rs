//! Notices of the library as events of C.

use crate::reports::*;
use crate::types::vug_token_t;

fn kind_of(kind: vug::EventKind) -> u32 {
    use vug::EventKind as E;
    match kind {
        E::Create => VUG_EVENT_CREATE,
        E::Update => VUG_EVENT_UPDATE,
        E::Invalidate => VUG_EVENT_INVALIDATE,
        E::LocalInvalidate => VUG_EVENT_LOCAL_INVALIDATE,
        E::Destroy => VUG_EVENT_DESTROY,
        E::LocalDestroy => VUG_EVENT_LOCAL_DESTROY,
        E::ExpireInvalidate => VUG_EVENT_EXPIRE_INVALIDATE,
        E::ExpireDestroy => VUG_EVENT_EXPIRE_DESTROY,
        E::Evict => VUG_EVENT_EVICT,
        E::Resync => VUG_EVENT_RESYNC,
        E::Clear => VUG_EVENT_CLEAR,
        E::LocalClear => VUG_EVENT_LOCAL_CLEAR,
        E::RegionInvalidate => VUG_EVENT_REGION_INVALIDATE,
        E::LocalRegionInvalidate => VUG_EVENT_LOCAL_REGION_INVALIDATE,
        E::RegionDestroy => VUG_EVENT_REGION_DESTROY,
        E::LocalRegionDestroy => VUG_EVENT_LOCAL_REGION_DESTROY,
        _ => 0,
    }
}

fn origin_of(origin: vug::Origin) -> (u32, u32) {
    match origin {
        vug::Origin::ThisMember => (VUG_ORIGIN_THIS_MEMBER, 0),
        vug::Origin::Member(slot) => (VUG_ORIGIN_MEMBER, slot.into()),
        vug::Origin::Node(number) => (VUG_ORIGIN_NODE, number.into()),
        vug::Origin::Unknown => (VUG_ORIGIN_UNKNOWN, 0),
    }
}

/// What C sees of a notice, which owns the bytes. `None`: of a kind that this interface does not
/// know.
pub(crate) fn show(notice: &vug::Notice) -> Option<vug_event_t> {
    Some(match notice {
        vug::Notice::Event(event) => show_change(event),
        vug::Notice::Lapped { from, to } => vug_event_t {
            kind: VUG_EVENT_LAPPED,
            position: *to,
            from: *from,
            origin: VUG_ORIGIN_UNKNOWN,
            old_value_state: VUG_OLD_VALUE_NOT_AVAILABLE,
            ..vug_event_t::default()
        },
        vug::Notice::InSync { position } => vug_event_t {
            kind: VUG_EVENT_IN_SYNC,
            position: *position,
            origin: VUG_ORIGIN_UNKNOWN,
            old_value_state: VUG_OLD_VALUE_NOT_AVAILABLE,
            ..vug_event_t::default()
        },
        _ => return None,
    })
}

fn show_change(event: &vug::Event) -> vug_event_t {
    let flag = |on: bool, bit: u32| if on { bit } else { 0 };
    let (origin, origin_number) = origin_of(event.origin);
    let mut shown = vug_event_t {
        kind: kind_of(event.kind),
        flags: flag(event.expiration, VUG_EVENT_FLAG_EXPIRATION)
            | flag(event.bulk, VUG_EVENT_FLAG_BULK),
        position: event.position,
        origin,
        origin_number,
        token: vug_token_t::from(event.token),
        ..vug_event_t::default()
    };
    if !event.kind.is_of_region() {
        shown.key = event.key.as_ptr().cast();
        shown.key_len = event.key.len();
    }
    if let Some(value) = &event.value {
        shown.value = value.as_ptr().cast();
        shown.value_len = value.len();
    }
    shown.old_value_state = match &event.old {
        vug::OldValue::None => VUG_OLD_VALUE_NONE,
        vug::OldValue::NotAvailable => VUG_OLD_VALUE_NOT_AVAILABLE,
        vug::OldValue::Value(value) => {
            shown.old_value = value.as_ptr().cast();
            shown.old_value_len = value.len();
            VUG_OLD_VALUE_KNOWN
        }
    };
    shown
}

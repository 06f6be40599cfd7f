//! What a subscription tells, as short words that tests can compare and workers can send.

use vug::{Event, Notice, OldValue, Origin, Subscription};

/// One event in a word: `KIND:KEY:VALUE:OLD:ORIGIN`, with `+expired` and `+bulk` behind it.
///
/// `-` is a value that is not there, and the key of an event of the region. `?` is an old value
/// that is not available. The origin is `me`, `member`, `node-N`
/// or `unknown`.
pub fn word(event: &Event) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let key = if event.key.is_empty() { "-".into() } else { text(&event.key) };
    let value = event.value.as_deref().map_or("-".into(), text);
    let old = match &event.old {
        OldValue::None => "-".into(),
        OldValue::Value(value) => text(value),
        OldValue::NotAvailable => "?".into(),
    };
    let origin = match event.origin {
        Origin::ThisMember => "me".into(),
        Origin::Member(_) => "member".into(),
        Origin::Node(node) => format!("node-{node}"),
        Origin::Unknown => "unknown".into(),
    };
    let expired = if event.expiration { "+expired" } else { "" };
    let bulk = if event.bulk { "+bulk" } else { "" };
    format!("{}:{key}:{value}:{old}:{origin}{expired}{bulk}", event.kind)
}

/// Everything a subscription has to tell at the moment; a lapped one says `lapped`.
///
/// # Errors
/// Those of [`Subscription::poll`].
pub fn told(events: &mut Subscription) -> vug::Result<Vec<String>> {
    let mut words = Vec::new();
    while let Some(notice) = events.poll()? {
        words.push(match notice {
            Notice::Event(event) => word(&event),
            Notice::Lapped { .. } => "lapped".into(),
            Notice::InSync { .. } => "in-sync".into(),
            other => format!("{other:?}"),
        });
    }
    Ok(words)
}

//! Attributes that go together, and those of a region that exists.

use std::time::Duration;

use vug::{DataPolicy, Error, Eviction, Expiry, ExpiryAction, Region, RegionBuilder, Scope};
use vug_tests::TempHome;

use crate::scene::{
    ATTRIBUTES_DIFFER, INVALID_ATTRIBUTES, INVALID_REGION_NAME, NAME, NOT_BUILT_YET, Scene, code,
};

/// Tries to make a region in a home of its own, looks that a refusal leaves nothing behind, and
/// returns the refusal.
fn refusal(attributes: impl for<'n> FnOnce(RegionBuilder<'n>) -> RegionBuilder<'n>) -> Error {
    let home = TempHome::new();
    let node = home.node();
    let error = attributes(node.region(NAME)).create().expect_err("refused");
    assert!(node.regions().expect("names").is_empty());
    assert!(node.region(NAME).create().is_ok(), "the name is free");
    error
}

/// Asserts that attributes are refused as impossible, by a text that names the way out.
fn assert_impossible(
    remedy: &str,
    attributes: impl for<'n> FnOnce(RegionBuilder<'n>) -> RegionBuilder<'n>,
) {
    let error = refusal(attributes);
    assert_eq!(error.code(), INVALID_ATTRIBUTES, "{error}");
    assert!(error.help().contains(remedy), "{error}: {}", error.help());
}

fn local_action(action: ExpiryAction) -> Expiry {
    Expiry { after: Duration::from_secs(1), action }
}

#[test]
fn scenario_046_without_other_nodes_a_region_is_there_at_once() {
    let home = TempHome::new();
    let node = home.node();
    let replicate = node.region("r").data_policy(DataPolicy::Replicate).create().expect("made");
    let preloaded = node.region("p").data_policy(DataPolicy::Preloaded).scope(Scope::Local);
    for region in [replicate, preloaded.create().expect("made")] {
        assert!(region.is_empty().expect("len"));
        region.put(b"k", b"a").expect("usable");
    }
}

#[test]
fn scenario_078_early_ack_is_refused_where_nobody_waits() {
    for scope in [Scope::Local, Scope::DistributedNoAck, Scope::Global] {
        assert_impossible("distributed-ack", |builder| {
            builder.data_policy(DataPolicy::Replicate).scope(scope).early_ack(true)
        });
    }
}

#[test]
fn scenario_216_a_region_that_exists_with_another_scope_is_refused() {
    const SCOPES: [Scope; 3] = [Scope::Local, Scope::DistributedNoAck, Scope::DistributedAck];
    for here in SCOPES {
        let scene = Scene::with(|builder| builder.data_policy(DataPolicy::Replicate).scope(here));
        scene.set("k", "a");
        for wanted in SCOPES.into_iter().filter(|wanted| *wanted != here) {
            let elsewhere = scene.home.node();
            let error = elsewhere.region(NAME).scope(wanted).open_or_create().expect_err("refused");
            let text = error.to_string();
            assert_eq!(error.code(), ATTRIBUTES_DIFFER, "{error}");
            let named = [&wanted.to_string(), &here.to_string()].map(|scope| text.contains(scope));
            assert_eq!(named, [true, true], "{text}");
            let opened = elsewhere.region(NAME).scope(here).open().expect("the right one opens");
            assert!(opened.contains_key(b"k").expect("look"));
        }
        assert_eq!(scene.value("k").as_deref(), Some("a"), "who had it does not notice");
    }
}

#[test]
fn scenario_217_concurrency_checks_are_the_same_for_all_who_store() {
    let scene = Scene::replicate();
    let elsewhere = scene.home.node();
    assert_eq!(code(elsewhere.region(NAME).concurrency_checks(false).open()), ATTRIBUTES_DIFFER);
    assert!(elsewhere.region(NAME).concurrency_checks(true).open().is_ok());
}

/// Names are flat.
#[test]
fn scenario_220_there_are_no_regions_within_regions() {
    let scene = Scene::local();
    for name in ["scene/child", "/scene", "scene/", ""] {
        let made = scene.node.region(name).data_policy(DataPolicy::Replicate).create();
        assert_eq!(code(made), INVALID_REGION_NAME, "{name}");
    }
    assert_eq!(scene.node.regions().expect("names"), [NAME]);
}

/// Geode turns such a replicate into something else in silence; here it is refused.
#[test]
fn scenario_221_a_replicate_that_would_lose_entries_is_refused() {
    for action in [ExpiryAction::LocalDestroy, ExpiryAction::LocalInvalidate] {
        let expiry = local_action(action);
        assert_impossible("`normal` or `preloaded`", |builder| {
            builder.data_policy(DataPolicy::Replicate).entry_ttl(expiry)
        });
        assert_impossible("`normal` or `preloaded`", |builder| {
            builder.data_policy(DataPolicy::Replicate).entry_idle(expiry)
        });
        let scene = Scene::replicate();
        assert_eq!(code(scene.set_entry_ttl(Some(expiry))), INVALID_ATTRIBUTES);
    }
    assert_impossible("`normal` or `preloaded`", |builder| {
        builder.data_policy(DataPolicy::Replicate).eviction(Eviction::S3Fifo)
    });
    // With local scope a replicate is as good as normal.
    let local = Scene::with(|builder| {
        let expiry = local_action(ExpiryAction::LocalDestroy);
        builder.data_policy(DataPolicy::Replicate).scope(Scope::Local).entry_ttl(expiry)
    });
    local.set("k", "a");
}

#[test]
fn scenario_222_an_empty_region_has_nothing_to_expire_or_evict() {
    let expiry = Expiry::destroy(Duration::from_secs(1));
    for scope in [Scope::Local, Scope::DistributedAck] {
        let empty = |builder: RegionBuilder<'_>| -> Error {
            let builder = builder.data_policy(DataPolicy::Empty).scope(scope);
            builder.create().expect_err("refused")
        };
        let home = TempHome::new();
        let node = home.node();
        for error in [
            empty(node.region(NAME).entry_ttl(expiry)),
            empty(node.region(NAME).entry_idle(expiry)),
            empty(node.region(NAME).eviction(Eviction::S3Fifo)),
        ] {
            assert_eq!(error.code(), INVALID_ATTRIBUTES, "{error}");
            assert!(error.help().contains("`replicate`"), "{}", error.help());
        }
    }
}

/// Statistics cannot be switched off here, so expiry has nothing to ask for.
#[test]
fn scenario_223_expiry_works_without_a_word_about_statistics() {
    let scene = Scene::with(|builder| builder.entry_ttl(Expiry::destroy(Duration::from_secs(60))));
    scene.set("k", "a");
    vug::advance_clock(Duration::from_secs(61));
    assert_eq!(scene.value("k"), None);
    assert_eq!(scene.sweep(usize::MAX).expect("sweep").expired, 1);
    assert_eq!(scene.statistics().counters.expired, 1);
}

/// What `README.md` lists as not built yet. A line that fails here is built: its scenarios are to
/// be shown.
#[test]
fn what_is_not_built_yet_says_so_and_leaves_nothing_behind() {
    let hour = Duration::from_secs(3600);
    let refusals = [
        refusal(|builder| builder.data_policy(DataPolicy::Replicate).scope(Scope::Global)),
        refusal(|builder| builder.data_policy(DataPolicy::PersistentReplicate)),
        refusal(|builder| {
            builder.data_policy(DataPolicy::Replicate).entry_idle(Expiry::destroy(hour))
        }),
    ];
    for error in refusals {
        assert_eq!(error.code(), NOT_BUILT_YET, "{error}");
    }
}

#[test]
fn scenario_226_a_refused_member_leaves_no_trace() {
    let scene = Scene::replicate();
    let members = |region: &Region| region.statistics().members;
    let before = members(&scene);
    let elsewhere = scene.home.node();
    assert_eq!(code(elsewhere.region(NAME).scope(Scope::Local).open()), ATTRIBUTES_DIFFER);
    drop(elsewhere);
    assert_eq!(members(&scene), before);
    assert_eq!(scene.node.members().len(), 1);
}

//! Random worlds: many seeds, every fault at once, then healing and the oracle.

use super::Random;
use super::world::{Plan, World};
use crate::engine::Timing;
use crate::replica::defects::{Defect, seed as seed_defect};
use crate::replica::store::Scope;

fn plan(random: &mut Random, nodes: usize) -> Plan {
    let timing = Timing {
        peer_timeout: [300, 2_000, 10_000][random.range(0, 2) as usize],
        initial_wait: random.range(100, 1_500),
        plan_wait: 1_000,
        image_stall: 3_000,
        retry: 100,
        stable_every: [50, 200, 1_000][random.range(0, 2) as usize],
        max_skew: 250,
        ..Timing::default()
    };
    Plan {
        nodes,
        regions: vec![
            ("ack", Scope::DistributedAck),
            ("no-ack", Scope::DistributedNoAck),
            ("early", Scope::DistributedAck),
        ],
        ring_len: [4, 16, 64, 100_000][random.range(0, 3) as usize],
        batch: random.range(1, 8) as usize,
        latency: (1, [2, 10, 100][random.range(0, 2) as usize]),
        loss: [0, 10, 60, 100][random.range(0, 3) as usize],
        crash_per_mille: [0, 2, 10][random.range(0, 2) as usize],
        timing,
        recycle: [0, 2, 7][random.range(0, 2) as usize],
    }
}

/// One move of the adversary and the writers.
fn disturb(world: &mut World, keys: u32, resets: bool) {
    let n = world.random.range(0, world.plan.nodes as u64 - 1) as usize;
    let other = (n + 1) % world.plan.nodes;
    match world.random.range(0, 199) {
        0..=2 => world.cut(n, other),
        3..=5 => world.heal(),
        6..=7 => {
            world.crash(n);
            let delay = world.random.range(1, 4_000);
            world.push_restart(n, delay);
        }
        8 if resets => {
            world.reset(n);
            let delay = world.random.range(300, 3_000);
            world.push_restart(n, delay);
        }
        9..=10 => {
            let extra = world.random.range(0, 300);
            world.slow.insert((n, other), extra);
        }
        11 => world.slow.clear(),
        _ => write(world, n, keys),
    }
}

fn write(world: &mut World, n: usize, keys: u32) {
    let region = world.random.range(0, 2) as usize;
    if region == 0
        && let Some((_, position)) = world.nodes[n].waits
        && world.region(n, 0).watermarks.2 <= position
    {
        return;
    }
    let key = world.random.range(0, u64::from(keys) - 1) as u32;
    let value = world.random.next().to_be_bytes().to_vec();
    let value = if world.random.chance(25) { None } else { Some(value) };
    world.write(n, region, key, value);
}

/// What a campaign is made of.
#[derive(Debug, Clone, Copy)]
struct Setting {
    nodes: usize,
    /// Machines are lost with everything on them.
    resets: bool,
    /// A mistake to be found.
    defect: Option<Defect>,
}

fn one(seed: u64, setting: Setting) {
    let Setting { nodes, resets, defect } = setting;
    seed_defect(defect);
    let mut random = Random(seed ^ 0x5eed);
    let plan = plan(&mut random, nodes);
    let mut world = World::new(seed, plan);
    let keys = world.random.range(3, 60) as u32;
    for _ in 0..world.random.range(0, 40) {
        let n = world.random.range(0, nodes as u64 - 1) as usize;
        write(&mut world, n, keys);
    }
    for n in 0..nodes {
        let delay = world.random.range(0, 2_500);
        world.push_restart(n, delay);
    }
    for _ in 0..world.random.range(50, 400) {
        disturb(&mut world, keys, resets);
        let pause = world.random.range(0, 40);
        world.run(pause);
    }
    world.calm = true;
    world.heal();
    world.slow.clear();
    world.start_all();
    let exact = !resets;
    for _ in 0..240 {
        if world.unfinished(exact).is_none() {
            break;
        }
        world.run(500);
    }
    if let Some(why) = world.unfinished(exact) {
        panic!("{why}\n{}", world.picture());
    }
    idle(&mut world);
    if let (Some(why), None) = (world.unfinished(exact), defect) {
        panic!("afterwards: {why}\n{}", world.picture());
    }
    if exact {
        let left: usize = (0..nodes).map(|n| world.tombstones(n)).sum();
        assert_eq!(left, 0, "tombstones are left\n{}", world.picture());
    }
}

/// A quiet cluster does next to nothing.
fn idle(world: &mut World) {
    world.run(15_000);
    let before: u64 = world.nodes.iter().map(|n| n.ticks).sum();
    world.run(10_000);
    let after: u64 = world.nodes.iter().map(|n| n.ticks).sum();
    // Each node probes another one per period, with three timers of its own.
    let period = (world.plan.timing.peer_timeout / 10).clamp(20, 1_000);
    let allowed = (20 + 4 * 10_000 / period) * world.plan.nodes as u64;
    assert!(after - before < allowed, "{} ticks in 10 quiet seconds", after - before);
}

fn campaign(seeds: std::ops::Range<u64>, nodes: usize, resets: bool) {
    let setting = Setting { nodes, resets, defect: None };
    let number = |name| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let seeds = match (number("VUG_SIM_SEED"), number("VUG_SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => seeds.start..seeds.start + count,
        (None, None) => seeds,
    };
    for seed in seeds {
        let run = std::panic::catch_unwind(|| one(seed, setting));
        if let Err(panic) = run {
            let text = panic.downcast_ref::<String>().map_or("", |s| s.as_str());
            panic!("seed {seed} ({nodes} nodes, resets {resets}), VUG_SIM_SEED={seed}:\n{text}");
        }
    }
}

/// The simulation would find this mistake within so many worlds.
fn control(defect: Defect, nodes: usize, resets: bool) {
    let setting = Setting { nodes, resets, defect: Some(defect) };
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let found =
        (40_000..42_000).find(|seed| std::panic::catch_unwind(|| one(*seed, setting)).is_err());
    std::panic::set_hook(quiet);
    seed_defect(None);
    assert!(found.is_some(), "{defect:?} was not noticed");
}

/// One test, because it silences the messages of panics meanwhile.
#[test]
fn seeded_defects_are_found() {
    use Defect::{
        AckBeforeApply, ClaimsBeforeImage, DeltaByTimeAlone, ForgetAlone, JoinWithoutImage,
        NoHorizon, ProvisionalCounts,
    };
    for (defect, nodes, resets) in [
        (ForgetAlone, 3, false),
        (NoHorizon, 3, false),
        (AckBeforeApply, 2, false),
        (ClaimsBeforeImage, 3, false),
        (DeltaByTimeAlone, 3, false),
        (JoinWithoutImage, 3, true),
        (ProvisionalCounts, 2, false),
    ] {
        control(defect, nodes, resets);
    }
}

#[test]
fn two_nodes_converge() {
    campaign(0..500, 2, false);
}

#[test]
fn three_nodes_converge() {
    campaign(10_000..10_500, 3, false);
}

#[test]
fn five_nodes_converge() {
    campaign(20_000..20_100, 5, false);
}

#[test]
fn three_nodes_converge_although_machines_are_lost() {
    campaign(30_000..30_200, 3, true);
}

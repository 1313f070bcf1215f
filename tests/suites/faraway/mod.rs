//! End to end in a simulated network: a token endpoint, a server and its clients on hosts of their own, under partitions,
//! held-back packets, crashes and slow links that a seed determines. What must hold, holds for each seed.

mod client;
mod log;
mod server;
mod story;

use std::collections::BTreeSet;

use self::story::{Flaw, play};

/// How many seeds each of the tests below plays: 1,000 together.
const SEEDS: u64 = 250;

fn all_hold(seeds: impl Iterator<Item = u64>) {
    let (mut presented, mut lost, mut most) = (0, 0, 0);
    for seed in seeds {
        let log = play(seed, Flaw::None);
        let violations = log.violations();
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}\n{}", log.text());
        presented += log.presented();
        lost += log.lost();
        most = most.max(log.attempts().max().unwrap_or_default());
    }
    println!("{presented} tokens presented, {lost} connections lost, {most} attempts at most");
    // The controls: there was something to look at.
    assert!(presented > 1_000 && lost > 250, "{presented} tokens presented, {lost} connections lost");
}

#[test]
fn sessions_survive_what_250_seeds_do_to_the_network() {
    all_hold(0..SEEDS);
}

#[test]
fn sessions_survive_what_250_other_seeds_do_to_the_network() {
    all_hold(SEEDS..2 * SEEDS);
}

#[test]
fn sessions_survive_what_250_seeds_more_do_to_the_network() {
    all_hold(2 * SEEDS..3 * SEEDS);
}

#[test]
fn sessions_survive_what_the_last_250_seeds_do_to_the_network() {
    all_hold(3 * SEEDS..4 * SEEDS);
}

#[test]
fn a_seed_determines_everything() {
    let mut texts = BTreeSet::new();
    for seed in 0..20 {
        let (text, again) = (play(seed, Flaw::None).text(), play(seed, Flaw::None).text());
        let differ = text.lines().zip(again.lines()).find(|(one, other)| one != other);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(text.lines().count(), again.lines().count(), "seed {seed}");
        texts.insert(text);
    }
    assert_eq!(texts.len(), 20, "each seed is another story");
}

/// The controls: what must not happen is noticed where it does.
#[test]
fn flaws_are_noticed() {
    for (flaw, complaint) in [
        (Flaw::NobodyRepairs, "is not back in time"),
        (Flaw::LifetimesAreALie, "a token that had expired"),
        (Flaw::EchoesTwice, "out of order"),
        (Flaw::RefusesEverybody, "has failed"),
    ] {
        let noticed = (0..20)
            .any(|seed| play(seed, flaw).violations().iter().any(|violation| violation.contains(complaint)));
        assert!(noticed, "{flaw:?} is not noticed");
    }
}

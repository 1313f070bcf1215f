//! Tokens that serve once.

use super::*;

fn simulation() -> Simulation {
    Simulation::new(Policy::new().single_use(), 5)
}

#[test]
fn each_caller_gets_a_token_of_its_own() {
    let mut simulation = simulation();
    let callers: Vec<_> = (0..5).map(|_| simulation.demand(Demand::Current)).collect();
    for number in 1..=5 {
        simulation.issue(HOUR);
        assert_eq!(simulation.answers.len(), number);
    }
    let tokens: Vec<_> =
        callers.iter().map(|caller| simulation.answers[caller].as_ref().unwrap().generation()).collect();
    assert!(tokens.is_sorted_by(|one, two| one < two), "in the order in which they came: {tokens:?}");
    assert!(simulation.machine.current().is_none(), "nothing for readers that would present it again");
}

#[test]
fn the_next_token_is_fetched_ahead_so_that_a_reconnect_need_not_wait() {
    let mut simulation = simulation();
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    assert_eq!(simulation.requests, 2, "fetched ahead");
    simulation.issue(HOUR);
    assert_eq!(simulation.served().secret().expose(), "token-2");
}

#[test]
fn nothing_is_fetched_ahead_where_that_is_not_wanted() {
    let mut simulation = Simulation::new(Policy::new().single_use_on_demand(), 5);
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    assert_eq!(simulation.requests, 1);
}

#[test]
fn a_token_fetched_ahead_that_expired_is_neither_served_nor_replaced_before_somebody_asks() {
    let mut simulation = simulation();
    simulation.demand(Demand::Current);
    simulation.issue(HOUR);
    simulation.issue(HOUR);
    simulation.sleep(2 * HOUR);
    assert_eq!(simulation.requests, 2);
    let caller = simulation.demand(Demand::Current);
    assert!(!simulation.answers.contains_key(&caller));
    simulation.issue(HOUR);
    assert_eq!(simulation.answers[&caller].as_ref().unwrap().secret().expose(), "token-3");
}

#[test]
fn a_caller_that_withdrew_costs_no_token() {
    let mut simulation = simulation();
    let gone = simulation.demand(Demand::Current);
    let stays = simulation.demand(Demand::Current);
    simulation.input(Input::Withdrawn { caller: gone });
    simulation.issue(HOUR);
    assert_eq!(simulation.answers[&stays].as_ref().unwrap().secret().expose(), "token-1");
}

#[test]
fn nobody_waits_longer_than_a_minute_however_many_came_before() {
    let mut simulation = simulation();
    for _ in 0..40 {
        simulation.demand(Demand::Current);
    }
    let begin = simulation.now;
    while simulation.answers.len() < 40 {
        simulation.sleep(5 * SECOND); // a slow endpoint
        if simulation.fetch.is_some() {
            simulation.issue(HOUR);
        }
    }
    assert!(simulation.now.wall.saturating_since(begin.wall) <= 61 * SECOND);
    assert_eq!(simulation.answers.values().filter(|answer| answer.is_ok()).count(), 11);
}

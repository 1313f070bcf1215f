//! The cases at async-graphql with axum: the protocol of graphql-ws, whose description serves here too, but for other codes.

use std::error::Error;

use realtime_auth_tests::verdict::{Verdict, run, same};
use serde_json::Value;
use ws_session::ErrorKind;
use ws_session::dialect::{Codes, On, Phase, Rule, Verdict as Means};

use crate::descriptions;
use crate::graphql::{self, counted, counting};
use crate::material::{Material, unknown};
use crate::play::Play;
use crate::world::World;

/// Runs them all.
pub(crate) async fn run(material: Material, told: &Value) -> Result<(), Box<dyn Error>> {
    let world = &World::new(material, told, "/", descriptions::async_graphql()?);
    run!(
        world,
        [
            a_token_lets_in_and_what_is_asked_is_answered_in_order,
            nothing_is_sent_before_the_login_is_answered,
            what_is_sent_too_early_is_seen,
            a_refusal_with_its_reason_is_final,
            the_same_code_with_another_reason_is_not_the_same,
            a_rule_of_the_description_asks_for_a_fresh_token,
            a_login_that_never_comes_ends_by_the_servers_clock,
            a_question_instead_of_a_login_is_refused,
            a_second_login_costs_the_connection_and_not_the_session,
            a_connection_that_falls_is_made_again,
            no_subprotocol_is_refused_before_the_upgrade,
        ]
    );
    Ok(())
}

/// How this server refuses a token: a protocol error, and its hook's text.
fn refusal(reason: &str, means: Means) -> Rule {
    Rule::new(On::Close { codes: Codes::of([1002..=1002]), reason: Some(reason.to_owned()) }, means)
        .in_phases([Phase::Login])
}

async fn a_token_lets_in_and_what_is_asked_is_answered_in_order(world: &World) -> Verdict {
    graphql::is_let_in_and_served(world).await
}

async fn nothing_is_sent_before_the_login_is_answered(world: &World) -> Verdict {
    graphql::waits_for_the_answer(world).await
}

async fn what_is_sent_too_early_is_seen(world: &World) -> Verdict {
    graphql::early_messages_are_seen(world).await
}

async fn a_refusal_with_its_reason_is_final(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let play = world.begin([unknown(), world.material.token()])?;
    play.has_failed(ErrorKind::AuthenticationRefused, Some(1002)).await?;
    same("connections", account.connections().await?.len(), 1)
}

/// The control: without the description's rule, 1002 is a fault of ours.
async fn the_same_code_with_another_reason_is_not_the_same(world: &World) -> Verdict {
    let without = world.changed(|dialect| dialect.rules.clear());
    let other = world.changed(|dialect| dialect.rules = vec![refusal("expired", Means::Expired)]);
    for dialect in [without, other] {
        let play = Play::begin(&world.url, &dialect, [unknown(), world.material.token()])?;
        play.has_failed(ErrorKind::ConnectionRefused, Some(1002)).await?;
    }
    Ok(())
}

async fn a_rule_of_the_description_asks_for_a_fresh_token(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let dialect = world.with_rule(refusal("bad token", Means::Expired));
    let mut play = Play::begin(&world.url, &dialect, [unknown(), world.material.token()])?;
    play.is_in().await?;
    same("replacements asked for", play.tokens().replacements(), 1)?;
    same("connections", account.connections().await?.len(), 2)?;
    play.close().await
}

/// The server has no clock for a login, but one for silence.
async fn a_login_that_never_comes_ends_by_the_servers_clock(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let url = format!("{}?silence=200", world.url);
    let silent = world.changed(|dialect| dialect.login.clear());
    let play = Play::begin(&url, &silent, [world.material.token()])?;
    play.has_lost(2, Some(3008)).await?;
    play.close().await?;
    let seen = account.connections().await?;
    same("what was said", seen.iter().map(|connection| connection.heard().len()).sum::<usize>(), 0)
}

async fn a_question_instead_of_a_login_is_refused(world: &World) -> Verdict {
    let dialect = world.changed(|dialect| dialect.login = graphql::too_early());
    let play = world.welcome_in(&dialect)?;
    // 1011 is the server's own fault, by its own account, and may pass.
    play.has_lost(2, Some(1011)).await?;
    play.close().await
}

async fn a_second_login_costs_the_connection_and_not_the_session(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.welcome()?;
    play.is_in().await?;
    play.session.send(r#"{"type":"connection_init"}"#).await?;
    play.has_lost(1, Some(4429)).await?;
    play.is_in_times(2).await?;
    play.session.send(counting(1)).await?;
    counted(&mut play, 1).await?;
    play.close().await?;
    same("connections", account.connections().await?.len(), 2)
}

async fn a_connection_that_falls_is_made_again(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.welcome()?;
    play.is_in().await?;
    world.peer.drop_all("").await?;
    play.has_lost(1, None).await?;
    play.is_in_times(2).await?;
    play.session.send(counting(2)).await?;
    counted(&mut play, 2).await?;
    play.close().await?;
    same("connections", account.connections().await?.len(), 2)
}

async fn no_subprotocol_is_refused_before_the_upgrade(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let play = world.welcome_in(&world.changed(|dialect| dialect.placement.subprotocols.clear()))?;
    play.has_failed(ErrorKind::ConnectionRefused, Some(400)).await?;
    same("connections", account.connections().await?.len(), 0)
}

//! The cases at graphql-ws over ws, which refuses by close codes of its own.

use std::error::Error;
use std::time::Duration;

use realtime_auth_tests::verdict::{Verdict, run, same};
use serde_json::{Value, json};
use ws_session::ErrorKind;
use ws_session::dialect::{Codes, Dialect, On, Phase, Rule, SubprotocolEntry, Verdict as Means};
use ws_session::machine::Config;

use crate::descriptions;
use crate::graphql::{self, counted, counting};
use crate::material::{Material, unknown};
use crate::play::Play;
use crate::world::World;

/// Runs them all.
pub(crate) async fn run(material: Material, told: &Value) -> Result<(), Box<dyn Error>> {
    let world = &World::new(material, told, "/", descriptions::graphql()?);
    run!(
        world,
        [
            a_token_lets_in_and_what_is_asked_is_answered_in_order,
            the_built_in_dialect_is_understood,
            nothing_is_sent_before_the_login_is_answered,
            what_is_sent_too_early_is_seen,
            a_forbidden_token_is_presented_once,
            a_rule_of_the_description_decides_what_forbidden_means,
            a_rule_for_another_code_decides_nothing,
            a_hook_that_throws_is_final,
            a_login_that_never_comes_ends_by_the_servers_clock,
            an_answer_that_never_comes_ends_by_our_clock,
            a_question_instead_of_a_login_is_refused,
            a_second_login_costs_the_connection_and_not_the_session,
            a_connection_that_falls_is_made_again,
            a_server_that_restarts_is_found_again,
            a_token_that_expires_is_replaced,
            a_token_that_is_revoked_ends_the_session,
            an_unknown_subprotocol_is_final,
            no_subprotocol_is_closed_by_the_server,
            pings_are_answered,
            a_session_that_is_closed_says_so,
        ]
    );
    Ok(())
}

async fn a_token_lets_in_and_what_is_asked_is_answered_in_order(world: &World) -> Verdict {
    graphql::is_let_in_and_served(world).await
}

/// Its payload is another, which this server knows too. What it makes of the codes is its own.
async fn the_built_in_dialect_is_understood(world: &World) -> Verdict {
    let dialect = Dialect::graphql_transport_ws();
    let mut play = Play::begin(&world.url, &dialect, [unknown(), world.material.token()])?;
    play.is_in().await?;
    play.session.send(counting(2)).await?;
    counted(&mut play, 2).await?;
    play.close().await?;
    for (wrong, code) in [(unknown(), 4403), (world.material.throws(), 4500)] {
        let play = Play::begin(&world.url, &dialect, [unknown(), wrong])?;
        play.has_failed(ErrorKind::AuthenticationRefused, Some(code)).await?;
    }
    Ok(())
}

async fn nothing_is_sent_before_the_login_is_answered(world: &World) -> Verdict {
    graphql::waits_for_the_answer(world).await
}

async fn what_is_sent_too_early_is_seen(world: &World) -> Verdict {
    graphql::early_messages_are_seen(world).await
}

async fn a_forbidden_token_is_presented_once(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let play = world.begin([unknown(), world.material.token()])?;
    let tokens = play.tokens();
    play.has_failed(ErrorKind::Forbidden, Some(4403)).await?;
    same("replacements asked for", tokens.replacements(), 0)?;
    let seen = account.ended().await?;
    same(
        "the ends",
        seen.iter().map(|connection| connection.end().cloned()).collect(),
        vec![Some(json!([4403, "Forbidden"]))],
    )
}

async fn a_rule_of_the_description_decides_what_forbidden_means(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let expired = Rule::new(
        On::Close { codes: Codes::of([4403..=4403]), reason: Some("Forbidden".to_owned()) },
        Means::Expired,
    );
    let dialect = world.with_rule(expired.in_phases([Phase::Login]));
    let mut play = Play::begin(&world.url, &dialect, [unknown(), world.material.token()])?;
    play.is_in().await?;
    same("replacements asked for", play.tokens().replacements(), 1)?;
    same("connections", account.connections().await?.len(), 2)?;
    play.close().await?;
    // A fresh token that is refused too is the end.
    let play = Play::begin(&world.url, &dialect, [unknown(), unknown(), world.material.token()])?;
    play.has_failed(ErrorKind::AuthenticationRefused, Some(4403)).await?;
    same("connections", account.connections().await?.len(), 4)
}

/// The control: neither another code, nor another reason, nor another phase.
async fn a_rule_for_another_code_decides_nothing(world: &World) -> Verdict {
    let close = |code, reason: Option<&str>| On::Close {
        codes: Codes::of([code..=code]),
        reason: reason.map(str::to_owned),
    };
    for rule in [
        Rule::new(close(4402, None), Means::Expired),
        Rule::new(close(4403, Some("expired")), Means::Expired),
        Rule::new(close(4403, None), Means::Expired).in_phases([Phase::Live]),
        Rule::new(close(4403, None), Means::Expired).after(Duration::from_secs(60)),
    ] {
        let play = Play::begin(&world.url, &world.with_rule(rule), [unknown(), world.material.token()])?;
        play.has_failed(ErrorKind::Forbidden, Some(4403)).await?;
    }
    Ok(())
}

async fn a_hook_that_throws_is_final(world: &World) -> Verdict {
    let play = world.begin([world.material.throws(), world.material.token()])?;
    play.has_failed(ErrorKind::AuthenticationRefused, Some(4500)).await
}

async fn a_login_that_never_comes_ends_by_the_servers_clock(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let play = world.welcome_in(&world.changed(|dialect| dialect.login.clear()))?;
    play.has_lost(2, Some(4408)).await?;
    play.close().await?;
    let seen = account.connections().await?;
    same("what was said", seen.iter().map(|connection| connection.heard().len()).sum::<usize>(), 0)
}

/// The other way round: the server takes longer than we wait.
async fn an_answer_that_never_comes_ends_by_our_clock(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let config = Config::new().with_answer_timeout(Duration::from_millis(100));
    let url = format!("{}?delay=60000", world.url);
    let play = Play::with(&url, &world.dialect, [world.material.token()], config)?;
    play.has_lost(2, None).await?;
    play.close().await?;
    let seen = account.ended().await?;
    same(
        "answers",
        seen.iter().filter(|connection| connection.heard_before("connection_ack").is_some()).count(),
        0,
    )
}

async fn a_question_instead_of_a_login_is_refused(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let dialect = world.changed(|dialect| dialect.login = graphql::too_early());
    let play = Play::begin(&world.url, &dialect, [world.material.token(), world.material.second()])?;
    // Who is told 4401 may have an old token: a fresh one is tried, once.
    play.has_failed(ErrorKind::AuthenticationRefused, Some(4401)).await?;
    same("connections", account.connections().await?.len(), 2)
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

/// Drops a session that is in, and sees it come back.
async fn comes_back(world: &World, how: &str, code: Option<u16>) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.begin([world.material.token(), world.material.second()])?;
    play.is_in().await?;
    world.peer.drop_all(how).await?;
    play.has_lost(1, code).await?;
    play.is_in_times(2).await?;
    play.session.send(counting(2)).await?;
    counted(&mut play, 2).await?;
    play.close().await?;
    let seen = account.connections().await?;
    let logins: Vec<_> = seen.iter().map(|connection| connection.heard()[0].to_owned()).collect();
    same("logins", logins.len(), 2)?;
    // The token was not to blame.
    same("whether both present the same token", logins[0] == logins[1], true)
}

async fn a_connection_that_falls_is_made_again(world: &World) -> Verdict {
    comes_back(world, "", None).await
}

async fn a_server_that_restarts_is_found_again(world: &World) -> Verdict {
    comes_back(world, "code=1012&reason=Service+restart", Some(1012)).await
}

async fn a_token_that_expires_is_replaced(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.begin([world.material.token(), world.material.second()])?;
    play.is_in().await?;
    world.peer.drop_all("code=4401&reason=Token+expired").await?;
    play.is_in_times(2).await?;
    same("replacements asked for", play.tokens().replacements(), 1)?;
    play.close().await?;
    let seen = account.connections().await?;
    let second = world.material.second();
    same("whether the second login has the second token", seen[1].heard()[0].contains(second.expose()), true)
}

async fn a_token_that_is_revoked_ends_the_session(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.begin([world.material.token(), world.material.second()])?;
    play.is_in().await?;
    world.peer.drop_all("code=4403&reason=Forbidden").await?;
    play.has_failed(ErrorKind::Forbidden, Some(4403)).await?;
    same("connections", account.connections().await?.len(), 1)
}

async fn an_unknown_subprotocol_is_final(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let other = vec![SubprotocolEntry::Name("other".to_owned())];
    let play = world.welcome_in(&world.changed(|dialect| dialect.placement.subprotocols = other))?;
    play.has_failed(ErrorKind::ConnectionRefused, None).await?;
    let seen = account.ended().await?;
    same("connections", seen.len(), 1)?;
    same("what was said", seen[0].heard().len(), 0)
}

async fn no_subprotocol_is_closed_by_the_server(world: &World) -> Verdict {
    let none = world.changed(|dialect| dialect.placement.subprotocols.clear());
    let play = world.welcome_in(&none)?;
    play.has_lost(1, Some(4406)).await?;
    play.close().await?;
    // The same code is final where the description says so.
    let mut dialect = none;
    dialect
        .rules
        .insert(0, Rule::new(On::Close { codes: Codes::of([4406..=4406]), reason: None }, Means::Misuse));
    let play = world.welcome_in(&dialect)?;
    play.has_failed(ErrorKind::ConnectionRefused, Some(4406)).await
}

/// A peer that answers none is dropped after two intervals.
async fn pings_are_answered(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.welcome()?;
    play.is_in().await?;
    let seen = account
        .until("four answers to pings", |seen| seen.iter().any(|connection| connection.pongs() >= 4))
        .await?;
    same("connections", seen.len(), 1)?;
    play.close().await
}

async fn a_session_that_is_closed_says_so(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.welcome()?;
    play.is_in().await?;
    play.close().await?;
    let seen = account.ended().await?;
    same("codes", seen.iter().map(|connection| connection.code()).collect(), vec![Some(1000)])
}

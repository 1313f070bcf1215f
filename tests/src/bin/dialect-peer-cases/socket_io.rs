//! The cases at socket.io: a server that speaks first, and that refuses in a message and leaves the socket open.

use std::error::Error;
use std::time::Duration;

use realtime_auth_tests::verdict::{Verdict, holds, run, same};
use serde_json::Value;
use ws_session::ErrorKind;
use ws_session::dialect::{Acceptance, Dialect, Matcher, On, Phase, Rule, Verdict as Means};
use ws_session::machine::Config;

use crate::descriptions;
use crate::material::{Material, unknown};
use crate::play::Play;
use crate::world::World;

const PATH: &str = "/socket.io/";

/// Runs them all.
pub(crate) async fn run(material: Material, told: &Value) -> Result<(), Box<dyn Error>> {
    let world = &World::new(material, told, PATH, descriptions::socket_io()?);
    run!(
        world,
        [
            a_token_lets_in_and_what_is_asked_is_answered_in_order,
            the_built_in_dialect_is_understood,
            nothing_is_sent_before_the_login_is_answered,
            what_is_sent_too_early_is_seen,
            a_refusal_in_a_message_ends_what_the_server_leaves_open,
            a_rule_of_the_description_asks_for_a_fresh_token,
            a_rule_that_matches_no_message_waits_in_vain,
            a_login_that_never_comes_ends_by_the_servers_clock,
            an_answer_that_never_comes_ends_by_our_clock,
            a_second_login_costs_the_connection_and_not_the_session,
            a_goodbye_in_the_namespace_is_the_end_of_the_connection,
            a_transport_that_closes_is_made_again,
            a_connection_that_falls_is_made_again,
            pings_are_answered_in_the_servers_own_words,
            without_answers_to_pings_the_connection_is_lost,
            a_session_that_is_closed_says_so,
        ]
    );
    Ok(())
}

/// Asks to be counted to.
const COUNTING: &str = r#"42["count",3]"#;

/// Reads the answers.
async fn counted(play: &mut Play) -> Verdict {
    for count in 1..=3 {
        same("an event", play.next().await?, format!(r#"42["counted",{count}]"#))?;
    }
    Ok(())
}

async fn is_let_in_and_served(world: &World, dialect: &Dialect) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.welcome_in(dialect)?;
    play.is_in().await?;
    play.session.send(COUNTING).await?;
    counted(&mut play).await?;
    let ids = play.session_ids();
    play.close().await?;
    let seen = account.connections().await?;
    same("connections", seen.len(), 1)?;
    same("names", ids.len(), 1)?;
    // The name is in the server's answer, and before that it heard one login.
    let heard = seen[0].heard_before(&ids[0]);
    holds(
        "one login comes before the answer",
        heard.is_some_and(|heard| heard.len() == 1 && heard[0].starts_with("40{")),
    )
}

async fn a_token_lets_in_and_what_is_asked_is_answered_in_order(world: &World) -> Verdict {
    is_let_in_and_served(world, &world.dialect).await
}

async fn the_built_in_dialect_is_understood(world: &World) -> Verdict {
    let dialect = Dialect::socket_io();
    is_let_in_and_served(world, &dialect).await?;
    // It asks for a fresh token where the description gives up.
    let mut play = Play::begin(&world.url, &dialect, [unknown(), world.material.token()])?;
    play.is_in().await?;
    play.close().await?;
    let play = Play::begin(&world.url, &dialect, [unknown(), unknown()])?;
    play.has_failed(ErrorKind::AuthenticationRefused, None).await
}

async fn nothing_is_sent_before_the_login_is_answered(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let url = format!("{}?delay=200", world.url);
    let mut play = Play::begin(&url, &world.dialect, [world.material.token()])?;
    play.session.send(COUNTING).await?;
    counted(&mut play).await?;
    play.close().await?;
    let seen = account.connections().await?;
    same(
        "how much came before the answer",
        seen[0].heard_before(r#"40{"sid""#).map(|heard| heard.len()),
        Some(1),
    )
}

/// The control: the server does not bear what is early.
async fn what_is_sent_too_early_is_seen(world: &World) -> Verdict {
    let hasty = world.changed(|dialect| {
        dialect.acceptance = Acceptance::Upgrade;
        dialect.login.clear();
    });
    let play = world.welcome_in(&hasty)?;
    play.session.send(COUNTING).await?;
    play.has_lost(1, None).await?;
    play.close().await
}

async fn a_refusal_in_a_message_ends_what_the_server_leaves_open(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let play = world.begin([unknown(), world.material.token()])?;
    play.has_failed(ErrorKind::AuthenticationRefused, None).await?;
    let seen = account.ended().await?;
    same("connections", seen.len(), 1)?;
    // It was us: the server itself closes later, and without a code.
    holds("the connection was ended by us", seen[0].code().is_some_and(|code| code != 1005))
}

fn refusal(packet: &str, means: Means) -> Rule {
    Rule::new(On::Message(Matcher::of([("/packet", packet.into())])), means).in_phases([Phase::Login])
}

async fn a_rule_of_the_description_asks_for_a_fresh_token(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let dialect = world.with_rule(refusal("44", Means::Expired));
    let mut play = Play::begin(&world.url, &dialect, [unknown(), world.material.token()])?;
    play.is_in().await?;
    same("replacements asked for", play.tokens().replacements(), 1)?;
    same("connections", account.connections().await?.len(), 2)?;
    play.close().await
}

/// The control: whoever does not know the packet hears nothing but the server's hanging up.
async fn a_rule_that_matches_no_message_waits_in_vain(world: &World) -> Verdict {
    let dialect = world.changed(|dialect| dialect.rules = vec![refusal("49", Means::Rejected)]);
    let play = Play::begin(&world.url, &dialect, [unknown()])?;
    play.has_lost(2, None).await?;
    play.close().await
}

async fn a_login_that_never_comes_ends_by_the_servers_clock(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let play = world.welcome_in(&world.changed(|dialect| dialect.login.clear()))?;
    play.has_lost(2, None).await?;
    play.close().await?;
    let seen = account.connections().await?;
    let logins =
        seen.iter().flat_map(|connection| connection.heard()).filter(|text| text.starts_with('4')).count();
    same("logins", logins, 0)
}

async fn an_answer_that_never_comes_ends_by_our_clock(world: &World) -> Verdict {
    let config = Config::new().with_answer_timeout(Duration::from_millis(100));
    let url = format!("{}?delay=60000", world.url);
    let play = Play::with(&url, &world.dialect, [world.material.token()], config)?;
    play.has_lost(2, None).await?;
    play.close().await
}

async fn a_second_login_costs_the_connection_and_not_the_session(world: &World) -> Verdict {
    let mut play = world.welcome()?;
    play.is_in().await?;
    play.session.send("40{}").await?;
    play.has_lost(1, None).await?;
    play.is_in_times(2).await?;
    play.session.send(COUNTING).await?;
    counted(&mut play).await?;
    play.close().await
}

/// Drops a session that is in, and sees it come back under another name.
async fn comes_back(world: &World, how: &str) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.welcome()?;
    play.is_in().await?;
    world.peer.drop_all(how).await?;
    play.has_lost(1, None).await?;
    play.is_in_times(2).await?;
    play.session.send(COUNTING).await?;
    counted(&mut play).await?;
    let ids = play.session_ids();
    holds("each connection has a name of its own", ids.len() == 2 && ids[0] != ids[1])?;
    play.close().await?;
    same("connections", account.connections().await?.len(), 2)
}

async fn a_goodbye_in_the_namespace_is_the_end_of_the_connection(world: &World) -> Verdict {
    comes_back(world, "how=namespace").await
}

async fn a_transport_that_closes_is_made_again(world: &World) -> Verdict {
    comes_back(world, "how=transport").await
}

async fn a_connection_that_falls_is_made_again(world: &World) -> Verdict {
    comes_back(world, "").await
}

async fn pings_are_answered_in_the_servers_own_words(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.welcome()?;
    play.is_in().await?;
    let answers = |heard: Vec<&str>| heard.iter().filter(|text| **text == "3").count();
    let seen = account
        .until("four answers to pings", |seen| seen.iter().any(|connection| answers(connection.heard()) >= 4))
        .await?;
    same("connections", seen.len(), 1)?;
    // They are no messages for the user.
    play.session.send(COUNTING).await?;
    counted(&mut play).await?;
    play.close().await
}

async fn without_answers_to_pings_the_connection_is_lost(world: &World) -> Verdict {
    let mut play = world.welcome_in(&world.changed(|dialect| dialect.replies.clear()))?;
    play.is_in().await?;
    play.has_lost(1, None).await?;
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

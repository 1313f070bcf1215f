//! The cases at nats-server: lines of text in binary frames, a server that speaks first, and keys that sign what it said.

use std::error::Error;

use auth_core::Secret;
use bytes::Bytes;
use realtime_auth_tests::verdict::{Verdict, Wrong, holds, run, same};
use serde_json::{Value, json};
use ws_session::ErrorKind;
use ws_session::dialect::{Acceptance, Dialect};

use crate::descriptions;
use crate::material::{Material, unknown};
use crate::nkey;
use crate::peer::Connection;
use crate::play::Play;
use crate::world::World;

struct Worlds {
    /// A user with a password, by description.
    user: World,
    /// A key, at the same server: the built-in dialect, and a signer.
    nkey: World,
    /// A token, at a server that knows nothing else: the built-in dialect.
    token: World,
}

/// Runs them all.
pub(crate) async fn run(material: Material, told: &Value) -> Result<(), Box<dyn Error>> {
    let world = |server: &str, dialect: Dialect| {
        let told = json!({ "control": told["control"], "address": told[server] });
        World::new(material.clone(), &told, "/", dialect)
    };
    let worlds = &Worlds {
        user: world("users", descriptions::nats_user()?),
        nkey: world("users", descriptions::nats_nkey()),
        token: world("token", Dialect::nats()),
    };
    run!(
        worlds,
        [
            a_password_lets_in_and_what_is_asked_is_answered_in_order,
            a_token_lets_in,
            a_key_signs_what_the_server_said,
            nothing_is_sent_before_the_login_is_answered,
            what_is_sent_too_early_is_refused,
            a_wrong_password_is_refused_for_good,
            a_wrong_token_is_refused_twice,
            a_strangers_key_is_refused_twice,
            a_text_that_is_no_key_never_reaches_the_server,
            without_the_rules_a_refusal_is_asked_past_once,
            a_login_that_never_comes_ends_by_the_servers_clock,
            a_second_login_that_is_wrong_is_answered_with_a_fresh_credential,
            a_second_login_that_is_right_costs_nothing,
            pings_are_answered_in_the_servers_own_words,
            without_answers_to_pings_the_connection_is_lost,
            a_close_code_that_may_not_stand_in_a_frame_is_a_lost_connection,
            a_server_that_ends_is_found_again,
            a_session_that_is_closed_says_so,
            a_server_that_is_killed_is_found_again_and_gets_a_new_signature,
            a_password_that_is_changed_is_replaced,
        ]
    );
    Ok(())
}

/// Publishes to itself.
async fn is_served(play: &mut Play) -> Verdict {
    play.session
        .send(Bytes::from("SUB subject 1\r\nPUB subject 3\r\none\r\nPUB subject 3\r\ntwo\r\n"))
        .await?;
    let expected = "MSG subject 1 3\r\none\r\nMSG subject 1 3\r\ntwo\r\n";
    let mut heard = String::new();
    while heard.len() < expected.len() {
        heard += &play.next().await?;
    }
    same("what was heard", heard.as_str(), expected)
}

/// The commands that were heard.
fn verbs(connection: &Connection) -> Vec<&str> {
    connection.heard().into_iter().filter_map(|line| line.split(' ').next()).collect()
}

async fn is_let_in_and_served(world: &World, credential: Secret) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.begin([credential])?;
    play.is_in().await?;
    is_served(&mut play).await?;
    play.close().await?;
    let seen = account
        .until("a publication", |seen| seen.iter().any(|connection| verbs(connection).contains(&"PUB")))
        .await?;
    same("connections", seen.len(), 1)?;
    same("what came before the answer", seen[0].heard_before("PONG").map(|heard| heard.len()), Some(2))?;
    same("what came first", &verbs(&seen[0])[..3], &["CONNECT", "PING", "SUB"][..])
}

async fn a_password_lets_in_and_what_is_asked_is_answered_in_order(worlds: &Worlds) -> Verdict {
    is_let_in_and_served(&worlds.user, worlds.user.material.password()).await
}

async fn a_token_lets_in(worlds: &Worlds) -> Verdict {
    is_let_in_and_served(&worlds.token, worlds.token.material.token()).await
}

async fn a_key_signs_what_the_server_said(worlds: &Worlds) -> Verdict {
    is_let_in_and_served(&worlds.nkey, worlds.nkey.material.seed()).await
}

/// The user sends at once: had it overtaken the login, the server would have refused it.
async fn nothing_is_sent_before_the_login_is_answered(worlds: &Worlds) -> Verdict {
    let world = &worlds.user;
    let account = world.peer.account().await?;
    let mut play = world.begin([world.material.password()])?;
    is_served(&mut play).await?;
    play.close().await?;
    same("connections", account.connections().await?.len(), 1)
}

/// The control: in a dialect that takes the upgrade for the answer.
async fn what_is_sent_too_early_is_refused(worlds: &Worlds) -> Verdict {
    let world = &worlds.user;
    let account = world.peer.account().await?;
    let hasty = world.changed(|dialect| {
        dialect.acceptance = Acceptance::Upgrade;
        dialect.login.clear();
    });
    let play = Play::begin(&world.url, &hasty, [world.material.password()])?;
    play.session.send(Bytes::from("SUB subject 1\r\n")).await?;
    account
        .until("a refusal of what was early", |seen| {
            seen.iter().any(|connection| connection.heard_before("Authorization Violation").is_some())
        })
        .await?;
    drop(play);
    Ok(())
}

/// The message says it, before a close code that could mean anything.
async fn is_refused(world: &World, credentials: [Secret; 2], connections: usize) -> Verdict {
    let account = world.peer.account().await?;
    let play = world.begin(credentials)?;
    let tokens = play.tokens();
    play.has_failed(ErrorKind::AuthenticationRefused, None).await?;
    same("replacements asked for", tokens.replacements(), connections - 1)?;
    let seen = account.ended().await?;
    let refused =
        seen.iter().filter(|connection| connection.heard_before("Authorization Violation").is_some());
    same("refusals", (refused.count(), seen.len()), (connections, connections))
}

/// By the rules of the description.
async fn a_wrong_password_is_refused_for_good(worlds: &Worlds) -> Verdict {
    is_refused(&worlds.user, [unknown(), worlds.user.material.password()], 1).await
}

/// By those of the built-in dialect, which asks for a fresh one first.
async fn a_wrong_token_is_refused_twice(worlds: &Worlds) -> Verdict {
    is_refused(&worlds.token, [unknown(), unknown()], 2).await
}

async fn a_strangers_key_is_refused_twice(worlds: &Worlds) -> Verdict {
    is_refused(&worlds.nkey, [nkey::seed(), nkey::seed()], 2).await
}

async fn a_text_that_is_no_key_never_reaches_the_server(worlds: &Worlds) -> Verdict {
    let world = &worlds.nkey;
    let account = world.peer.account().await?;
    let play = world.begin([unknown()])?;
    play.has_failed(ErrorKind::ConnectionRefused, None).await?;
    let seen = account.ended().await?;
    same("what was said", seen.iter().map(|connection| connection.heard().len()).sum::<usize>(), 0)
}

/// The control of the refusals: what is left is the close code, 1008, of which a fresh credential may be the cure.
async fn without_the_rules_a_refusal_is_asked_past_once(worlds: &Worlds) -> Verdict {
    let world = &worlds.user;
    let without = world.changed(|dialect| dialect.rules.clear());
    let mut play = Play::begin(&world.url, &without, [unknown(), world.material.password()])?;
    play.is_in().await?;
    same("replacements asked for", play.tokens().replacements(), 1)?;
    play.close().await
}

async fn a_login_that_never_comes_ends_by_the_servers_clock(worlds: &Worlds) -> Verdict {
    let world = &worlds.user;
    let account = world.peer.account().await?;
    // Whoever answers a ping without a login is refused: here the server pings before it runs out of patience.
    let silent = world.changed(|dialect| {
        dialect.login.clear();
        dialect.replies.clear();
    });
    let play = Play::begin(&world.url, &silent, [world.material.password()])?;
    play.has_lost(2, None).await?;
    play.close().await?;
    let seen = account.ended().await?;
    let timed_out = |connection: &&Connection| connection.heard_before("Authentication Timeout").is_some();
    holds("the server's clock ran out twice", seen.iter().filter(timed_out).count() >= 2)?;
    holds("nobody logged in", seen.iter().all(|connection| !verbs(connection).contains(&"CONNECT")))
}

/// The server looks at each login, and says of a wrong one what it says of a password that was changed.
async fn a_second_login_that_is_wrong_is_answered_with_a_fresh_credential(worlds: &Worlds) -> Verdict {
    let world = &worlds.user;
    let mut play = world.begin([world.material.password(), world.material.password()])?;
    play.is_in().await?;
    play.session.send(Bytes::from("CONNECT {\"user\":\"user\",\"pass\":\"wrong\"}\r\n")).await?;
    play.is_in_times(2).await?;
    same("replacements asked for", play.tokens().replacements(), 1)?;
    is_served(&mut play).await?;
    play.close().await
}

async fn a_second_login_that_is_right_costs_nothing(worlds: &Worlds) -> Verdict {
    let world = &worlds.user;
    let account = world.peer.account().await?;
    let mut play = world.begin([world.material.password()])?;
    play.is_in().await?;
    let again = json!({ "user": "user", "pass": world.material.password().expose(), "verbose": false });
    play.session.send(Bytes::from(format!("CONNECT {again}\r\n"))).await?;
    is_served(&mut play).await?;
    play.close().await?;
    let logins =
        |connection: &Connection| verbs(connection).iter().filter(|verb| **verb == "CONNECT").count();
    let seen = account.until("two logins", |seen| seen.iter().map(logins).sum::<usize>() == 2).await?;
    same("connections", seen.len(), 1)
}

async fn pings_are_answered_in_the_servers_own_words(worlds: &Worlds) -> Verdict {
    let world = &worlds.user;
    let account = world.peer.account().await?;
    let mut play = world.begin([world.material.password()])?;
    play.is_in().await?;
    let answers = |connection: &Connection| verbs(connection).iter().filter(|verb| **verb == "PONG").count();
    let seen = account
        .until("four answers to pings", |seen| seen.iter().any(|connection| answers(connection) >= 4))
        .await?;
    same("connections", seen.len(), 1)?;
    // They are no messages for the user.
    is_served(&mut play).await?;
    play.close().await
}

/// Answers no pings, is dropped for it, and comes back.
async fn is_dropped_and_comes_back(world: &World, dialect: &Dialect) -> Result<Vec<Connection>, Wrong> {
    let account = world.peer.account().await?;
    let play = Play::begin(&world.url, dialect, [world.material.password()])?;
    play.is_in_times(2).await?;
    play.close().await?;
    let seen = account.ended().await?;
    holds("no ping was answered", seen.iter().all(|connection| !verbs(connection).contains(&"PONG")))?;
    Ok(seen)
}

async fn without_answers_to_pings_the_connection_is_lost(worlds: &Worlds) -> Verdict {
    let deaf = worlds.user.changed(|dialect| dialect.replies.clear());
    is_dropped_and_comes_back(&worlds.user, &deaf).await?;
    Ok(())
}

/// The server says why it drops a connection, and then closes it with 1006: whoever has no rule for the message has only that.
async fn a_close_code_that_may_not_stand_in_a_frame_is_a_lost_connection(worlds: &Worlds) -> Verdict {
    let deaf = worlds.user.changed(|dialect| {
        dialect.replies.clear();
        dialect.rules.clear();
    });
    let seen = is_dropped_and_comes_back(&worlds.user, &deaf).await?;
    same("the first end", seen[0].end(), Some(&json!("Stale Connection")))
}

/// Has the server end, and finds it again.
async fn comes_back(world: &World, credential: Secret, how: &str, code: Option<u16>) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.begin([credential])?;
    play.is_in().await?;
    world.peer.drop_all(how).await?;
    play.has_lost(1, code).await?;
    play.is_in_times(2).await?;
    is_served(&mut play).await?;
    play.close().await?;
    let seen = account.until("two logins", |seen| seen.len() == 2 && !verbs(&seen[1]).is_empty()).await?;
    let logins: Vec<_> = seen.iter().filter_map(|connection| connection.heard().first().copied()).collect();
    holds("two logins", logins.len() == 2)?;
    // A nonce is of one connection, and so is what is signed over it.
    same("whether the logins differ", logins[0] != logins[1], logins[0].contains("sig"))
}

async fn a_server_that_ends_is_found_again(worlds: &Worlds) -> Verdict {
    comes_back(&worlds.token, worlds.token.material.token(), "server=token&how=end", Some(1001)).await
}

async fn a_server_that_is_killed_is_found_again_and_gets_a_new_signature(worlds: &Worlds) -> Verdict {
    comes_back(&worlds.nkey, worlds.nkey.material.seed(), "server=users&how=kill", None).await
}

/// The last case: from then on the password is another.
async fn a_password_that_is_changed_is_replaced(worlds: &Worlds) -> Verdict {
    let world = &worlds.user;
    let second = world.material.second();
    let mut play = world.begin([world.material.password(), second.clone()])?;
    play.is_in().await?;
    world.peer.drop_all(&format!("server=users&how=reload&password={}", second.expose())).await?;
    play.is_in_times(2).await?;
    same("replacements asked for", play.tokens().replacements(), 1)?;
    is_served(&mut play).await?;
    play.close().await
}

async fn a_session_that_is_closed_says_so(worlds: &Worlds) -> Verdict {
    let world = &worlds.user;
    let account = world.peer.account().await?;
    let mut play = world.begin([world.material.password()])?;
    play.is_in().await?;
    // The server answers a close with a code that may not stand in a frame; it is an end all the same.
    play.close().await?;
    let seen = account.ended().await?;
    same("the end", seen[0].end(), Some(&json!("Client Closed")))
}

//! What is asked of a server of graphql-transport-ws, whoever wrote it.

use realtime_auth_tests::verdict::{Verdict, Wrong, same};
use serde_json::{Value, json};
use ws_session::dialect::{Acceptance, Step, Template, Trigger};

use crate::play::Play;
use crate::world::World;

/// The subprotocol.
pub(crate) const NAME: &str = "graphql-transport-ws";

/// Asks to be counted to.
pub(crate) fn counting(to: u32) -> String {
    question(to).to_string()
}

fn question(to: u32) -> Value {
    let query = format!("subscription {{ count(to: {to}) }}");
    json!({ "id": "1", "type": "subscribe", "payload": { "query": query } })
}

/// A login that asks before anybody is let in.
pub(crate) fn too_early() -> Vec<Step> {
    vec![Step { on: Trigger::Open, send: Template::json(question(1)) }]
}

/// Reads the answers to [`counting`].
pub(crate) async fn counted(play: &mut Play, to: u32) -> Verdict {
    for count in 1..=to {
        same("a number", &json(&play.next().await?)?["payload"]["data"]["count"], &json!(count))?;
    }
    same("the end", &json(&play.next().await?)?["type"], &json!("complete"))
}

/// A token lets in, and what is asked then is answered, in order; the server saw the login first, and alone.
pub(crate) async fn is_let_in_and_served(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let mut play = world.welcome()?;
    play.is_in().await?;
    play.session.send(counting(3)).await?;
    counted(&mut play, 3).await?;
    play.close().await?;
    let seen = account.connections().await?;
    same("connections", seen.len(), 1)?;
    same("the offer", seen[0].offered.as_deref(), Some(NAME))?;
    same(
        "what came before the answer",
        &seen[0].heard_before("connection_ack").map(types),
        &Some(vec!["connection_init".to_owned()]),
    )?;
    same(
        "what came at all",
        types(seen[0].heard()),
        vec!["connection_init".to_owned(), "subscribe".to_owned()],
    )
}

/// The user sends at once, and the server takes a while to answer the login: nothing overtakes it.
pub(crate) async fn waits_for_the_answer(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let url = format!("{}?delay=300", world.url);
    let mut play = Play::begin(&url, &world.dialect, [world.material.token()])?;
    // It returns once the message has been sent.
    play.session.send(counting(1)).await?;
    counted(&mut play, 1).await?;
    play.close().await?;
    let seen = account.connections().await?;
    same(
        "what came before the answer",
        &seen[0].heard_before("connection_ack").map(types),
        &Some(vec!["connection_init".to_owned()]),
    )
}

/// The control of [`waits_for_the_answer`]: in a dialect that takes the upgrade for the answer, the server sees what is early.
pub(crate) async fn early_messages_are_seen(world: &World) -> Verdict {
    let account = world.peer.account().await?;
    let hasty = world.changed(|dialect| dialect.acceptance = Acceptance::Upgrade);
    let url = format!("{}?delay=300", world.url);
    let play = Play::begin(&url, &hasty, [world.material.token()])?;
    play.session.send(counting(1)).await?;
    let early = |types: Vec<String>| types.iter().any(|name| name == "subscribe");
    account
        .until("a question before the answer to the login", |seen| {
            seen.iter().any(|connection| {
                connection
                    .heard_before("connection_ack")
                    .map_or_else(|| early(types(connection.heard())), |heard| early(types(heard)))
            })
        })
        .await?;
    // Where the server refuses what is early, the session has ended already.
    drop(play);
    Ok(())
}

/// The types of messages.
pub(crate) fn types(messages: Vec<&str>) -> Vec<String> {
    let name = |text: &str| json(text).ok().and_then(|message| Some(message["type"].as_str()?.to_owned()));
    messages.into_iter().map(|text| name(text).unwrap_or_default()).collect()
}

fn json(text: &str) -> Result<Value, Wrong> {
    Ok(serde_json::from_str(text)?)
}

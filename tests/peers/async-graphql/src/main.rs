//! async-graphql with axum on a free port of loopback: a server of other people's, which tells what it saw.
//!
//! Reads a line of settings: `token` and `second` are let in, and any other is refused. Prints a line with its address, and ends when its
//! input does. `GET /seen` and `POST /drop` are as in `tests/peers/watched_sockets.mjs`; connections are dropped without a word.
//!
//! The query of a WebSocket's URL: `delay` is how many milliseconds the login takes, and after `silence` of them without a
//! message the server closes.

mod watched;

use std::error::Error as StdError;
use std::time::Duration;

use async_graphql::http::ALL_WEBSOCKET_PROTOCOLS;
use async_graphql::{Data, EmptyMutation, Error, Object, Schema, Subscription};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::extract::{Query, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::watched::{Parts, Watched};

struct Queries;

#[Object]
impl Queries {
    async fn hello(&self) -> &str {
        "world"
    }
}

struct Subscriptions;

#[Subscription]
impl Subscriptions {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }
}

#[derive(Clone)]
struct World {
    schema: Schema<Queries, EmptyMutation, Subscriptions>,
    watched: Watched,
    /// How often all connections were dropped.
    drops: watch::Sender<u64>,
    tokens: [Value; 2],
}

#[derive(Deserialize)]
struct Wanted {
    delay: Option<u64>,
    silence: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let mut input = BufReader::new(stdin()).lines();
    let settings: Value = serde_json::from_str(&input.next_line().await?.unwrap_or_default())?;
    let world = World {
        schema: Schema::new(Queries, EmptyMutation, Subscriptions),
        watched: Watched::default(),
        drops: watch::Sender::new(0),
        tokens: ["token", "second"].map(|name| settings[name].clone()),
    };
    let routes = Router::new()
        .route("/", get(upgrade))
        .route("/seen", get(async |State(world): State<World>| Json(world.watched.all())))
        .route("/drop", post(drop_all))
        .with_state(world);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    println!("{}", json!({ "address": address, "control": address }));
    tokio::select! {
        served = axum::serve(listener, routes) => served?,
        // Nobody writes on: the end of the input is the end.
        ended = input.next_line() => drop(ended?),
    }
    Ok(())
}

async fn drop_all(State(world): State<World>) -> StatusCode {
    world.drops.send_modify(|drops| *drops += 1);
    StatusCode::NO_CONTENT
}

async fn upgrade(
    State(world): State<World>,
    Query(wanted): Query<Wanted>,
    protocol: GraphQLProtocol,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.protocols(ALL_WEBSOCKET_PROTOCOLS).on_upgrade(async move |socket| {
        let Parts { sink, stream, pump } = world.watched.connection(&headers, socket);
        let login = async move |payload: Value| {
            tokio::time::sleep(Duration::from_millis(wanted.delay.unwrap_or_default())).await;
            if payload["token"].is_string() && world.tokens.contains(&payload["token"]) {
                Ok(Data::default())
            } else {
                Err(Error::new("bad token"))
            }
        };
        let mut drops = world.drops.subscribe();
        let served = GraphQLWebSocket::new_with_pair(sink, stream, world.schema, protocol)
            .on_connection_init(login)
            .keepalive_timeout(wanted.silence.map(Duration::from_millis))
            .serve();
        tokio::select! {
            ((), ()) = async { tokio::join!(served, pump) } => {}
            _ = drops.changed() => {}
        }
    })
}

//! Our session at a WebSocket server that others wrote: our side of `cargo xtask conformance dialects`.
//!
//! Its input is two lines of JSON: what it printed for `material`, and what the server's script in `tests/peers` said of
//! itself. Its output is a line a case.

mod async_graphql;
mod descriptions;
mod graphql;
mod graphql_ws;
mod material;
mod nats;
mod nkey;
mod peer;
mod play;
mod socket_io;
mod world;

use std::error::Error;
use std::io::{self, BufRead as _};

use clap::{Parser, ValueEnum};
use serde_json::Value;

use self::material::Material;

#[derive(Debug, Parser)]
struct Arguments {
    part: Part,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// Prints what the servers let in.
    Material,
    GraphqlWs,
    #[value(name = "socket.io")]
    SocketIo,
    AsyncGraphql,
    NatsServer,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { part } = Arguments::parse();
    if matches!(part, Part::Material) {
        println!("{}", serde_json::to_string(&Material::draw()?)?);
        return Ok(());
    }
    let mut lines = io::stdin().lock().lines();
    let mut line = || lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
    let material: Material = serde_json::from_str(&line()?)?;
    let told: Value = serde_json::from_str(&line()?)?;
    match part {
        Part::Material => {}
        Part::GraphqlWs => graphql_ws::run(material, &told).await?,
        Part::SocketIo => socket_io::run(material, &told).await?,
        Part::AsyncGraphql => async_graphql::run(material, &told).await?,
        Part::NatsServer => nats::run(material, &told).await?,
    }
    Ok(())
}

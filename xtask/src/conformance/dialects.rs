//! WebSocket servers that others wrote, and our session at each: let in, refused, out of time, dropped and back again.
//!
//! The servers are configured by what is in `tests/peers`, and the program `dialect-peer-cases` of `tests/` opens sessions
//! there. Each peer has its own server and its own run of the program, and all of them go at once. What a server says beside
//! its address is in `target/peers/dialects`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::cases::{Program, Told};
use super::peers::{self, sources, target};
use super::{Absent, Outcome, Present, debian};
use crate::shell::{Done, Failed, cargo, quietly, version};

/// Our side.
const CASES: Program = Program("dialect-peer-cases");

/// A server that others wrote.
#[derive(Clone, Copy)]
enum Peer {
    GraphqlWs,
    SocketIo,
    AsyncGraphql,
    NatsServer,
}

const PEERS: [Peer; 4] = [Peer::GraphqlWs, Peer::SocketIo, Peer::AsyncGraphql, Peer::NatsServer];

/// What starts a server, and its version.
type Server = (Command, String);

pub(super) fn run() -> Done<Vec<Outcome>> {
    let folder = target()?.join("dialects");
    fs::create_dir_all(&folder)?;
    let material = CASES.material()?;
    let told = &Told { material: &material, folder: &folder };
    let servers = PEERS.map(|peer| (peer, peer.server(&folder)));
    thread::scope(|scope| {
        let running: Vec<_> = servers
            .into_iter()
            .map(|(peer, server)| scope.spawn(move || Ok(peer.run(server?, told))))
            .collect();
        running
            .into_iter()
            .map(|peer| peer.join().unwrap_or_else(|_| Err(Failed("a peer's thread panicked".to_owned()))))
            .collect()
    })
}

impl Peer {
    const fn name(self) -> &'static str {
        match self {
            Self::GraphqlWs => "graphql-ws",
            Self::SocketIo => "socket.io",
            Self::AsyncGraphql => "async-graphql",
            Self::NatsServer => "nats-server",
        }
    }

    /// Installs what is missing.
    fn server(self, folder: &Path) -> Done<Present<Server>> {
        match self {
            Self::GraphqlWs => of_npm("graphql_ws.mjs", self.name()),
            Self::SocketIo => of_npm("socket_io.mjs", self.name()),
            Self::AsyncGraphql => async_graphql().map(Ok),
            Self::NatsServer => nats_server(folder),
        }
    }

    fn run(self, server: Present<Server>, told: &Told<'_>) -> Outcome {
        match server {
            Ok((mut command, version)) => CASES.at(self.name(), version, &mut command, told),
            Err(Absent(reason)) => Outcome::Absent { peer: self.name(), reason },
        }
    }
}

fn of_npm(script: &str, package: &str) -> Done<Present<Server>> {
    let place = match peers::npm()? {
        Ok(place) => place,
        Err(absent) => return Ok(Err(absent)),
    };
    let version = peers::npm_version(&place, package)?;
    let mut command = Command::new("node");
    command.arg(sources().join(script)).arg(place);
    Ok(Ok((command, version)))
}

/// A package apart, so that what the server stands on is no part of our lock file.
fn async_graphql() -> Done<Server> {
    const MANIFEST: &str = "tests/peers/async-graphql/Cargo.toml";
    let built = target()?.join("async-graphql");
    if !built.exists() {
        eprintln!("building what tests/peers/async-graphql/Cargo.lock pins into target/peers");
    }
    quietly(cargo(&["build", "--locked", "--manifest-path", MANIFEST, "--target-dir"]).arg(&built))?;
    let command = Command::new(built.join("debug").join("async-graphql-peer"));
    Ok((command, peers::cargo_version(MANIFEST, "async-graphql")?))
}

fn nats_server(folder: &Path) -> Done<Present<Server>> {
    // Not everybody has Debian's folder of servers among those that are searched.
    const PROGRAMS: [&str; 2] = ["nats-server", "/usr/sbin/nats-server"];
    let found = || PROGRAMS.into_iter().find(|program| version(program).is_some());
    if version("node").is_none() {
        return Ok(Err(Absent(
            "there is no node on this machine, which runs the server's script".to_owned(),
        )));
    }
    if let Err(absent) = debian::provide(&["nats-server"], || found().is_none().then_some("nats-server"))? {
        return Ok(Err(absent));
    }
    let program = found().unwrap_or_default();
    let stated = version(program).unwrap_or_default();
    let mut command = Command::new("node");
    command.arg(sources().join("nats_server.mjs")).arg(program).arg(folder);
    Ok(Ok((command, stated.rsplit('v').next().unwrap_or_default().to_owned())))
}

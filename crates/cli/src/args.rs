//! The command line: what `--help` teaches.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Realtime connections that stay authenticated.
#[derive(Debug, Parser)]
#[command(name = "rtauth", version, propagate_version = true)]
#[command(after_help = "\
Exit codes: 0 done, 1 the operation failed, 2 the command line or a configuration file is wrong, 130 interrupted.
With --json every line on standard output is one JSON object; diagnostics go to standard error.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoOptions),
    Gateway(GatewayOptions),
}

/// Plays the whole story against a gateway of its own, and checks that each step holds.
///
/// In about seven seconds a session gets a token in spite of a rate limit, authenticates, renews the token over the
/// live connection, outlives the first token, survives a dropped socket, and leaves an audit log whose chain is
/// verified. Nothing leaves this machine.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0 only if every step held; else 1, and the step is named on standard error."
)]
pub struct DemoOptions {
    /// One JSON object per line, each with `event` and `at_ms`, instead of the timeline.
    #[arg(long)]
    pub json: bool,

    /// Where the gateway listens; port 0 is a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// Keep the audit log here; by default it is verified and then removed.
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
}

/// Serves a token endpoint (/oauth/token) and a WebSocket endpoint (/ws) until SIGTERM or Ctrl-C, then drains.
///
/// The first line on standard output is {"event":"listening","http":"http://…","ws":"ws://…"}. Messages of
/// authenticated connections are sent back.
#[derive(Debug, Args)]
#[command(after_help = "\
A configuration file:

    listen = \"127.0.0.1:8080\"
    token_lifetime_seconds = 3600          # the default

    [[client]]
    id = \"abc123\"
    secret_file = \"secret.txt\"             # relative to this file; a line end is not part of the secret
    scope = \"conversation:read user:read\"
    refresh_token_file = \"refresh.txt\"     # optional: lets the client begin with the refresh token grant")]
pub(crate) struct GatewayOptions {
    /// The configuration file; without one, nobody can get a token.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where to listen, whatever the file says; port 0 is a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,

    /// Serve plain http and ws to other machines. Credentials cross the network unencrypted: only behind something
    /// that adds TLS.
    #[arg(long)]
    pub(crate) insecure: bool,
}

//! The command line: what `--help` teaches.

use std::net::SocketAddr;
use std::path::PathBuf;

use auth_core::Secret;
use clap::{Args, Parser, Subcommand};

use crate::audit_command::AuditOptions;
use crate::completions_command::CompletionsOptions;
use crate::connect::ConnectOptions;
use crate::dialects_command::DialectsOptions;
use crate::login::LoginOptions;
use crate::revoke_command::RevokeOptions;
use crate::token_command::TokenOptions;

/// Realtime connections that stay authenticated.
#[derive(Debug, Parser)]
#[command(name = "rtauth", version, propagate_version = true)]
#[command(after_help = "\
Exit codes: 0 done, 1 the operation failed, 2 the command line or a configuration file is wrong, 3 refused (by a server for
good, or a scope, capability or signature), 4 timed out, 130 interrupted.
With --json every line on standard output is one JSON object; diagnostics go to standard error.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Audit(AuditOptions),
    Completions(CompletionsOptions),
    Connect(Box<ConnectOptions>),
    Demo(DemoOptions),
    Dialects(DialectsOptions),
    Gateway(GatewayOptions),
    Inspect(InspectOptions),
    Login(Box<LoginOptions>),
    Revoke(Box<RevokeOptions>),
    Token(Box<TokenOptions>),
    TokenRequest(TokenRequestOptions),
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

    /// Keep the audit log in this directory; by default it is verified and then removed.
    #[arg(long, value_name = "DIR")]
    pub audit: Option<PathBuf>,

    /// Seal the audit log with the key in this file, as rtauth audit key makes it.
    #[arg(long, value_name = "FILE", requires = "audit")]
    pub audit_key_file: Option<PathBuf>,
}

/// Serves a token endpoint (/oauth/token) and a WebSocket endpoint (/ws) until SIGTERM or Ctrl-C, then drains.
///
/// With an Ably key it also serves Ably's libraries: over REST /time, /keys/{keyName}/requestToken and revokeTokens, and
/// /channels/{channel}/messages, and realtime connections at /. What is published is checked, goes to the connections that
/// are attached, and is kept by nobody. Tell a library endpoint, port, tls: false and useBinaryProtocol: false.
///
/// With a table [optave] it also serves /auth/oauth2/token, and opens one WebSocket (/) for each token; with a table
/// [spatium] it serves an authorization service below /authorization/v1.
///
/// The first line on standard output is {"event":"listening","http":"http://…","ws":"ws://…"}, with "metrics" where they
/// are served. Messages of authenticated connections are sent back.
#[derive(Debug, Args)]
#[command(after_help = "\
A configuration file:

    listen = \"127.0.0.1:8080\"
    token_lifetime_seconds = 3600          # the default
    refresh_grace_seconds = 10             # the default: how long a spent refresh token may be retried, 0 to 60

    [[client]]
    id = \"abc123\"
    secret_file = \"secret.txt\"             # relative to this file; a line end is not part of the secret
    scope = \"conversation:read user:read\"
    refresh_token_file = \"refresh.txt\"     # optional: lets the client begin with the refresh token grant

    [[ably_key]]
    key_file = \"key.txt\"                   # appId.keyId:secret
    capability = '{\"chat:*\":[\"*\"]}'      # optional: what its tokens may do at most; everything if left out
    revocable = true                       # optional: its tokens can be revoked, and live an hour at most

    [optave]                               # optional; tokens that open one WebSocket each
    token_lifetime_seconds = 300           # the default, 1 to 900
    browsers = true                        # hands tokens to pages: POST /api/optave/ws-ticket, GET /api/optave-token
    origins = [\"https://shop.example\"]     # whose pages; those of this machine if left out
    publishable_key = \"pk_1\"               # optional: asked for in X-Optave-Publishable-Key

    [[optave.client]]
    id = \"cid\"
    secret_file = \"optave.txt\"

    [spatium]                              # optional; sessions with rotating refresh tokens
    permission_lifetime_seconds = 900      # the default
    refresh_lifetime_seconds = 2592000     # the default
    signing_key_file = \"rsa.pem\"           # optional: RS256 and the like; HS256 by a random key if left out

    [[spatium.account]]
    username = \"alice\"
    password_file = \"alice.txt\"
    permissions = [\"read\", \"secret\"]

    [[spatium.merchant]]
    id = \"shop\"
    key_file = \"shop.txt\"
    permissions = [\"read\"]

    [audit]                                # optional; records each decision, and lets nothing leave that is not on record
    directory = \"decisions\"
    signing_key_file = \"audit.key\"         # optional: signs checkpoints; rtauth audit key makes one
    fingerprint_key_file = \"names.key\"     # optional: openssl rand -hex 32; names tokens alike after a restart
    segment_megabytes = 64                 # the default; SIGHUP begins a new segment at once

    [audit.mode]                           # optional: best_effort, durable or strict (no record, no token) for each class
    issuing = \"strict\"                     # the defaults
    consuming = \"strict\"
    revoking = \"strict\"
    deciding = \"durable\"                   # who is let in; refusals are told in every mode, and wait for nothing
    progress = \"best_effort\"

    [audit.syslog]                         # optional; gives each record to a syslog receiver too, without waiting for it
    address = \"127.0.0.1:601\"              # or the path of a socket
    transport = \"tcp\"                      # tls if left out; tcp to other machines only with --insecure; unix, unix_datagram
    format = \"syslog\"                      # the default, RFC 5424; json, generic, siem, ecs, ocsf, cef or hec
    queue = 10000                          # the default; beyond that the oldest is dropped, which the receiver is told
    dead_letter_file = \"syslog.dead\"       # optional: keeps what the receiver does not take
    # with tls: ca_file (beside the platform's authorities), server_name, certificate_file and certificate_key_file

    [audit.hec]                            # optional; and to Splunk's HTTP Event Collector
    url = \"http://127.0.0.1:8088\"          # https on other machines, with ca_file beside the platform's authorities
    token_file = \"hec.txt\"                 # else the environment variable RTAUTH_HEC_TOKEN
    channel = \"0a1b2c3d-0000-4000-8000-000000000000\"   # optional: a GUID, under which the indexer is to acknowledge
    acknowledge_seconds = 300              # the default: how long it may take; queue and dead_letter_file as for syslog

    [audit.origin]                         # optional; who speaks to these receivers
    host = \"gw-1.example.com\"              # this host's name if left out
    service = \"orders\"                     # rtauth if left out
    enterprise_number = 32473              # the default, which is nobody's: an IANA number for RFC 5424's structured data

    [metrics]                              # optional; GET /metrics for Prometheus, and nothing else
    listen = \"127.0.0.1:9464\"              # other machines only with --insecure; the first line names its URL")]
pub(crate) struct GatewayOptions {
    /// The configuration file; without one, nobody can get a token.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where to listen, whatever the file says; port 0 is a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,

    /// Serve plain http and ws to other machines. Credentials cross the network unencrypted: only behind something
    /// that adds TLS. [audit.syslog] may then use plain tcp to other machines too.
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// Signs an Ably TokenRequest and prints it as JSON. Nothing is sent.
///
/// Run it where the API key is, and hand the output to a client that must not have the key: the client exchanges it for a
/// token, once and within two minutes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:

    rtauth token-request --key-file key.txt --ttl 600000 --capability '{\"chat:*\":[\"subscribe\"]}' --client-id alice
    printf %s \"$ABLY_KEY\" | rtauth token-request --key-file -")]
pub(crate) struct TokenRequestOptions {
    /// The file that holds the API key, appId.keyId:secret; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: PathBuf,

    /// The lifetime to ask for, in milliseconds; the server's default (an hour) if left out.
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) ttl: Option<u64>,

    /// The capability to ask for, as JSON; that of the key if left out.
    #[arg(long, value_name = "JSON")]
    pub(crate) capability: Option<String>,

    /// The client that the token is for, or `*` for any; an anonymous one if left out.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,

    /// When it is signed, in milliseconds since the Unix epoch; now if left out.
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) timestamp: Option<u64>,

    /// The nonce, 16 to 256 printable ASCII characters; a random one if left out.
    #[arg(long, value_name = "TEXT")]
    pub(crate) nonce: Option<String>,
}

/// Says what a JSON Web Token holds, whether it is valid now, and what it allows.
///
/// Prints a JSON object: `header`, `claims`, `validity`, `signature`, and what was asked for: with --require-scope
/// `isValid`, `missingScopes`, `grantedScopes` and `auditPayload`, with --needs `needs`. The token is never sent anywhere.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 0 if nothing that was asked for is denied, 3 if a scope, an operation or the signature is, 1 if nothing of these
was asked for and the token can't be read. That a token has expired is told under `validity`.

Examples:

    rtauth inspect \"$TOKEN\" --require-scope conversation:read
    rtauth inspect - --jwks keys.json < token.txt
    rtauth inspect - --needs chat:lobby:publish < ably-jwt.txt
    rtauth inspect --capability '{\"chat:*\":[\"publish\"]}' --needs chat:lobby:publish
    rtauth inspect - --signature-only --jwks key.json < token.txt
    rtauth inspect --batch < lines.jsonl     # a line: {\"token\":\"…\",\"jwk\":{…}}, out: {\"signature\":\"valid\"}")]
pub(crate) struct InspectOptions {
    /// The token; `-` or nothing reads it from standard input, where no other process can see it.
    #[arg(value_name = "TOKEN")]
    pub(crate) token: Option<Secret>,

    /// A scope that the token must grant; may stand several times.
    #[arg(long, value_name = "SCOPE")]
    pub(crate) require_scope: Vec<String>,

    /// The Ably capability to check --needs against; that of the token (x-ably-capability) if left out. Without a token,
    /// it is checked alone.
    #[arg(long, value_name = "JSON", requires = "needs")]
    pub(crate) capability: Option<String>,

    /// An operation that the capability must allow, such as chat:lobby:publish; may stand several times.
    #[arg(long, value_name = "CHANNEL:OPERATION")]
    pub(crate) needs: Vec<String>,

    /// Check the signature with the keys of this file, a JWK or a JWK set.
    #[arg(long, value_name = "FILE", group = "keys")]
    pub(crate) jwks: Option<PathBuf>,

    /// Check the signature with the shared secret in this file, of at least 32 bytes; a line end is not part of it.
    #[arg(long, value_name = "FILE", group = "keys")]
    pub(crate) secret_file: Option<PathBuf>,

    /// Check the signature of an Ably JWT with the API key in this file.
    #[arg(long, value_name = "FILE", group = "keys")]
    pub(crate) key_file: Option<PathBuf>,

    /// Check the form and the signature of a compact JWS against --jwks, and nothing else: it may sign anything. Prints
    /// {"signature":"valid"}, or {"signature":"invalid","reason":…} with exit code 3.
    #[arg(long, requires = "jwks", conflicts_with_all = ["require_scope", "capability", "needs"])]
    pub(crate) signature_only: bool,

    /// Read lines of {"token":…,"jwk":…} from standard input, and print such a verdict for each, in order.
    #[arg(long, conflicts_with_all = ["token", "require_scope", "capability", "needs", "keys", "signature_only"])]
    pub(crate) batch: bool,

    /// One line instead of an indented object.
    #[arg(long)]
    pub(crate) json: bool,
}

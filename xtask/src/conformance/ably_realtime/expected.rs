//! What should come of each case: what the script tells of it. Errors are told as Ably's number and the status.

use serde_json::{Value, json};

const JS: &str = "ably-js";
const PYTHON: &str = "ably-python";

type Case = (&'static str, Value);

/// The cases that a library runs.
pub(super) fn cases(peer: &str) -> Vec<Case> {
    let all = [connecting(), refused(), authorizing(), ending(), channels()].concat();
    let of_peer = all.into_iter().filter(|(_, only, _)| only.is_none_or(|only| only == peer));
    of_peer.map(|(name, _, expected)| (name, expected)).collect()
}

/// A case with the library that runs it, if not both do.
type Listed = (&'static str, Option<&'static str>, Value);

fn both(name: &'static str, expected: impl Into<Value>) -> Listed {
    (name, None, expected.into())
}

fn js(name: &'static str, expected: impl Into<Value>) -> Listed {
    (name, Some(JS), expected.into())
}

fn python(name: &'static str, expected: impl Into<Value>) -> Listed {
    (name, Some(PYTHON), expected.into())
}

/// Whom a connection is for.
fn connecting() -> Vec<Listed> {
    vec![
        js("by_key", "*"),
        // ably-python does not take the wildcard over.
        python("by_key", json!(["connected", null])),
        both("by_key_as_a_client", "zoë ☃"),
        both("by_token", "alice"),
        both("by_anonymous_token", json!(["connected", null])),
        both("by_jwt", "alice"),
        both("by_callback", "alice"),
        js("by_signed_request", "alice"),
        js("by_url", "alice"),
        both("jwt_by_url", "alice"),
        both("wildcard_token_as_a_client", "bob"),
        both("expired_token_at_first", 2),
    ]
}

/// Each case of these connects with what is right, too, or gets a token first.
fn refused() -> Vec<Listed> {
    vec![
        both("wrong_key", json!(["connected", [40_101, 401], [40_101, 401]])),
        // 40143 is a token error, and there is no means to another token.
        both("wrong_token", json!(["connected", [40_101, 401], [40_171, 403]])),
        both("expired_token_without_another", json!([40_171, 403])),
        both("client_ids_that_differ", json!([40_102, 401])),
        both("anonymous_token_as_a_client", json!([40_102, 401])),
        js("binary_protocol", json!(["connected", [40_013, 400]])),
    ]
}

/// On a live connection: refused first, then the update, the same connectionId (and key), the channel, and how many tokens were
/// asked for.
fn authorizing() -> Vec<Listed> {
    vec![
        js("upgrade_in_place", json!([[40_160, 401], ["connected"], true, true, "attached", 2])),
        python("upgrade_in_place", json!([[40_160, 401], "update", true, "attached", 2])),
        both("downgrade_in_place", json!([[40_160, 401], "attached", [40_160, 401], "connected"])),
        js("authorize_from_the_key", json!(["alice", "alice", true])),
        both("authorize_as_another", json!([[40_102, 401], [40_102, 401]])),
        js("asked_by_the_server", json!([true, 2, ["connected"], "connected"])),
        python("asked_by_the_server", json!([true, 2, 0, "connected"])),
    ]
}

/// Expiry and revocation: what the library is told, what it does, and that nobody else is told.
fn ending() -> Vec<Listed> {
    vec![
        both("expiry_renews", json!([[40_142, 401], [80_018, 400], true, 2, "after"])),
        both("expiry_without_another", json!([40_171, 403])),
        js("revocation", json!([[40_141, 401], 2, [40_171, 403], []])),
        python("revocation", json!([[40_141, 401], 2, [40_171, 403], 0])),
        both("revocation_with_margin", json!([2, "connected"])),
        js("close", "closing"),
        python("close", "closed"),
    ]
}

fn channels() -> Vec<Listed> {
    let refused = [json!([40_160, 401]), json!("failed"), json!([40_160, 401]), json!([40_010, 400])];
    let refused_to_js =
        [&refused[..], &[json!(["subscribe", "presence_subscribe"]), json!("connected")]].concat();
    let refused_to_python = [&refused[..], &[json!("connected")]].concat();
    vec![
        both("round_trip", json!([{ "hello": "wörld" }, "alice", true])),
        js("rest_to_realtime", "by REST"),
        js("echo", json!({ "loud": ["of silent", "of loud"], "silent": ["of loud"] })),
        js("refused_on_channels", refused_to_js),
        python("refused_on_channels", refused_to_python),
        both("detach", "detached"),
        both("presence", json!([40_160, 401])),
        both("ping", true),
    ]
}

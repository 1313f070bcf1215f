//! What happens in the hour: a session that is well, one whose token endpoint is down, and one on a bad network.
#![expect(clippy::panic, reason = "a plot that does not hold together is a mistake in this file")]

use std::time::Duration;

use audit::Event;
use auth_core::time::Timestamp;
use serde_json::{Value, json};

/// Something that happens, and when.
pub(crate) struct Scene {
    pub(crate) at: Timestamp,
    pub(crate) session: Option<String>,
    pub(crate) event: Event,
}

/// 2026-11-22T04:00:00Z.
const BEGIN: u64 = 1_795_320_000_000;

/// A label that would be an element if anybody let it.
const HOSTILE: &str = r#"</script><img src=x onerror="document.title='stranger'"><b id=stranger>"#;

/// The hour, in order.
pub(crate) fn hour(is_hostile: bool) -> Vec<Scene> {
    let mut plot = Plot { scenes: Vec::new(), seed: 7 };
    orders(&mut plot);
    chat(&mut plot);
    presence(&mut plot, if is_hostile { HOSTILE } else { "presence" });
    plot.trail(2_001_500, json!({ "event": "records_dropped", "count": 37, "reason": "queue_full" }));
    plot.scenes.sort_by_key(|scene| scene.at);
    plot.scenes
}

struct Plot {
    scenes: Vec<Scene>,
    seed: u64,
}

impl Plot {
    /// Something happens to a session, so many milliseconds after the beginning.
    fn tell(&mut self, at: u64, session: &str, event: Value) {
        let named = Some(session.to_owned());
        self.add(at, named, event);
    }

    fn trail(&mut self, at: u64, event: Value) {
        self.add(at, None, event);
    }

    fn add(&mut self, at: u64, session: Option<String>, event: Value) {
        let event = serde_json::from_value(event.clone()).unwrap_or_else(|error| {
            panic!("the plot has an event that does not exist: {event}: {error}");
        });
        let at = Timestamp::from_millis(BEGIN).saturating_add(Duration::from_millis(at));
        self.scenes.push(Scene { at, session, event });
    }

    /// A number between two, which looks like any other and is always the same.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        least + (self.seed >> 33) % (most - least + 1)
    }

    fn token(&mut self) -> String {
        let number = self.between(0, u64::from(u32::MAX)) << 32 | self.between(0, u64::from(u32::MAX));
        format!("{number:016x}")
    }

    /// A session gets a token that lives so many seconds; its name.
    fn issue(&mut self, at: u64, session: &str, generation: u64, reason: &str, lives: u64) -> String {
        let (took, token) = (self.between(35, 160), self.token());
        self.tell(at, session, json!({ "event": "renewal_started", "reason": reason, "valid_for_ms": null }));
        let requested =
            json!({ "event": "token_requested", "attempt": 1, "redeems": false, "valid_for_ms": null });
        self.tell(at + 1, session, requested);
        let issued = json!({
            "event": "token_issued", "token": token, "generation": generation, "expires_in_ms": lives * 1_000,
            "renews_in_ms": (lives - 120) * 1_000, "took_ms": took,
        });
        self.tell(at + 1 + took, session, issued);
        token
    }

    /// A session connects; when it was accepted.
    fn connect(&mut self, at: u64, session: &str, connection: u64, failures: u64, token: &str) -> u64 {
        let latency = if self.between(0, 9) == 0 { self.between(600, 2_400) } else { self.between(90, 420) };
        self.tell(
            at,
            session,
            json!({ "event": "connecting", "connection": connection, "failures": failures }),
        );
        let checked = json!({
            "event": "scopes_checked", "verdict": "allowed", "required": ["conversation:read"],
            "granted": ["conversation:read", "user:read"], "missing": [], "client_id": "abc123",
        });
        self.tell(at + 2, session, checked);
        let accepted = json!({
            "event": "authenticated", "connection": connection, "token": token,
            "session_id": format!("{session:.4}-{connection}"), "latency_ms": latency,
        });
        self.tell(at + latency, session, accepted);
        at + latency
    }

    fn renewed(&mut self, at: u64, session: &str, connection: u64, token: &str) {
        let renewed = json!({
            "event": "token_renewed", "connection": connection, "token": token, "session_id": null, "in_band": true,
        });
        self.tell(at, session, renewed);
    }

    fn lost(
        &mut self,
        at: u64,
        session: &str,
        (connection, lasted): (u64, Option<u64>),
        why: (&str, u64),
        retry_in: Option<u64>,
    ) {
        let lost = json!({
            "event": "connection_lost", "connection": connection, "reason": why.0, "code": why.1,
            "lasted_ms": lasted, "retry_in_ms": retry_in,
        });
        self.tell(at, session, lost);
    }
}

/// It is well: renewed in band, and back at once after a restart of its server.
fn orders(plot: &mut Plot) {
    let name = "orders";
    let mut token = plot.issue(1_000, name, 1, "first", 900);
    let mut since = plot.connect(1_300, name, 1, 0, &token);
    let mut connection = 1;
    for generation in 2..6 {
        let due = (generation - 1) * 780_000 + 1_000;
        if generation == 3 {
            plot.lost(
                1_510_000,
                name,
                (1, Some(1_510_000 - since)),
                ("the server is going away", 1001),
                Some(400),
            );
            connection = 2;
            since = plot.connect(1_510_400, name, connection, 1, &token);
        }
        token = plot.issue(due, name, generation, "due", 900);
        plot.renewed(due + 420, name, connection, &token);
    }
    plot.lost(3_301_000, name, (2, Some(3_301_000 - since)), ("the connection broke", 1006), Some(250));
    plot.connect(3_301_250, name, 3, 1, &token);
}

/// Its token endpoint is down for twelve minutes: the token in use serves to its end, and then there is none.
fn chat(plot: &mut Plot) {
    let name = "chat";
    let mut token = plot.issue(4_000, name, 1, "first", 720);
    let since = plot.connect(4_250, name, 1, 0, &token);
    for generation in 2..4 {
        let due = (generation - 1) * 600_000 + 4_000;
        token = plot.issue(due, name, generation, "due", 720);
        plot.renewed(due + 380, name, 1, &token);
    }
    plot.tell(
        1_804_000,
        name,
        json!({ "event": "renewal_started", "reason": "due", "valid_for_ms": 120_000 }),
    );
    let mut at = 1_804_010;
    for attempt in 1..=11_u64 {
        let requested =
            json!({ "event": "token_requested", "attempt": attempt, "redeems": false, "valid_for_ms": null });
        plot.tell(at, name, requested);
        let took = plot.between(20, 90);
        let retry_in = (1_000 << attempt.min(7)) - plot.between(0, 600);
        let failed = if attempt % 4 == 3 {
            json!({ "event": "rate_limited", "attempt": attempt, "retry_after_ms": 30_000, "retry_in_ms": retry_in, "valid_for_ms": null })
        } else {
            json!({
                "event": "token_request_failed", "attempt": attempt, "kind": "server_failed", "code": 503,
                "took_ms": took, "retry_in_ms": retry_in, "valid_for_ms": null,
            })
        };
        plot.tell(at + took, name, failed);
        at += took + retry_in;
    }
    let expires = 1_204_000 + 720_100;
    plot.tell(expires, name, json!({ "event": "token_expired", "token": token, "generation": 3 }));
    plot.lost(expires + 900, name, (1, Some(expires - since)), ("the token has expired", 4001), Some(2_000));
    for failures in 1..=6_u64 {
        let delayed = json!({
            "event": "connection_delayed", "reason": "the token endpoint failed", "failures": failures, "retry_in_ms": 60_000,
        });
        plot.tell(expires + 2_900 + failures * 60_000, name, delayed);
    }
    plot.tell(expires + 420_000, name, json!({ "event": "session_suspended", "failures": 7 }));
    let back = at.max(expires + 500_000);
    let token = plot.issue(back, name, 4, "expired", 720);
    plot.connect(back + 240, name, 2, 8, &token);
    let token = plot.issue(back + 600_000, name, 5, "due", 720);
    plot.renewed(back + 600_390, name, 2, &token);
}

/// Its network is bad for a while, and in the end its rights are taken away.
fn presence(plot: &mut Plot, name: &str) {
    let mut token = plot.issue(9_000, name, 1, "first", 1_800);
    let mut at = plot.connect(9_300, name, 1, 0, &token);
    let mut connection = 1;
    for lasted in [780_000_u64, 9_000, 31_000, 14_000, 62_000, 4_000, 90_000, 27_000] {
        let retry_in = plot.between(300, 24_000);
        plot.lost(
            at + lasted,
            name,
            (connection, Some(lasted)),
            ("the connection broke", 1006),
            Some(retry_in),
        );
        connection += 1;
        at = plot.connect(at + lasted + retry_in, name, connection, 1, &token);
    }
    token = plot.issue(1_689_000, name, 2, "due", 1_800);
    plot.renewed(1_689_300, name, connection, &token);
    let rejected =
        json!({ "event": "token_rejected", "token": token, "generation": 2, "valid_for_ms": 300_000 });
    plot.tell(3_120_000, name, rejected);
    plot.lost(
        3_120_001,
        name,
        (connection, Some(3_120_001 - at)),
        ("the server revoked the token", 4003),
        Some(500),
    );
    let token = plot.issue(3_120_100, name, 3, "rejected", 1_800);
    plot.tell(3_120_500, name, json!({ "event": "connecting", "connection": connection + 1, "failures": 1 }));
    plot.lost(3_120_800, name, (connection + 1, None), ("the server refused the upgrade", 403), None);
    plot.tell(
        3_120_801,
        name,
        json!({ "event": "session_failed", "reason": "the server refused the upgrade", "code": 403 }),
    );
    let rejected =
        json!({ "event": "token_rejected", "token": token, "generation": 3, "valid_for_ms": 1_799_000 });
    plot.tell(3_120_802, name, rejected);
}

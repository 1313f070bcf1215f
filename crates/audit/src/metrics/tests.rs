//! Events in, figures out.

mod durations;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(all(feature = "prometheus", feature = "opentelemetry"))]
mod table;

use auth_core::observe::{Label, Replayed, RevocationPath, StoreStep};
use auth_core::scope::Scopes;

use super::family::Family;
use super::*;
use crate::deliver::Outlet;
use crate::entry::{Entry, Event};

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn let_in() -> AuthEvent {
    AuthEvent::Authenticated { connection: 1, token: None, session_id: None, latency: SECOND / 4 }
}

pub(super) fn lost(lasted: Option<Duration>, code: Option<u16>) -> AuthEvent {
    AuthEvent::ConnectionLost { connection: 1, reason: Label::new("r"), code, lasted, retry_in: None }
}

pub(super) fn client_let_in(client: &str) -> AuthEvent {
    AuthEvent::ClientAuthenticated {
        connection: 1,
        dialect: Label::new(client),
        token: None,
        client_id: Some(Label::new(client)),
        latency: SECOND,
        peer: None,
    }
}

pub(super) fn client_rejected(reason: &str) -> AuthEvent {
    AuthEvent::ClientRejected {
        connection: 1,
        dialect: Label::new("ably"),
        reason: Label::new(reason),
        code: Some(4_001),
        token: None,
        latency: Some(SECOND),
        peer: None,
        repeated: 0,
    }
}

pub(super) fn client_gone(code: Option<u16>) -> AuthEvent {
    AuthEvent::ClientDisconnected {
        connection: 1,
        reason: Label::new("expired"),
        code,
        lasted: SECOND,
        revoked_for: None,
        revoked_via: None,
    }
}

pub(super) fn client_revoked(after: Duration, path: Option<RevocationPath>) -> AuthEvent {
    AuthEvent::ClientDisconnected {
        connection: 1,
        reason: Label::new("revoked"),
        code: Some(4_401),
        lasted: SECOND,
        revoked_for: Some(after),
        revoked_via: path,
    }
}

pub(super) fn denied(grant: &str, reason: &str) -> AuthEvent {
    AuthEvent::TokenDenied {
        grant: Label::new(grant),
        reason: Label::new(reason),
        client_id: Some(Label::new(reason)),
        peer: None,
        repeated: 0,
    }
}

pub(super) fn failed(kind: ErrorKind) -> AuthEvent {
    AuthEvent::TokenRequestFailed {
        attempt: 1,
        kind,
        code: None,
        took: Some(SECOND),
        retry_in: None,
        valid_for: None,
    }
}

pub(super) fn replayed(replayed: Replayed) -> AuthEvent {
    AuthEvent::ReplayRejected { replayed, token: None, client_id: None, peer: None, repeated: 0 }
}

pub(super) fn store_failed(step: StoreStep) -> AuthEvent {
    let kind = ErrorKind::StoreFailed;
    AuthEvent::StoreFailed { step, kind, took: Some(SECOND), retry_in: None, valid_for: None }
}

/// The series of one metric, as `label=value,… number`; of a histogram, its count.
pub(super) fn series(metrics: &Metrics, name: &str) -> Vec<String> {
    let Some(Family { series, .. }) = metrics.families().find(|family| family.name == name) else {
        panic!("there is no metric {name}")
    };
    let shown = series.iter().map(|(labels, value)| {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let number = match value {
            family::Value::Number(number) => *number,
            family::Value::Spread(spread) => spread.count,
        };
        format!("{} {number}", labels.join(","))
    });
    shown.filter(|series| !series.ends_with(" 0")).collect()
}

pub(super) fn observed(events: &[AuthEvent]) -> Metrics {
    let metrics = Metrics::new();
    events.iter().for_each(|event| metrics.observe(event));
    metrics
}

#[test]
fn events_are_counted_by_their_class() {
    let events = [
        let_in(),
        lost(None, None),
        client_let_in("a"),
        client_gone(None),
        denied("password", "invalid_grant"),
        replayed(Replayed::Token),
        AuthEvent::TokenRevoked { token: None, target: None, peer: None },
        AuthEvent::TokenRequestSigned { key_name: Label::new("k"), client_id: None },
        AuthEvent::SessionSuspended { failures: 1 },
        AuthEvent::ServerClockLearned { offset_ms: 1 },
    ];
    let snapshot = observed(&events).snapshot();
    for class in EventClass::ALL {
        let expected = events.iter().filter(|event| event.class() == class).count() as u64;
        assert!(expected > 0 && snapshot.events(class) == expected, "{class:?}: {expected}");
    }
}

#[test]
fn the_figures_of_the_genesys_document_are_of_attempts() {
    let snapshot = Metrics::new().snapshot();
    assert_eq!((snapshot.request_count, snapshot.success_rate()), (0, 100.0));
    assert_eq!(snapshot.average_latency_ms(), None);

    let snapshot = observed(&[
        let_in(),
        lost(Some(SECOND), Some(1_006)), // No attempt: it had been let in.
        lost(None, Some(401)),
        client_let_in("a"),
        client_rejected("expired"),
        AuthEvent::ConnectionDelayed { reason: Label::new("r"), failures: 1, retry_in: SECOND },
    ])
    .snapshot();
    let four =
        (snapshot.success_count, snapshot.failure_count, snapshot.total_latency_ms, snapshot.request_count);
    assert_eq!(four, (2, 3, 1_250, 5));
    assert_eq!((snapshot.success_rate(), snapshot.average_latency_ms()), (40.0, Some(625.0)));
}

#[test]
fn connections_are_those_that_began_and_did_not_end() {
    let metrics = observed(&[let_in(), let_in(), client_let_in("a")]);
    assert_eq!(metrics.snapshot().connections, 3);
    // The second of a session took the first one's place.
    metrics.observe(&AuthEvent::TokenRenewed {
        connection: 2,
        token: None,
        session_id: None,
        in_band: false,
    });
    assert_eq!(
        series(&metrics, "ws_connections"),
        ["end=client,state=authenticated 1", "end=server,state=authenticated 1"]
    );
    for event in [
        AuthEvent::TokenRenewed { connection: 2, token: None, session_id: None, in_band: true },
        lost(None, Some(503)),
        AuthEvent::SessionClosed { lasted: None },
    ] {
        metrics.observe(&event);
        assert_eq!(metrics.snapshot().connections, 2, "{event:?}");
    }
    metrics.observe(&AuthEvent::SessionClosed { lasted: Some(SECOND) });
    metrics.observe(&client_gone(Some(4_001)));
    let snapshot = metrics.snapshot();
    assert_eq!((snapshot.connections, snapshot.disconnections), (0, 3));
    assert_eq!(series(&metrics, "ws_closed"), ["end=client,code=none 2", "end=server,code=4xxx 1"]);
    assert_eq!(series(&metrics, "ws_connection_duration"), ["end=client 1", "end=server 1"]);
    assert_eq!(
        series(&metrics, "ws_handshakes"),
        ["end=client,outcome=success 2", "end=client,outcome=failure 1", "end=server,outcome=success 1",]
    );
}

#[test]
fn requests_for_tokens_are_counted_at_either_end() {
    let rate_limited = AuthEvent::RateLimited {
        attempt: 1,
        took: Some(SECOND),
        retry_after: None,
        retry_in: None,
        valid_for: None,
    };
    let key = auth_core::fingerprint::FingerprintKey::new([1; 32]);
    let minted = AuthEvent::TokenMinted {
        token: key.fingerprint(&auth_core::Secret::from("token")),
        grant: Label::new("urn:ietf:params:oauth:grant-type:jwt-bearer"),
        client_id: None,
        scope: Scopes::default(),
        expires_in: SECOND,
        peer: None,
    };
    let metrics = observed(&[
        failed(ErrorKind::Timeout),
        failed(ErrorKind::Timeout),
        rate_limited,
        minted,
        denied("password", "invalid_grant"),
        denied("made up", "made up"),
    ]);
    assert_eq!(
        series(&metrics, "token_requests"),
        [
            "end=client,outcome=failure,error_type=rate_limited 1",
            "end=client,outcome=failure,error_type=timeout 2",
            "end=server,grant=jwt_bearer,outcome=success 1",
            "end=server,grant=password,outcome=failure,error_type=invalid_grant 1",
            "end=server,grant=other,outcome=failure,error_type=other 1",
        ]
    );
    assert_eq!(series(&metrics, "token_request_duration"), ["outcome=failure 3"]);
    let snapshot = metrics.snapshot();
    assert_eq!((snapshot.token_failures, snapshot.tokens_minted, snapshot.tokens_denied), (3, 1, 2));
}

#[test]
fn a_refusal_that_stands_for_a_flood_counts_as_all_of_it() {
    let mut flood = [client_rejected("r"), denied("password", "invalid_grant"), replayed(Replayed::Nonce)];
    for event in &mut flood {
        let (AuthEvent::ClientRejected { repeated, .. }
        | AuthEvent::TokenDenied { repeated, .. }
        | AuthEvent::ReplayRejected { repeated, .. }) = event
        else {
            unreachable!("each is a refusal")
        };
        *repeated = 9;
    }
    let snapshot = observed(&flood).snapshot();
    let counted =
        (snapshot.failure_count, snapshot.request_count, snapshot.tokens_denied, snapshot.replays_rejected);
    assert_eq!(counted, (10, 10, 10, 10));
    assert_eq!(
        EventClass::ALL.map(|class| snapshot.events(class)).iter().sum::<u64>(),
        3,
        "each is one event"
    );
}

#[test]
fn replays_and_failures_of_the_store_are_told_by_their_kind() {
    let metrics = observed(&[
        replayed(Replayed::DpopProof),
        replayed(Replayed::DpopProof),
        replayed(Replayed::RefreshToken),
        store_failed(StoreStep::SaveToken),
    ]);
    assert_eq!(series(&metrics, "replay_rejected"), ["kind=refresh 1", "kind=dpop 2"]);
    assert_eq!(series(&metrics, "store_errors"), ["op=save_token 1"]);
}

#[test]
fn what_strangers_say_makes_no_series() {
    let metrics = Metrics::new();
    let count = || metrics.families().map(|family| family.series.len()).sum::<usize>();
    let (mut before, mut state) = (0, 7_u64);
    for round in 0..100_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let text = format!("{state:x}");
        metrics.observe(&client_let_in(&text));
        metrics.observe(&denied(&text, &text));
        metrics.observe(&client_rejected(&text));
        if round == 0 {
            before = count();
        }
    }
    assert_eq!(count(), before);
    assert_eq!(metrics.snapshot().request_count, 200_000, "the control");
}

#[test]
fn every_value_of_a_label_is_its_own_and_every_code_has_one() {
    for names in [&GRANTS[..], &ERRORS, &CODES, &STEPS, &OPS, &PATHS, &REPLAYED] {
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), names.len(), "{names:?}");
        assert_eq!(names.last(), Some(&"other"));
    }
    for (code, name) in [
        (None, "none"),
        (Some(1_000), "1000"),
        (Some(1_015), "1015"),
        (Some(1_016), "other"),
        (Some(401), "401"),
    ] {
        assert_eq!(CODES[labels::code(code)], name);
    }
    assert!((0..=u16::MAX).all(|code| labels::code(Some(code)) < CODES.len()));
}

#[test]
fn a_value_at_a_bound_is_within_it() {
    let histogram = Histogram::new(&Scale::BATCH);
    for value in [1, 2, 3, 4_096, 4_097] {
        histogram.record(value);
    }
    let spread = histogram.read();
    let of = |bound: f64| spread.buckets.iter().find(|bucket| bucket.0 == bound).map(|bucket| bucket.1);
    assert_eq!((of(1.0), of(2.0), of(4.0), of(4_096.0)), (Some(1), Some(2), Some(3), Some(4)));
    assert_eq!((spread.count, spread.sum), (5, 8_199.0));
    let histogram = Histogram::new(&Scale::REQUEST);
    histogram.took(Duration::from_millis(5));
    assert_eq!(histogram.read().buckets[0], (0.005, 1));
}

#[test]
fn what_the_trail_and_its_hooks_do_is_shown() {
    let metrics = Metrics::new();
    metrics.batch_written(3, Duration::from_micros(80));
    metrics.batch_written(1, Duration::from_micros(80));
    assert_eq!(series(&metrics, "audit_records"), [" 4"]);
    assert_eq!(
        (series(&metrics, "audit_batch"), series(&metrics, "audit_sync_duration")),
        (vec![" 2".into()], vec![" 2".into()])
    );

    // A full queue loses what is oldest, and the thread may be anywhere: the counts say where the entries are.
    let running = Outlet::closure("hook", |_| {}).queue(2).start().unwrap();
    metrics.hook(Arc::clone(running.hook()));
    let time = auth_core::time::Timestamp::from_millis(0);
    for number in 1..=50 {
        let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
        running.offer(&Arc::new(Entry::new(number, time, None, event)));
    }
    let counts = running.close(SECOND * 10);
    running.offer(&Arc::new(Entry::new(51, time, None, Event::Auth(let_in()))));
    let dropped = running.hook().counts().dropped;
    assert_eq!(dropped, counts.dropped + 1, "it is closed");
    assert_eq!(series(&metrics, "audit_hook_dropped"), [format!("hook=hook {dropped}")]);
    // Two of one name are one series.
    metrics.hook(Arc::clone(running.hook()));
    assert_eq!(series(&metrics, "audit_hook_dropped"), [format!("hook=hook {}", 2 * dropped)]);
}

#[test]
fn absurd_durations_and_floods_turn_no_number_over() {
    let metrics = Metrics::new();
    for _ in 0..3 {
        let (token, session_id) = (None, None);
        metrics.observe(&AuthEvent::Authenticated {
            connection: 1,
            token,
            session_id,
            latency: Duration::MAX,
        });
        let mut flood = denied("refresh_token", "invalid_grant");
        if let AuthEvent::TokenDenied { repeated, .. } = &mut flood {
            *repeated = u64::MAX;
        }
        metrics.observe(&flood);
        let snapshot = metrics.snapshot();
        assert!(snapshot.total_latency_ms >= 1 << 48 && snapshot.tokens_denied >= 1 << 48, "{snapshot:?}");
    }
}

//! How long stores and revocations took: counted once for each event that says so, and never as a label.

use auth_core::Secret;
use auth_core::fingerprint::FingerprintKey;
use auth_core::token::Generation;

use super::*;
use crate::{LogOptions, Trail};

/// What ends with a store's answer, and says how long that took.
fn asked_of_stores(took: Option<Duration>) -> Vec<AuthEvent> {
    let token = FingerprintKey::new([1; 32]).fingerprint(&Secret::from("token"));
    let generation = Generation::NONE;
    let steps = [
        StoreStep::Load,
        StoreStep::Lock,
        StoreStep::SaveIntent,
        StoreStep::SaveToken,
        StoreStep::ClearIntent,
    ];
    let (kind, retry_in, valid_for) = (ErrorKind::StoreFailed, None, None);
    let failed = steps.map(|step| AuthEvent::StoreFailed { step, kind, took, retry_in, valid_for });
    let succeeded = [
        AuthEvent::TokenAdopted { token, generation, expires_in: SECOND, renews_in: SECOND, took },
        AuthEvent::TokenRequested { attempt: 1, redeems: true, noted: took, valid_for: None },
        AuthEvent::RefreshTokenSaved { revision: 1, took },
        AuthEvent::TokenConsumed { token, client_id: None, peer: None, took, repeated: 0 },
    ];
    failed.into_iter().chain(succeeded).collect()
}

#[test]
fn what_a_store_was_asked_is_told_by_its_kind() {
    let mut events = asked_of_stores(Some(SECOND / 100));
    let metrics = observed(&events);
    assert_eq!(
        series(&metrics, "store_duration"),
        [
            "op=load 2",
            "op=lock 1",
            "op=save_intent 2",
            "op=save_token 2",
            "op=clear_intent 1",
            "op=consume 1"
        ]
    );
    assert_eq!(series(&metrics, "store_errors").len(), 5);
    // As a record of an older version has it.
    events = asked_of_stores(None);
    let metrics = observed(&events);
    assert_eq!((series(&metrics, "store_duration"), series(&metrics, "store_errors").len()), (vec![], 5));
}

#[test]
fn revocations_are_told_by_the_way_on_which_they_came() {
    let metrics = observed(&[
        client_gone(Some(4_401)),
        client_revoked(SECOND, Some(RevocationPath::Local)),
        client_revoked(SECOND * 2, Some(RevocationPath::Local)),
        client_revoked(SECOND, Some(RevocationPath::Stream)),
        client_revoked(SECOND, Some(RevocationPath::PubSub)),
        client_revoked(SECOND, Some(RevocationPath::Poll)),
        client_revoked(SECOND, None),
    ]);
    assert_eq!(
        series(&metrics, "revocation_propagation"),
        ["path=local 2", "path=stream 1", "path=pubsub 1", "path=poll 1", "path=other 1"]
    );
    assert_eq!(series(&metrics, "ws_closed"), ["end=server,code=4xxx 7"]);
}

#[test]
fn a_refusal_says_how_long_it_took_once_however_many_it_stands_for() {
    let mut flood = client_rejected("r");
    if let AuthEvent::ClientRejected { repeated, .. } = &mut flood {
        *repeated = 9;
    }
    let metrics = observed(&[client_let_in("a"), flood]);
    assert_eq!(
        series(&metrics, "ws_handshake_duration"),
        ["end=server,outcome=success 1", "end=server,outcome=failure 1"]
    );
    assert_eq!(
        series(&metrics, "ws_handshakes"),
        ["end=server,outcome=success 1", "end=server,outcome=failure 10"]
    );
    assert_eq!(metrics.snapshot().total_latency_ms, 1_000, "of those that were let in");
}

/// All series, without their numbers.
fn labels_of(metrics: &Metrics) -> Vec<String> {
    let families = metrics.families();
    families
        .flat_map(|family| {
            family.series.into_iter().map(move |(labels, _)| format!("{} {labels:?}", family.name))
        })
        .collect()
}

#[test]
fn no_duration_makes_a_series() {
    let metrics = Metrics::new();
    let mut state = 7_u64;
    let mut before = Vec::new();
    for round in 0..2_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let took = Duration::from_micros(state >> (state % 64));
        asked_of_stores(Some(took)).iter().for_each(|event| metrics.observe(event));
        metrics.observe(&client_revoked(took, Some(RevocationPath::Local)));
        if round == 0 {
            before = labels_of(&metrics);
        }
    }
    assert_eq!(labels_of(&metrics), before);
    assert_eq!(series(&metrics, "revocation_propagation"), ["path=local 2000"], "the control");
}

#[test]
fn counted_again_from_the_log_it_comes_to_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    let trail = Trail::builder().log(LogOptions::new(&path)).open().unwrap();
    let mut events = asked_of_stores(Some(SECOND / 7));
    events.extend(asked_of_stores(None));
    events.extend([
        let_in(),
        lost(None, Some(503)),
        client_let_in("a"),
        client_rejected("r"),
        client_gone(None),
        client_revoked(SECOND / 3, Some(RevocationPath::Local)),
        denied("password", "invalid_grant"),
        failed(ErrorKind::Timeout),
        replayed(Replayed::Nonce),
    ]);
    events.iter().for_each(|event| trail.observe(event));
    assert_eq!(trail.close().written, events.len() as u64);

    let again = Metrics::new();
    let segments = std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path());
    for segment in segments.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")) {
        for line in std::fs::read_to_string(segment).unwrap().lines() {
            if let Event::Auth(event) = serde_json::from_str::<Entry>(line).unwrap().event {
                again.observe(&event);
            }
        }
    }
    let counts = |metrics: &Metrics| {
        let names = metrics.families().map(|family| family.name).filter(|name| !name.starts_with("audit_"));
        names.map(|name| (name, series(metrics, name))).collect::<Vec<_>>()
    };
    let counted = counts(trail.metrics());
    assert_eq!(counted, counts(&again));
    let empty = counted.iter().filter(|(_, series)| series.is_empty()).map(|(name, _)| *name);
    assert_eq!(empty.collect::<Vec<_>>(), [""; 0], "each is counted by something");
}

//! What an observer of the client is told: each story with the exact list, so that what is told twice shows.

use auth_core::ably::{RevocationRequest, RevocationTarget};
use auth_core::{AuthEvent, Demand, Retry, TokenSource as _};

use super::*;

/// Keeps what it is told, in short.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    /// What was told since the last look.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl auth_core::Observer for Diary {
    fn observe(&self, event: &AuthEvent) {
        let json = serde_json::to_string(event).unwrap();
        assert!(!json.contains("obtained-") && !json.contains("keySecret"), "{json}");
        let line = match event {
            AuthEvent::TokenRequested { attempt, valid_for, .. } => {
                format!("requested {attempt}{}", if valid_for.is_some() { " early" } else { "" })
            }
            AuthEvent::TokenIssued { generation, took: Some(_), .. } => {
                format!("issued {}", generation.number())
            }
            AuthEvent::TokenRequestFailed { attempt, code, retry_in, took: Some(_), .. } => {
                format!("failed {attempt} {code:?} {retry_in:?}")
            }
            AuthEvent::RateLimited { attempt, retry_after, took: Some(_), .. } => {
                format!("limited {attempt} {retry_after:?}")
            }
            AuthEvent::TokenRequestSigned { key_name, client_id } => {
                format!("signed {key_name} {client_id:?}")
            }
            AuthEvent::TokenRejected { generation, .. } => format!("rejected {}", generation.number()),
            AuthEvent::TokenRevoked { token, target, peer: None } => {
                format!("revoked {} {target:?}", token.is_some())
            }
            AuthEvent::RevocationFailed { token, target, code, .. } => {
                format!("not revoked {} {target:?} {code:?}", token.is_some())
            }
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

fn watched(world: &Arc<World>, options: AuthOptions) -> (Auth, Diary) {
    let diary = Diary::default();
    (world.builder(options).with_observer(Arc::new(diary.clone())).build().unwrap(), diary)
}

#[tokio::test]
async fn one_request_is_told_of_once_however_many_wait_for_it() {
    let world = World::content();
    let (auth, diary) = watched(&world, with_url());
    let (one, other, third) = tokio::join!(status(&auth), auth.token(Demand::Current), status(&auth));
    assert!(one.is_ok() && third.is_ok());
    assert_eq!(diary.take(), ["requested 1", "issued 1"]);
    assert!(other.unwrap().fingerprint().is_some(), "a session names it by the same name");
    auth.token(Demand::Current).await.unwrap();
    assert!(diary.take().is_empty(), "it was there");
    auth.authorize(None, None).await.unwrap();
    assert_eq!(diary.take(), ["requested 1 early", "issued 2"]);
    auth.request_token(None, None).await.unwrap();
    assert_eq!(diary.take(), ["requested 1 early", "issued 0"], "one to be handed on has no number here");
}

#[tokio::test]
async fn a_token_that_a_later_one_took_the_place_of_was_issued_all_the_same() {
    let world = World::content();
    let (auth, diary) = watched(&world, with_url());
    let (one, other) = tokio::join!(auth.authorize(None, None), auth.authorize(None, None));
    assert!(one.is_ok() && other.is_ok());
    let mut told = diary.take();
    told.sort();
    // Whichever comes first.
    assert!(matches!(told[0].as_str(), "issued 0" | "issued 1"), "{told:?}");
    assert_eq!((told.len(), &told[2..]), (4, &["requested 1".to_owned(), "requested 1".to_owned()][..]));
}

#[tokio::test]
async fn a_failure_is_told_once_with_what_follows() {
    let world = World::new(|request, number| match request.uri().path() {
        "/time" => json(200, &format!("[{START}]")),
        _ if number == 1 => refusal(401, 40_104),
        _ => json(201, &details("obtained-1")),
    });
    let (auth, diary) = watched(&world, with_key());
    auth.authorize(None, None).await.unwrap();
    let again = "failed 1 Some(40104) Some(0ns)";
    assert_eq!(diary.take(), ["requested 1", again, "requested 2", "issued 1"]);

    let world = World::new(|_, _| refusal(401, 40_101));
    let (auth, diary) = watched(&world, with_key());
    let (one, other) = tokio::join!(auth.token(Demand::Current), auth.token(Demand::Current));
    assert!(one.is_err() && other.is_err());
    assert_eq!(diary.take(), ["requested 1", "failed 1 Some(40101) None"]);

    let (_, callback) = Calls::giving(|_| {
        Err(Error::new(ErrorKind::RateLimited, "slow down").with_retry(Retry::After(Duration::from_secs(7))))
    });
    let (auth, diary) = watched(&world, AuthOptions::new().with_auth_callback(callback));
    auth.authorize(None, None).await.unwrap_err();
    assert_eq!(diary.take(), ["requested 1", "failed 1 Some(40170) None"], "as the caller hears of it");

    // A token of somebody else's is no token.
    let (_, callback) = Calls::giving(|_| Ok(TokenReply::Details(given("t").with_client_id(bob()))));
    let diary = Diary::default();
    let builder = world.builder(AuthOptions::new().with_auth_callback(callback)).with_client_id(id("alice"));
    let auth = builder.with_observer(Arc::new(diary.clone())).build().unwrap();
    auth.authorize(None, None).await.unwrap_err();
    assert_eq!(diary.take(), ["requested 1", "failed 1 Some(40102) None"]);
}

fn bob() -> auth_core::ably::TokenClientId {
    auth_core::ably::TokenClientId::Identified(id("bob"))
}

#[tokio::test]
async fn a_refused_token_is_told_of_once() {
    let refused = AtomicU64::new(0);
    let issued = AtomicU64::new(0);
    let world = World::new(move |request, _| {
        if request.uri().host() == Some("auth.example.com") {
            return json(200, &details(&format!("obtained-{}", issued.fetch_add(1, Ordering::Relaxed))));
        }
        match refused.fetch_add(1, Ordering::Relaxed) {
            0..3 => refusal(401, 40_142),
            _ => json(200, "{}"),
        }
    });
    let (auth, diary) = watched(&world, with_url());
    let (one, other, third) = tokio::join!(status(&auth), status(&auth), status(&auth));
    assert!(one.is_ok() && other.is_ok() && third.is_ok());
    assert_eq!(diary.take(), ["requested 1", "issued 1", "rejected 1", "requested 1", "issued 2"]);
}

#[tokio::test]
async fn what_is_signed_for_somebody_else_is_told_and_not_what_is_signed_for_oneself() {
    let world = World::content();
    let (auth, diary) = watched(&world, with_key());
    auth.create_token_request(Some(TokenParams::new().with_client_id(id("bob"))), None).await.unwrap();
    assert_eq!(diary.take(), [r#"signed appId.keyId Some(Label("bob"))"#]);
    auth.authorize(None, None).await.unwrap();
    assert_eq!(diary.take(), ["requested 1", "issued 1"]);
}

#[tokio::test]
async fn what_came_of_each_target_of_a_revocation_is_told_and_no_token_in_it() {
    let results = r#"[{"target":"clientId:bob","issuedBefore":1700000000000,"appliesAt":1700000001000},
        {"target":"token:obtained-1","error":{"code":40000,"statusCode":400,"message":"no such kind"}}]"#;
    let world =
        World::new(move |_, number| if number == 1 { json(200, results) } else { refusal(401, 40_101) });
    let (auth, diary) = watched(&world, with_key());
    let request = RevocationRequest::new(vec![
        RevocationTarget::client_id(&id("bob")),
        RevocationTarget::token(Secret::from("obtained-1")),
    ]);
    auth.revoke_tokens(&request).await.unwrap();
    let not = "not revoked true None Some(40000)";
    assert_eq!(diary.take(), [r#"revoked false Some(Label("clientId:bob"))"#, not]);
    auth.revoke_tokens(&request).await.unwrap_err();
    let client = r#"not revoked false Some(Label("clientId:bob")) Some(40101)"#;
    assert_eq!(diary.take(), [client, "not revoked true None Some(40101)"]);
    let odd = RevocationRequest::new(vec![RevocationTarget::new("odd", "obtained-1")]);
    auth.revoke_tokens(&odd).await.unwrap_err();
    assert_eq!(diary.take(), [r#"not revoked false Some(Label("odd")) Some(40101)"#]);
}

#[tokio::test]
async fn an_observer_that_panics_costs_nothing_but_the_event() {
    let world = World::content();
    let builder =
        world.builder(with_url()).with_observer(Arc::new(|_: &AuthEvent| panic!("an observer's own")));
    builder.build().unwrap().authorize(None, None).await.unwrap();
}

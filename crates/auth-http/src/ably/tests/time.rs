//! The server's time: asked for once, and by itself after 40104.

use super::*;

const HOUR: u64 = 3_600_000;

/// A service whose clock is an hour ahead, and which accepts what was signed within two minutes of it.
fn ahead() -> Arc<World> {
    World::new(|request, _| {
        if request.uri().path() == "/time" {
            return json(200, &format!("[{}]", START + HOUR));
        }
        let signed = TokenRequest::parse(request.body()).unwrap().timestamp().unwrap().as_millis();
        if signed.abs_diff(START + HOUR) <= 120_000 { json(201, &details("t")) } else { refusal(401, 40_104) }
    })
}

fn paths(world: &World) -> Vec<String> {
    let name = |asked: &Request<Bytes>| asked.uri().path().rsplit('/').next().unwrap().to_owned();
    world.asked().iter().map(name).collect()
}

#[tokio::test]
async fn rsa9d_rsa10k_query_time_asks_once_and_the_offset_is_kept() {
    let world = ahead();
    let auth = world.client(with_key());
    let asking = || Some(with_key().with_query_time(true));
    let first = auth.create_token_request(None, asking()).await.unwrap();
    world.advance(Duration::from_secs(60));
    let second = auth.create_token_request(None, asking()).await.unwrap();
    let without = auth.create_token_request(None, None).await.unwrap();
    assert_eq!(first.timestamp().unwrap().as_millis(), START + HOUR);
    assert_eq!(second.timestamp().unwrap().as_millis(), START + HOUR + 60_000);
    assert_eq!(without.timestamp(), second.timestamp(), "it serves whenever it is known");
    assert_eq!(paths(&world), ["time"]);
}

#[tokio::test]
async fn rsc16_the_time_is_asked_for_without_a_credential() {
    let world = ahead();
    let auth = world.client(with_key());
    assert_eq!(auth.query_time().await.unwrap().as_millis(), START + HOUR);
    assert!(!world.asked()[0].headers().contains_key("authorization"));
}

#[tokio::test]
async fn a_request_whose_time_is_refused_is_signed_once_more_with_the_servers_time() {
    let world = ahead();
    let auth = world.client(with_key());
    auth.authorize(None, None).await.unwrap();
    assert_eq!(paths(&world), ["requestToken", "time", "requestToken"]);
    auth.authorize(None, None).await.unwrap();
    assert_eq!(paths(&world).len(), 4, "the offset is known from then on");
    let asked = world.asked();
    let nonce = |index: usize| TokenRequest::parse(asked[index].body()).unwrap().nonce().to_owned();
    assert_ne!(nonce(0), nonce(2));
}

#[tokio::test]
async fn an_offset_that_no_longer_holds_is_asked_for_anew() {
    let world = ahead();
    let auth = world.client(with_key());
    auth.authorize(None, None).await.unwrap();
    // Time passes here and not there.
    world.advance(Duration::from_secs(600));
    auth.authorize(None, None).await.unwrap();
    assert_eq!(paths(&world)[3..], ["requestToken", "time", "requestToken"]);
}

#[tokio::test]
async fn a_second_refusal_is_final_and_states_both_times() {
    let world = World::new(|request, _| match request.uri().path() {
        "/time" => json(200, &format!("[{}]", START + HOUR)),
        _ => refusal(401, 40_104),
    });
    let error = world.client(with_key()).request_token(None, None).await.unwrap_err();
    assert_eq!((code(&error), world.count()), (40_104, 3));
    assert!(error.to_string().matches("2023-11-14T23:13:20.000Z").count() == 2, "{error}");
    assert_eq!(cause(&error).code(), Some(40_104));
}

#[tokio::test]
async fn a_timestamp_of_the_callers_is_not_replaced_and_both_times_are_stated() {
    let world = ahead();
    let auth = world.client(with_key());
    auth.query_time().await.unwrap();
    let params = TokenParams::new().with_timestamp(Timestamp::from_millis(START));
    let error = auth.request_token(Some(params), None).await.unwrap_err();
    let text = error.to_string();
    assert_eq!((code(&error), world.count()), (40_104, 2));
    assert!(text.contains("2023-11-14T22:13:20.000Z") && text.contains("2023-11-14T23:13:20.000Z"), "{text}");
}

#[tokio::test]
async fn a_time_that_cannot_be_asked_for_is_the_cause_of_the_refusal() {
    let world = World::new(|request, _| match request.uri().path() {
        "/time" => json(503, ""),
        _ => refusal(401, 40_104),
    });
    let error = world.client(with_key()).request_token(None, None).await.unwrap_err();
    assert_eq!((code(&error), cause(&error).kind()), (40_104, ErrorKind::ServerFailed));
}

#[tokio::test]
async fn a_request_that_somebody_else_signed_too_early_says_who_and_when() {
    let world = World::new(|_, _| {
        let body = r#"{"error":{"code":40104,"statusCode":401}}"#;
        let headers = [("content-type", "application/json"), ("date", "Tue, 14 Nov 2023 22:33:20 GMT")];
        reply(401, &headers, body)
    });
    let (_, callback) = Calls::giving(|_| Ok(TokenReply::Request(foreign_request())));
    let auth = world.client(AuthOptions::new().with_auth_callback(callback));
    let error = auth.request_token(None, None).await.unwrap_err();
    let text = error.to_string();
    assert_eq!((code(&error), world.count()), (40_104, 1));
    assert!(
        text.contains("22:13:19") && text.contains("22:33:20") && text.contains("auth callback"),
        "{text}"
    );
}

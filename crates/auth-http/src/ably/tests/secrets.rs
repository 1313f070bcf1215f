//! Keys, tokens and MACs stay out of `Debug` and out of errors, whatever happens.

use auth_core::ably::{RevocationRequest, RevocationTarget};
use auth_core::{Demand, TokenSource as _};

use super::*;

fn whole_chain(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(" {cause} {cause:?}"));
        next = cause.source();
    }
    text
}

/// Answers that a broken or hostile service could give, with secrets in them.
fn answers() -> Vec<(u16, &'static str, String)> {
    let mut answers = Vec::new();
    for status in [200, 201, 302, 400, 401, 403, 404, 429, 500, 503] {
        for body in [
            "canary".to_owned(),
            r#"{"error":{"code":40142,"statusCode":401,"message":"canary","href":"canary"}}"#.to_owned(),
            r#"{"error":{"code":40104,"statusCode":401,"message":"canary"}}"#.to_owned(),
            r#"{"error":{"code":40160,"statusCode":401,"message":"canary"}}"#.to_owned(),
            r#"{"token":["canary"]}"#.to_owned(),
            r#"["canary"]"#.to_owned(),
        ] {
            for content_type in ["application/json", "text/plain", "canary/canary"] {
                answers.push((status, content_type, body.clone()));
            }
        }
    }
    answers
}

#[tokio::test]
async fn no_answer_and_no_credential_is_shown_in_an_error() {
    let secret = |text: &str| AuthOptions::new().with_key(ApiKey::parse(text).unwrap());
    for (status_code, content_type, body) in answers() {
        let url = AuthUrl::new("https://auth.example.com/?key=canary")
            .with_param("p", "canary")
            .with_header("h", "canary");
        let (_, callback) = Calls::giving(|_| Ok(TokenReply::Request(foreign_request())));
        for options in [
            secret("a.b:canary"),
            secret("a.b:canary").with_use_token_auth(true),
            with_token("canary"),
            AuthOptions::new().with_auth_url(url),
            AuthOptions::new().with_auth_callback(callback),
        ] {
            let text = body.clone();
            let world = World::new(move |_, _| {
                let headers = [("content-type", content_type), ("x-ably-errormessage", "canary")];
                reply(status_code, &headers, &text)
            });
            let auth = world.client(options.clone());
            let target = RevocationRequest::new(vec![RevocationTarget::token(Secret::from("canary"))]);
            let errors = [
                status(&auth).await.err(),
                auth.revoke_tokens(&target).await.err(),
                auth.request_token(None, None).await.err(),
                auth.authorize(None, None).await.err(),
                auth.query_time().await.err(),
                auth.token(Demand::Current).await.err(),
            ];
            let shown = errors.iter().flatten().map(whole_chain).collect::<String>();
            let mac = foreign_request().mac();
            assert!(
                !shown.contains("canary") && !shown.contains(mac.expose()),
                "{status_code} {body}: {shown}"
            );
            let shown = format!("{auth:?} {:?} {:?} {options:?}", auth.token_details(), auth.changes());
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}

#[test]
fn the_settings_show_no_secret() {
    let world = World::content();
    let options = AuthOptions::new().with_key(ApiKey::parse("a.b:canary").unwrap());
    let builder = world.builder(options.with_token(TokenDetails::new(Secret::from("canary"))));
    let shown = format!("{builder:?} {:?}", world.surroundings());
    assert!(shown.contains("a.b") && !shown.contains("canary"), "{shown}");
    assert!(!format!("{:?}", builder.dangerous()).contains("canary"));
}

//! Polling at the pace of the server, and every way in which it ends.

use bytes::Bytes;
use http::Response;

use super::*;
use crate::testing::{Scripted, TOKEN, reply, value};
use crate::wire::{ClientAuthentication, DeviceEndpoint};

/// A delay that takes no time, and remembers what it was asked for.
#[derive(Default)]
struct Noted(Mutex<Vec<u64>>);

impl Delay for Noted {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.lock().unwrap().push(duration.as_secs());
        Box::pin(std::future::ready(()))
    }
}

fn pending() -> Result<Response<Bytes>, Error> {
    Ok(reply(400, &[], r#"{"error":"authorization_pending"}"#))
}

fn grant(http: &Arc<Scripted>, delay: &Arc<Noted>, expires_in: u32) -> DeviceCode {
    let client = ClientAuthentication::none("c").unwrap();
    let body = format!(
        r#"{{"device_code":"canary","user_code":"u","verification_uri":"https://a/","expires_in":{expires_in},"interval":5}}"#
    );
    let login =
        DeviceEndpoint::new("https://a/d", client.clone()).unwrap().read(&reply(200, &[], &body)).unwrap();
    let endpoint = TokenEndpoint::for_client("https://a/t", client).unwrap();
    DeviceCode::new(endpoint, Arc::clone(http) as _, &login, Arc::clone(delay) as _)
}

async fn log_in(
    answers: impl IntoIterator<Item = Result<Response<Bytes>, Error>>,
    expires_in: u32,
) -> (Result<TokenResponse, Error>, Vec<u64>, usize) {
    let (http, delay) = (Scripted::new(answers), Arc::new(Noted::default()));
    let result = grant(&http, &delay, expires_in).log_in().await;
    let slept = delay.0.lock().unwrap().clone();
    (result, slept, http.count())
}

/// RFC 8628 §3.5.
#[tokio::test]
async fn the_server_is_asked_at_its_own_pace_until_the_person_has_logged_in() {
    let slow_down = Ok(reply(400, &[], r#"{"error":"slow_down"}"#));
    let answers = [pending(), slow_down, pending(), Ok(reply(200, &[], TOKEN))];
    let (result, slept, _) = log_in(answers, 600).await;
    assert_eq!(result.unwrap().access_token.expose(), "t1");
    assert_eq!(slept, [5, 5, 10, 10]);
}

#[tokio::test]
async fn a_lost_answer_is_a_reason_to_ask_less_often_and_no_end() {
    let lost = || Err(Error::new(ErrorKind::Timeout, "no answer"));
    let busy = Ok(reply(429, &[("retry-after", "45")], ""));
    let (result, slept, _) = log_in([lost(), lost(), busy, lost(), Ok(reply(200, &[], TOKEN))], 600).await;
    result.unwrap();
    assert_eq!(slept, [5, 10, 20, 30, 15, 30, 30], "5, 10, 20, 45, 60 in stretches of 30");
}

#[tokio::test]
async fn no_and_too_late_are_final() {
    for (body, kind) in [
        (r#"{"error":"access_denied"}"#, ErrorKind::Refused),
        (r#"{"error":"expired_token"}"#, ErrorKind::InvalidGrant),
        (r#"{"error":"invalid_grant"}"#, ErrorKind::InvalidGrant),
        (r#"{"error":"invalid_client"}"#, ErrorKind::InvalidClient),
    ] {
        let (http, delay) = (Scripted::new([pending(), Ok(reply(400, &[], body))]), Arc::default());
        let grant = grant(&http, &delay, 600);
        assert_eq!(grant.log_in().await.unwrap_err().kind(), kind);
        assert_eq!(grant.log_in().await.unwrap_err().kind(), ErrorKind::InvalidGrant, "and not asked again");
        assert_eq!(http.count(), 2);
    }
}

#[tokio::test]
async fn a_code_that_has_expired_is_not_asked_with() {
    let (result, slept, count) = log_in([pending(), pending()], 14).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidGrant);
    assert_eq!((slept.len(), count), (2, 2));
}

#[tokio::test]
async fn a_login_is_handed_over_once() {
    let http = Scripted::new([Ok(reply(200, &[], TOKEN))]);
    let grant = grant(&http, &Arc::default(), 600);
    let shown = grant.log_in().await.unwrap().access_token;
    assert_eq!(grant.obtain(&Attempt::new(None)).await.unwrap().access_token, shown);
    assert_eq!(grant.obtain(&Attempt::new(None)).await.unwrap_err().retry(), Retry::Reauthorize);
    assert_eq!(http.count(), 1);
}

#[tokio::test]
async fn as_a_grant_it_asks_once_each_time_and_redeems_its_refresh_token_in_the_end() {
    let http = Scripted::new([pending(), Ok(reply(200, &[], TOKEN)), Ok(reply(200, &[], TOKEN))]);
    let grant = grant(&http, &Arc::default(), 600);
    let first = grant.obtain(&Attempt::new(None)).await.unwrap_err();
    assert_eq!((first.retry(), first.is_in_doubt()), (Retry::Backoff, false));
    grant.obtain(&Attempt::new(None)).await.unwrap();
    grant.obtain(&Attempt::new(Some(Secret::from("r1")))).await.unwrap();
    assert_eq!(value(&http.asked()[2], "grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(grant.obtain(&Attempt::new(None)).await.unwrap_err().retry(), Retry::Reauthorize);
    assert!(!format!("{grant:?}").contains("canary"));
}

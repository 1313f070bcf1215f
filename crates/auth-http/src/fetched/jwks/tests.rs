//! Keys over a scripted exchange: shared requests, dropped callers, unknown keys, and issuers that fail.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use auth_core::jwt::{Asymmetric, Draft, Verifier};
use auth_core::time::{Moment, Now, Timestamp};

use super::*;
use crate::testing::{Scripted, es256, reply};

fn public() -> String {
    es256().public_key().unwrap().to_jwk()
}

fn set(key_id: &str) -> String {
    format!(r#"{{"keys":[{}]}}"#, public().replacen('{', &format!(r#"{{"kid":"{key_id}","#), 1))
}

fn at(seconds: u64) -> Now {
    let elapsed = Duration::from_secs(seconds);
    Now { wall: Timestamp::since_epoch(elapsed), mono: Moment::since_origin(elapsed) }
}

fn cache(http: Arc<dyn HttpExchange>) -> (JwksCache, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&time);
    let clock: Clock = Arc::new(move || at(read.load(Ordering::Relaxed)));
    (JwksCache::new("https://as.example.com/jwks", http, Arc::new(Asymmetric), clock).unwrap(), time)
}

/// Whether a token under the key of this name is taken.
async fn check(cache: &JwksCache, key_id: &str) -> Result<(), Error> {
    let draft = Draft::new().with_expiry(Timestamp::from_millis(60_000));
    let token = draft.signed_by(&Named(key_id)).unwrap();
    cache.check(|keys| Verifier::new(keys.clone()).verify(token.expose(), at(1)).map(drop)).await
}

/// Our key under another name.
struct Named<'a>(&'a str);

impl auth_core::jwt::SignJws for Named<'_> {
    fn algorithm(&self) -> auth_core::jwt::Algorithm {
        es256().algorithm()
    }

    fn key_id(&self) -> Option<&str> {
        Some(self.0)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        es256().sign(message)
    }
}

/// An exchange whose answer comes when the test says so.
#[derive(Default)]
struct Held {
    begun: AtomicUsize,
    answer: Mutex<Option<Response<Bytes>>>,
    wakers: Mutex<Vec<Waker>>,
}

impl Held {
    fn answer(&self, answer: Response<Bytes>) {
        *self.answer.lock().unwrap() = Some(answer);
        self.wakers.lock().unwrap().drain(..).for_each(Waker::wake);
    }
}

#[async_trait]
impl HttpExchange for Held {
    async fn exchange(&self, _: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        std::future::poll_fn(|context| match self.answer.lock().unwrap().clone() {
            Some(answer) => Poll::Ready(Ok(answer)),
            None => {
                self.wakers.lock().unwrap().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_request_and_its_outcome() {
    for (answer, succeeds) in [(reply(200, &[], &set("known-1")), true), (reply(503, &[], ""), false)] {
        let http = Arc::new(Held::default());
        let cache = Arc::new(cache(Arc::clone(&http) as _).0);
        let mut callers: Vec<_> = (0..50)
            .map(|_| {
                let cache = Arc::clone(&cache);
                Box::pin(async move { cache.keys().await.is_ok() })
            })
            .collect();
        assert!(callers.iter_mut().all(|caller| poll(caller.as_mut()).is_pending()));
        http.answer(answer);
        for caller in callers {
            assert_eq!(caller.await, succeeds);
        }
        assert_eq!(http.begun.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn a_caller_that_is_dropped_leaves_the_request_to_the_others() {
    let http = Arc::new(Held::default());
    let (cache, _) = cache(Arc::clone(&http) as _);
    let mut other = Box::pin(cache.keys());
    {
        let mut first = pin!(cache.keys());
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(other.as_mut()).is_pending());
    }
    http.answer(reply(200, &[], &set("known-1")));
    assert_eq!(other.await.unwrap().len(), 1);
    assert_eq!(http.begun.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_request_whose_callers_have_all_gone_is_finished_by_the_next() {
    let http = Arc::new(Held::default());
    let (cache, _) = cache(Arc::clone(&http) as _);
    assert!(poll(pin!(cache.keys())).is_pending());
    http.answer(reply(200, &[], &set("known-1")));
    cache.keys().await.unwrap();
    assert_eq!(http.begun.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn those_who_wait_are_woken_when_somebody_else_gets_the_answer() {
    let http = Arc::new(Held::default());
    let cache = Arc::new(cache(Arc::clone(&http) as _).0);
    let (one, other) = (Arc::clone(&cache), Arc::clone(&cache));
    let both = async { tokio::join!(one.keys(), other.keys()) };
    let answered = async {
        tokio::task::yield_now().await;
        http.answer(reply(200, &[], &set("known-1")));
    };
    let ((one, other), ()) = tokio::join!(both, answered);
    assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
}

#[tokio::test]
async fn a_request_that_panics_fails_those_who_wait_and_not_those_who_come_later() {
    struct Panics(AtomicUsize);

    #[async_trait]
    impl HttpExchange for Panics {
        async fn exchange(&self, _: Request<Bytes>) -> Result<Response<Bytes>, Error> {
            tokio::task::yield_now().await;
            assert!(self.0.fetch_add(1, Ordering::Relaxed) > 0, "the first request panics");
            Ok(reply(200, &[], &set("known-1")))
        }
    }

    let cache = Arc::new(cache(Arc::new(Panics(AtomicUsize::new(0)))).0);
    let callers = [(); 2].map(|()| {
        let cache = Arc::clone(&cache);
        #[expect(clippy::disallowed_methods, reason = "a panic must stay in its task")]
        tokio::spawn(async move { cache.keys().await.is_ok() })
    });
    let mut outcomes = Vec::new();
    for caller in callers {
        outcomes.push(caller.await.ok());
    }
    outcomes.sort();
    assert_eq!(outcomes, [None, Some(false)], "whoever got it on panics, and whoever waits is told");
    cache.keys().await.unwrap();
}

#[tokio::test]
async fn a_token_under_a_new_key_is_taken_after_one_more_request() {
    let http = Scripted::new([Ok(reply(200, &[], &set("known-1"))), Ok(reply(200, &[], &set("known-2")))]);
    let (cache, time) = cache(Arc::clone(&http) as _);
    check(&cache, "known-1").await.unwrap();
    time.store(60, Ordering::Relaxed);
    check(&cache, "known-2").await.unwrap();
    assert_eq!(http.count(), 2);
    assert_eq!(http.asked()[0].headers()[ACCEPT], "application/jwk-set+json, application/json");
}

#[tokio::test]
async fn tokens_under_made_up_keys_lead_to_one_request_a_minute_and_evict_nothing() {
    let answers = (0..4).map(|_| Ok(reply(200, &[], &set("known-1"))));
    let http = Scripted::new(answers);
    let (cache, time) = cache(Arc::clone(&http) as _);
    for second in 0..180 {
        time.store(second, Ordering::Relaxed);
        let error = check(&cache, &format!("made-up-{second}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken);
        check(&cache, "known-1").await.unwrap();
    }
    assert_eq!(http.count(), 3);
}

#[tokio::test]
async fn old_keys_serve_while_the_issuer_fails() {
    let http = Scripted::new([
        Ok(reply(200, &[], &set("known-1"))),
        Ok(reply(500, &[], "")),
        Ok(reply(200, &[], "{}")),
    ]);
    let (cache, time) = cache(Arc::clone(&http) as _);
    check(&cache, "known-1").await.unwrap();
    for second in [600, 629, 630, 659] {
        time.store(second, Ordering::Relaxed);
        check(&cache, "known-1").await.unwrap();
    }
    assert_eq!(http.count(), 3, "a failure is not repeated for 30 s");
}

#[tokio::test]
async fn what_is_no_set_of_public_keys_is_malformed() {
    let private = r#"{"keys":[{"kty":"oct","k":"canarycanarycanarycanarycanarycanarycanarycan"}]}"#;
    for body in ["", "<html>", "{}", r#"{"keys":[]}"#, private] {
        let http = Scripted::new([Ok(reply(200, &[], body))]);
        let error = cache(http).0.keys().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MalformedResponse, "{body}");
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[test]
fn keys_come_from_an_encrypted_url() {
    let clock: Clock = Arc::new(|| at(0));
    let cache = JwksCache::new("http://as.example.com/jwks", Scripted::of([]), Arc::new(Asymmetric), clock);
    assert_eq!(cache.unwrap_err(), ConfigError::Plaintext);
}

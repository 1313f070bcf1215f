//! A collector by script: what it is sent, and what comes of each of its replies.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::sync::Mutex;

use auth_core::AuthEvent;
use auth_core::backoff::Backoff;
use auth_core::time::Timestamp;
use serde_json::{Deserializer, Value, json};

use super::super::{HookCounts, Outlet};
use super::*;
use crate::Event;
use crate::format::{Format, Origin, Renderer};

const BOUND: Duration = Duration::from_secs(30);
const TOKEN: &str = "canary-0a1b2c3d";
const CHANNEL: &str = "FE0ECFAD-13D5-401B-847D-77833BD77131";
const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));

/// What was asked: the path, and the body.
type Asked = Arc<Mutex<Vec<(String, String)>>>;

type Reply = Result<Response<Vec<u8>>, ExchangeError>;

fn reply(status: u16, body: &str) -> Response<Vec<u8>> {
    Response::builder().status(status).body(body.as_bytes().to_vec()).unwrap()
}

/// Answers by script, and then with success; a status of 0 is a connection that breaks.
fn collector(
    script: &[(u16, &str)],
) -> (Asked, impl Fn(Request<String>) -> Ready<Reply> + Send + Sync + 'static) {
    let script: VecDeque<_> = script.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let (asked, script) = (Asked::default(), Mutex::new(script));
    let heard = Arc::clone(&asked);
    let exchange = move |request: Request<String>| {
        let (parts, body) = request.into_parts();
        assert_eq!(parts.headers["authorization"], "Splunk canary-0a1b2c3d");
        assert!(parts.headers["authorization"].is_sensitive());
        heard.lock().unwrap().push((parts.uri.path().to_owned(), body));
        ready(match script.lock().unwrap().pop_front() {
            Some((0, _)) => Err("a broken connection".into()),
            Some((status, body)) => Ok(reply(status, &body)),
            None => Ok(reply(200, r#"{"text":"Success","code":0}"#)),
        })
    };
    (asked, exchange)
}

fn renderer() -> impl Fn(&Entry) -> String + Send + Sync + 'static {
    let renderer = Renderer::new(Format::Hec, Origin::new("gw-1", "gateway"));
    move |entry| renderer.render(entry)
}

fn hec<F: Future<Output = Reply> + Send + 'static, E: Fn(Request<String>) -> F + Send + Sync + 'static>(
    exchange: E,
) -> Hec<E> {
    Hec::new("http://localhost:8088/", &Secret::from(TOKEN), renderer(), exchange).unwrap()
}

/// What becomes of so many entries.
fn delivered(sink: impl Sink, count: u64) -> HookCounts {
    let running = Outlet::sink("splunk", sink).backoff(QUICK).start().unwrap();
    for sequence in 1..=count {
        let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
        let at = Timestamp::from_millis(1_700_000_000_123);
        running.offer(&Arc::new(Entry::new(sequence, at, None, event)));
    }
    let counts = running.close(BOUND);
    assert_eq!(counts.accepted, counts.delivered + counts.dropped, "{counts:?}");
    counts
}

#[test]
fn a_batch_is_json_objects_one_after_another() {
    let (asked, exchange) = collector(&[]);
    assert_eq!(delivered(hec(exchange), 3).delivered, 3);
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|(path, _)| path == "/services/collector/event"));
    let bodies: String = asked.iter().map(|(_, body)| body.as_str()).collect();
    let objects: Vec<Value> = Deserializer::from_str(&bodies).into_iter().map(Result::unwrap).collect();
    assert_eq!(objects.len(), 3);
    assert_eq!((&objects[2]["time"], &objects[2]["event"]["seq"]), (&json!(1_700_000_000.123), &json!(3)));
}

#[test]
fn what_the_collector_has_no_time_for_is_sent_again() {
    let portal = (200, "<html>Log in to the network</html>");
    for (status, body) in
        [(408, ""), (429, ""), (503, ""), (500, ""), (520, ""), (0, ""), portal, (200, r#"{"code":6}"#)]
    {
        let (asked, exchange) = collector(&[(status, body)]);
        let counts = delivered(hec(exchange), 1);
        assert_eq!((counts.delivered, counts.retries, asked.lock().unwrap().len()), (1, 1, 2), "{status}");
    }
}

#[test]
fn the_pause_that_the_collector_asks_for_is_passed_on() {
    let exchange = |_: Request<String>| {
        let reply = Response::builder().status(503).header("retry-after", "77").body(Vec::new());
        ready(Ok::<_, ExchangeError>(reply.unwrap()))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(hec(exchange).deliver(&[]));
    assert_eq!(answer, Err(SinkError::retry_after(Duration::from_secs(77))));
}

#[test]
fn an_entry_that_the_collector_does_not_take_goes_alone() {
    let exchange = |request: Request<String>| {
        let poisoned = request.body().contains(r#""seq":7,"#) && request.body().contains("session_closed");
        ready(Ok::<_, ExchangeError>(reply(if poisoned { 400 } else { 200 }, r#"{"code":0}"#)))
    };
    let counts = delivered(hec(exchange), 20);
    assert_eq!((counts.delivered, counts.dropped), (19, 1));
}

#[test]
fn a_collector_that_does_not_know_us_is_not_asked_about_each_entry() {
    for status in [401, 403, 404, 302] {
        let (asked, exchange) = collector(&[(status, ""); 50]);
        assert_eq!(delivered(hec(exchange), 1).dropped, 1, "{status}");
        // And once more for the record of the hole.
        assert!(asked.lock().unwrap().len() <= 2, "{status}");
    }
}

#[test]
fn with_acknowledgment_an_entry_is_delivered_when_the_indexer_has_it() {
    let (asked, exchange) = collector(&[
        (200, r#"{"text":"Success","code":0,"ackId":5}"#),
        (200, r#"{"acks":{"5":false}}"#),
        (200, r#"{"acks":{"5":true}}"#),
    ]);
    let sink = hec(exchange).acknowledged(CHANNEL, BOUND).unwrap();
    assert_eq!(delivered(sink, 1).delivered, 1);
    let asked = asked.lock().unwrap();
    assert_eq!(asked[1..], vec![("/services/collector/ack".to_owned(), r#"{"acks":[5]}"#.to_owned()); 2]);
}

#[test]
fn a_question_that_is_not_taken_is_asked_again_and_the_entries_are_not_sent_twice() {
    for status in [503, 429, 0] {
        let (asked, exchange) =
            collector(&[(200, r#"{"ackId":5}"#), (status, ""), (200, r#"{"acks":{"5":true}}"#)]);
        let sink = hec(exchange).acknowledged(CHANNEL, BOUND).unwrap();
        let counts = delivered(sink, 1);
        let sent = asked.lock().unwrap().iter().filter(|(path, _)| path.ends_with("/event")).count();
        assert_eq!((counts.delivered, counts.retries, sent), (1, 0, 1), "{status}");
    }
}

#[test]
fn what_a_collector_took_without_acknowledging_anything_is_no_dead_letter() {
    for script in [&[(200, r#"{"text":"Success","code":0}"#)][..], &[(200, r#"{"ackId":0}"#), (400, "")]] {
        let (asked, exchange) = collector(script);
        let sink = hec(exchange).acknowledged(CHANNEL, BOUND).unwrap();
        let counts = delivered(sink, 1);
        assert_eq!((counts.delivered, counts.dropped, asked.lock().unwrap().len()), (1, 0, script.len()));
    }
}

#[test]
fn what_is_never_acknowledged_is_sent_again() {
    let heard = Arc::new(Mutex::new(0));
    let events = Arc::clone(&heard);
    let exchange = move |request: Request<String>| {
        let mut events = events.lock().unwrap();
        ready(Ok::<_, ExchangeError>(match (request.uri().path(), *events) {
            ("/services/collector/ack", 1) => reply(200, r#"{"acks":{"0":false}}"#),
            ("/services/collector/ack", _) => reply(200, r#"{"acks":{"0":true}}"#),
            _ => {
                *events += 1;
                reply(200, r#"{"ackId":0}"#)
            }
        }))
    };
    let sink = hec(exchange).acknowledged(CHANNEL, Duration::from_millis(1_100)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let deadline = sink.deadline(Duration::ZERO).unwrap();
    let call =
        |sink: &dyn Sink| runtime.block_on(async { tokio::time::timeout(deadline, sink.deliver(&[])).await });
    assert!(call(&sink).is_err(), "the deadline ends the call, and the outlet sends the batch again");
    assert_eq!((call(&sink).unwrap(), *heard.lock().unwrap()), (Ok(()), 2));
}

fn nobody() -> (Asked, impl Fn(Request<String>) -> Ready<Reply> + Send + Sync + 'static) {
    collector(&[])
}

#[test]
fn a_mistake_is_told_before_anything_is_sent() {
    let made = |collector: &str, token: &str| {
        let (_, exchange) = nobody();
        Hec::new(collector, &Secret::from(token), renderer(), exchange).map(|_| ())
    };
    assert_eq!(made("https://splunk.example:8088", TOKEN), Ok(()));
    assert_eq!(made("http://splunk.example:8088", TOKEN), Err(InvalidCollector::Plaintext));
    for address in ["splunk.example:8088", "https://a/b", "ftp://a", "", "https://a/?b"] {
        assert_eq!(made(address, TOKEN), Err(InvalidCollector::Address), "{address}");
    }
    for token in ["", " ", "a\nb"] {
        assert_eq!(made("https://a", token), Err(InvalidCollector::Token));
    }
    let (_, exchange) = collector(&[]);
    assert_eq!(hec(exchange).acknowledged("1", BOUND).err(), Some(InvalidCollector::Channel));
}

#[test]
fn no_way_of_formatting_shows_the_token() {
    let (_, exchange) = collector(&[]);
    let hec = hec(exchange);
    let text = format!("{hec:?} {hec:#?}");
    assert!(!text.contains("canary") && text.contains("localhost:8088"), "{text}");
}

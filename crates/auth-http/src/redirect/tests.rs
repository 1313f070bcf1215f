//! The browser's side of a login, over real sockets: its answer, what else it asks for, and what strangers send.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::freshness::SystemFreshness;
use crate::manager::{Timer as _, TokioTimer};
use crate::testing::Fixed;
use crate::wire::{AuthorizationEndpoint, Wanted};

const STATE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

async fn listener() -> RedirectListener {
    RedirectListener::bind("http://127.0.0.1/cb").await.unwrap()
}

fn login(listener: &RedirectListener) -> PendingLogin {
    let endpoint =
        AuthorizationEndpoint::new("https://as.example.com/a", "c", listener.redirect_uri()).unwrap();
    endpoint.with_required_issuer("https://as.example.com").begin(Wanted::new(), &*Fixed::new())
}

/// Where the redirect URI says that the browser goes.
fn authority(listener: &RedirectListener) -> String {
    listener.redirect_uri().strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned()
}

/// Everything that comes back for these bytes.
async fn sent(address: &str, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: &str, target: &str) -> String {
    sent(address, &format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await
}

fn answer(rest: &str) -> String {
    format!("/cb?state={STATE}&iss=https%3A%2F%2Fas.example.com&{rest}")
}

/// The outcome, and what the browser saw: `visit` ends first, or at the same time.
async fn visited<T>(
    listener: &RedirectListener,
    visit: impl Future<Output = T>,
) -> (Result<AuthorizationCode, Error>, T) {
    let login = login(listener);
    tokio::join!(listener.wait(&login), visit)
}

#[tokio::test]
async fn the_browsers_answer_ends_the_wait_and_shows_a_page_that_nobody_keeps() {
    let listener = listener().await;
    let (code, page) = visited(&listener, get(&authority(&listener), &answer("code=canary"))).await;
    let form = format!("{:?}", code.unwrap());
    assert!(form.contains(listener.redirect_uri()), "{form}");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("Back to the program"), "{page}");
    for header in ["Cache-Control: no-store", "Referrer-Policy: no-referrer", "Connection: close"] {
        assert!(page.contains(&format!("\r\n{header}\r\n")), "{header}: {page}");
    }
    assert!(!page.contains("canary") && !page.contains(STATE) && !page.contains("<script"), "{page}");
}

#[tokio::test]
async fn what_else_a_browser_asks_for_ends_nothing() {
    let listener = listener().await;
    let address = authority(&listener);
    let (code, pages) = visited(&listener, async {
        let icon = get(&address, "/favicon.ico").await;
        let bare = get(&address, "/cb").await;
        let posted = sent(&address, &format!("POST /cb HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
        // One that a browser opens beforehand and never uses.
        let unused = TcpStream::connect(&address).await.unwrap();
        get(&address, &answer("code=1")).await;
        drop(unused);
        [icon, bare, posted]
    })
    .await;
    code.unwrap();
    let [icon, bare, posted] = pages;
    assert!(icon.starts_with("HTTP/1.1 404 "), "{icon}");
    assert!(bare.starts_with("HTTP/1.1 400 "), "{bare}");
    assert!(posted.starts_with("HTTP/1.1 405 ") && posted.contains("\r\nAllow: GET\r\n"), "{posted}");
}

#[tokio::test]
async fn a_strangers_answer_gets_a_page_that_says_so_and_ends_nothing() {
    let listener = listener().await;
    let address = authority(&listener);
    let (code, pages) = visited(&listener, async {
        let mut pages = Vec::new();
        for stranger in [
            "/cb?code=1&state=other".to_owned(),
            "/cb?error=access_denied&state=other".to_owned(),
            "/cb?error=access_denied".to_owned(),
            format!("/cb?state={STATE}&state={STATE}&error=access_denied"),
        ] {
            pages.push(get(&address, &stranger).await);
        }
        get(&address, &answer("code=2")).await;
        pages
    })
    .await;
    code.unwrap();
    for page in pages {
        assert!(page.starts_with("HTTP/1.1 400 ") && page.contains("not the answer to the login"), "{page}");
    }
}

#[tokio::test]
async fn a_refusal_with_the_right_state_ends_the_wait() {
    let of_another = format!("/cb?state={STATE}&iss=https%3A%2F%2Fevil.example&code=1");
    for (target, kind, title) in [
        (answer("error=access_denied"), ErrorKind::Refused, "said no"),
        (answer("error=temporarily_unavailable"), ErrorKind::ServerFailed, "failed"),
        (answer("session_state=x"), ErrorKind::MalformedResponse, "failed"),
        (of_another, ErrorKind::Refused, "refused"),
    ] {
        let listener = listener().await;
        let (code, page) = visited(&listener, get(&authority(&listener), &target)).await;
        assert_eq!(code.unwrap_err().kind(), kind, "{target}");
        assert!(page.contains("You are not logged in") && page.contains(title), "{page}");
    }
}

/// A page of a stranger whose host name was made to mean this machine.
#[tokio::test]
async fn a_request_under_another_host_name_is_not_looked_at() {
    let listener = listener().await;
    let address = authority(&listener);
    let port = address.rsplit_once(':').unwrap().1.to_owned();
    let (code, pages) = visited(&listener, async {
        let mut pages = Vec::new();
        for host in [format!("evil.example:{port}"), format!("localhost:{port}"), "127.0.0.1".to_owned()] {
            let request = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n", answer("code=1"));
            pages.push(sent(&address, &request).await);
        }
        get(&address, &answer("code=2")).await;
        pages
    })
    .await;
    code.unwrap();
    assert!(pages.iter().all(|page| page.starts_with("HTTP/1.1 421 ")), "{pages:?}");
}

#[tokio::test]
async fn a_head_without_an_end_is_cut_off() {
    let listener = listener().await;
    let address = authority(&listener);
    let (code, page) = visited(&listener, async {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = format!("GET /cb HTTP/1.1\r\nHost: {address}\r\nCookie: {}", "a".repeat(LARGEST_HEAD));
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut page = [0; 12];
        stream.read_exact(&mut page).await.unwrap();
        get(&address, &answer("code=1")).await;
        page
    })
    .await;
    code.unwrap();
    assert_eq!(&page, b"HTTP/1.1 431");
}

/// How long it took on the runtime's clock until the browser had brought its answer; `before` is what happens first.
async fn time_until_heard<T>(before: impl AsyncFnOnce(String) -> T) -> Duration {
    let listener = listener().await;
    let address = authority(&listener);
    let timer = TokioTimer::start();
    let visiting = visited(&listener, async {
        let kept = before(address.clone()).await;
        get(&address, &answer("code=1")).await;
        drop(kept);
    });
    let (code, ()) = tokio::time::timeout(Duration::from_secs(600), visiting).await.expect("it is not heard");
    code.unwrap();
    timer.now().mono.elapsed()
}

/// However many a hostile page opens.
#[tokio::test(start_paused = true)]
async fn silent_connections_do_not_hold_up_the_browser() {
    let took = time_until_heard(async |address| {
        let mut silent = Vec::new();
        for number in 0..5 * MOST_CONNECTIONS {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            if number % 2 == 0 {
                stream.write_all(b"GET /cb HTTP/1.1\r\n").await.unwrap();
            }
            silent.push(stream);
        }
        silent
    });
    assert!(took.await < CONNECTION_TIME);
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_after_its_time() {
    let took = time_until_heard(async |address| {
        let mut silent = TcpStream::connect(address).await.unwrap();
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    });
    let took = took.await;
    assert!((CONNECTION_TIME..2 * CONNECTION_TIME).contains(&took), "{took:?}");
}

/// However its bytes are spread over reads.
#[tokio::test]
async fn a_head_is_whole_at_its_blank_line() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for step in 1..=head.len() {
        let (mut browser, mut stream) = tokio::io::duplex(step);
        let sending = async move { browser.write_all(head).await.unwrap() };
        let (read, ()) = tokio::join!(read(&mut stream), sending);
        assert_eq!(read.unwrap(), head, "{step} at a time");
    }
}

/// The browser brings the answer, and reads its page too slowly for whoever waits; it will not bring the answer again.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_heard_is_not_lost_when_the_wait_is_dropped_over_its_page() {
    const A_SECOND: Duration = Duration::from_secs(1);
    let listener = listener().await;
    let login = login(&listener);
    let head = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", answer("code=1"), authority(&listener));
    let (browser, stream) = tokio::io::duplex(16);
    let shown = tokio::time::timeout(A_SECOND, listener.answer(stream, head.into_bytes(), &login)).await;
    assert!(shown.is_err(), "the control: the page is longer");
    drop(browser);

    let another =
        AuthorizationEndpoint::new("https://as.example.com/a", "c", listener.redirect_uri()).unwrap();
    let another = another.begin(Wanted::new(), &SystemFreshness);
    let waited = tokio::time::timeout(A_SECOND, listener.wait(&another)).await;
    assert!(waited.is_err(), "it answers this login only");
    let heard = tokio::time::timeout(A_SECOND, listener.wait(&login)).await.expect("it is lost");
    assert!(format!("{:?}", heard.unwrap()).contains(listener.redirect_uri()));
    let waited = tokio::time::timeout(A_SECOND, listener.wait(&login)).await;
    assert!(waited.is_err(), "a code is handed out once");
}

#[tokio::test]
async fn a_wait_that_is_dropped_may_be_begun_again_and_a_listener_that_is_dropped_frees_its_port() {
    let listener = listener().await;
    let address = authority(&listener);
    let login = login(&listener);
    let waited = tokio::time::timeout(Duration::from_millis(1), listener.wait(&login)).await;
    assert!(waited.is_err());
    let target = answer("code=1");
    let (code, _) = tokio::join!(listener.wait(&login), get(&address, &target));
    code.unwrap();

    let mut waiting = Box::pin(async move { listener.wait(&login).await });
    let waited = tokio::time::timeout(Duration::from_millis(1), &mut waiting).await;
    assert!(waited.is_err());
    assert!(TcpListener::bind(&address).await.is_err(), "the control: it is taken");
    drop(waiting);
    TcpListener::bind(&address).await.unwrap();
}

#[tokio::test]
async fn the_redirect_uri_is_kept_to_the_letter_but_for_its_port() {
    for (given, before, after) in [
        ("http://127.0.0.1", "http://127.0.0.1:", ""),
        ("http://127.0.0.1:0/", "http://127.0.0.1:", "/"),
        ("http://localhost/a/b", "http://localhost:", "/a/b"),
    ] {
        let listener = RedirectListener::bind(given).await.unwrap();
        let uri = listener.redirect_uri().to_owned();
        let port = uri.strip_prefix(before).unwrap().strip_suffix(after).unwrap();
        assert_ne!(port.parse::<u16>().unwrap(), 0, "{uri}");
        let path = if after.is_empty() { "/" } else { after };
        let target = format!("{path}?state={STATE}&iss=https%3A%2F%2Fas.example.com&code=1");
        let (code, _) = visited(&listener, get(&authority(&listener), &target)).await;
        code.unwrap();
    }
}

#[tokio::test]
async fn a_port_of_ones_own_choice_is_taken_or_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://127.0.0.1:{}/cb", taken.local_addr().unwrap().port());
    let error = RedirectListener::bind(&uri).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("is in use"), "{error}");
    drop(taken);
    assert_eq!(RedirectListener::bind(&uri).await.unwrap().redirect_uri(), uri);
}

#[tokio::test]
async fn what_is_not_of_this_machine_is_no_place_to_listen() {
    for uri in [
        "https://127.0.0.1/cb",
        "http://client.example.com/cb",
        "http://192.0.2.1/cb",
        "http://127.0.0.1.example.com/cb",
        "http://user@127.0.0.1/cb",
        "http://127.0.0.1/cb?a=b",
        "http://127.0.0.1/cb#a",
        "com.example.app:/cb",
        "/cb",
        "",
    ] {
        assert_eq!(RedirectListener::bind(uri).await.unwrap_err().kind(), ErrorKind::Misconfigured, "{uri}");
    }
}

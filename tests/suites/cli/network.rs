//! The way to servers: proxies, and what must be encrypted.

use std::net::SocketAddr;

use realtime_auth_tests::proxy::Proxy;

use super::connect::{Scripted, accept};
use super::*;

/// A desk with a token, and a server that sends back the first message and then waits for the end.
fn scene() -> (Desk, Scripted<String>, SocketAddr) {
    let desk = Desk::new();
    desk.put("token.txt", "canary-token");
    let server = Scripted::play(|listener| {
        let (mut socket, head) = accept(listener);
        let message = socket.read().unwrap();
        socket.send(message).unwrap();
        while socket.read().is_ok() {}
        head
    });
    let address = server.url.strip_prefix("ws://").unwrap().strip_suffix("/ws").unwrap().parse().unwrap();
    (desk, server, address)
}

/// A session of one message and its echo, to wherever.
fn session<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let flags =
        ["connect", "--dialect", "bearer-header", "--url", url, "--json", "--send", "hello", "--for", "2"];
    [&flags[..], &["--source", "static", "--token-file", "token.txt"], more].concat()
}

fn texts(output: &Output) -> (String, String) {
    let (stdout, stderr) = (output.stdout.clone(), output.stderr.clone());
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(!stdout.contains("canary-secret") && !stderr.contains("canary"), "{stdout}{stderr}");
    (stdout, stderr)
}

const ECHO: &str = r#"{"event":"message","text":"hello"}"#;

#[tokio::test]
async fn a_session_goes_through_the_proxy_of_the_flag_or_of_the_environment() {
    for by_flag in [true, false] {
        let (desk, server, address) = scene();
        let authorization = (!by_flag).then(|| "Basic dXNlcjpjYW5hcnktcGFzcw==".to_owned());
        let proxy = Proxy::serve(address, authorization, None).await.unwrap();
        let (url, with_password) =
            (format!("http://{}", proxy.address()), format!("http://user:canary-pass@{}", proxy.address()));
        let elsewhere = session("ws://ws.example:81/ws", &["--insecure"]);
        let mut command = desk.rtauth(&elsewhere);
        if by_flag {
            command.args(["--proxy", &url]);
        } else {
            command.env("http_proxy", &with_password);
        }
        let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
        assert!(stdout.contains(ECHO), "{stdout}");
        assert!(proxy.heads()[0].starts_with("CONNECT ws.example:81 HTTP/1.1\r\n"), "{:?}", proxy.heads());
        assert!(server.played().await.contains("Bearer canary-token"));
    }
}

#[tokio::test]
async fn this_machine_and_what_is_excepted_are_reached_directly() {
    // Nobody is asked for a tunnel.
    for (host, no_proxy) in [("127.0.0.1", ""), ("0.0.0.0", "0.0.0.0")] {
        let (desk, server, address) = scene();
        let proxy = Proxy::serve(address, None, None).await.unwrap();
        let (url, proxy_url) =
            (format!("ws://{host}:{}/ws", address.port()), format!("http://{}", proxy.address()));
        let mut command = desk.rtauth(&session(&url, &["--insecure", "--proxy", &proxy_url]));
        command.env("NO_PROXY", no_proxy).env_remove("no_proxy");
        let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        let (stdout, stderr) = texts(&output);
        assert!(output.status.success() && stdout.contains(ECHO), "{stdout}{stderr}");
        assert_eq!(proxy.heads(), Vec::<String>::new());
        server.played().await;
    }
}

#[tokio::test]
async fn a_token_is_fetched_through_the_proxy_of_the_flag() {
    let desk = Desk::new();
    let server =
        Script::serve(vec![Answer::http(200, JSON, r#"{"access_token":"t","token_type":"bearer"}"#)]);
    let server = server.await.unwrap();
    let address = server.url().strip_prefix("http://").unwrap().trim_end_matches('/').parse().unwrap();
    let proxy = Proxy::serve(address, None, None).await.unwrap();
    let proxy_url = format!("http://{}", proxy.address());
    let client = ["--client-id", "a", "--client-secret-file", "secret"];
    let flags = ["token", "--token-url", "http://as.example/token", "--insecure", "--proxy", &proxy_url];
    let output = desk.run(&[&flags[..], &client].concat()).await;
    let (stdout, stderr) = texts(&output);
    assert!(output.status.success() && stdout.contains(r#""token": "t""#), "{stdout}{stderr}");
    assert!(proxy.heads()[0].starts_with("CONNECT as.example:80 "), "{:?}", proxy.heads());
}

#[tokio::test]
async fn a_password_of_a_proxy_does_not_stand_on_the_command_line() {
    let desk = Desk::new();
    desk.put("token.txt", "canary-token");
    for (url, expected) in
        [("http://user:canary@proxy:3128", "HTTPS_PROXY"), ("socks5://proxy:1080", "SOCKS is not supported")]
    {
        let output = desk.run(&session("wss://ws.example/ws", &["--proxy", url])).await;
        let (stdout, stderr) = texts(&output);
        assert_eq!((output.status.code(), stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains("--proxy") && stderr.contains(expected), "{stderr}");
    }
}

/// To this process, 0.0.0.0 is no name of its own machine; to the system it is.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn plain_ws_to_another_machine_is_refused_unless_somebody_insists_and_then_loudly() {
    let (desk, server, address) = scene();
    let url = format!("ws://0.0.0.0:{}/ws", address.port());
    let refused = desk.run(&session(&url, &[])).await;
    let (stdout, stderr) = texts(&refused);
    assert_eq!((refused.status.code(), stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(
        stderr.contains("plain ws is for this machine only, unless --insecure says otherwise"),
        "{stderr}"
    );
    let insisted = desk.run(&session(&url, &["--insecure"])).await;
    let (stdout, stderr) = texts(&insisted);
    assert!(insisted.status.success() && stdout.contains(ECHO), "{stdout}{stderr}");
    assert!(stderr.starts_with("rtauth connect: WARNING: --insecure allows plain http and ws"), "{stderr}");
    assert!(server.played().await.contains("Bearer canary-token"));
}

/// Each command that asks somebody: what is refused without the flag goes out with it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn plain_http_to_another_machine_is_refused_unless_somebody_insists_and_then_loudly() {
    let desk = Desk::new();
    desk.put("token.txt", "canary-token");
    let client = ["--client-id", "a", "--client-secret-file", "secret"];
    for (command, flag, more) in [
        ("token", "--token-url", &[][..]),
        ("token", "--issuer", &[]),
        ("revoke", "--revocation-url", &["--token-file", "token.txt"]),
        ("login", "--issuer", &["--device", "--store", "login.json"]),
    ] {
        let server = Script::serve(vec![Answer::http(400, JSON, r#"{"error":"invalid_request"}"#); 3]);
        let server = server.await.unwrap();
        let url = server.url().replace("127.0.0.1", "0.0.0.0");
        let flags = [&[command, flag, &url][..], &client, more].concat();
        let refused = desk.run(&flags).await;
        let (_, stderr) = texts(&refused);
        assert_eq!(refused.status.code(), Some(2), "{flags:?} {stderr}");
        assert!(stderr.contains("plain http is for this machine only"), "{stderr}");
        assert_eq!(server.requests(), Vec::<String>::new());
        let insisted = desk.run(&[&flags[..], &["--insecure"]].concat()).await;
        let (_, stderr) = texts(&insisted);
        assert!(stderr.starts_with(&format!("rtauth {command}: WARNING: --insecure ")), "{stderr}");
        assert_ne!(insisted.status.code(), Some(2), "{stderr}");
        assert!(!server.requests().is_empty(), "{command} {stderr}");
    }
}

#[tokio::test]
async fn a_header_that_is_a_secret_comes_from_a_file_and_is_shown_nowhere() {
    let (desk, server, _) = scene();
    desk.put("key.txt", "canary-key\n");
    let url = server.url.clone();
    let output = desk.run(&session(&url, &["--ws-header-file", "X-Api-Key=key.txt"])).await;
    let (stdout, stderr) = texts(&output);
    assert!(output.status.success() && stdout.contains(ECHO), "{stdout}{stderr}");
    assert!(!stdout.contains("canary"), "{stdout}");
    let head = server.played().await.to_ascii_lowercase();
    assert!(head.contains(r#""x-api-key": "canary-key""#), "{head}");
}

#[tokio::test]
async fn a_header_that_can_not_be_sent_is_said_before_a_token_is_asked_for() {
    let desk = Desk::new();
    desk.put("token.txt", "canary-token");
    desk.put("lines.txt", "canary\nlines");
    for (header, expected) in [
        ("Host=token.txt", "\"Host\" can't be sent with the upgrade"),
        ("Authorization=token.txt", "the dialect fills it"),
        ("X-Key=lines.txt", "lines.txt"),
        ("X-Key=nowhere.txt", "nowhere.txt"),
        ("X-Key", "NAME=FILE"),
    ] {
        let output = desk.run(&session("ws://127.0.0.1:1/ws", &["--ws-header-file", header])).await;
        let (stdout, stderr) = texts(&output);
        assert_eq!((output.status.code(), stdout.as_str()), (Some(2), ""), "{header} {stderr}");
        assert!(stderr.contains(expected), "{header} {stderr}");
    }
}

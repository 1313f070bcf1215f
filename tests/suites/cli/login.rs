//! `rtauth login` once the person has logged in: the login is kept, or ended.

use std::sync::Arc;

use realtime_auth_tests::script::Hold;
use tokio::sync::Notify;

use super::browser::{browse, login};
use super::*;

/// A server with a login page, whose token endpoint answers when the gate is opened.
async fn server(gate: &Arc<Notify>) -> Script {
    let gate = Arc::clone(gate);
    Script::answering(move |request| {
        let host = header(request, "Host").unwrap();
        if is_for(request, "/.well-known/oauth-authorization-server") {
            let metadata = format!(
                r#"{{"issuer":"http://{host}","authorization_endpoint":"http://{host}/authorize","token_endpoint":"http://{host}/token","revocation_endpoint":"http://{host}/revoke"}}"#
            );
            return Answer::http(200, JSON, &metadata);
        }
        if is_for(request, "/authorize") {
            let (to, state) = (parameter(request, "redirect_uri"), parameter(request, "state"));
            let location = format!("Location: {}?state={}&code=1\r\n", to.unwrap(), state.unwrap());
            return Answer::http(302, &location, "");
        }
        if is_for(request, "/revoke") {
            return Answer::http(200, "", "");
        }
        login_answer().held(Hold::Unanswered, Arc::clone(&gate))
    })
    .await
    .unwrap()
}

/// The code is redeemed, and not answered yet.
async fn redeeming(running: &mut Running, server: &Script) {
    browse(running.event().await["url"].as_str().unwrap()).await;
    server.until(|progress| progress.received == 2).await;
}

#[tokio::test]
async fn the_deadline_is_the_persons_and_not_that_of_what_they_have_done() {
    let (desk, gate) = (Desk::new(), Arc::default());
    let server = server(&gate).await;
    let mut running = login(&desk, &server, &["--timeout", "3"]);
    redeeming(&mut running, &server).await;
    // The time itself is what is tested.
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    gate.notify_one();
    assert_eq!(running.event().await["event"], "logged_in");
    assert_eq!(running.end().await.0, Some(0));
    assert_eq!(desk.record().await.unwrap().refresh_token, Some(Secret::from("canary-refresh-1")));
}

#[cfg(unix)]
#[tokio::test]
async fn one_interruption_does_not_lose_a_login_and_two_do() {
    for twice in [false, true] {
        let (desk, gate) = (Desk::new(), Arc::default());
        let server = server(&gate).await;
        let mut running = login(&desk, &server, &[]);
        redeeming(&mut running, &server).await;
        interrupt(&running);
        running.complaint("interrupt again").await;
        if twice {
            interrupt(&running);
        } else {
            gate.notify_one();
            assert_eq!(running.event().await["event"], "logged_in");
        }
        let (code, stderr) = running.end().await;
        assert_eq!((code, stderr.as_str()), (Some(130), "rtauth login: interrupted\n"));
        assert_eq!(desk.record().await.unwrap().refresh_token.is_some(), !twice);
    }
}

/// A record of a later release: it is never overwritten.
const NEWER: &str = r#"{"version":99}"#;

fn put_newer(desk: &Desk) {
    desk.put("login.json", NEWER);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(desk.path("login.json"), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[tokio::test]
async fn nobody_is_asked_to_log_in_where_that_could_not_be_saved() {
    let (desk, gate) = (Desk::new(), Arc::default());
    let server = server(&gate).await;
    put_newer(&desk);
    let url = server.url();
    let arguments = ["login", "--json", "--no-browser", "--issuer", url, "--client-id", "app"];
    let output = desk.run(&[&arguments[..], &["--store", "login.json"]].concat()).await;
    assert!(failed(&output, 2).contains("misconfigured: "), "{output:?}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_login_that_can_not_be_saved_is_ended_where_that_is_possible() {
    for by_metadata in [true, false] {
        let (desk, gate) = (Desk::new(), Arc::default());
        let server = server(&gate).await;
        let mut running = if by_metadata {
            let arguments =
                ["login", "--json", "--no-browser", "--issuer", server.url(), "--client-id", "app"];
            Running::start(desk.rtauth(&[&arguments[..], &["--store", "login.json"]].concat()))
        } else {
            login(&desk, &server, &[])
        };
        let url = running.event().await["url"].as_str().unwrap().to_owned();
        put_newer(&desk);
        gate.notify_one();
        browse(&url).await;
        let (code, stderr) = running.end().await;
        assert_eq!(code, Some(2), "{stderr}");
        let said =
            if by_metadata { "was ended at the server" } else { "lives on at the server: end it there" };
        assert!(stderr.contains(said) && !stderr.contains("canary"), "{stderr}");
        let requests = server.requests();
        let ended: Vec<_> = requests.iter().filter_map(|one| parameter(one, "token")).collect();
        let both = ["canary-refresh-1".to_owned(), "canary-token-1".to_owned()];
        assert_eq!(ended, if by_metadata { &both[..] } else { &[] });
    }
}

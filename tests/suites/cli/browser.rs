//! `rtauth login` with a browser, which the test is: it reads the printed URL, and follows the redirect.

use auth_core::oauth::CodeVerifier;
#[cfg(target_os = "linux")]
use realtime_auth_tests::authority::Authority;

use super::*;

/// The challenge of a verifier (RFC 7636 §4.2).
fn challenge_of(verifier: &str) -> String {
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(verifier).unwrap();
    CodeVerifier::from_random(bytes.try_into().unwrap()).challenge()
}

/// A server with a login page that sends the browser on at once, and a token endpoint.
async fn server(rest: &'static str) -> Script {
    Script::answering(move |request| {
        if is_for(request, "/authorize") {
            let (to, state) = (parameter(request, "redirect_uri"), parameter(request, "state"));
            let location = format!("Location: {}?state={}&{rest}\r\n", to.unwrap(), state.unwrap());
            return Answer::http(302, &location, "");
        }
        login_answer()
    })
    .await
    .unwrap()
}

/// Follows the URL that the command printed, as a browser does; what the person sees in the end.
pub(super) async fn browse(url: &str) -> String {
    let sent = get(url).await;
    get(&header(&sent, "Location").unwrap()).await
}

pub(super) fn login(desk: &Desk, server: &Script, more: &[&str]) -> Running {
    let (authorize, token) = (format!("{}/authorize", server.url()), format!("{}/token", server.url()));
    let mut arguments =
        vec!["login", "--json", "--no-browser", "--client-id", "app", "--store", "login.json"];
    arguments.extend(["--authorization-url", &authorize, "--token-url", &token]);
    arguments.extend(more);
    Running::start(desk.rtauth(&arguments))
}

#[tokio::test]
async fn a_person_logs_in_and_the_login_is_in_the_store_and_nowhere_else() {
    let (desk, server) = (Desk::new(), server("code=canary-code").await);
    let mut running = login(&desk, &server, &["--scope", "a b", "--scope", "offline_access"]);
    let open = running.event().await;
    assert_eq!(open["event"], "open");
    let url = open["url"].as_str().unwrap().to_owned();
    assert_eq!(parameter(&url, "scope").as_deref(), Some("a b offline_access"));
    assert_eq!(parameter(&url, "code_challenge_method").as_deref(), Some("S256"));
    let page = browse(&url).await;
    assert!(page.contains("Back to the program"), "{page}");
    let done = running.event().await;
    assert_eq!(
        (&done["event"], &done["refreshable"], &done["scope"]),
        (&"logged_in".into(), &true.into(), &"a b".into())
    );
    let (code, stderr) = running.end().await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(!format!("{open}{done}").contains("canary"), "no token is printed");

    let redeemed = &of_grant(&server, "authorization_code")[0];
    assert_eq!(parameter(redeemed, "code").as_deref(), Some("canary-code"));
    assert_eq!(parameter(redeemed, "client_id").as_deref(), Some("app"));
    assert_eq!(parameter(redeemed, "redirect_uri"), parameter(&url, "redirect_uri"));
    let verifier = parameter(redeemed, "code_verifier").unwrap();
    assert_eq!(Some(challenge_of(&verifier)), parameter(&url, "code_challenge"));

    let record = desk.record().await.unwrap();
    assert_eq!(record.refresh_token, Some(Secret::from("canary-refresh-1")));
    assert!(is_private(&desk.path("login.json")));
    let url = format!("{}/token", server.url());
    let arguments =
        ["token", "--json", "--token-url", &url, "--client-id", "app", "--grant", "refresh_token"];
    let token = printed(&desk.run(&[&arguments[..], &["--store", "login.json"]].concat()).await);
    assert_eq!(token["token"], "canary-token-1");
    assert_eq!(of_grant(&server, "refresh_token").len(), 0, "the login's own token lives");
}

#[tokio::test]
async fn an_older_login_is_replaced_and_never_redeemed() {
    let (desk, server) = (Desk::new(), server("code=1").await);
    desk.logged_in().await;
    let mut running = login(&desk, &server, &[]);
    browse(running.event().await["url"].as_str().unwrap()).await;
    assert_eq!(running.event().await["event"], "logged_in");
    assert_eq!(running.end().await.0, Some(0));
    let record = desk.record().await.unwrap();
    assert_eq!((record.revision, record.refresh_token), (5, Some(Secret::from("canary-refresh-1"))));
    assert_eq!(of_grant(&server, "refresh_token").len(), 0);
}

#[tokio::test]
async fn a_person_who_says_no_ends_it_and_the_older_login_stays() {
    let (desk, server) = (Desk::new(), server("error=access_denied").await);
    desk.logged_in().await;
    let mut running = login(&desk, &server, &[]);
    let page = browse(running.event().await["url"].as_str().unwrap()).await;
    assert!(page.contains("You are not logged in"), "{page}");
    let (code, stderr) = running.end().await;
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.starts_with("rtauth login: refused: ") && stderr.contains("said no"), "{stderr}");
    assert_eq!(desk.record().await.unwrap().revision, 4);
}

#[tokio::test]
async fn an_answer_to_another_login_changes_nothing() {
    let (desk, server) = (Desk::new(), server("code=1").await);
    let mut running = login(&desk, &server, &["--redirect-uri", "http://localhost/back"]);
    let url = running.event().await["url"].as_str().unwrap().to_owned();
    let back = parameter(&url, "redirect_uri").unwrap();
    assert!(back.starts_with("http://localhost:") && back.ends_with("/back"), "{back}");
    for stranger in ["?error=access_denied&state=x", "?code=evil", "/favicon.ico"] {
        assert!(get(&format!("{back}{stranger}")).await.starts_with("HTTP/1.1 4"), "{stranger}");
    }
    browse(&url).await;
    assert_eq!(running.event().await["event"], "logged_in");
    assert_eq!(running.end().await.0, Some(0));
    let codes: Vec<_> =
        of_grant(&server, "authorization_code").iter().map(|one| parameter(one, "code")).collect();
    assert_eq!(codes, [Some("1".to_owned())]);
}

/// RFC 9207: the metadata say that answers name their issuer, so one that does not is of somebody else.
#[tokio::test]
async fn the_issuers_metadata_lead_the_way_and_its_name_is_wanted_in_the_answer() {
    for (named, expected) in [(true, 0), (false, 3)] {
        let desk = Desk::new();
        let server = Script::answering(move |request| {
            let host = header(request, "Host").unwrap();
            if is_for(request, "/.well-known/oauth-authorization-server") {
                let metadata = format!(
                    r#"{{"issuer":"http://{host}","authorization_endpoint":"http://{host}/authorize","token_endpoint":"http://{host}/token","code_challenge_methods_supported":["S256"],"authorization_response_iss_parameter_supported":true}}"#
                );
                return Answer::http(200, JSON, &metadata);
            }
            if is_for(request, "/authorize") {
                let (to, state) = (parameter(request, "redirect_uri").unwrap(), parameter(request, "state").unwrap());
                let issuer = if named { format!("&iss=http%3A%2F%2F{host}") } else { String::new() };
                return Answer::http(302, &format!("Location: {to}?code=1&state={state}{issuer}\r\n"), "");
            }
            login_answer()
        })
        .await
        .unwrap();
        let arguments = ["login", "--json", "--no-browser", "--issuer", server.url(), "--client-id", "app"];
        let mut running = Running::start(desk.rtauth(&[&arguments[..], &["--store", "login.json"]].concat()));
        browse(running.event().await["url"].as_str().unwrap()).await;
        let (code, stderr) = running.end().await;
        assert_eq!(code, Some(expected), "{stderr}");
        assert_eq!(of_grant(&server, "authorization_code").len(), usize::from(named));
    }
}

#[tokio::test]
async fn a_server_without_proof_keys_is_not_logged_in_at() {
    let desk = Desk::new();
    let server = Script::answering(|request| {
        let host = header(request, "Host").unwrap();
        let metadata = format!(
            r#"{{"issuer":"http://{host}","authorization_endpoint":"http://{host}/a","token_endpoint":"http://{host}/t","code_challenge_methods_supported":["plain"]}}"#
        );
        Answer::http(200, JSON, &metadata)
    });
    let server = server.await.unwrap();
    let arguments =
        ["login", "--no-browser", "--issuer", server.url(), "--client-id", "app", "--store", "login.json"];
    let stderr = failed(&desk.run(&arguments).await, 1);
    assert!(stderr.contains("S256") && stderr.contains("--device"), "{stderr}");
}

#[tokio::test]
async fn nobody_who_logs_in_is_a_timeout() {
    let (desk, server) = (Desk::new(), server("code=1").await);
    let mut running = login(&desk, &server, &["--timeout", "1"]);
    running.event().await;
    let (code, stderr) = running.end().await;
    assert_eq!(code, Some(4), "{stderr}");
    assert_eq!(desk.record().await, Some(Record::default()));
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_ends_the_wait_and_frees_the_port() {
    let (desk, server) = (Desk::new(), server("code=1").await);
    let mut running = login(&desk, &server, &[]);
    let url = running.event().await["url"].as_str().unwrap().to_owned();
    interrupt(&running);
    let (code, stderr) = running.end().await;
    assert_eq!((code, stderr.as_str()), (Some(130), "rtauth login: interrupted\n"));
    let back = parameter(&url, "redirect_uri").unwrap();
    let authority = back.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    assert!(std::net::TcpListener::bind(authority).is_ok());
}

/// A browser of the test's own stands where the desktop's would be found.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_browser_is_opened_at_the_url_that_is_printed_and_no_other_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let (desk, server) = (Desk::new(), server("code=1").await);
    desk.put("xdg-open", "#!/bin/sh\n{ echo \"$1\"; env; } > opened.part && mv opened.part opened\n");
    fs::set_permissions(desk.path("xdg-open"), fs::Permissions::from_mode(0o755)).unwrap();
    let (authorize, token) = (format!("{}/authorize", server.url()), format!("{}/token", server.url()));
    let mut command = desk.rtauth(&["login", "--json", "--client-id", "app", "--store", "login.json"]);
    command.args(["--authorization-url", &authorize, "--token-url", &token]);
    let path = format!("{}:{}", desk.path("").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("DISPLAY", ":99").env("TMPDIR", desk.path(""));
    for name in ["RTAUTH_CLIENT_SECRET", "RTAUTH_REFRESH_TOKEN", "RTAUTH_ABLY_KEY"] {
        command.env(name, "canary");
    }
    let mut running = Running::start(command);
    let url = running.event().await["url"].as_str().unwrap().to_owned();
    let opened = async {
        while !desk.path("opened").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap();
    let seen = fs::read_to_string(desk.path("opened")).unwrap();
    assert!(seen.contains("DISPLAY=:99") && !seen.contains("canary"), "{seen}");
    let state = parameter(&url, "state").unwrap();
    assert!(!seen.contains(&state), "{seen}");
    let file = PathBuf::from(seen.lines().next().unwrap());
    assert!(is_private(&file));
    let page = fs::read_to_string(&file).unwrap();
    let led = page.split_once("content=\"0; url=").unwrap().1.split_once('"').unwrap().0;
    assert_eq!(led.replace("&amp;", "&"), url);
    assert!(!page.contains("<script"));
    browse(&url).await;
    assert_eq!(running.event().await["event"], "logged_in");
    assert_eq!(running.end().await.0, Some(0));
    assert!(!file.exists(), "nothing of it stays");
}

#[tokio::test]
async fn a_login_without_a_refresh_token_is_kept_and_said_to_end() {
    let desk = Desk::new();
    let server = Script::answering(|request| {
        if is_for(request, "/authorize") {
            let (to, state) =
                (parameter(request, "redirect_uri").unwrap(), parameter(request, "state").unwrap());
            return Answer::http(302, &format!("Location: {to}?code=1&state={state}\r\n"), "");
        }
        Answer::token("canary-token-1", 60)
    });
    let server = server.await.unwrap();
    let mut running = login(&desk, &server, &[]);
    browse(running.event().await["url"].as_str().unwrap()).await;
    assert_eq!(running.event().await["refreshable"], false);
    let (code, stderr) = running.end().await;
    assert_eq!(code, Some(0));
    assert!(stderr.contains("offline_access"), "{stderr}");
}

/// Secrets of the client, of the code, of the tokens and of the older login: none shows anywhere.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_secret_shows_in_arguments_or_output() {
    let (desk, server) = (Desk::new(), server("code=canary-code").await);
    desk.logged_in().await;
    desk.put("key.pem", &Authority::new().unwrap().certify("key").unwrap().key_pem);
    let (authorize, token) = (format!("{}/authorize", server.url()), format!("{}/token", server.url()));
    let mut command = desk.rtauth(&["login", "--no-browser", "--client-id", "app", "--store", "login.json"]);
    command.args([
        "--authorization-url",
        &authorize,
        "--token-url",
        &token,
        "--client-secret-file",
        "secret",
    ]);
    command.args(["--dpop", "--dpop-key-file", "key.pem"]);
    let mut running = Running::start(command);
    let mut shown = String::new();
    let url = loop {
        let line = running.lines.next_line().await.unwrap().unwrap();
        shown.push_str(&line);
        if line.starts_with("http://") {
            break line;
        }
    };
    let arguments = fs::read(format!("/proc/{}/cmdline", running.process.id().unwrap())).unwrap();
    assert!(String::from_utf8_lossy(&arguments).contains("login.json"), "the control");
    shown.push_str(&String::from_utf8_lossy(&arguments));
    shown.push_str(&browse(&url).await);
    while let Some(line) = running.lines.next_line().await.unwrap() {
        shown.push_str(&line);
    }
    let (code, stderr) = running.end().await;
    shown.push_str(&stderr);
    // A bearer token in place of a bound one: the failure shows nothing either.
    assert_eq!(code, Some(1), "{stderr}");
    assert!(shown.contains("bearer token where one bound to a key") && !shown.contains("canary"), "{shown}");
    assert!(header(&of_grant(&server, "authorization_code")[0], "dpop").is_some());
}

#[tokio::test]
async fn what_can_not_be_meant_is_refused_with_what_to_do_instead() {
    let desk = Desk::new();
    let base = ["login", "--client-id", "app"];
    let urls = ["--authorization-url", "http://127.0.0.1:1/a", "--token-url", "http://127.0.0.1:1/t"];
    let stored = ["--store", "login.json"];
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = format!("http://127.0.0.1:{}/", taken.local_addr().unwrap().port());
    for (more, expected) in [
        (&urls[..], "--store <FILE>"),
        (&stored, "--authorization-url is missing; give it, or --issuer"),
        (&[&urls[..2], &stored].concat(), "--token-url is missing"),
        (&[&stored[..], &["--device"]].concat(), "--device-authorization-url is missing"),
        (&[&stored[..], &urls, &["--device"]].concat(), "cannot be used with"),
        (&[&stored[..], &urls, &["--device-authorization-url", "https://a/"]].concat(), "--device"),
        (&[&stored[..], &["--device", "--no-browser"]].concat(), "cannot be used with"),
        (&[&stored[..], &urls, &["--dpop"]].concat(), "--dpop-key-file"),
        (
            &[&stored[..], &urls, &["--redirect-uri", "https://app.example.com/"]].concat(),
            "http://127.0.0.1/callback",
        ),
        (&[&stored[..], &urls, &["--redirect-uri", &in_use]].concat(), "is in use"),
        (
            &[&stored[..], &["--authorization-url", "http://as.example.com/", "--token-url", "https://a/"]]
                .concat(),
            "--authorization-url: the URL must use https",
        ),
        (
            &[&stored[..], &["--authorization-url", "https://a/", "--token-url", "ftp://a/"]].concat(),
            "--token-url: the URL must be absolute",
        ),
        (&[&stored[..], &urls, &["--timeout", "3601"]].concat(), "1..=3600"),
        (&[&urls[..], &["--store", "nowhere/login.json"]].concat(), "mkdir -m 700 nowhere"),
    ] {
        let stderr = failed(&desk.run(&[&base[..], more].concat()).await, 2);
        assert!(stderr.contains(expected), "{more:?}\n{expected}\n{stderr}");
    }
}

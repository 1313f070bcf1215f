//! What is taken for a secret, a key or a name, and what is refused before anything is sent.

use super::*;

/// `rtauth token` at a server that must not be asked.
fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["token", "--token-url", "http://127.0.0.1:1/t", "--client-id", "c"][..], more].concat()
}

#[tokio::test]
async fn a_secret_of_the_environment_is_read_as_that_of_a_file() {
    let desk = Desk::new();
    let server = Script::serve(vec![Answer::token("canary-token-1", 60)]).await.unwrap();
    let url = format!("{}/token", server.url());
    let mut command =
        desk.rtauth(&["token", "--json", "--token-url", &url, "--client-id", "c", "--client-auth", "post"]);
    let output = command.env("RTAUTH_CLIENT_SECRET", "canary-secret\n").output().await.unwrap();
    printed(&output);
    assert_eq!(parameter(&server.requests()[0], "client_secret").as_deref(), Some("canary-secret"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_secret_of_the_environment_that_is_no_text_is_not_taken_for_none() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut command = Desk::new().rtauth(&arguments(&["--grant", "token_exchange"]));
    command.current_dir("/").env("RTAUTH_CLIENT_SECRET", std::ffi::OsStr::from_bytes(b"canary\xff"));
    let stderr = failed(&command.output().await.unwrap(), 2);
    assert!(
        stderr.contains("RTAUTH_CLIENT_SECRET is not UTF-8 text") && !stderr.contains("canary"),
        "{stderr}"
    );
}

#[tokio::test]
async fn what_is_no_part_of_a_secret_is_never_sent() {
    let desk = Desk::new();
    for (text, expected) in [
        ("\u{feff}canary", "begins with a byte order mark"),
        ("canary\nanother", "has several lines"),
        ("canary\0", "has a zero byte in it"),
        ("\r\n", "is empty"),
    ] {
        desk.put("wrong", text);
        for more in [
            &["--client-secret-file", "wrong"][..],
            &["--client-auth", "none", "--grant", "refresh_token", "--refresh-token-file", "wrong"],
            &["--client-auth", "none", "--grant", "token_exchange", "--subject-token-file", "wrong"],
            &["--client-auth", "none", "--grant", "jwt_bearer", "--assertion-file", "wrong"],
        ] {
            let stderr = failed(&desk.run(&arguments(more)).await, 2);
            assert!(stderr.contains(&format!("-file: wrong {expected}")), "{text:?} {more:?}: {stderr}");
            assert!(!stderr.contains("canary"), "{stderr}");
        }
        let static_source = ["token", "--source", "static", "--token-file", "wrong"];
        assert!(failed(&desk.run(&static_source).await, 2).contains(expected));
        let mut of_environment = desk.rtauth(&arguments(&[]));
        if !text.contains('\0') {
            let output = of_environment.env("RTAUTH_CLIENT_SECRET", text).output().await.unwrap();
            assert!(failed(&output, 2).contains(&format!("RTAUTH_CLIENT_SECRET {expected}")), "{output:?}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_private_key_is_called_what_it_is() {
    let desk = Desk::new();
    let certified = realtime_auth_tests::authority::Authority::new().unwrap().certify("key").unwrap();
    let armored = |label: &str| format!("-----BEGIN {label}-----\nY2FuYXJ5\n-----END {label}-----\n");
    for (text, expected) in [
        (certified.pem, "key holds a certificate, and no key"),
        (armored("ENCRYPTED PRIVATE KEY"), "key holds a key that is encrypted; decrypt it"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nY2FuYXJ5\n-----END RSA PRIVATE KEY-----".to_owned(),
            "key holds a key that is encrypted",
        ),
        (armored("PUBLIC KEY"), "key holds a public key"),
        (armored("PRIVATE KEY"), "RSA of 2048 bits or more"),
    ] {
        desk.put("key", &text);
        let stderr = failed(&desk.run(&arguments(&["--client-key-file", "key"])).await, 2);
        assert!(stderr.contains(expected) && !stderr.contains("Y2Fu"), "{expected}: {stderr}");
    }
}

#[tokio::test]
async fn a_token_type_is_a_name_that_is_known_or_a_uri() {
    let desk = Desk::new();
    desk.put("subject", "canary-subject");
    let exchange = ["--client-auth", "none", "--grant", "token_exchange", "--subject-token-file", "subject"];
    for (more, flag) in [
        (&["--subject-token-type", "nonsense"][..], "--subject-token-type"),
        (&["--subject-token-type", "urn: x"], "--subject-token-type"),
        (&["--subject-token-type", ":x"], "--subject-token-type"),
        (&["--actor-token-file", "subject", "--actor-token-type", "jwtt"], "--actor-token-type"),
    ] {
        let stderr = failed(&desk.run(&arguments(&[&exchange[..], more].concat())).await, 2);
        assert!(stderr.contains(&format!("{flag} must be access_token, jwt, id_token or a URI")), "{stderr}");
    }
    let known = [&exchange[..], &["--subject-token-type", "urn:x:y"]].concat();
    failed(&desk.run(&arguments(&known)).await, 1);
}

#[tokio::test]
async fn an_issuer_without_metadata_is_said_to_have_none_and_what_to_give_instead() {
    let desk = Desk::new();
    let server = Script::serve(vec![Answer::http(404, "", "")]).await.unwrap();
    let client = ["--issuer", server.url(), "--client-id", "c"];
    let token = [&["token", "--client-secret-file", "secret"][..], &client].concat();
    let stderr = failed(&desk.run(&token).await, 3);
    assert!(stderr.contains("no metadata") && stderr.contains("give --token-url"), "{stderr}");
    let login = [&["login", "--store", "login.json"][..], &client].concat();
    let stderr = failed(&desk.run(&login).await, 3);
    assert!(stderr.contains("give --authorization-url and --token-url"), "{stderr}");
}

/// A machine without a bundle of authorities.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_authorities_only_plain_http_to_this_machine_is_left() {
    let desk = Desk::new();
    desk.put("none.pem", "");
    fs::create_dir(desk.path("none")).unwrap();
    let without = async |arguments: &[&str]| {
        let mut command = desk.rtauth(arguments);
        command.env("SSL_CERT_FILE", desk.path("none.pem")).env("SSL_CERT_DIR", desk.path("none"));
        command.output().await.unwrap()
    };
    let server = Script::serve(vec![Answer::token("canary-token-1", 60)]).await.unwrap();
    let url = format!("{}/token", server.url());
    let client = ["--client-id", "c", "--client-secret-file", "secret"];
    printed(&without(&[&["token", "--json", "--token-url", &url][..], &client].concat()).await);
    for url in ["https://127.0.0.1:1/t", "https://as.example.com/t"] {
        let stderr = failed(&without(&[&["token", "--token-url", url][..], &client].concat()).await, 2);
        assert!(stderr.contains("--ca-file FILE"), "{url}: {stderr}");
    }
    desk.put("key.txt", "appid1.keyid1:canary");
    let stderr = failed(&without(&["token", "--source", "ably", "--key-file", "key.txt"]).await, 2);
    assert!(stderr.contains("--ca-file FILE"), "{stderr}");
}

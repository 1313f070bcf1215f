//! TLS with an authority of the test's own: whom the client trusts, and as whom it is known.

use auth_core::{Error, ErrorKind, Secret};
use auth_http::client::{ConfigError, HyperClient, Identity, Roots};
use realtime_auth_tests::authority::Authority;
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::script;
use tokio::io::AsyncWriteExt as _;

use super::{ask, at_loopback, tls_server, token, trusting};

fn url(server: &RawServer) -> String {
    format!("https://login.example:{}", server.address().port())
}

fn untrusted(outcome: Result<auth_core::oauth::TokenResponse, Error>) {
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Transport, false), "{error:?}");
    assert!(error.to_string().starts_with("the server's TLS handshake failed; check that its"), "{error}");
}

#[tokio::test]
async fn given_roots_are_trusted_and_no_others() {
    let ours = Authority::new().unwrap();
    let server = tls_server(ours.acceptor("login.example", &["http/1.1"], None).unwrap()).await;
    assert_eq!(token(ask(&trusting(&ours).build().unwrap(), &url(&server)).await), "t1");
    let roots = Roots::none().with_der(ours.der()).unwrap();
    let by_der = HyperClient::builder().with_roots(roots).with_resolver(at_loopback()).build().unwrap();
    assert_eq!(token(ask(&by_der, &url(&server)).await), "t1");

    let theirs = Authority::new().unwrap();
    untrusted(ask(&trusting(&theirs).build().unwrap(), &url(&server)).await);
    let platform = HyperClient::builder().with_resolver(at_loopback());
    // A machine without authorities can't build this one.
    if let Ok(client) = platform.build() {
        untrusted(ask(&client, &url(&server)).await);
        let both = Roots::platform().with_pem(ours.pem().as_bytes()).unwrap();
        let both = HyperClient::builder().with_roots(both).with_resolver(at_loopback()).build().unwrap();
        assert_eq!(token(ask(&both, &url(&server)).await), "t1");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let ours = Authority::new().unwrap();
    let server = tls_server(ours.acceptor("other.example", &["http/1.1"], None).unwrap()).await;
    untrusted(ask(&trusting(&ours).build().unwrap(), &url(&server)).await);
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let ours = Authority::new().unwrap();
    let plain = RawServer::serve(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await?;
        script::read(&mut stream).await.map(drop)
    });
    let plain = plain.await.unwrap();
    untrusted(ask(&trusting(&ours).build().unwrap(), &url(&plain)).await);
}

#[tokio::test]
async fn a_server_without_protocol_negotiation_is_spoken_to_in_http_1() {
    let ours = Authority::new().unwrap();
    let server = tls_server(ours.acceptor("login.example", &[], None).unwrap()).await;
    assert_eq!(token(ask(&trusting(&ours).build().unwrap(), &url(&server)).await), "t1");
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_who_asks_and_a_wrong_one_is_named_as_the_reason() {
    let (ours, namesake) = (Authority::new().unwrap(), Authority::new().unwrap());
    let stranger = Authority::named("Stranger").unwrap();
    let identity = |authority: &Authority| {
        let certificate = authority.certify("client").unwrap();
        Identity::from_pem(certificate.pem.as_bytes(), &Secret::from(certificate.key_pem)).unwrap()
    };
    // In 1.2 the server refuses within the handshake, in 1.3 after the client has begun to send.
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let acceptor = ours.acceptor_of(&[version], "login.example", &["http/1.1"], Some(&ours));
        let server = tls_server(acceptor.unwrap()).await;
        let known = trusting(&ours).with_identity(identity(&ours)).build().unwrap();
        assert_eq!(token(ask(&known, &url(&server)).await), "t1");
        let unknown = [
            ("stranger", trusting(&ours).with_identity(identity(&stranger))),
            ("namesake", trusting(&ours).with_identity(identity(&namesake))),
            ("nobody", trusting(&ours)),
        ];
        for (who, client) in unknown {
            let error = ask(&client.build().unwrap(), &url(&server)).await.unwrap_err();
            let expected = (ErrorKind::InvalidClient, false);
            assert_eq!((error.kind(), error.is_in_doubt()), expected, "{who}, {version:?}: {error:?}");
            assert!(error.to_string().contains("client certificate"), "{who}: {error}");
        }
    }
}

#[test]
fn certificates_and_keys_that_can_not_be_used_are_found_at_construction_and_not_shown() {
    let authority = Authority::new().unwrap();
    let (one, other) = (authority.certify("one").unwrap(), authority.certify("other").unwrap());
    let identity = |chain: &str, key: &str| Identity::from_pem(chain.as_bytes(), &Secret::from(key));
    let sound = identity(&one.pem, &one.key_pem).unwrap();
    assert_eq!(format!("{sound:?}"), "Identity(1 certificates)");
    for (chain, key) in [
        (&one.pem, &other.key_pem),
        (&one.key_pem, &one.key_pem),
        (&one.pem, &one.pem),
        (&String::new(), &one.key_pem),
    ] {
        assert_eq!(identity(chain, key).unwrap_err(), ConfigError::Identity);
    }
    for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &one.key_pem] {
        assert_eq!(Roots::none().with_pem(pem.as_bytes()).unwrap_err(), ConfigError::Roots);
    }
    assert_eq!(Roots::none().with_der(b"no certificate").unwrap_err(), ConfigError::Roots);
    assert_eq!(HyperClient::builder().with_roots(Roots::none()).build().unwrap_err(), ConfigError::NoRoots);
    let builder = HyperClient::builder().with_identity(sound);
    assert!(!format!("{builder:?}").contains("PRIVATE"));
}

//! `rtauth gateway` that gives its records to a syslog receiver over TLS: whom it trusts, and who it is.

use std::io;

use realtime_auth_tests::authority::{Authority, accept};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// What the receiver reads of the first message over the first connection, up to the name of what happened.
async fn first(listener: &TcpListener, acceptor: &TlsAcceptor) -> io::Result<String> {
    let receiving = async {
        let mut stream = accept(acceptor, listener.accept().await?.0).await?;
        let mut bytes = Vec::new();
        while !bytes.contains(&b'[') {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    tokio::time::timeout(PATIENCE, receiving).await.expect("nothing comes")
}

#[tokio::test]
async fn a_receiver_over_tls_has_the_name_and_the_authority_that_are_trusted_and_is_shown_a_certificate() {
    let (authority, other, clients) =
        (Authority::new().unwrap(), Authority::new().unwrap(), Authority::new().unwrap());
    let ours = clients.certify("gw-1").unwrap();
    let acceptor = authority.acceptor("logs.example", &[], Some(&clients)).unwrap();
    let shown = "certificate_file = \"ours.pem\"\ncertificate_key_file = \"ours.key\"\n";
    let named = "server_name = \"logs.example\"\n";
    for (trusted, keys, is_given) in [
        (&authority, format!("{named}{shown}"), true),
        (&other, format!("{named}{shown}"), false),
        (&authority, shown.to_owned(), false),
        (&authority, named.to_owned(), false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let desk = Desk::new();
        desk.put("ca.pem", &trusted.pem());
        desk.put("ours.pem", &ours.pem);
        desk.put("ours.key", &ours.key_pem);
        let address = listener.local_addr().unwrap();
        let table = format!("[audit.syslog]\naddress = \"{address}\"\nca_file = \"ca.pem\"\n{keys}");
        let origin = "[audit.origin]\nhost = \"gw-1\"\n";
        desk.put("gateway.toml", &format!("[audit]\ndirectory = \"audit\"\n{table}{origin}"));
        let mut gateway = Running::start(desk.rtauth(&["gateway", "--config", "gateway.toml"]));
        // Something to tell of: a refusal.
        let url = gateway.event().await["http"].as_str().unwrap().to_owned();
        assert!(get(&format!("{url}/oauth/token")).await.starts_with("HTTP/1.1 405 "));
        match first(&listener, &acceptor).await {
            Ok(message) => assert!(is_given && message.contains(" gw-1 rtauth "), "{keys}: {message}"),
            Err(error) => assert!(!is_given, "{keys}: {error}"),
        }
    }
}

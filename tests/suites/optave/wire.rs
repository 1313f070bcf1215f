//! What stands between a client and its server, and keeps every token that was sent.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gateway::Running;
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::raw_socket;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

/// A relay that keeps the head of each upgrade.
pub(super) struct Wire {
    server: RawServer,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    heads: Mutex<Vec<String>>,
    to_lose: AtomicUsize,
}

impl Wire {
    pub(super) async fn to(gateway: &Running) -> Self {
        let target = gateway.http_url().trim_start_matches("http://").to_owned();
        let kept = Arc::new(Kept::default());
        let keeping = Arc::clone(&kept);
        let server = RawServer::serve(move |stream, _| relay(stream, target.clone(), Arc::clone(&keeping)));
        Self { server: server.await.unwrap(), kept }
    }

    /// The URL that stands for the gateway's WebSocket.
    pub(super) fn url(&self) -> String {
        format!("ws://{}/", self.server.address())
    }

    /// The next upgrades reach the server, and nobody hears what it says.
    pub(super) fn lose_answers(&self, count: usize) {
        self.kept.to_lose.store(count, Ordering::SeqCst);
    }

    pub(super) fn heads(&self) -> Vec<String> {
        self.kept.heads.lock().unwrap().clone()
    }

    /// The tokens that were sent, in order, wherever they stood.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.heads().iter().map(|head| token_of(head)).collect()
    }
}

/// The token of an upgrade.
fn token_of(head: &str) -> String {
    let query =
        head.split(' ').nth(1).unwrap().split_once("Authorization=").map(|(_, token)| token.to_owned());
    let subprotocol = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-protocol").then_some(value)
    });
    let subprotocol =
        subprotocol.and_then(|value| value.split(',').nth(1)).map(|token| token.trim().to_owned());
    assert!(query.is_some() != subprotocol.is_some(), "one token in one place: {head}");
    query.or(subprotocol).unwrap()
}

async fn relay(mut client: TcpStream, target: String, kept: Arc<Kept>) -> io::Result<()> {
    let head = raw_socket::request(&mut client).await?;
    let mut server = TcpStream::connect(&target).await?;
    server.write_all(head.as_bytes()).await?;
    kept.heads.lock().unwrap().push(head);
    if kept.to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        // The server has acted as soon as it answers.
        return raw_socket::request(&mut server).await.map(drop);
    }
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

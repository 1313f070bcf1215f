//! A relay in front of an HTTP server: it keeps what goes through, and loses answers on demand.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::raw_server::RawServer;
use crate::script::read;

/// A relay, for a server that ends each connection with its answer.
#[derive(Debug)]
pub struct Relay {
    server: RawServer,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: Mutex<Vec<String>>,
    answers: Mutex<Vec<String>>,
    to_lose: AtomicUsize,
    /// Whether answers are held back.
    held: watch::Sender<bool>,
    /// How many requests the server has answered.
    answered: watch::Sender<usize>,
}

impl Relay {
    /// A relay on a free loopback port, to the server of this URL.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn to(url: &str) -> io::Result<Self> {
        let target = url.trim_start_matches("http://").to_owned();
        let state = Arc::new(State::default());
        let kept = Arc::clone(&state);
        let server =
            RawServer::serve(move |stream, _| relay(stream, target.clone(), Arc::clone(&kept))).await?;
        Ok(Self { server, state })
    }

    /// The URL that stands for the server's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Cuts the next connections instead of answering: the server has acted, and nobody hears of it.
    pub fn lose_answers(&self, count: usize) {
        self.state.to_lose.store(count, Ordering::SeqCst);
    }

    /// Keeps all answers back, or no longer.
    pub fn hold_answers(&self, held: bool) {
        self.state.held.send_replace(held);
    }

    /// Waits until the server has answered so many requests, whether anybody has heard of it or not.
    pub async fn until_answered(&self, count: usize) {
        let _ = self.state.answered.subscribe().wait_for(|answered| *answered >= count).await;
    }

    /// The requests so far, each as text.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests to this path.
    #[must_use]
    pub fn requests_to(&self, path: &str) -> Vec<String> {
        let requests = self.requests().into_iter();
        requests.filter(|request| request.split(' ').nth(1) == Some(path)).collect()
    }

    /// The answers of the server so far, the lost ones too.
    #[must_use]
    pub fn answers(&self) -> Vec<String> {
        self.state.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn relay(mut stream: TcpStream, target: String, state: Arc<State>) -> io::Result<()> {
    let request = read(&mut stream).await?;
    let mut server = TcpStream::connect(&target).await?;
    server.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    state.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let text = String::from_utf8_lossy(&answer).into_owned();
    state.answers.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    state.answered.send_modify(|answered| *answered += 1);
    let _ = state.held.subscribe().wait_for(|held| !held).await;
    let lost = state.to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if lost.is_ok() {
        return Ok(());
    }
    stream.write_all(&answer).await
}

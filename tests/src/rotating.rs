//! A token endpoint on a real socket that rotates its refresh token at each use, and bears no reuse.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_core::Secret;
use auth_http::client::HyperClient;
use auth_http::grant::RefreshToken;
use auth_http::wire::TokenEndpoint;
use tokio::sync::Notify;

use crate::script::{Answer, Hold, Progress, Script};

/// Answers the refresh token `refresh-N` with `token-M` and `refresh-M`, M being N + 1, and from then on that one only.
/// Any other is reuse, after which none is taken.
#[derive(Debug)]
pub struct Rotating {
    script: Script,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    presented: Vec<String>,
    redeemed: u64,
    revoked: bool,
    hold: Option<(Hold, Arc<Notify>)>,
}

impl Rotating {
    /// Serves on a free loopback port.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn serve() -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let kept = Arc::clone(&state);
        let script = Script::answering(move |request| lock(&kept).answer(request)).await?;
        Ok(Self { script, state })
    }

    /// How a client asks it, with `refresh-0` to begin with.
    #[must_use]
    pub fn grant(&self) -> RefreshToken {
        let http = Arc::new(HyperClient::plaintext());
        RefreshToken::new(self.endpoint(), http, Secret::from("refresh-0"))
    }

    /// What to send it.
    ///
    /// # Panics
    ///
    /// Never: the URL is its own.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the URL is its own")]
    pub fn endpoint(&self) -> TokenEndpoint {
        TokenEndpoint::new(self.script.url(), "id", Secret::from("secret")).expect("a loopback URL")
    }

    /// The refresh token of each request, in order.
    #[must_use]
    pub fn presented(&self) -> Vec<String> {
        lock(&self.state).presented.clone()
    }

    /// Whether a spent refresh token was presented.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        lock(&self.state).revoked
    }

    /// Keeps the next answer back until what this returns is notified.
    #[must_use]
    pub fn hold_next(&self, hold: Hold) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        lock(&self.state).hold = Some((hold, Arc::clone(&gate)));
        gate
    }

    /// Waits until the server is as far as this.
    pub async fn until(&self, reached: impl FnMut(&Progress) -> bool) {
        self.script.until(reached).await;
    }
}

/// What a client presents that redeems each token once: the first `requests` of them.
#[must_use]
pub fn chain(requests: usize) -> Vec<String> {
    (0..requests).map(|number| format!("refresh-{number}")).collect()
}

impl State {
    fn answer(&mut self, request: &str) -> Answer {
        let body = request.split("\r\n\r\n").last().unwrap_or_default();
        let presented = body.split('&').find_map(|pair| pair.strip_prefix("refresh_token="));
        let presented = presented.unwrap_or_default().to_owned();
        self.revoked |= presented != format!("refresh-{}", self.redeemed);
        self.presented.push(presented);
        let json = "Content-Type: application/json\r\n";
        let answer = if self.revoked {
            Answer::http(400, json, r#"{"error":"invalid_grant"}"#)
        } else {
            self.redeemed += 1;
            let number = self.redeemed;
            let body = format!(
                r#"{{"access_token":"token-{number}","refresh_token":"refresh-{number}","expires_in":3600}}"#
            );
            Answer::http(200, json, &body)
        };
        match self.hold.take() {
            Some((hold, gate)) => answer.held(hold, gate),
            None => answer,
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

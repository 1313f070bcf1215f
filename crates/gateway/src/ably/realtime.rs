//! One WebSocket of Ably's: the loop around the pure half in `auth_http::endpoint::ably::realtime`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_core::Secret;
use auth_http::endpoint::ably::realtime::{Connection, Identity, LARGEST_FRAME, Opening, Output};
use auth_http::endpoint::ably::{Caller, Refusal};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tungstenite::Message as Frame;

use super::AblyEndpoint;
use super::hub::{Delivery, Member};
use super::revocations::{Learning, concerns, is_revoked};
use crate::authority::random_text;
use crate::registry::{Order, Registration};
use crate::serve::drained;
use crate::socket::{Ended, Socket, fault, write_patience};
use crate::websocket::{CLOSED_BY_CLIENT, Shared, ordered, until};
use crate::witness::{REVOKED, Witness};

/// Where connections are opened.
pub(super) const PATH: &str = "/";

impl AblyEndpoint {
    /// Serves a connection until it ends.
    pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        shared: Arc<Shared>,
        peer: SocketAddr,
        opening: Opening,
    ) {
        let witness = Arc::new(Witness::new(Arc::clone(&shared.ledger), shared.clock, "ably", peer));
        let mut socket = Socket::new(stream, LARGEST_FRAME).await;
        shared.sessions.upgraded();
        // Watched from before the credentials are looked at, so that no revocation falls between.
        let revocations = self.revocations.learn();
        let now = shared.clock.now();
        let caller = opening.caller(&self.state().records, now);
        let connection_id = random_text();
        let connection_key = Secret::from(format!("{connection_id}!{}", random_text()));
        let connection = Connection::open(now, Identity { connection_id, connection_key }, &opening, caller);
        if let Some(token) = opening.token() {
            witness.presents(&token);
        }
        if let Some(caller) = connection.caller()
            && witness.admits(name(caller)).await.is_err()
        {
            witness.ends(UNRECORDED, Some(1013));
            socket.close(Some(1013), UNRECORDED, write_patience(None, now)).await;
            return;
        }
        let mut served = Served {
            endpoint: self,
            shared,
            socket,
            connection,
            revocations,
            live: None,
            why: None,
            witness,
        };
        // Whatever ended it, the connection is dropped here; and where nothing has said so yet, it was lost.
        let _ended = served.run().await;
    }

    fn verify(&self, shared: &Shared, token: &Secret) -> Result<Caller, Refusal> {
        auth_http::endpoint::ably::caller_of_token(&self.state().records, shared.clock.now(), token)
    }
}

/// Whom records name: the client, or where it is anonymous the key.
fn name(caller: &Caller) -> &str {
    caller.client_id.as_ref().map_or(&caller.key_name, |client_id| client_id.as_str())
}

const UNRECORDED: &str = "this can't be recorded at the moment";

struct Served<'a, S> {
    endpoint: &'a AblyEndpoint,
    shared: Arc<Shared>,
    socket: Socket<S>,
    connection: Connection,
    revocations: Learning,
    /// Its places among the live connections and in the hub, once its credentials are accepted.
    live: Option<Live>,
    /// Why the gateway itself ends it, where it does.
    why: Option<&'static str>,
    witness: Arc<Witness>,
}

struct Live {
    application: String,
    registered: Option<(Registration, mpsc::Receiver<Order>)>,
    member: Member,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Served<'_, S> {
    async fn run(&mut self) -> Result<(), Ended> {
        let mut draining = self.shared.draining.clone();
        if let Some(application) = self.connection.application() {
            let connection_id = self.connection.connection_id();
            self.live = Some(Live {
                application: application.to_owned(),
                registered: Some(self.shared.sessions.register(connection_id)),
                member: self.endpoint.hub.enter(application, connection_id),
            });
        }
        loop {
            // The clock decides, the timer below only wakes: who always has something to say must not keep it from that.
            self.connection.tick(self.shared.clock.now());
            let deadline = loop {
                match self.connection.poll() {
                    Output::Wait(deadline) => break deadline,
                    output => self.act(output).await?,
                }
            };
            let clock = self.shared.clock;
            // A connection whose credentials were refused has been closed.
            let Some(live) = &mut self.live else { return Err(Ended::ByUs) };
            tokio::select! {
                () = drained(&mut draining) => {
                    self.why = Some("draining");
                    self.connection.disconnect("the gateway is going away");
                }
                order = ordered(&mut live.registered) => match order {
                    Order::Disconnect => {
                        self.witness.ends("dropped", None);
                        return Err(Ended::ByUs);
                    }
                    Order::Revoke(at) => {
                        self.connection.revoked();
                        self.witness.revokes(at);
                    }
                },
                at = self.revocations.next() => {
                    let (endpoint, shared) = (self.endpoint, &self.shared);
                    if concerns(&mut self.connection, clock.now(), |token| endpoint.verify(shared, token)) {
                        self.witness.is_revoked(at);
                    }
                }
                delivery = live.member.next() => match delivery {
                    Some(delivery) => self.deliver(&delivery).await?,
                    None => self.connection.disconnect("the client is too slow for what it listens to"),
                },
                frame = self.socket.next() => self.received(frame?).await?,
                () = until(deadline, clock) => {}
            }
        }
    }

    async fn act(&mut self, output: Output) -> Result<(), Ended> {
        match (output, &mut self.live) {
            (Output::Send(text), _) => self.send(Frame::text(text)).await,
            (Output::SendBinary(bytes), _) => self.send(Frame::binary(bytes)).await,
            (Output::Ping, _) => self.send(Frame::Ping(Bytes::new())).await,
            (Output::Close, _) => {
                self.tell_end(1000);
                Err(self.close(1000, "").await)
            }
            (Output::Join { channel }, Some(live)) => {
                live.member.join(channel);
                Ok(())
            }
            (Output::Leave { channel }, Some(live)) => {
                live.member.leave(&channel);
                Ok(())
            }
            (Output::Publish(publication), Some(live)) => {
                self.endpoint.hub.publish(&live.application, publication);
                Ok(())
            }
            (Output::Renewed, live) => {
                if let Some(Live { registered: Some((registration, _)), .. }) = live {
                    registration.renewed();
                }
                let caller = self.connection.caller().map(name).unwrap_or_default();
                if self.witness.renews(caller).await.is_err() {
                    self.witness.ends(UNRECORDED, Some(1013));
                    return Err(self.close(1013, UNRECORDED).await);
                }
                Ok(())
            }
            // There is nothing to wait for, and nobody refused joins anything.
            (Output::Wait(_) | Output::Join { .. } | Output::Leave { .. } | Output::Publish(_), _) => Ok(()),
        }
    }

    /// Tells why the connection is refused or ends.
    fn tell_end(&self, code: u16) {
        match (self.connection.ending(), self.why) {
            (None, _) => self.witness.leaves(CLOSED_BY_CLIENT, Some(code)),
            (Some(_), Some(why)) => self.witness.ends(why, Some(code)),
            (Some(refusal), None) => {
                let info = refusal.info();
                match info.code.number() {
                    _ if is_revoked(refusal) => self.witness.ends(REVOKED, Some(code)),
                    40_142 => self.witness.ends("expired", Some(code)),
                    number => self.witness.ends(&format!("{number} {}", info.message), Some(code)),
                }
            }
        }
    }

    async fn deliver(&mut self, delivery: &Delivery) -> Result<(), Ended> {
        if self.connection.hears(&delivery.channel, delivery.connection_id.as_deref()) {
            return self.send(Frame::Text(delivery.frame.clone())).await;
        }
        Ok(())
    }

    async fn received(&mut self, frame: Result<Frame, tungstenite::Error>) -> Result<(), Ended> {
        let now = self.shared.clock.now();
        match frame {
            Ok(Frame::Text(text)) => {
                let (endpoint, shared) = (self.endpoint, &self.shared);
                let mut presented = None;
                self.connection.receive(now, &text, |token| {
                    presented = Some(token.clone());
                    endpoint.verify(shared, token)
                });
                if let Some(token) = presented {
                    self.witness.presents(&token);
                    if let Some(refusal) = self.connection.ending() {
                        self.witness.refuses_renewal(&refusal.info().code.number().to_string());
                        self.why = Some("its fresh token was refused");
                    }
                }
                Ok(())
            }
            Ok(Frame::Binary(_)) => {
                self.connection.receive_binary();
                Ok(())
            }
            Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_)) => {
                self.connection.heard();
                self.socket.flush(self.patience()).await
            }
            Ok(Frame::Close(close)) => {
                self.witness.leaves(CLOSED_BY_CLIENT, close.map(|close| close.code.into()));
                self.socket.flush(self.patience()).await?;
                Err(Ended::ByPeer)
            }
            Err(error) => {
                let (code, reason) =
                    fault(&error, "frames of up to 256 KiB are read").ok_or(Ended::ByPeer)?;
                self.witness.ends(reason, Some(code));
                Err(self.close(code, reason).await)
            }
        }
    }

    async fn close(&mut self, code: u16, reason: &str) -> Ended {
        // It is none of the live ones any more, however long its client takes to go.
        self.live = None;
        let patience = self.patience();
        self.socket.close(Some(code), reason, patience).await
    }

    async fn send(&mut self, frame: Frame) -> Result<(), Ended> {
        let patience = self.patience();
        self.socket.send(frame, patience).await
    }

    fn patience(&self) -> Duration {
        write_patience(self.connection.deadline(), self.shared.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use auth_core::ably::{ApiKey, TokenParams, mint_jwt};
    use auth_core::observe::{Recorder, Unobserved};
    use auth_core::time::Timestamp;
    use auth_http::endpoint::ably::ServedKey;
    use http::Request;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::watch;

    use super::*;
    use crate::clock::Clock;
    use crate::ledger::Ledger;
    use crate::ledger::tests::{Mood, Moody};
    use crate::websocket::Echo;
    use crate::{Config, Sessions};

    /// An endpoint with one key, what its connections share, and what makes it drain.
    fn served(recorder: Arc<dyn Recorder>) -> (AblyEndpoint, Arc<Shared>, watch::Sender<bool>) {
        let clock = Clock::start();
        let config = Config::new("127.0.0.1:0".parse().unwrap()).with_ably_key(ServedKey::new(key()));
        let endpoint = AblyEndpoint::new(&config, clock.now()).unwrap();
        let (drain, draining) = watch::channel(false);
        let shared = Arc::new(Shared {
            clock,
            application: Arc::new(Echo),
            sessions: Sessions::new(clock),
            patience: PATIENCE,
            draining,
            ledger: Arc::new(Ledger::new(recorder, config.fingerprint_key, PATIENCE, clock.now())),
        });
        (endpoint, shared, drain)
    }

    const PATIENCE: Duration = Duration::from_secs(10);

    fn key() -> ApiKey {
        ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap()
    }

    fn token(clock: Clock, seconds: u64) -> Secret {
        // Issued a second ago: a JWT knows whole seconds only.
        let issued = Timestamp::from_millis(clock.now().wall.as_millis() - 1_000);
        let params = TokenParams::new().with_ttl(Duration::from_secs(seconds)).with_timestamp(issued);
        mint_jwt(&key(), &params, clock.now())
    }

    fn opening(token: &Secret) -> Opening {
        Opening::read(&Request::get(format!("/?v=6&access_token={}", token.expose())).body(()).unwrap())
    }

    fn nobody() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1))
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_pings_and_reads_no_answer_is_gone_when_its_token_has_expired() {
        let (endpoint, shared, _drain) = served(Arc::new(Unobserved));
        let clock = shared.clock;
        let opening = opening(&token(clock, 4));
        let (ours, mut theirs) = duplex(4 * 1_024);
        let flooding = async {
            let mut ping = vec![0x89, 0x80 | 125];
            ping.resize(2 + 4 + 125, 0);
            while theirs.write_all(&ping).await.is_ok() {}
        };
        let begun = clock.now().mono.elapsed();
        tokio::join!(endpoint.serve(ours, shared, nobody(), opening), flooding);
        let lasted = clock.now().mono.elapsed() - begun;
        assert!(lasted < Duration::from_secs(5), "{lasted:?}");
    }

    /// The code of the close frame that ends what the server has sent, and whether anything came before.
    async fn closed(mut theirs: DuplexStream) -> (u16, bool) {
        let mut sent = Vec::new();
        theirs.read_to_end(&mut sent).await.unwrap();
        let text = UNRECORDED.as_bytes();
        assert!(sent.ends_with(text), "{sent:?}");
        let before = sent.len() - text.len() - 2;
        (u16::from_be_bytes([sent[before], sent[before + 1]]), before > 2)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_record_does_not_come_in_time_is_closed_with_1013() {
        let recorder = Moody::new(Mood::Hangs);
        let (endpoint, shared, _drain) = served(Arc::clone(&recorder) as _);
        let (clock, ledger) = (shared.clock, Arc::clone(&shared.ledger));
        let opening = opening(&token(clock, 60));
        let begun = clock.now().mono.elapsed();
        let (ours, theirs) = duplex(4 * 1_024);
        let ((), code) = tokio::join!(endpoint.serve(ours, shared, nobody(), opening), closed(theirs));
        let lasted = clock.now().mono.elapsed() - begun;
        assert_eq!(code, (1013, false));
        assert!(lasted < PATIENCE + Duration::from_secs(5), "{lasted:?}");
        assert!(recorder.names().is_empty(), "should it be on record later, its end is too");
        recorder.set(Mood::Records);
        ledger.finish().await;
        assert_eq!(recorder.names(), ["client_authenticated", "client_disconnected"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_live_connection_whose_renewal_is_not_recorded_in_time_is_closed_with_1013() {
        let recorder = Moody::new(Mood::Records);
        let (endpoint, shared, _drain) = served(Arc::clone(&recorder) as _);
        let clock = shared.clock;
        let (opening, fresh) = (opening(&token(clock, 60)), token(clock, 90));
        let (ours, mut theirs) = duplex(64 * 1_024);
        let begun = clock.now().mono.elapsed();
        let renewing = async {
            let mut first = [0; 2];
            theirs.read_exact(&mut first).await.unwrap();
            recorder.set(Mood::Hangs);
            let auth = format!(r#"{{"action":17,"auth":{{"accessToken":"{}"}}}}"#, fresh.expose());
            let mut frame = vec![0x81, 0x80 | 126];
            frame.extend(u16::try_from(auth.len()).unwrap().to_be_bytes());
            // A mask of zeros changes nothing.
            frame.extend([0; 4]);
            frame.extend(auth.as_bytes());
            theirs.write_all(&frame).await.unwrap();
            closed(theirs).await
        };
        let ((), code) = tokio::join!(endpoint.serve(ours, shared, nobody(), opening), renewing);
        let lasted = clock.now().mono.elapsed() - begun;
        assert_eq!(code, (1013, true));
        assert!(lasted < PATIENCE + Duration::from_secs(5), "{lasted:?}");
        assert_eq!(recorder.names(), ["client_authenticated", "client_disconnected"]);
    }
}

//! The story: what is done, and what must be observed before the next thing is done.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit::verify::Verification;
use audit::{Entry, Event, Trail};
use auth_core::observe::{Label, ScopeVerdict};
use auth_core::{AuthEvent, ErrorKind};
use gateway::Running;
use providers::genesys::{Builder, Client};
use tokio::time::timeout;
use ws_session::driver::tokio::Session;

use super::scene::Scene;
use super::timeline::{Elapsed, Timeline};
use super::witness::{Broken, PATIENCE, Witness, broken};
use super::{CLIENT_ID, CLIENT_SECRET, GRANTED};

/// A scope that the demo's client is not granted.
const NOT_GRANTED: &str = "analytics:read";

pub(super) struct Story<'a> {
    gateway: Running,
    audit: &'a Trail,
    audit_path: &'a Path,
    witness: Witness<'a>,
}

impl<'a> Story<'a> {
    pub(super) fn new(
        gateway: Running,
        audit: &'a Trail,
        audit_path: &'a Path,
        timeline: &'a mut Timeline,
    ) -> Self {
        Self { gateway, audit, audit_path, witness: Witness::new(timeline) }
    }

    pub(super) async fn play(mut self) -> Result<(), Broken> {
        let (http, ws) = (self.gateway.http_url().to_owned(), self.gateway.ws_url().to_owned());
        self.witness.show(&Scene::GatewayListening { http, ws });
        let client = self.client().with_required_scopes(scopes("token_requested", GRANTED)?);
        let client = client.build().map_err(|error| broken("token_requested", error))?;

        let mut session = client.open();
        let connected = self.connects().await?;
        self.echo(&mut session, "hello", false).await?;
        self.renews(&connected).await?;
        self.outlives_the_first_token(&mut session, &connected).await?;
        self.survives_a_dropped_socket(&mut session, &connected).await?;
        self.denies_a_missing_scope().await?;

        let step = "audit_verified";
        timeout(PATIENCE, session.close())
            .await
            .map_err(|_| broken(step, "the session did not close"))?
            .map_err(|error| broken(step, error))?;
        drop(client);
        self.verifies_the_audit().await?;
        self.gateway.stop().await;
        self.witness.done();
        Ok(())
    }

    fn client(&self) -> Builder {
        Client::builder(self.gateway.http_url(), CLIENT_ID, CLIENT_SECRET)
            .with_observer(Arc::new(self.audit.clone()))
            .with_observer(self.witness.observer())
    }

    /// From the first request, which is turned away, to an authenticated connection.
    async fn connects(&mut self) -> Result<Connected, Broken> {
        self.witness
            .expect("token_requested", |event, _| {
                matches!(event, AuthEvent::TokenRequested { .. }).then_some(Ok(()))
            })
            .await?;
        self.witness
            .expect("rate_limited", |event, _| match event {
                AuthEvent::RateLimited { retry_after: Some(_), retry_in: Some(_), .. } => Some(Ok(())),
                AuthEvent::RateLimited { .. } => {
                    Some(Err("the gateway named no wait, or we gave up".to_owned()))
                }
                AuthEvent::TokenIssued { .. } => {
                    Some(Err("the first request was not turned away".to_owned()))
                }
                _ => None,
            })
            .await?;
        let expires_in = self
            .witness
            .expect("token_issued", |event, _| match event {
                AuthEvent::TokenIssued { expires_in, .. } => Some(Ok(*expires_in)),
                _ => None,
            })
            .await?;
        // The token's own `exp` is in whole seconds, rounded up: only a second later is it past for certain.
        let first_token_expires = self.witness.started().elapsed() + expires_in + Duration::from_secs(1);
        self.witness
            .expect("scopes_checked", |event, _| match event {
                AuthEvent::ScopesChecked { verdict: ScopeVerdict::Allowed, .. } => Some(Ok(())),
                AuthEvent::ScopesChecked { missing, .. } => Some(Err(format!("the token lacks [{missing}]"))),
                _ => None,
            })
            .await?;
        self.witness
            .expect("connecting", |event, _| matches!(event, AuthEvent::Connecting { .. }).then_some(Ok(())))
            .await?;
        let session_id = self
            .witness
            .expect("authenticated", |event, _| match event {
                AuthEvent::Authenticated { session_id: Some(id), .. } => Some(Ok(id.clone())),
                AuthEvent::Authenticated { .. } => Some(Err("the gateway named no session".to_owned())),
                AuthEvent::ConnectionLost { reason, .. } => Some(Err(reason.to_string())),
                _ => None,
            })
            .await?;
        Ok(Connected { session_id, first_token_expires })
    }

    /// The token is renewed over the connection that is already there, as both ends see it.
    async fn renews(&mut self, connected: &Connected) -> Result<(), Broken> {
        let live = self.gateway.sessions().clone();
        self.witness
            .expect("token_renewed", |event, new_token| match event {
                AuthEvent::TokenRenewed { session_id, in_band: true, .. } => {
                    let renewals = renewals(&live, &connected.session_id);
                    Some(if session_id.as_ref() != Some(&connected.session_id) || renewals == 0 {
                        Err("the gateway does not see a renewal of the same connection".to_owned())
                    } else if new_token {
                        Ok(())
                    } else {
                        Err("the new token is one that was used before".to_owned())
                    })
                }
                AuthEvent::RenewalFailed { reason, .. } | AuthEvent::ConnectionLost { reason, .. } => {
                    Some(Err(reason.to_string()))
                }
                _ => None,
            })
            .await
    }

    /// A message comes back over the same connection after the first token has expired.
    async fn outlives_the_first_token(
        &mut self,
        session: &mut Session,
        connected: &Connected,
    ) -> Result<(), Broken> {
        let deadline = self.witness.started().plus(connected.first_token_expires);
        self.witness.watch_until(deadline).await?;
        let live = self.gateway.sessions().live();
        if !live.iter().any(|session| session.session_id == connected.session_id.as_str()) {
            return Err(broken("message_echoed", "the first connection did not outlive its first token"));
        }
        self.echo(session, "still here", true).await
    }

    /// The gateway drops the socket; the session comes back by itself, with a token that nobody has seen.
    async fn survives_a_dropped_socket(
        &mut self,
        session: &mut Session,
        connected: &Connected,
    ) -> Result<(), Broken> {
        if !self.gateway.sessions().disconnect(connected.session_id.as_str()) {
            return Err(broken("connection_lost", "the gateway has no such connection to drop"));
        }
        self.witness
            .expect("connection_lost", |event, _| match event {
                AuthEvent::ConnectionLost { retry_in: Some(_), .. } => Some(Ok(())),
                AuthEvent::ConnectionLost { reason, .. } => {
                    Some(Err(format!("no further attempt: {reason}")))
                }
                _ => None,
            })
            .await?;
        let (connection, token, session_id) = self
            .witness
            .expect("reconnected", |event, new_token| match event {
                AuthEvent::Authenticated { connection, token: Some(token), session_id, .. } => {
                    let reconnected = (*connection, *token, session_id.clone());
                    let used = || "the session came back with a token that was used before".to_owned();
                    Some(if new_token { Ok(reconnected) } else { Err(used()) })
                }
                AuthEvent::ConnectionLost { reason, .. } => Some(Err(reason.to_string())),
                _ => None,
            })
            .await?;
        self.witness.show(&Scene::Reconnected { connection, token, session_id });
        self.echo(session, "back again", false).await
    }

    /// A second session asks for a scope that its token lacks, and never opens a socket.
    async fn denies_a_missing_scope(&mut self) -> Result<(), Broken> {
        let step = "scope_denied";
        let before = self.gateway.sessions().upgrades();
        let client = self.client().with_required_scopes(scopes(step, NOT_GRANTED)?);
        let client = client.build().map_err(|error| broken(step, error))?;
        let connected = timeout(PATIENCE, client.connect());
        let refused = match connected.await {
            Err(_) => return Err(broken(step, "the second session neither connected nor failed")),
            Ok(Ok(_)) => return Err(broken(step, "the second session connected without the scope")),
            Ok(Err(error)) => error,
        };
        if refused.token_error().map(auth_core::Error::kind) != Some(ErrorKind::InsufficientScope) {
            return Err(broken(step, refused));
        }
        let missing = self
            .witness
            .expect(step, |event, _| match event {
                AuthEvent::ScopesChecked { verdict: ScopeVerdict::Denied, missing, .. } => {
                    Some(Ok(missing.clone()))
                }
                _ => None,
            })
            .await?;
        self.witness
            .expect(step, |event, _| matches!(event, AuthEvent::SessionFailed { .. }).then_some(Ok(())))
            .await?;
        let sockets_opened = self.gateway.sessions().upgrades() - before;
        if sockets_opened > 0 {
            return Err(broken(step, "the second session opened a socket"));
        }
        self.witness.show(&Scene::ScopeDenied { missing, sockets_opened });
        Ok(())
    }

    /// The audit log has a record of everything that was observed, and its chain is whole.
    async fn verifies_the_audit(&mut self) -> Result<(), Broken> {
        let step = "audit_verified";
        self.witness
            .expect(step, |event, _| matches!(event, AuthEvent::SessionClosed { .. }).then_some(Ok(())))
            .await?;
        let summary = self.audit.close();
        // The trail's own records are not of the story, such as that it was opened, or that a checkpoint was signed.
        let mut events = 0;
        let mut count = |line: &[u8]| {
            let entry = serde_json::from_slice::<Entry>(line);
            events += u64::from(entry.is_ok_and(|entry| matches!(entry.event, Event::Auth(_))));
            ControlFlow::Continue(())
        };
        let verified =
            Verification::of(self.audit_path).read(&mut count).map_err(|error| broken(step, error))?;
        let verified = verified.unwrap_or_default();
        if events != self.witness.observed() || summary.dropped + summary.failed > 0 {
            let reason = format!("{} events were observed, {} recorded", self.witness.observed(), events);
            return Err(broken(step, reason));
        }
        self.witness.show(&Scene::AuditVerified { records: verified.records, head: verified.head });
        Ok(())
    }

    async fn echo(
        &mut self,
        session: &mut Session,
        text: &str,
        outlived_first_token: bool,
    ) -> Result<(), Broken> {
        let step = "message_echoed";
        let answered = timeout(PATIENCE, async {
            session.send(text).await.map_err(|error| broken(step, error))?;
            session.next().await.ok_or_else(|| broken(step, "the session ended"))
        });
        let answer = answered.await.map_err(|_| broken(step, "no answer came"))??;
        if answer.as_text() != Some(text) {
            return Err(broken(step, "another message came back"));
        }
        self.witness.show(&Scene::MessageEchoed { text: text.to_owned(), outlived_first_token });
        Ok(())
    }
}

/// The first connection.
struct Connected {
    session_id: Label,
    first_token_expires: Elapsed,
}

fn renewals(live: &gateway::Sessions, session_id: &Label) -> u32 {
    let session = live.live().into_iter().find(|session| session.session_id == session_id.as_str());
    session.map_or(0, |session| session.renewals)
}

fn scopes(step: &'static str, text: &str) -> Result<auth_core::scope::Scopes, Broken> {
    text.parse().map_err(|error| broken(step, error))
}

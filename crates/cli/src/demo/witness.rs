//! Who watches the story: shows each event as it is observed, and says which step did not hold.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::fingerprint::Fingerprint;
use auth_core::{AuthEvent, Observer};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{Instant, timeout_at};

use super::scene::Scene;
use super::timeline::{Elapsed, Started, Timeline};

/// A step that did not hold.
#[derive(Debug, thiserror::Error)]
#[error("step {step} did not hold: {reason}")]
pub(super) struct Broken {
    pub(super) step: &'static str,
    pub(super) reason: String,
}

pub(super) fn broken(step: &'static str, reason: impl fmt::Display) -> Broken {
    Broken { step, reason: reason.to_string() }
}

/// How long the demo waits for any one step. Each takes two seconds at the most when all is well.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Witness<'a> {
    timeline: &'a mut Timeline,
    events: UnboundedReceiver<(Elapsed, AuthEvent)>,
    observer: Arc<dyn Observer>,
    observed: u64,
    /// Every token that a connection has presented and a server accepted.
    tokens: HashSet<Fingerprint>,
    steps: usize,
}

impl<'a> Witness<'a> {
    pub(super) fn new(timeline: &'a mut Timeline) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let started = timeline.started();
        let observer = move |event: &AuthEvent| {
            // The receiver lives as long as the story; what comes after it is of no interest.
            let _ = sender.send((started.elapsed(), event.clone()));
        };
        Self { timeline, events, observer: Arc::new(observer), observed: 0, tokens: HashSet::new(), steps: 0 }
    }

    /// What the client tells its events to.
    pub(super) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.observer)
    }

    pub(super) const fn started(&self) -> Started {
        self.timeline.started()
    }

    /// How many events were observed: the audit log must have as many records.
    pub(super) const fn observed(&self) -> u64 {
        self.observed
    }

    /// Shows each event as it comes, until one decides about `step`. `decide` is told as well whether the event is about
    /// a token that was not used before.
    pub(super) async fn expect<T>(
        &mut self,
        step: &'static str,
        mut decide: impl FnMut(&AuthEvent, bool) -> Option<Result<T, String>>,
    ) -> Result<T, Broken> {
        let patience = self.started().plus(self.started().elapsed() + PATIENCE);
        loop {
            let Some((at, event)) = self.next(patience).await else {
                return Err(broken(
                    step,
                    format_args!("it was not observed within {} s", PATIENCE.as_secs()),
                ));
            };
            let new_token = self.is_new_token(&event);
            let decided = decide(&event, new_token);
            if let Some(Err(reason)) = decided {
                return Err(broken(step, reason));
            }
            self.timeline.event(at, &event);
            if let Some(Ok(decided)) = decided {
                self.steps += 1;
                return Ok(decided);
            }
            if let AuthEvent::SessionFailed { reason, .. } = &event {
                return Err(broken(step, reason));
            }
        }
    }

    /// Shows each event as it comes, until `deadline`; the connection must last as long.
    pub(super) async fn watch_until(&mut self, deadline: Instant) -> Result<(), Broken> {
        while let Some((at, event)) = self.next(deadline).await {
            self.is_new_token(&event);
            self.timeline.event(at, &event);
            if let AuthEvent::ConnectionLost { reason, .. } | AuthEvent::SessionFailed { reason, .. } = &event
            {
                return Err(broken("message_echoed", reason));
            }
        }
        Ok(())
    }

    /// Shows what was observed otherwise.
    pub(super) fn show(&mut self, scene: &Scene) {
        self.steps += 1;
        self.timeline.scene(scene);
    }

    /// Shows that every step held.
    pub(super) fn done(&mut self) {
        self.timeline.scene(&Scene::Done { steps: self.steps });
    }

    async fn next(&mut self, deadline: Instant) -> Option<(Elapsed, AuthEvent)> {
        let next = timeout_at(deadline, self.events.recv()).await.ok().flatten()?;
        self.observed += 1;
        Some(next)
    }

    fn is_new_token(&mut self, event: &AuthEvent) -> bool {
        match event {
            AuthEvent::Authenticated { token: Some(token), .. }
            | AuthEvent::TokenRenewed { token: Some(token), .. } => self.tokens.insert(*token),
            _ => false,
        }
    }
}

//! What the machine has its driver say: upgrade requests and messages, with what is known filled in.

use auth_core::Secret;

use super::phase::{Attempt, Life};
use super::{DialectMessage, Epoch, Session};
use crate::dialect::{Captures, Filling, Fresh, Ping, Rendered, Renewal, Unplaceable, UpgradeRequest};

impl Session {
    /// The upgrade request of an attempt, for [`Output::Open`](super::Output::Open): `url` is the configured one, by the rules of an
    /// [`Address`](crate::Address).
    ///
    /// # Errors
    ///
    /// [`Unplaceable`] when the credential holds what can't stand in its place, or would go in clear to another machine; hand the
    /// machine an [`Input::Ended`](super::Input::Ended) with a
    /// [`Failure::Unplaceable`](crate::dialect::Failure::Unplaceable) then.
    pub fn upgrade(
        &self,
        url: &str,
        credential: &Secret,
        fresh: Fresh,
    ) -> Result<UpgradeRequest, Unplaceable> {
        let captures = self.following();
        self.dialect.upgrade(url, &self.filling(Some(credential), &captures, fresh))
    }

    /// What is known when a connection is made.
    pub(super) fn following(&self) -> Captures {
        let last = self.captures().or(self.last_said.as_ref());
        let mut captures = Captures::following(last.filter(|_| !self.starts_anew));
        if self.withholds {
            captures.withhold();
        }
        captures
    }

    /// A message of the dialect's, for [`Output::Send`](super::Output::Send), with the credential of its ticket.
    ///
    /// # Errors
    ///
    /// [`Unplaceable`] as in [`upgrade`](Self::upgrade); hand the machine an [`Input::Unplaceable`](super::Input::Unplaceable) then.
    pub fn message(
        &self,
        epoch: Epoch,
        message: DialectMessage,
        credential: Option<&Secret>,
        fresh: Fresh,
    ) -> Result<Rendered, Unplaceable> {
        let template = match message {
            DialectMessage::Step(index) => self.dialect.login.get(index).map(|step| &step.send),
            DialectMessage::Reply(index) => self.dialect.replies.get(index).map(|reply| &reply.send),
            DialectMessage::Renewal => match &self.dialect.renewal {
                Renewal::InBand { send, .. } => Some(send),
                Renewal::Never | Renewal::Reconnect { .. } => None,
            },
            DialectMessage::Ping => match &self.dialect.ping {
                Ping::Message(template) => Some(template),
                Ping::Frame | Ping::Never => None,
            },
            DialectMessage::Farewell => self.dialect.farewell.as_ref().map(|farewell| &farewell.send),
        };
        let template = template.ok_or(Unplaceable::NO_SUCH_MESSAGE)?;
        let none = Captures::default();
        let captures = match (&self.attempt, &self.live, &self.life) {
            (Attempt::LoggingIn { epoch: known, captures, .. }, ..) if *known == epoch => captures,
            (_, Some(live), _) if live.epoch == epoch => &live.captures,
            (.., Life::Closing { epoch: known, captures, .. }) if *known == epoch => captures,
            _ => &none,
        };
        let text = template.render(&self.filling(credential, captures, fresh))?;
        Ok(self.dialect.codec.write(text))
    }

    fn filling<'a>(
        &'a self,
        credential: Option<&'a Secret>,
        captures: &'a Captures,
        fresh: Fresh,
    ) -> Filling<'a> {
        Filling { credential, captures, fresh, authenticator: self.dialect.authenticator.as_deref() }
    }
}

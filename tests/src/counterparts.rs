//! Counterparts that misbehave: what is wrong with them is put around a gateway that is sound.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::Secret;
use auth_core::time::Now;
use gateway::{Admission, Approved, Authenticator, Config, Issuer, JwtAuthority, Presented, Refusal};

/// What is wrong with a counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// It answers no credential at all.
    NeverAnswers,
    /// It refuses every renewal.
    RefusesRenewal,
    /// It issues the same token again and again.
    ReissuesTheSameToken,
    /// Nothing: the control.
    None,
}

/// The gateway of `config` with something wrong about it.
#[must_use]
pub fn with_fault(config: Config, fault: Fault) -> Config {
    let authority = JwtAuthority::with_random_key();
    let sound =
        config.with_issuer(Arc::new(authority.clone())).with_authenticator(Arc::new(authority.clone()));
    match fault {
        Fault::NeverAnswers => sound.with_authenticator(Arc::new(NeverAnswers)),
        Fault::RefusesRenewal => sound.with_authenticator(Arc::new(RefusesRenewal(authority))),
        Fault::ReissuesTheSameToken => {
            sound.with_issuer(Arc::new(ReissuesTheSameToken { authority, issued: Mutex::default() }))
        }
        Fault::None => sound,
    }
}

struct NeverAnswers;

#[async_trait]
impl Authenticator for NeverAnswers {
    async fn authenticate(&self, _now: Now, _presented: &Presented) -> Result<Admission, Refusal> {
        std::future::pending().await
    }
}

struct RefusesRenewal(JwtAuthority);

#[async_trait]
impl Authenticator for RefusesRenewal {
    async fn authenticate(&self, now: Now, presented: &Presented) -> Result<Admission, Refusal> {
        if presented.renewal {
            Err(Refusal::rejected("no renewal here"))
        } else {
            self.0.authenticate(now, presented).await
        }
    }
}

struct ReissuesTheSameToken {
    authority: JwtAuthority,
    issued: Mutex<Option<Secret>>,
}

impl Issuer for ReissuesTheSameToken {
    fn issue(&self, now: Now, approved: &Approved) -> Secret {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        issued.get_or_insert_with(|| self.authority.issue(now, approved)).clone()
    }
}

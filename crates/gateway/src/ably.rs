//! Ably's interfaces: the endpoints of auth-http over records behind a lock, and channels on which nothing is kept.

mod channels;
mod hub;
mod realtime;
mod revocations;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use auth_core::time::Now;
use auth_http::endpoint::ably::{self, Caller, Path, Records, Refusal};
use auth_http::endpoint::{Decision, Decisions};
use bytes::Bytes;
use http::{Request, Response};

use self::hub::Hub;
use self::revocations::Revocations;
use crate::Config;
use crate::throttle::Throttle;

pub(crate) struct AblyEndpoint {
    state: Mutex<State>,
    hub: Hub,
    /// Each connection looks at its token again when something was revoked.
    revocations: Revocations,
}

struct State {
    records: Records,
    throttles: HashMap<String, Throttle>,
}

/// Whether a path is one of Ably's.
pub(crate) fn serves(path: &str) -> bool {
    path == "/time" || path.starts_with("/keys/") || path.starts_with("/channels/")
}

/// Whether connections are opened at a path.
pub(crate) fn upgrades_at(path: &str) -> bool {
    path == realtime::PATH
}

impl AblyEndpoint {
    /// `None` where no key is configured.
    pub(crate) fn new(config: &Config, now: Now) -> Option<Self> {
        let mut records = Records::new(rand::random());
        for key in &config.ably_keys {
            records.serve(key.clone());
        }
        let throttle = Throttle::new(config.ably_rate_limit, now);
        let throttles: HashMap<_, _> = records.key_names().map(|name| (name.to_owned(), throttle)).collect();
        (!throttles.is_empty()).then(|| Self {
            state: Mutex::new(State { records, throttles }),
            hub: Hub::default(),
            revocations: Revocations::new(),
        })
    }

    /// Answers a request.
    pub(crate) fn respond(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        let path = Path::of(request.uri().path());
        if let Path::Messages { channel } = &path {
            let caller = || self.caller(now, request);
            let publish = |application: &str, publication| self.hub.publish(application, publication);
            let answer = channels::respond(now, channel, request, caller, publish);
            return answer.unwrap_or_else(Refusal::into_response);
        }
        let mut state = self.state();
        let State { records, throttles } = &mut *state;
        let admit =
            |key_name: &str| throttles.get_mut(key_name).map_or(Ok(()), |throttle| throttle.admit(now));
        let response = ably::respond(records, now, rand::random(), request, admit);
        let decisions = response.as_ref().map(Decisions::of).unwrap_or_default();
        // Of several targets some may have been revoked, whatever the status says.
        if decisions.iter().any(|decision| matches!(decision, Decision::Revoked { .. })) {
            self.revocations.tell(now.mono);
        }
        response.unwrap_or_else(|| Refusal::unknown_path().into_response())
    }

    fn caller(&self, now: Now, request: &Request<Bytes>) -> Result<Caller, Refusal> {
        ably::authenticate(&self.state().records, now, request)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

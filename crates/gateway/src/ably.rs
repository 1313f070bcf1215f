//! Ably's REST interface: the endpoint of auth-http over records behind a lock, and channels to try a token out on.

mod channels;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use auth_core::time::Now;
use auth_http::endpoint::ably::{self, Caller, Path, Records, Refusal};
use bytes::Bytes;
use http::{Request, Response};

use crate::Config;
use crate::throttle::Throttle;

pub(crate) struct AblyEndpoint {
    state: Mutex<State>,
}

struct State {
    records: Records,
    throttles: HashMap<String, Throttle>,
}

/// Whether a path is one of Ably's.
pub(crate) fn serves(path: &str) -> bool {
    path == "/time" || path.starts_with("/keys/") || path.starts_with("/channels/")
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
        (!throttles.is_empty()).then(|| Self { state: Mutex::new(State { records, throttles }) })
    }

    /// Answers a request.
    pub(crate) fn respond(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        if let Path::Messages { channel } = Path::of(request.uri().path()) {
            let caller = || self.caller(now, request);
            return channels::respond(now, &channel, request, caller).unwrap_or_else(Refusal::into_response);
        }
        let mut state = self.state();
        let State { records, throttles } = &mut *state;
        let admit =
            |key_name: &str| throttles.get_mut(key_name).map_or(Ok(()), |throttle| throttle.admit(now));
        let response = ably::respond(records, now, rand::random(), request, admit);
        response.unwrap_or_else(|| Refusal::unknown_path().into_response())
    }

    fn caller(&self, now: Now, request: &Request<Bytes>) -> Result<Caller, Refusal> {
        ably::authenticate(&self.state().records, now, request)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

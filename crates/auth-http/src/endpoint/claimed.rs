//! What a request to a token endpoint says of itself, whether or not it is granted.

use auth_core::observe::Label;
use bytes::Bytes;
use http::Request;

use super::token::basic;
use super::{Decision, Refusal};

/// What a request to a token endpoint says of itself, whether or not it is well-formed: for records of what was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claimed {
    /// The grant, as far as this server has it; `unsupported` for any other, `unknown` where none is named.
    pub grant: &'static str,
    /// The client that it claims to come from, where the server knows one of that name. Any other name is a stranger's text, and
    /// may be a secret in the wrong place.
    pub client_id: Option<Label>,
}

impl Claimed {
    /// Reads what there is to read. `is_known` says whether there is a client of that name.
    #[must_use]
    pub fn by(request: &Request<Bytes>, is_known: impl FnOnce(&str) -> bool) -> Self {
        let parameter = |wanted: &str| {
            let mut parameters = form_urlencoded::parse(request.body());
            parameters.find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| value)
        };
        // The name of a grant that we do not have is a stranger's text, and may be anything.
        let grant = match parameter("grant_type").as_deref() {
            Some("client_credentials") => "client_credentials",
            Some("refresh_token") => "refresh_token",
            Some(_) => "unsupported",
            None => "unknown",
        };
        let basic = basic(request).ok().flatten().map(|(client_id, _)| client_id);
        let claimed = basic.or_else(|| parameter("client_id").map(String::from));
        let client_id = claimed.filter(|name| is_known(name)).map(|name| Label::new(&name));
        Self { grant, client_id }
    }

    /// The record of a request that was refused.
    #[must_use]
    pub fn denied(self, refusal: Refusal) -> Decision {
        Decision::Denied { grant: self.grant, reason: Label::new(refusal.code()), client_id: self.client_id }
    }
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;

    fn claimed(basic: Option<&str>, body: &'static str) -> (&'static str, Option<String>) {
        let mut request = Request::post("/oauth/token");
        if let Some(basic) = basic {
            request = request.header(AUTHORIZATION, basic);
        }
        let request = request.body(Bytes::from_static(body.as_bytes())).unwrap();
        let claimed = Claimed::by(&request, |name| name == "i");
        (claimed.grant, claimed.client_id.map(|client_id| client_id.as_str().to_owned()))
    }

    #[test]
    fn a_refused_request_is_recorded_by_what_it_said_and_by_no_secret_in_it() {
        let id = || Some("i".to_owned());
        assert_eq!(claimed(Some("Basic aTpz"), "grant_type=refresh_token"), ("refresh_token", id()));
        assert_eq!(claimed(None, "grant_type=client_credentials&client_id=i"), ("client_credentials", id()));
        assert_eq!(claimed(None, "grant_type=canary&client_id="), ("unsupported", None));
        assert_eq!(claimed(None, "client_id=canary&client_secret=i"), ("unknown", None));
        assert_eq!(claimed(Some("Basic czpp"), "client_id=i"), ("unknown", None));
        assert_eq!(claimed(Some("Bearer canary"), "refresh_token=canary"), ("unknown", None));
    }
}

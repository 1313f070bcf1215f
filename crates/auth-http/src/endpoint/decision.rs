//! What an endpoint decided about a request: for whoever keeps a record of it before the reply leaves.

use std::fmt;
use std::time::Duration;

use auth_core::Secret;
use auth_core::observe::{Label, Replayed};
use auth_core::scope::Scopes;
use bytes::Bytes;
use http::Response;

/// What an endpoint decided about a request.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new decision must break whoever keeps the records at compile time"
)]
pub enum Decision {
    /// A token was made, and is in the reply.
    Minted {
        /// The token.
        token: Secret,
        /// The refresh token beside it, where there is one.
        refresh_token: Option<Secret>,
        /// By which grant.
        grant: &'static str,
        /// To whom.
        client_id: Option<Label>,
        /// What it grants, where it grants scopes.
        scope: Scopes,
        /// How long it lives.
        expires_in: Duration,
    },
    /// No token was made, or whoever asked may revoke none.
    Denied {
        /// By which grant it was asked for, or by which call.
        grant: &'static str,
        /// The error code in the reply.
        reason: Label,
        /// Who asked, as far as they said, and where the server knows one of that name.
        client_id: Option<Label>,
    },
    /// What serves once was presented again; nothing was given for it.
    Replayed {
        /// What it was.
        replayed: Replayed,
        /// The token, where it is one.
        token: Option<Secret>,
        /// Whose it is, where that is known.
        client_id: Option<Label>,
    },
    /// Tokens are not accepted any more.
    Revoked {
        /// The token, where it is one.
        token: Option<Secret>,
        /// What was named instead of a token.
        target: Option<Label>,
    },
}

/// The decisions that a reply stands for: among its [extensions](Response::extensions), where no wire shows them.
///
/// ```
/// use auth_core::time::{Moment, Now, Timestamp};
/// use auth_http::endpoint::optave::TokenServer;
/// use auth_http::endpoint::{Decision, Decisions};
/// use bytes::Bytes;
/// use http::Request;
///
/// let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
/// let request = Request::post("/auth/oauth2/token").body(Bytes::new())?;
/// let mut reply = TokenServer::hs256([1; 32]).token(now, [7; 32], &request, &mut |_| Ok(()));
/// assert!(matches!(Decisions::take(&mut reply)[..], [Decision::Denied { .. }]));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Decisions(Vec<Decision>);

impl Decisions {
    /// Those of a reply, in order; they are in it no more.
    #[must_use]
    pub fn take(response: &mut Response<Bytes>) -> Vec<Decision> {
        response.extensions_mut().remove::<Self>().unwrap_or_default().0
    }

    /// Those of a reply, in order, which stay in it.
    #[must_use]
    pub fn of(response: &Response<Bytes>) -> &[Decision] {
        response.extensions().get::<Self>().map_or(&[], |decisions| &decisions.0)
    }

    /// The reply that stands for these decisions, after those that it stands for already.
    #[must_use]
    pub fn tell(
        mut response: Response<Bytes>,
        decisions: impl IntoIterator<Item = Decision>,
    ) -> Response<Bytes> {
        response.extensions_mut().get_or_insert_default::<Self>().0.extend(decisions);
        response
    }
}

impl fmt::Debug for Decisions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

//! Where tokens come from, as those who present them see it.

mod scoped;

use alloc::boxed::Box;

use async_trait::async_trait;

pub use self::scoped::RequireScopes;
use crate::token::Generation;
use crate::{Error, ErrorKind, Token};

/// Something that hands out tokens: a cache over a token endpoint, a fixed text, a program's own code.
///
/// Implement it to bring your own:
///
/// ```
/// use auth_core::{Demand, Error, Secret, Token, TokenSource};
///
/// struct FromMyVault;
///
/// #[async_trait::async_trait]
/// impl TokenSource for FromMyVault {
///     async fn token(&self, demand: Demand) -> Result<Token, Error> {
///         Ok(Token::new(Secret::from("read from the vault")))
///     }
/// }
/// ```
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// Hands out a token that satisfies `demand`.
    ///
    /// The future may be dropped at any point without losing a token that is on its way, and is ready within a minute: a
    /// source bounds its own time.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`]; [`Error::retry`] says whether asking again can help.
    async fn token(&self, demand: Demand) -> Result<Token, Error>;
}

/// What a caller wants of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a source must decide about every demand")]
pub enum Demand {
    /// Any token that is alive: the cached one, if there is one.
    Current,
    /// A token newer than this generation; when none can be had, one that is still alive will do.
    NewerThan(Generation),
    /// A token newer than this generation, which a server refused and which must not be served again.
    InsteadOf(Generation),
}

impl Demand {
    /// Whether a token of `generation` is what the caller wants.
    #[must_use]
    pub fn accepts(self, generation: Generation) -> bool {
        match self {
            Self::Current => true,
            Self::NewerThan(old) | Self::InsteadOf(old) => generation > old,
        }
    }
}

/// The simplest source: one token, from configuration. It can't renew it.
#[derive(Debug, Clone)]
pub struct FixedToken(Token);

impl FixedToken {
    /// A source that always hands out `token`. What the token says of its lifetime is repeated as it is: state none, and
    /// let the server decide.
    #[must_use]
    pub const fn new(token: Token) -> Self {
        Self(token)
    }
}

#[async_trait]
impl TokenSource for FixedToken {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        match demand {
            Demand::Current | Demand::NewerThan(_) => Ok(self.0.clone()),
            Demand::InsteadOf(_) => Err(Error::new(
                ErrorKind::InvalidToken,
                "the token was refused and there is no other; configure a source that can renew it",
            )
            .with_retry(crate::Retry::Never)),
        }
    }
}

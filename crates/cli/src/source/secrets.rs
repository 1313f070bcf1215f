//! Secrets by the three ways there are: a file, standard input, the environment. Never the command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use auth_core::jwt::{self, SigningKey};
use auth_core::{Demand, Error, ErrorKind, Secret, Token, TokenSource};

use crate::environment;
use crate::exit::Failure;
use crate::files;
use crate::profile::Reference;

/// Reads secrets. Standard input holds one.
pub(crate) struct Secrets {
    stdin: Option<&'static str>,
    patience: Duration,
}

impl Default for Secrets {
    fn default() -> Self {
        Self::within(files::PATIENCE)
    }
}

impl Secrets {
    /// Each keyring that is asked has this long to answer.
    pub(crate) const fn within(patience: Duration) -> Self {
        Self { stdin: None, patience }
    }

    /// Whether a secret came from standard input, so that nothing else does.
    pub(crate) const fn took_stdin(&self) -> bool {
        self.stdin.is_some()
    }

    /// What the file of a flag holds.
    pub(crate) fn read(&mut self, flag: &'static str, path: &Path) -> Result<Secret, Failure> {
        self.whole(flag, path)
            .and_then(|text| files::in_one_line(text, &files::name(path)))
            .map_err(|failure| of_flag(flag, path, failure))
    }

    /// The same of several lines.
    pub(crate) fn lines(&mut self, flag: &'static str, path: &Path) -> Result<Secret, Failure> {
        let whole = self.whole(flag, path);
        whole.map_err(|failure| of_flag(flag, path, failure))
    }

    fn whole(&mut self, flag: &'static str, path: &Path) -> Result<Secret, Failure> {
        if path == Path::new("-")
            && let Some(other) = self.stdin.replace(flag)
        {
            let text = format!("{other} and {flag} can't both come from standard input; name a file for one");
            return Err(Failure::Usage(text));
        }
        match Reference::of(path) {
            Some(elsewhere) => files::lines_of(elsewhere.read(self.patience)?, &elsewhere.name()),
            None => files::lines_or_stdin(path),
        }
    }

    /// What the file of a flag holds, else an environment variable.
    pub(crate) fn read_or(
        &mut self,
        flag: &'static str,
        path: Option<&Path>,
        variable: &str,
    ) -> Result<Option<Secret>, Failure> {
        match path {
            Some(path) => self.read(flag, path).map(Some),
            None => match environment::secret(variable)? {
                Some(text) => files::secret_of(text, variable).map(Some),
                None => Ok(None),
            },
        }
    }

    /// A private key: a JWK, or PEM.
    pub(crate) fn key(&mut self, flag: &'static str, path: &Path) -> Result<SigningKey, Failure> {
        let text = self.lines(flag, path)?;
        if let Some(what) = no_private_key(text.expose()) {
            return Err(Failure::Usage(format!("{flag}: {} holds {what}", files::name(path))));
        }
        let key = if text.expose().trim_start().starts_with("-----BEGIN") {
            SigningKey::from_pem(&text)
        } else {
            SigningKey::from_jwk(&text)
        };
        key.map_err(|error| {
            let text = format!(
                "{flag}: {error}; give a private key as a JWK, or in PEM and not encrypted: Ed25519, P-256, P-384, or RSA of \
                 2048 bits or more"
            );
            Failure::Usage(text)
        })
    }

    /// A token that whoever writes the file may renew there.
    pub(super) fn kept(&mut self, flag: &'static str, path: &Path) -> Result<Kept, Failure> {
        let secret = self.read(flag, path)?;
        let path = (path != Path::new("-")).then(|| path.to_owned());
        Ok(Kept { secret, path })
    }
}

/// Why there is no secret, with what that was to be.
fn of_flag(flag: &str, path: &Path, failure: Failure) -> Failure {
    let called = called(flag, path);
    match failure {
        Failure::TimedOut(text) => Failure::TimedOut(format!("timeout: {called}: {text}")),
        failure => Failure::Usage(format!("{called}: {failure}")),
    }
}

/// What a secret is called where it was named: only a profile knows places that are no files.
fn called(flag: &str, path: &Path) -> String {
    if Reference::of(path).is_none() {
        return flag.to_owned();
    }
    let key = flag.trim_start_matches("--");
    format!("the profile's {}", key.strip_suffix("-file").unwrap_or(key))
}

/// What a PEM file holds that is no private key, or none that can be used, and what to do about it.
fn no_private_key(text: &str) -> Option<&'static str> {
    let has = |what: &str| text.contains(what);
    if has("ENCRYPTED") && has("-----BEGIN") {
        return Some(
            "a key that is encrypted; decrypt it by openssl pkey -in FILE -out OTHER, for its owner only",
        );
    }
    if has("PRIVATE KEY-----") {
        return None;
    }
    if has("-----BEGIN CERTIFICATE") {
        return Some("a certificate, and no key; give the file of its private key");
    }
    has("PUBLIC KEY-----").then_some("a public key; give the file of the private one")
}

/// A secret that somebody else keeps fresh: its file is read each time.
pub(super) struct Kept {
    /// As it was at first.
    secret: Secret,
    /// `None` for standard input, which can't be read again.
    path: Option<PathBuf>,
}

impl Kept {
    /// Whom it speaks for, so that a store hands nobody a token of somebody else: who issued it and of whom, where it is a JSON
    /// Web Token that says so, which stays the same when it is renewed; else itself.
    pub(super) fn subject(&self) -> Secret {
        let claims = jwt::read(self.secret.expose()).ok();
        let named = claims.as_ref().map(jwt::Unverified::claims);
        let named = named.and_then(|claims| Some(format!("{} {}", claims.issuer()?, claims.subject()?)));
        named.map_or_else(|| self.secret.clone(), Secret::from)
    }

    pub(super) fn secret(&self) -> Result<Secret, Error> {
        match &self.path {
            Some(path) => files::secret(path)
                .map_err(|failure| Error::new(ErrorKind::Misconfigured, failure.to_string())),
            None => Ok(self.secret.clone()),
        }
    }
}

#[async_trait::async_trait]
impl TokenSource for Kept {
    async fn token(&self, _demand: Demand) -> Result<Token, Error> {
        self.secret().map(Token::new)
    }
}

//! Secrets by the three ways there are: a file, standard input, the environment. Never the command line.

use std::path::{Path, PathBuf};

use auth_core::jwt::SigningKey;
use auth_core::{Demand, Error, ErrorKind, Secret, Token, TokenSource};

use crate::environment;
use crate::exit::Failure;
use crate::files;

/// Reads secrets. Standard input holds one.
#[derive(Default)]
pub(crate) struct Secrets {
    stdin: Option<&'static str>,
}

impl Secrets {
    /// What the file of a flag holds.
    pub(crate) fn read(&mut self, flag: &'static str, path: &Path) -> Result<Secret, Failure> {
        if path == Path::new("-")
            && let Some(other) = self.stdin.replace(flag)
        {
            let text = format!("{other} and {flag} can't both come from standard input; name a file for one");
            return Err(Failure::Usage(text));
        }
        files::secret_or_stdin(path).map_err(|failure| Failure::Usage(format!("{flag}: {failure}")))
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
            None => Ok(environment::variable(variable).map(Secret::from)),
        }
    }

    /// A private key: a JWK, or PEM.
    pub(crate) fn key(&mut self, flag: &'static str, path: &Path) -> Result<SigningKey, Failure> {
        let text = self.read(flag, path)?;
        let key = if text.expose().trim_start().starts_with("-----BEGIN") {
            SigningKey::from_pem(&text)
        } else {
            SigningKey::from_jwk(&text)
        };
        key.map_err(|error| {
            let text = format!("{flag}: {error}; give a private key, as a JWK or in PEM and not encrypted");
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

/// A secret that somebody else keeps fresh: its file is read each time.
pub(super) struct Kept {
    /// As it was at first.
    secret: Secret,
    /// `None` for standard input, which can't be read again.
    path: Option<PathBuf>,
}

impl Kept {
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

//! Our OAuth client at a server that others wrote: our side of `cargo xtask conformance oauth`.
//!
//! Its input is two lines of JSON: the certificates that it printed for `material`, and what the server's script in
//! `tests/peers` said of itself. Its output is a line a case.

mod authlib;
mod browser;
mod django;
mod idpyoidc;
mod kit;
mod material;
mod mock_server;
mod oidc_provider;
mod watched;

use std::error::Error;
use std::io::{self, BufRead as _};

use clap::{Parser, ValueEnum};
use serde::de::DeserializeOwned;

use self::material::Material;

#[derive(Debug, Parser)]
struct Arguments {
    part: Part,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// Prints certificates, for a server and for the cases at it.
    Material,
    OidcProvider,
    #[value(name = "oauth2-mock-server")]
    MockServer,
    #[value(name = "django-oauth-toolkit")]
    Django,
    Authlib,
    Idpyoidc,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { part } = Arguments::parse();
    match part {
        Part::Material => println!("{}", serde_json::to_string(&Material::draw()?)?),
        Part::OidcProvider => {
            let (material, told) = input()?;
            oidc_provider::run(material, told).await?;
        }
        Part::MockServer => mock_server::run(input()?.1).await?,
        Part::Django => django::run(input()?.1).await?,
        Part::Authlib => authlib::run(input()?.1).await?,
        Part::Idpyoidc => idpyoidc::run(input()?.1).await?,
    }
    Ok(())
}

/// The certificates, and what the server said.
fn input<T: DeserializeOwned>() -> Result<(Material, T), Box<dyn Error>> {
    let mut lines = io::stdin().lock().lines();
    let mut line = || lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
    Ok((serde_json::from_str(&line()?)?, serde_json::from_str(&line()?)?))
}

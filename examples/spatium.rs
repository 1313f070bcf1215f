//! A Spatium session: a password, a session of this device, and a request with its permission token.
#![expect(clippy::disallowed_methods, reason = "an example reads its credentials from the environment")]

use std::env;

use bytes::Bytes;
use http::Request;
use realtime_auth::core::Secret;
use realtime_auth::providers::spatium::Session;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = env::var("SPATIUM_URL")?; // such as https://cloud.spatium.net/authorization/v1
    let (name, password) = (env::var("SPATIUM_USERNAME")?, Secret::from(env::var("SPATIUM_PASSWORD")?));
    let session = Session::new(&url, "the id of this device", &["read"])?;
    let factor = session.security_factor_credentials(&name, &password).await?;
    session.establish(&[factor]).await?;
    let request = Request::get(format!("{url}/api/signer")).body(Bytes::new())?;
    let response = session.request(request).await?; // the token is refreshed as necessary
    println!("{}, asked with a permission token", response.status());
    Ok(())
}

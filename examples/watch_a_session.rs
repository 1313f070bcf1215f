//! Watching what a session does: every decision is an event, and a closure may listen.
#![expect(clippy::disallowed_methods, reason = "an example reads its credentials from the environment")]

use std::env;
use std::sync::Arc;

use realtime_auth::core::AuthEvent;
use realtime_auth::providers::genesys::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder(
        &env::var("GENESYS_REGION")?,
        &env::var("GENESYS_CLIENT_ID")?,
        env::var("GENESYS_CLIENT_SECRET")?,
    )
    .with_observer(Arc::new(|event: &AuthEvent| match event {
        AuthEvent::TokenIssued { expires_in, .. } => println!("a token that lives {expires_in:?}"),
        AuthEvent::Authenticated { latency, .. } => println!("authenticated after {latency:?}"),
        AuthEvent::ConnectionLost { reason, .. } => println!("lost: {reason}"),
        other => println!("{other:?}"),
    }))
    .build()?;
    client.connect().await?.close().await?;
    Ok(())
}

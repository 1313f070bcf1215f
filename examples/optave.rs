//! Optave: each connection with a token of its own, and the next with a fresh one.
#![expect(clippy::disallowed_methods, reason = "an example reads its credentials from the environment")]

use std::env;

use realtime_auth::providers::optave::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder()
        .with_websocket_url(env::var("OPTAVE_WEBSOCKET_URL")?)
        .with_authentication_url(env::var("OPTAVE_AUTHENTICATION_URL")?)
        .with_client_id(env::var("OPTAVE_CLIENT_ID")?)
        .with_client_secret(env::var("OPTAVE_CLIENT_SECRET")?)
        .build()?;
    for connection in 1..=2 {
        let mut session = client.open_connection(client.authenticate().await?).await?;
        session.send("hello").await?;
        println!("connection {connection}: {:?}", session.next().await);
        session.close().await?;
    }
    Ok(())
}

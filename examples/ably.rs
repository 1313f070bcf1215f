//! An Ably connection that changes over to another token while it lives: one that may listen to a channel.
#![expect(clippy::disallowed_methods, reason = "an example reads its credentials from the environment")]

use std::env;

use realtime_auth::core::ably::{AuthOptions, TokenParams};
use realtime_auth::providers::ably::Realtime;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = env::var("ABLY_KEY")?.parse()?; // appId.keyId:secret, of a program that may have it
    let options = AuthOptions::new().with_key(key).with_use_token_auth(true);
    let realtime = Realtime::builder(options).with_endpoint(env::var("ABLY_ENDPOINT")?).build()?;
    let mut session = realtime.connect().await?;
    let listener = TokenParams::new().with_capability(r#"{"news":["subscribe"]}"#.parse()?);
    let token = realtime.authorize(Some(listener), None).await?;
    session.send(r#"{"action":10,"channel":"news"}"#).await?;
    println!("allowed {:?}: {:?}", token.capability_text(), session.next().await);
    Ok(realtime.close().await?)
}

//! A Genesys Cloud session: one message, one answer, an audit trail. The README shows this program.
#![expect(clippy::disallowed_methods, reason = "an example reads its credentials from the environment")]

use std::env;

use realtime_auth::providers::genesys::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (id, secret) = (env::var("GENESYS_CLIENT_ID")?, env::var("GENESYS_CLIENT_SECRET")?);
    let client = Client::builder(&env::var("GENESYS_REGION")?, &id, secret) // such as mypurecloud.com
        .with_required_scopes("conversation:read".parse()?)
        .with_audit("genesys-audit")
        .build()?;
    let mut session = client.connect().await?;
    session.send(r#"{"type":"subscribe","topic":"v2.conversations"}"#).await?;
    println!("{:?}", session.next().await);
    Ok(session.close().await?)
}

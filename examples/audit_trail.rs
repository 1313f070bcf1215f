//! An audit trail with all that there is: a sealed log, a closure, Splunk where there is one, numbers, and the proof.
#![expect(clippy::disallowed_methods, reason = "an example reads its settings from the environment")]

use std::env;
use std::sync::Arc;

use bytes::Bytes;
use realtime_auth::audit::checkpoint::SigningKey;
use realtime_auth::audit::deliver::Outlet;
use realtime_auth::audit::deliver::hec::{ExchangeError, Hec};
use realtime_auth::audit::format::{Format, Origin, Renderer};
use realtime_auth::audit::verify::Verification;
use realtime_auth::audit::{LogOptions, Trail};
use realtime_auth::core::Secret;
use realtime_auth::http::client::HyperClient;
use realtime_auth::http::exchange::HttpExchange;
use realtime_auth::providers::genesys::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In a real program the seed comes from `rtauth audit key`, and nobody else has it.
    let key = SigningKey::from_seed("orders.example", [7; 32])?;
    let verifier = key.verifier();
    let mut trail = Trail::builder()
        .log(LogOptions::new("orders-audit").signing_key(key))
        .on_siem(|event| println!("SIEM: {event}"));
    if let (Ok(collector), Ok(token)) = (env::var("SPLUNK_URL"), env::var("SPLUNK_TOKEN")) {
        trail = trail.outlet(splunk(&collector, &Secret::from(token))?);
    }
    let trail = trail.open()?;

    let client = Client::builder(
        &env::var("GENESYS_REGION")?,
        &env::var("GENESYS_CLIENT_ID")?,
        env::var("GENESYS_CLIENT_SECRET")?,
    )
    .with_observer(Arc::new(trail.named("orders")))
    .build()?;
    client.connect().await?.close().await?;

    let summary = trail.close();
    println!(
        "{} events on record, {} attempts succeeded",
        summary.written,
        trail.metrics().snapshot().success_count
    );
    let verified = Verification::of("orders-audit").with_key(verifier).run()?;
    println!("verified {} records, {} of them under a signature", verified.records, verified.sealed_through);
    Ok(())
}

/// Entries for Splunk, over the HTTP client that tokens are fetched with. What it can't take is kept in a file.
fn splunk(collector: &str, token: &Secret) -> Result<Outlet, Box<dyn std::error::Error>> {
    let client = Arc::new(HyperClient::with_platform_roots()?);
    let exchange = move |request: http::Request<String>| {
        let client = Arc::clone(&client);
        async move {
            let reply = client.exchange(request.map(Bytes::from)).await?;
            Ok::<_, ExchangeError>(reply.map(|body| body.to_vec()))
        }
    };
    let renderer = Renderer::new(Format::Hec, Origin::new("host-1", "orders"));
    let sink = Hec::new(collector, token, move |entry| renderer.render(entry), exchange)?;
    Ok(Outlet::sink("splunk", sink).dead_letter("splunk-dead-letters.jsonl"))
}

//! `/metrics`, on an address of its own and nowhere else.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

#[tokio::test]
async fn metrics_are_served_at_their_own_address_and_not_at_the_gateways() {
    let scrapes = AtomicU64::new(0);
    let told = Told::with(|config| {
        config.with_metrics("127.0.0.1:0".parse().unwrap(), move || {
            format!("scrapes_total {}\n", scrapes.fetch_add(1, Ordering::Relaxed) + 1)
        })
    })
    .await;
    let url = told.gateway.metrics_url().unwrap().to_owned();
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    assert_eq!(path, "metrics");
    let ask = async |line: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut reply = String::new();
        timeout(SOON, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
        reply
    };
    for number in 1..=2 {
        let reply = ask("GET /metrics").await;
        assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains("text/plain; version=0.0.4"), "{reply}");
        assert!(reply.ends_with(&format!("\r\n\r\nscrapes_total {number}\n")), "{reply}");
    }
    assert!(ask("POST /metrics").await.starts_with("HTTP/1.1 405 "));
    assert!(ask("GET /oauth/token").await.starts_with("HTTP/1.1 404 "));
    assert_eq!(told.ask("GET /metrics", &[], "").await.0, 404);
    assert_eq!(Told::plain().await.gateway.metrics_url(), None);
}

//! From a host's name to its addresses: the seam where a test, or a program with its own ideas, gives them.

use std::io;
use std::net::IpAddr;

use async_trait::async_trait;

/// Something that knows the addresses of a host.
///
/// The client asks it for names only, never for what is an address already; it bounds the time itself.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, the best one first.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; no address at all is an error as well.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver, on a thread of tokio's for blocking work.
pub(crate) struct System;

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

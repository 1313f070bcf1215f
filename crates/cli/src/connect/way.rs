//! The way to a session's server: directly, or through a proxy.

use std::io;
use std::sync::Arc;

use auth_http::client;
use ws_session::driver::tokio::{Dial, Dialing, Proxy, Runtime, Server, Tcp};

use crate::exit::Failure;
use crate::source::{NetworkOptions, network};

/// TCP, through those proxies by which the tokens are fetched too.
struct Way(client::Proxy);

/// What sessions run on.
pub(super) fn runtime(options: &NetworkOptions) -> Result<Runtime, Failure> {
    Ok(Runtime::new(Arc::new(Way(network::proxy(options)?))))
}

impl Dial for Way {
    fn dial(&self, server: &Server) -> Dialing {
        let url = self.0.url_between(server.is_encrypted(), server.host(), server.port());
        match url.map(|url| Proxy::new(url.expose())) {
            None => Tcp::new().dial(server),
            Some(Ok(proxy)) => Tcp::new().with_proxy(proxy).dial(server),
            Some(Err(error)) => {
                let error = io::Error::other(error);
                Box::pin(async move { Err(error) })
            }
        }
    }
}

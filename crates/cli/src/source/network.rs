//! The way to servers: proxies, and whether it must be encrypted.

use auth_core::loopback::dangerous;
use auth_http::client::Proxy;

use super::options::NetworkOptions;
use crate::environment;
use crate::exit::{Failure, complain};

/// Allows what `--insecure` does, and says loudly what that means. It comes before any URL is looked at.
pub(crate) fn allow(command: &str, options: &NetworkOptions) {
    if options.insecure {
        complain(
            command,
            "WARNING: --insecure allows plain http and ws to other machines: everybody on the way can read the tokens and \
             secrets, and put others in their place",
        );
        dangerous::allow_plaintext_everywhere();
    }
}

/// The proxies that the flags name, else those of the environment.
pub(crate) fn proxy(options: &NetworkOptions) -> Result<Proxy, Failure> {
    let Some(url) = &options.proxy else {
        let proxy = Proxy::from_environment(environment::variable);
        return proxy
            .map_err(|error| Failure::Usage(format!("the environment variables of the proxy: {error}")));
    };
    if url.contains('@') {
        let text = "--proxy: other users of this machine see a password on the command line; put the URL into the environment \
                    variable HTTPS_PROXY, and leave the flag out";
        return Err(Failure::Usage(text.to_owned()));
    }
    let proxy = Proxy::new(url).map_err(|error| Failure::Usage(format!("--proxy: {error}")))?;
    let excepted = ["no_proxy", "NO_PROXY"].into_iter().find_map(environment::variable);
    Ok(proxy.with_exceptions(&excepted.unwrap_or_default()))
}

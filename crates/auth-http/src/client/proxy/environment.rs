//! The proxies that the environment names, read through a function: only the command line reads the environment itself.

use std::sync::Arc;

use super::bypass::Bypass;
use super::{Proxy, Via};
use crate::client::ConfigError;

impl Proxy {
    /// What the usual variables say; `lookup` answers for one, as `|name| std::env::var(name).ok()` does.
    ///
    /// | Variable | Meaning |
    /// | --- | --- |
    /// | `https_proxy`, `HTTPS_PROXY` | the proxy for `https` servers |
    /// | `http_proxy`, `HTTP_PROXY` | the proxy for `http` servers |
    /// | `all_proxy`, `ALL_PROXY` | the proxy for those of the two without one |
    /// | `no_proxy`, `NO_PROXY` | servers that are reached directly |
    ///
    /// Lower case wins, as in curl; an empty variable is none. `HTTP_PROXY` is not read where `REQUEST_METHOD` is set: in a
    /// CGI program it is what the client's header `Proxy` says, and would let anybody read the requests.
    ///
    /// `no_proxy` is a list, by commas or spaces, of:
    ///
    /// * `*`: every server
    /// * `example.com`: this host and all below it; `.example.com` and `*.example.com`: only those below
    /// * `192.0.2.1`, `2001:db8::1`, `192.0.2.0/24`, `2001:db8::/32`: URLs with such an address; names are not resolved
    /// * each but `*` and a prefix with `:port`, an IPv6 address then in brackets: only this port
    ///
    /// An entry that is nothing of these fits no server.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Proxy`] when a variable that counts is no URL of a proxy: the requests would otherwise take a
    /// way that somebody meant to forbid.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let either = |name: &str| set(name).or_else(|| set(&name.to_ascii_uppercase()));
        let all = || either("all_proxy");
        let http = match set("REQUEST_METHOD") {
            Some(_) => set("http_proxy"),
            None => either("http_proxy"),
        };
        let parsed = |url: Option<String>| url.map(|url| Via::parse(&url).map(Arc::new)).transpose();
        Ok(Self {
            https: parsed(either("https_proxy").or_else(all))?,
            http: parsed(http.or_else(all))?,
            bypass: Bypass::parse(&either("no_proxy").unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Proxy, ConfigError> {
        Proxy::from_environment(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// The proxies for https and http, by their hosts.
    fn hosts(variables: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let proxy = from(variables).unwrap();
        let host = |encrypted| proxy.between(encrypted, "example.com", 1).map(|via| via.host().to_owned());
        (host(true), host(false))
    }

    #[test]
    fn each_variable_counts_for_its_scheme() {
        let pair = |https: &str, http: &str| {
            let some = |host: &str| (!host.is_empty()).then(|| host.to_owned());
            (some(https), some(http))
        };
        assert_eq!(hosts(&[]), pair("", ""));
        assert_eq!(hosts(&[("HTTPS_PROXY", "a"), ("HTTP_PROXY", "b")]), pair("a", "b"));
        assert_eq!(hosts(&[("https_proxy", "a"), ("HTTPS_PROXY", "b")]), pair("a", ""));
        assert_eq!(hosts(&[("https_proxy", " "), ("HTTPS_PROXY", "b")]), pair("b", ""));
        assert_eq!(hosts(&[("ALL_PROXY", "a"), ("http_proxy", "b")]), pair("a", "b"));
        assert_eq!(hosts(&[("HTTPS_PROXY", "a"), ("NO_PROXY", "example.com")]), pair("", ""));
    }

    #[test]
    fn a_clients_header_chooses_no_proxy_for_a_cgi_program() {
        let proxy = ("HTTP_PROXY", "attacker");
        assert_eq!(hosts(&[proxy]).1.as_deref(), Some("attacker"), "the control");
        assert_eq!(hosts(&[proxy, ("REQUEST_METHOD", "GET")]), (None, None));
        assert_eq!(hosts(&[("http_proxy", "ours"), ("REQUEST_METHOD", "GET")]).1.as_deref(), Some("ours"));
    }

    #[test]
    fn a_proxy_that_can_not_be_used_is_an_error_unless_another_counts() {
        assert_eq!(from(&[("ALL_PROXY", "socks5://proxy")]).unwrap_err(), ConfigError::Proxy);
        let socks = ("ALL_PROXY", "socks5://proxy");
        assert!(from(&[socks, ("HTTPS_PROXY", "a"), ("HTTP_PROXY", "a")]).is_ok());
    }
}

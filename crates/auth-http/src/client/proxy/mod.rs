//! Which servers are reached through a proxy, and which proxy: values, wherever they come from.

mod bypass;
mod environment;

use std::fmt;
use std::sync::Arc;

use auth_core::Secret;
use auth_core::loopback::is_loopback;
use http::Uri;
use percent_encoding::percent_decode_str;

use self::bypass::Bypass;
use super::builder::ConfigError;
use crate::wire::basic_credentials;

/// The proxies of a client: none by default.
///
/// A server on this machine (`localhost`, 127.0.0.0/8, ::1) is always reached directly: to a proxy, that name is its own
/// machine. Everything else goes through a tunnel (CONNECT), plain `http` too, so that no proxy sees a request.
///
/// ```
/// use auth_http::client::Proxy;
///
/// let proxy = Proxy::new("http://user:password@proxy.example:3128")?.with_exceptions("internal.example, 10.0.0.0/8");
/// assert_eq!(format!("{proxy:?}"), "Proxy { https: http://proxy.example:3128, http: http://proxy.example:3128 }");
/// # Ok::<(), auth_http::client::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Proxy {
    https: Option<Arc<Via>>,
    http: Option<Arc<Via>>,
    bypass: Bypass,
}

impl Proxy {
    /// No proxy.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The proxy at `url`, for every server: `http://`, or `https://` for a proxy that itself speaks TLS; without
    /// a scheme, `http`. Without a port it is the scheme's own. Credentials stand before the host, percent-encoded.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Proxy`] when it is no such URL; SOCKS is not supported.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let via = Arc::new(Via::parse(url)?);
        Ok(Self { https: Some(Arc::clone(&via)), http: Some(via), bypass: Bypass::default() })
    }

    /// Reaches these servers directly, instead of those named before: a list in the form of `NO_PROXY`, as
    /// [`from_environment`](Self::from_environment) explains it.
    #[must_use]
    pub fn with_exceptions(self, list: &str) -> Self {
        Self { bypass: Bypass::parse(list), ..self }
    }

    /// The proxy between here and a server, `host` without brackets.
    pub(super) fn between(&self, encrypted: bool, host: &str, port: u16) -> Option<&Via> {
        let via = if encrypted { self.https.as_deref() } else { self.http.as_deref() };
        via.filter(|_| !is_loopback(host) && !self.bypass.includes(host, port))
    }

    /// The URL of the proxy between here and a server, its credentials in it, for another client than this crate's, such as a
    /// WebSocket's; `None` when the server is reached directly. `host` is without brackets.
    #[must_use]
    pub fn url_between(&self, encrypted: bool, host: &str, port: u16) -> Option<&Secret> {
        self.between(encrypted, host, port).map(|via| &via.url)
    }

    /// Whether any proxy speaks TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        [&self.https, &self.http].into_iter().flatten().any(|via| via.is_encrypted())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { https, http, bypass: _ } = self;
        let shown =
            |via: &Option<Arc<Via>>| via.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        formatter
            .debug_struct("Proxy")
            .field("https", &format_args!("{}", shown(https)))
            .field("http", &format_args!("{}", shown(http)))
            .finish()
    }
}

/// One proxy.
pub(super) struct Via {
    /// As it was given.
    url: Secret,
    encrypted: bool,
    host: String,
    port: u16,
    credentials: Option<Secret>,
}

impl Via {
    fn parse(url: &str) -> Result<Self, ConfigError> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let encrypted = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(ConfigError::Proxy),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (userinfo, address) = match authority.rsplit_once('@') {
            Some((userinfo, address)) => (Some(userinfo), address),
            None => (None, authority),
        };
        let uri: Uri = format!("http://{address}/").parse().map_err(|_| ConfigError::Proxy)?;
        let host = uri.host().map(super::dialer::bare).filter(|host| !host.is_empty());
        let host = host.ok_or(ConfigError::Proxy)?.to_owned();
        let default = if encrypted { 443 } else { 80 };
        let port = match address.rsplit_once(':') {
            // A colon of an IPv6 address.
            Some((_, rest)) if rest.ends_with(']') => default,
            Some((_, port)) => port.parse().map_err(|_| ConfigError::Proxy)?,
            None => default,
        };
        Ok(Self {
            url: Secret::from(url),
            encrypted,
            host,
            port,
            credentials: userinfo.map(basic).transpose()?,
        })
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn credentials(&self) -> Option<&Secret> {
        self.credentials.as_ref()
    }
}

impl fmt::Display for Via {
    /// Leaves the credentials out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, encrypted, host, port, credentials: _ } = self;
        let scheme = if *encrypted { "https" } else { "http" };
        if host.contains(':') {
            write!(formatter, "{scheme}://[{host}]:{port}")
        } else {
            write!(formatter, "{scheme}://{host}:{port}")
        }
    }
}

/// The value of `Proxy-Authorization` (RFC 7617) for what stands before a URL's `@`.
fn basic(userinfo: &str) -> Result<Secret, ConfigError> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decode = |text| {
        let text: Vec<u8> = percent_decode_str(text).collect();
        Secret::from(String::from_utf8(text).unwrap_or_default())
    };
    let (user, password) = (decode(user), decode(password));
    // RFC 7617 §2: the first colon ends the name.
    if user.is_empty() || user.expose().contains(':') {
        return Err(ConfigError::Proxy);
    }
    let pair = Secret::from(format!("{}:{}", user.expose(), password.expose()));
    Ok(basic_credentials(&pair))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_url_says_where_the_proxy_is_and_whom_it_knows() {
        for (url, shown, credentials) in [
            ("http://proxy:3128", "http://proxy:3128", None),
            ("proxy:3128", "http://proxy:3128", None),
            ("proxy", "http://proxy:80", None),
            (" HTTPS://proxy/ ", "https://proxy:443", None),
            ("http://[::1]:3128/path", "http://[::1]:3128", None),
            ("http://user:pass@proxy", "http://proxy:80", Some("user:pass")),
            ("user@proxy:3128", "http://proxy:3128", Some("user:")),
            ("http://us%40er:p%3Ass%25@proxy", "http://proxy:80", Some("us@er:p:ss%")),
            ("http://user:p@ss@proxy", "http://proxy:80", Some("user:p@ss")),
        ] {
            let via = Via::parse(url).unwrap();
            assert_eq!(via.to_string(), shown, "{url}");
            let expected = credentials.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
            assert_eq!(via.credentials().map(|value| value.expose().to_owned()), expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_repeated() {
        for url in [
            "",
            "http://",
            "socks5://canary@proxy",
            "http://a b",
            "http://:80",
            "http://u:canary@",
            "http://p:99999",
        ] {
            let error = Proxy::new(url).unwrap_err();
            assert_eq!(error, ConfigError::Proxy, "{url}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        assert_eq!(
            Proxy::new("http://a%3Ab:c@proxy").unwrap_err(),
            ConfigError::Proxy,
            "a colon in the name"
        );
    }

    #[test]
    fn no_way_of_formatting_shows_the_credentials() {
        let proxy = Proxy::new("http://user:canary@proxy:3128").unwrap();
        let text = format!("{proxy:?} {proxy:#?} {}", proxy.https.as_ref().unwrap());
        assert!(!text.contains("canary") && !text.contains(&STANDARD.encode("user:canary")), "{text}");
    }

    #[test]
    fn this_machine_is_never_reached_through_a_proxy() {
        let proxy = Proxy::new("http://proxy:3128").unwrap();
        for host in ["localhost", "127.0.0.1", "127.8.9.1", "::1"] {
            assert!(proxy.between(true, host, 443).is_none(), "{host}");
        }
        assert!(proxy.between(true, "login.example", 443).is_some());
        assert!(proxy.between(false, "10.0.0.1", 80).is_some());
        assert!(Proxy::none().between(true, "login.example", 443).is_none());
    }

    #[test]
    fn another_client_is_told_of_the_same_proxy_by_its_url() {
        let proxy = Proxy::new(" http://user:password@proxy:3128 ").unwrap().with_exceptions("b.example");
        let url = |host: &str| proxy.url_between(true, host, 443).map(|url| url.expose().to_owned());
        assert_eq!(url("a.example").unwrap(), "http://user:password@proxy:3128");
        assert_eq!((url("b.example"), url("localhost")), (None, None));
    }
}

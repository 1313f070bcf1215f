//! Where a session connects to.

use std::fmt;
use std::net::Ipv6Addr;

use auth_core::Secret;
use auth_core::loopback::may_be_plaintext;

use crate::ConfigError;

/// A WebSocket URL (RFC 6455 §3) taken apart: absolute, without user or fragment, `wss`, or `ws` on loopback.
///
/// Its path and query may be a credential: `Debug` shows neither.
///
/// ```
/// use ws_session::Address;
///
/// let address = Address::new("wss://api.example.com/ws?version=2")?;
/// assert_eq!((address.host(), address.port()), ("api.example.com", 443));
/// assert_eq!(address.path_and_query().expose(), "/ws?version=2");
/// # Ok::<(), ws_session::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    encrypted: bool,
    host: String,
    port: u16,
    path_and_query: Secret,
}

impl Address {
    /// The address in a URL; a fragment is dropped.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAUrl`] and [`ConfigError::Plaintext`].
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let (scheme, rest) = url.split_once("://").ok_or(ConfigError::NotAUrl)?;
        let encrypted = match scheme {
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ => return Err(ConfigError::NotAUrl),
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if !path_and_query.bytes().all(stands_in_a_path_or_query) {
            return Err(ConfigError::NotAUrl);
        }
        let slash = if path_and_query.starts_with('/') { "" } else { "/" };
        let (host, port) = host_and_port(authority).ok_or(ConfigError::NotAUrl)?;
        if !encrypted && !may_be_plaintext(host) {
            return Err(ConfigError::Plaintext);
        }
        Ok(Self {
            encrypted,
            host: host.to_owned(),
            port: port.unwrap_or_else(|| default_port(encrypted)),
            path_and_query: Secret::from([slash, path_and_query].concat()),
        })
    }

    /// Whether the connection is made over TLS.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// The host: a name, or an IP address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 443 or 80 if the URL names none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What the request asks for: begins with a slash.
    #[must_use]
    pub const fn path_and_query(&self) -> &Secret {
        &self.path_and_query
    }

    /// The value of the `Host` header (RFC 9110 §7.2): brackets around an IPv6 address, and no port if it is the default.
    #[must_use]
    pub fn host_header(&self) -> String {
        let Self { encrypted, host, port, path_and_query: _ } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if *port == default_port(*encrypted) { host } else { format!("{host}:{port}") }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "wss" } else { "ws" };
        write!(formatter, "Address({scheme}://{})", self.host_header())
    }
}

const fn default_port(encrypted: bool) -> u16 {
    if encrypted { 443 } else { 80 }
}

/// The host of an authority, without brackets, and the port that it names; `None` if it is none, or names a user.
pub(crate) fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, port) = bracketed.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => {
            let (host, port) =
                authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if host.is_empty() || !host.bytes().all(legal) {
                return None;
            }
            (host, port)
        }
    };
    let port = match port {
        // `parse` alone would take a sign.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(port.parse().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
        None => None,
    };
    Some((host, port))
}

/// Visible ASCII, but for what every reader of URLs takes differently.
const fn stands_in_a_path_or_query(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'\\' | b'^' | b'`')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> ConfigError {
        Address::new(url).unwrap_err()
    }

    #[test]
    fn a_url_falls_into_its_parts() {
        for (url, encrypted, host, port, path_and_query, header) in [
            ("wss://a.example", true, "a.example", 443, "/", "a.example"),
            ("WSS://a.example:8443/ws/x?y=z#f", true, "a.example", 8443, "/ws/x?y=z", "a.example:8443"),
            ("wss://a.example?y=/z", true, "a.example", 443, "/?y=/z", "a.example"),
            ("wss://a.example#f/g?h", true, "a.example", 443, "/", "a.example"),
            ("ws://127.0.0.1:8080/ws", false, "127.0.0.1", 8080, "/ws", "127.0.0.1:8080"),
            ("ws://localhost:80/", false, "localhost", 80, "/", "localhost"),
            ("ws://[::1]:8080/ws", false, "::1", 8080, "/ws", "[::1]:8080"),
            ("wss://[2001:db8::1]", true, "2001:db8::1", 443, "/", "[2001:db8::1]"),
            (
                "wss://a.example/x?json={%22a%22:1}&b=a|b'",
                true,
                "a.example",
                443,
                "/x?json={%22a%22:1}&b=a|b'",
                "a.example",
            ),
        ] {
            let address = Address::new(url).unwrap();
            assert_eq!(address.is_encrypted(), encrypted, "{url}");
            assert_eq!((address.host(), address.port()), (host, port), "{url}");
            assert_eq!(address.path_and_query().expose(), path_and_query, "{url}");
            assert_eq!(address.host_header(), header, "{url}");
        }
    }

    #[test]
    fn plain_ws_is_for_this_machine_only() {
        for url in [
            "ws://api.example.com/ws",
            "ws://10.0.0.1/",
            "ws://[2001:db8::1]/",
            "ws://127.0.0.1.example.com/",
        ] {
            assert!(matches!(refused(url), ConfigError::Plaintext), "{url}");
            assert!(Address::new(&url.replace("ws:", "wss:")).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_absolute_websocket_url_is_refused() {
        for url in [
            "",
            "/ws",
            "wss",
            "wss:",
            "wss:/a",
            "//a.example/",
            "http://127.0.0.1/",
            "https://a.example/",
            "127.0.0.1:8080",
            "wss://",
            "wss:///ws",
            "wss://?a",
            "wss://:8080/",
            "ws://user:secret@127.0.0.1/",
            "wss://user@a.example/",
            "wss://a.example:/",
            "wss://a.example:0/",
            "wss://a.example:65536/",
            "wss://a.example:+80/",
            "wss://a.example:80:80/",
            "wss://a.example:8a/",
            "wss://[::1",
            "wss://[::1]x/",
            "wss://[::1]8080/",
            "wss://[a.example]/",
            "wss://[127.0.0.1]/",
            "wss://[fe80::1%25eth0]/",
            "wss://::1/",
            "wss://a b.example/",
            "wss://a%2eexample/",
            "wss://\u{e4}.example/",
            "wss://a.example/ws x",
            " wss://a.example/",
            "wss://a.example/ ",
            "wss://a.example/\r\nHost: b",
            "wss://a.example/\0",
            "wss://a.example/\u{e4}",
            "wss://a.example\\@b.example/",
            "wss://a.example/<x>",
        ] {
            assert!(matches!(refused(url), ConfigError::NotAUrl), "{url:?}");
        }
    }

    #[test]
    fn debug_leaves_out_what_may_be_a_credential() {
        let address = Address::new("ws://127.0.0.1:8080/canary?access_token=canary#canary").unwrap();
        assert_eq!(format!("{address:?}"), "Address(ws://127.0.0.1:8080)");
    }
}

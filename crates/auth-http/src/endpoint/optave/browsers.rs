//! Which browsers get a token: those that show a page of our own.

use auth_core::Secret;
use auth_core::loopback::is_loopback;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, Uri};

/// Whom tokens are handed to: the pages of these origins, and programs that are no browsers.
///
/// A foreign page is told by what its browser says of it: `Sec-Fetch-Site`, and `Origin`. `Host` is checked always, since a
/// page can have its own name resolve to this server, and over plain HTTP its browser says nothing else then. It must be
/// there: a server of HTTP/2 puts `:authority` in its place. Programs can't be told apart: a login of your own has to.
#[derive(Debug, Clone, Default)]
pub struct Browsers {
    origins: Vec<String>,
    publishable_key: Option<Secret>,
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const PUBLISHABLE_KEY: HeaderName = HeaderName::from_static("x-optave-publishable-key");

impl Browsers {
    /// The pages that this machine shows to itself. Name others by [`with_origin`](Self::with_origin).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an origin under which the page and this server are reached, such as `https://shop.example`. With one named,
    /// loopback counts no longer by itself.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Asks for this key in `X-Optave-Publishable-Key`. It stands in every page, so it is no secret.
    #[must_use]
    pub fn with_publishable_key(self, key: impl Into<String>) -> Self {
        Self { publishable_key: Some(Secret::from(key.into())), ..self }
    }

    /// Whether a request with these headers gets a token, or why not.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let mut values = [SEC_FETCH_SITE, ORIGIN, HOST].map(|name| headers.get_all(name).iter());
        let [site, origin, host] =
            values.each_mut().map(|values| values.next().map(|value| value.to_str().unwrap_or("?")));
        if values.iter_mut().any(|values| values.next().is_some()) {
            return Err("foreign_origin");
        }
        if !self.is_ours(site, origin, host.unwrap_or_default()) {
            return Err("foreign_origin");
        }
        match &self.publishable_key {
            Some(key) => {
                let presented =
                    headers.get(PUBLISHABLE_KEY).and_then(|key| key.to_str().ok()).unwrap_or_default();
                if *key == Secret::from(presented) { Ok(()) } else { Err("invalid_publishable_key") }
            }
            None => Ok(()),
        }
    }

    fn is_ours(&self, site: Option<&str>, origin: Option<&str>, host: &str) -> bool {
        if site.is_some_and(|site| site != "same-origin") {
            return false;
        }
        let of_host =
            |origin: &str| origin.split_once("://").is_some_and(|(_, name)| name.eq_ignore_ascii_case(host));
        if self.origins.is_empty() {
            let parsed: Option<Uri> = format!("http://{host}").parse().ok();
            let here = parsed.and_then(|uri| uri.host().map(is_loopback)).unwrap_or_default();
            return here && origin.is_none_or(of_host);
        }
        let known = |origin: &str| self.origins.iter().any(|ours| ours.eq_ignore_ascii_case(origin));
        self.origins.iter().any(|ours| of_host(ours))
            && origin.is_none_or(|origin| known(origin) && of_host(origin))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(browsers: &Browsers, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        browsers.check(&map).is_ok()
    }

    const SITE: &str = "sec-fetch-site";

    #[test]
    fn a_page_of_another_origin_gets_no_token() {
        let own = [("host", "127.0.0.1:8080"), (SITE, "same-origin"), ("origin", "http://127.0.0.1:8080")];
        let browsers = Browsers::new();
        assert!(check(&browsers, &own), "the control");
        assert!(check(&browsers, &own[..2]), "a GET has no Origin");
        assert!(check(&browsers, &own[..1]), "no browser");
        for foreign in [
            [("host", "127.0.0.1:8080"), (SITE, "cross-site")].as_slice(),
            &[("host", "127.0.0.1:8080"), (SITE, "same-site")],
            &[("host", "127.0.0.1:8080"), (SITE, "none")],
            &[("host", "127.0.0.1:8080"), (SITE, "same-origin"), (SITE, "cross-site")],
            &[("host", "127.0.0.1:8080"), ("origin", "http://evil.example")],
            &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8081")],
            &[("host", "127.0.0.1:8080"), ("origin", "null")],
            &[(SITE, "same-origin")],
            &[],
            // Its own name resolves to this machine: over plain HTTP a browser says no more of a GET than the name.
            &[("host", "evil.example:8080")],
            &[("host", "evil.example:8080"), (SITE, "same-origin"), ("origin", "http://evil.example:8080")],
        ] {
            assert!(!check(&browsers, foreign), "{foreign:?}");
        }
    }

    #[test]
    fn pages_of_the_origins_that_are_named_get_tokens_and_no_others() {
        let browsers =
            Browsers::new().with_origin("https://shop.example").with_origin("https://b.example:444");
        let ask =
            |host, origin| check(&browsers, &[("host", host), (SITE, "same-origin"), ("origin", origin)]);
        assert!(ask("shop.example", "https://shop.example") && ask("b.example:444", "https://b.example:444"));
        assert!(!ask("shop.example", "http://shop.example"), "unencrypted");
        assert!(!ask("shop.example", "https://b.example:444"));
        assert!(!ask("127.0.0.1", "http://127.0.0.1"));
    }

    #[test]
    fn a_publishable_key_is_asked_for_where_there_is_one() {
        let browsers = Browsers::new().with_publishable_key("pk_1");
        let ask = |key| check(&browsers, &[("host", "localhost"), ("x-optave-publishable-key", key)]);
        assert!(ask("pk_1") && !ask("pk_2") && !ask(""));
        assert!(!check(&browsers, &[("host", "localhost")]));
        assert!(check(&Browsers::new(), &[("host", "localhost")]));
    }
}

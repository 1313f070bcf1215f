//! URLs that credentials may be sent to: absolute, encrypted outside this machine, and without surprises in them.

use std::fmt;

use auth_core::loopback::may_be_plaintext;
use http::Uri;

use super::ConfigError;

/// The URL of an endpoint.
#[derive(Clone)]
pub(crate) struct EndpointUrl(Uri);

impl EndpointUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        // `Uri` drops a fragment without a word.
        let uri: Uri = text.parse().map_err(|_| ConfigError::NotAUrl)?;
        let authority = uri.authority().ok_or(ConfigError::NotAUrl)?;
        if text.contains('#') || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(ConfigError::NotAUrl);
        }
        match uri.scheme_str() {
            Some("https") => Ok(Self(uri)),
            Some("http") if may_be_plaintext(authority.host()) => Ok(Self(uri)),
            Some("http") => Err(ConfigError::Plaintext),
            _ => Err(ConfigError::NotAUrl),
        }
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.0
    }

    pub(crate) fn is_plaintext(&self) -> bool {
        self.0.scheme_str() == Some("http")
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for EndpointUrl {
    /// Leaves the query out: some servers want a key there.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        write!(formatter, "{authority}{}", self.0.path())
    }
}

/// The same address with these parameters after those that it has.
pub(crate) fn with_query<'a>(uri: &Uri, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let text = uri.to_string();
    let (before, query) = text.split_once('?').unwrap_or((&text, ""));
    let mut query = query.to_owned();
    let from = query.len();
    if from > 0 {
        query.push('&');
    }
    let start = query.len();
    let query = form_urlencoded::Serializer::for_suffix(query, start).extend_pairs(pairs).finish();
    format!("{before}?{query}")
}

/// Whether a text is an absolute URI without a fragment (RFC 3986 §4.3), of whatever scheme.
pub(super) fn is_absolute(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

#[cfg(test)]
mod tests {
    use auth_core::loopback::is_loopback;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_with_a_fragment_or_credentials_is_none() {
        for text in ["https://a/t#f", "https://u@a/t", "https://u:p@a/t", "/t", "https:///t", "mailto:a@b"] {
            assert_eq!(EndpointUrl::parse(text).unwrap_err(), ConfigError::NotAUrl, "{text}");
        }
        assert_eq!(EndpointUrl::parse("http://10.0.0.1/t").unwrap_err(), ConfigError::Plaintext);
        assert!(EndpointUrl::parse("http://[::1]:8080/t?x=1").unwrap().is_plaintext());
    }

    #[test]
    fn parameters_are_appended_to_those_that_are_there() {
        let uri = "https://a/t?k=v%20w".parse().unwrap();
        assert_eq!(with_query(&uri, [("a", "b c"), ("d", "é&")]), "https://a/t?k=v%20w&a=b+c&d=%C3%A9%26");
        assert_eq!(with_query(&"https://a".parse().unwrap(), [("a", "b")]), "https://a/?a=b");
    }

    #[test]
    fn a_resource_is_absolute_and_has_no_fragment() {
        assert!(is_absolute("https://cal.example.com/") && is_absolute("urn:example:cooperation-context"));
        for text in ["", "cal.example.com", "/a", ":a", "https:", "https://a/#f", "https://a/ b", "1a:b"] {
            assert!(!is_absolute(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_an_unencrypted_url_of_another_machine(text in "https?://[a-z0-9.@:\\[\\]#?/%-]{0,24}") {
            if let Ok(url) = EndpointUrl::parse(&text) {
                prop_assert!(!url.is_plaintext() || is_loopback(url.uri().host().unwrap()));
            }
        }
    }
}

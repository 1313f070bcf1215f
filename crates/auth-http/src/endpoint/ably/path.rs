//! Which of Ably's paths a request is for.

/// A path of Ably's REST interface, as far as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Path {
    /// `/time`.
    Time,
    /// `/keys/{keyName}/requestToken`.
    RequestToken {
        /// The key, percent-decoded.
        key_name: String,
    },
    /// `/keys/{keyName}/revokeTokens`.
    RevokeTokens {
        /// The key, percent-decoded.
        key_name: String,
    },
    /// `/channels/{channel}/messages`.
    Messages {
        /// The channel, percent-decoded.
        channel: String,
    },
    /// None of these.
    Other,
}

impl Path {
    /// Reads the path of a URI.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
        match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (Some("time"), None, ..) => Self::Time,
            (Some("keys"), Some(key_name), Some("requestToken"), None) => {
                Self::RequestToken { key_name: decoded(key_name) }
            }
            (Some("keys"), Some(key_name), Some("revokeTokens"), None) => {
                Self::RevokeTokens { key_name: decoded(key_name) }
            }
            (Some("channels"), Some(channel), Some("messages"), None) => {
                Self::Messages { channel: decoded(channel) }
            }
            _ => Self::Other,
        }
    }
}

/// Undoes the percent-encoding of one segment. A form's decoder does it, once its own two signs are out of its way.
fn decoded(segment: &str) -> String {
    let parameter = format!("v={}", segment.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(parameter.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_the_libraries_are_read_and_decoded() {
        let key_name = "a.b".to_owned();
        assert_eq!(Path::of("/time"), Path::Time);
        assert_eq!(Path::of("/keys/a%2Eb/requestToken"), Path::RequestToken { key_name: key_name.clone() });
        assert_eq!(Path::of("/keys/a.b/revokeTokens"), Path::RevokeTokens { key_name });
        for (path, channel) in [
            ("/channels/chat%3Alobby/messages", "chat:lobby"),
            ("/channels/a+b&c=d/messages", "a+b&c=d"),
            ("/channels/a%2Fb%26/messages", "a/b&"),
            ("/channels//messages", ""),
        ] {
            assert_eq!(Path::of(path), Path::Messages { channel: channel.to_owned() }, "{path}");
        }
        for path in [
            "/",
            "",
            "/time/",
            "/keys",
            "/keys/a.b",
            "/keys/a.b/requestToken/x",
            "/channels/a/presence",
            "/channels/a/history",
        ] {
            assert_eq!(Path::of(path), Path::Other, "{path}");
        }
    }
}

//! The only place where secret text lives.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Secret text: redacted in `Debug`, without `Display`, compared in constant time, wiped when its last clone
/// is dropped.
///
/// ```
/// use auth_core::Secret;
///
/// let secret = Secret::from(String::from("hunter2"));
/// assert_eq!(format!("{secret:?}"), "Secret(…)");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// The text itself, for the one line that puts it on the wire.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all, which is always a mistake of configuration.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(String::from(text))
    }
}

impl PartialEq for Secret {
    /// Takes as long for a near miss as for a wild one; only the length shows.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn no_way_of_formatting_shows_the_text() {
        let secret = Secret::from("canary");
        for text in [format!("{secret:?}"), format!("{secret:#?}"), format!("{:?}", Some(&secret))] {
            assert!(!text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn equality_is_by_content() {
        assert_eq!(Secret::from("a"), Secret::from("a"));
        assert_ne!(Secret::from("a"), Secret::from("b"));
        assert_ne!(Secret::from("a"), Secret::from("ab"));
    }
}

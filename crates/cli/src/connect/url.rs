//! The URL of `--url`: what it can't be, and what to do instead.

use crate::exit::Failure;

/// Refuses a URL that holds a secret, or is that of something else.
pub(super) fn check(url: &str) -> Result<(), Failure> {
    let lower = url.to_ascii_lowercase();
    let is_http = ["http://", "https://"].iter().any(|scheme| lower.starts_with(scheme));
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let has_user = place.split('/').next().is_some_and(|authority| authority.contains('@'));
    let credential = form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| !value.is_empty() && is_credential(name))
        .map(|(name, _)| name);
    let wrong = match credential {
        _ if is_http => {
            "a WebSocket URL begins with wss://, or with ws:// on this machine; this one is of http"
                .to_owned()
        }
        _ if has_user => format!("a user and a password before the `@` are seen by others; {ADVICE}"),
        Some(name) => format!("the value of {name:?} is seen by others; leave it out: {ADVICE}"),
        None => return Ok(()),
    };
    Err(Failure::Usage(format!("--url: {wrong}")))
}

const ADVICE: &str = "a source gives the credential, such as --source static --token-file FILE, and the dialect places it, such as \
    bearer-query, or one of --dialect-file: place.query.NAME = \"${credential}\"";

/// Whether a parameter of that name is one, however it is spelled.
fn is_credential(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    CREDENTIALS.contains(&name.as_str())
}

/// What credentials are called in queries.
const CREDENTIALS: [&str; 21] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "auth",
    "authorization",
    "authtoken",
    "bearer",
    "bearertoken",
    "clientsecret",
    "credential",
    "idtoken",
    "jwt",
    "key",
    "passwd",
    "password",
    "refreshtoken",
    "secret",
    "sessiontoken",
    "ticket",
    "token",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_in_a_url_is_refused_and_never_repeated() {
        for url in [
            "ws://127.0.0.1/ws?access_token=canary",
            "wss://a.example/?v=2&accessToken=canary",
            "wss://a.example?X=1&to%6ben=canary",
            "wss://a.example/?api-key=canary#part",
            "wss://user:canary@a.example/",
            "https://a.example/?token=canary",
        ] {
            let refused = check(url).unwrap_err().to_string();
            assert!(refused.starts_with("--url: ") && !refused.contains("canary"), "{refused}");
        }
    }

    #[test]
    fn other_urls_pass() {
        for url in [
            "wss://a.example/ws?version=2&keyboard=de&token=",
            "ws://127.0.0.1:1/token=a",
            "wss://a.example/@me?x=a@b",
            "nonsense",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
    }
}

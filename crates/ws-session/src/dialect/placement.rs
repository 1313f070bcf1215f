//! What of a credential goes into the upgrade, and where.

use std::collections::BTreeSet;

use auth_core::Secret;
use zeroize::Zeroizing;

use super::template::Encoding;
use super::upgrade::grammar::{check_cookie, check_header, check_subprotocol};
use super::{Template, Unplaceable};

/// What goes into the upgrade. Nothing, by default.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Placement {
    /// Headers by name.
    pub headers: Vec<(String, Template)>,
    /// Parameters of the query by name; values are percent-encoded.
    pub query: Vec<(String, Template)>,
    /// Cookies by name.
    pub cookies: Vec<(String, Template)>,
    /// Entries of `Sec-WebSocket-Protocol`, in order.
    pub subprotocols: Vec<SubprotocolEntry>,
    /// Whether the credential is the URL, in the place of the configured one.
    pub is_url: bool,
}

/// An entry of `Sec-WebSocket-Protocol`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SubprotocolEntry {
    /// A protocol, which the server may select.
    Name(String),
    /// A text with the credential, which it must not select. It must be a token (RFC 9110 §5.6.2) once it is filled in:
    /// a JWT is one, what has blanks or padding is not, and needs an encoding.
    Credential(Template),
    /// A prefix, and behind it a JSON object in base64url, as AppSync wants it.
    Json {
        /// What stands before it.
        prefix: String,
        /// The object.
        form: Template,
    },
}

impl SubprotocolEntry {
    /// What the dialect itself says of it.
    fn beginning(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Json { prefix: name, .. } => Some(name),
            Self::Credential(_) => None,
        }
    }
}

impl Placement {
    /// Checks what no credential changes: that headers and cookies have names, each its own, and none that the upgrade itself needs, and that
    /// subprotocols are tokens, each a different one. Templates have a [check](Template::check) of their own.
    ///
    /// # Errors
    ///
    /// [`Unplaceable`] says which rule is broken.
    pub fn check(&self) -> Result<(), Unplaceable> {
        let names = |entries: &[(String, Template)]| entries.iter().map(|(name, _)| name.clone()).collect();
        let (headers, query, cookies): (Vec<_>, Vec<_>, Vec<_>) =
            (names(&self.headers), names(&self.query), names(&self.cookies));
        let subprotocols: Vec<_> = self.subprotocols.iter().filter_map(SubprotocolEntry::beginning).collect();
        headers.iter().try_for_each(|name| check_header(name))?;
        cookies.iter().try_for_each(|name| check_cookie(name))?;
        subprotocols.iter().try_for_each(|name| check_subprotocol(name))?;
        let headers = headers.iter().map(|name| name.to_ascii_lowercase());
        if differ(headers) && differ(query) && differ(cookies) && differ(subprotocols) {
            Ok(())
        } else {
            Err(Unplaceable(
                "the dialect names a header, a parameter, a cookie or a subprotocol twice; drop one of them",
            ))
        }
    }

    /// The templates, wherever they stand.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        let entries = self.headers.iter().chain(&self.query).chain(&self.cookies);
        let in_subprotocols = self.subprotocols.iter().filter_map(|entry| match entry {
            SubprotocolEntry::Name(_) => None,
            SubprotocolEntry::Credential(template) | SubprotocolEntry::Json { form: template, .. } => {
                Some(template)
            }
        });
        entries.map(|(_, template)| template).chain(in_subprotocols)
    }

    /// Whether a credential goes into the upgrade.
    pub(crate) fn has_credential(&self) -> bool {
        self.is_url || self.templates().any(Template::has_credential)
    }

    /// What an upgrade request says in these terms, on the other end: the credential, and the subprotocol to select.
    ///
    /// `path_and_query` is what the request asks for; `header` has the values of a header in order, whatever the case of its
    /// name. The credential is the first that is found, in the order of the fields; two
    /// in one place are none, as nobody says which of them counts. Where the credential is the URL, it is what the server sees of
    /// that: `path_and_query`. The subprotocol is the first of the offered ones that is a [name](SubprotocolEntry::Name), if any.
    pub(crate) fn read(&self, path_and_query: &str, header: &Header<'_>) -> (Option<Secret>, Option<String>) {
        let offered = header("sec-websocket-protocol");
        let offered = offered.iter().flat_map(|value| value.split(','));
        let offered: Vec<&str> = offered.map(str::trim).filter(|entry| !entry.is_empty()).collect();
        let credential = self
            .in_headers(header)
            .or_else(|| self.in_query(path_and_query))
            .or_else(|| self.in_cookies(header))
            .or_else(|| self.in_subprotocols(&offered))
            .or_else(|| self.is_url.then(|| Secret::from(path_and_query)));
        let selected = offered.iter().find(|entry| self.is_name(entry));
        (credential, selected.map(|name| (*name).to_owned()))
    }

    fn in_headers(&self, header: &Header<'_>) -> Option<Secret> {
        self.headers.iter().find_map(|(name, template)| {
            let mut value = Zeroizing::new(only(header(name).into_iter())?.to_owned());
            // A scheme is written in any case (RFC 9110 §11.1).
            if let Some(scheme) = value.get_mut(..BEARER.len())
                && scheme.eq_ignore_ascii_case(BEARER)
            {
                value.replace_range(..BEARER.len(), BEARER);
            }
            template.read(&value)
        })
    }

    fn in_query(&self, path_and_query: &str) -> Option<Secret> {
        let (_, query) = path_and_query.split_once('?')?;
        self.query.iter().find_map(|(name, template)| {
            let values = query.split('&').filter_map(|parameter| {
                let (key, value) = parameter.split_once('=')?;
                (form_decode(key)?.expose() == name).then_some(value)
            });
            template.read(form_decode(only(values)?)?.expose())
        })
    }

    fn in_cookies(&self, header: &Header<'_>) -> Option<Secret> {
        let sent = header("cookie");
        self.cookies.iter().find_map(|(name, template)| {
            let pairs = sent.iter().flat_map(|value| value.split(';'));
            let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
            template.read(only(pairs.filter(|(key, _)| key == name).map(|(_, value)| value))?)
        })
    }

    fn in_subprotocols(&self, offered: &[&str]) -> Option<Secret> {
        let entries = || offered.iter().filter(|entry| !self.is_name(entry));
        self.subprotocols.iter().find_map(|entry| match entry {
            SubprotocolEntry::Name(_) => None,
            SubprotocolEntry::Credential(template) => {
                only(entries().filter_map(|entry| template.read(entry)))
            }
            SubprotocolEntry::Json { prefix, form } => only(entries().filter_map(|entry| {
                let json = Encoding::Base64Url.decode(entry.strip_prefix(prefix.as_str())?)?;
                form.read(json.expose())
            })),
        })
    }

    fn is_name(&self, offered: &str) -> bool {
        self.subprotocols.iter().any(|entry| matches!(entry, SubprotocolEntry::Name(name) if name == offered))
    }
}

/// The values of the headers of a name.
pub(crate) type Header<'a> = dyn Fn(&str) -> Vec<&'a str> + 'a;

fn differ<T: Ord>(names: impl IntoIterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().all(|name| seen.insert(name))
}

const BEARER: &str = "Bearer ";

/// The one that there is.
fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// A name or value of a query, in which forms write a blank as a plus.
fn form_decode(text: &str) -> Option<Secret> {
    Encoding::Url.decode(&Zeroizing::new(text.replace('+', " ")))
}

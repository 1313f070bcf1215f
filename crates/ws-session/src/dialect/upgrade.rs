//! The upgrade request of one attempt, with its credential in its place.

pub(super) mod grammar;
#[cfg(test)]
mod tests;

use auth_core::Secret;

use self::grammar::{
    check_cookie, check_header, check_subprotocol, is_cookie_value, is_header_value, is_token,
};
use super::assembly::Assembly;
use super::template::{Encoding, Filling};
use super::{Dialect, SubprotocolEntry, Template};
use crate::{Address, ConfigError};

/// What a driver sends to open a connection. Drop it when that is done: it holds the credential.
#[derive(Debug)]
pub struct UpgradeRequest {
    url: Secret,
    headers: Vec<(String, Secret)>,
    subprotocols: Vec<Secret>,
    /// Which of them the server may select.
    selectable: Vec<String>,
}

impl UpgradeRequest {
    /// Where to: `ws://…` or `wss://…`, with the query and without a fragment. [`Address`](crate::Address) takes it apart.
    #[must_use]
    pub const fn url(&self) -> &Secret {
        &self.url
    }

    /// Headers beside those of RFC 6455, `Sec-WebSocket-Protocol` not among them. Names and values are legal in a header.
    #[must_use]
    pub fn headers(&self) -> &[(String, Secret)] {
        &self.headers
    }

    /// The entries of `Sec-WebSocket-Protocol`, in order, each a legal and different one; a browser takes them as an array.
    #[must_use]
    pub fn subprotocols(&self) -> &[Secret] {
        &self.subprotocols
    }

    /// The same as the value of one `Sec-WebSocket-Protocol` header; `None` if there are none. Servers read the first such header only.
    #[must_use]
    pub fn subprotocol_header(&self) -> Option<Secret> {
        let mut value = Assembly::new();
        for (index, entry) in self.subprotocols.iter().enumerate() {
            value.push(if index == 0 { "" } else { ", " });
            value.push(entry.expose());
        }
        (!self.subprotocols.is_empty()).then(|| value.finish())
    }

    /// Whether the server may select this: a name that was offered, or none if none was. One that is
    /// the credential is refused: the server has shown it to whoever logs its answers.
    ///
    /// # Errors
    ///
    /// [`InvalidSelection`] says which of these it was.
    pub fn check_selected(&self, selected: Option<&str>) -> Result<(), InvalidSelection> {
        match selected {
            None if self.selectable.is_empty() => Ok(()),
            None => Err(InvalidSelection::Nothing),
            Some(selected) if self.selectable.iter().any(|name| name == selected) => Ok(()),
            Some(selected) if self.subprotocols.contains(&Secret::from(selected)) => {
                Err(InvalidSelection::Credential)
            }
            Some(_) => Err(InvalidSelection::NotOffered),
        }
    }
}

impl Dialect {
    /// The upgrade request for a server at `url`, which must be an [`Address`]: no credential goes in clear to another machine.
    ///
    /// A credential that brings a `Bearer ` of its own loses it, as the dialect says where one belongs: it would stand there twice, or where a
    /// blank can't. It stays in a header whose template begins with `${credential}`, which leaves the scheme to the credential.
    ///
    /// # Errors
    ///
    /// [`Unplaceable`] when the credential holds what can't stand in its place, or may not be sent to the URL.
    pub(crate) fn upgrade(&self, url: &str, filling: &Filling<'_>) -> Result<UpgradeRequest, Unplaceable> {
        let placement = &self.placement;
        let bare = filling.credential.map(without_scheme);
        let bare = Filling { credential: bare.as_ref(), ..*filling };
        let url = match filling.credential {
            _ if !placement.is_url => url,
            Some(credential) if !credential.is_empty() => credential.expose(),
            Some(_) | None => {
                return Err(Unplaceable("it is the URL, and there is none; look at its source"));
            }
        };
        let mut headers = Vec::new();
        let goes_in = |template: &Template| !template.is_left_out(filling.captures);
        for (name, template) in placement.headers.iter().filter(|(_, template)| goes_in(template)) {
            let filling = if begins_with_credential(template) { filling } else { &bare };
            headers.push(header(name, template.render(filling)?)?);
        }
        headers.extend(cookies(&placement.cookies, &bare)?);
        let mut subprotocols = Vec::new();
        let mut selectable = Vec::new();
        let goes_in = |entry: &&SubprotocolEntry| match entry {
            SubprotocolEntry::Credential(template) => goes_in(template),
            SubprotocolEntry::Name(_) | SubprotocolEntry::Json { .. } => true,
        };
        for entry in placement.subprotocols.iter().filter(goes_in) {
            if let SubprotocolEntry::Name(name) = entry {
                selectable.push(name.clone());
            }
            let entry = subprotocol(entry, &bare)?;
            if subprotocols.contains(&entry) {
                return Err(Unplaceable(
                    "two subprotocols of one request must differ; give each its own text",
                ));
            }
            subprotocols.push(entry);
        }
        let url = with_query(url, &placement.query, &bare)?;
        Address::new(url.expose()).map_err(|error| misplaced(&error))?;
        Ok(UpgradeRequest { url, headers, subprotocols, selectable })
    }
}

/// Why nothing is sent to a URL, the configured one or a credential.
const fn misplaced(error: &ConfigError) -> Unplaceable {
    match error {
        ConfigError::Plaintext => Unplaceable(
            "it would go unencrypted to another machine: the URL must be wss, as plain ws is for this machine only",
        ),
        _ => Unplaceable("the URL must be an absolute WebSocket URL, such as wss://api.example.com/ws"),
    }
}

/// Why a credential can't stand where the dialect wants it. Names the rule, never the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credential can't be placed: {0}")]
#[non_exhaustive]
pub struct Unplaceable(pub(crate) &'static str);

impl Unplaceable {
    pub(crate) const NO_SUCH_MESSAGE: Self = Self("the dialect has no such message");
}

/// The server selected no subprotocol that may be selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSelection {
    /// Some were offered, and it selected none.
    #[error(
        "the server selected none of the offered subprotocols; check that the dialect names one that it speaks"
    )]
    Nothing,
    /// It selected one that was not offered.
    #[error("the server selected a subprotocol that was not offered; check the URL and the dialect")]
    NotOffered,
    /// It selected the entry that carries the credential.
    #[error(
        "the server selected the credential as the subprotocol, which shows it to whoever logs answers; have it select the name before it"
    )]
    Credential,
}

/// The credential without a `Bearer ` of its own (RFC 6750 §2.1).
fn without_scheme(credential: &Secret) -> Secret {
    let text = credential.expose();
    match text.split_at_checked("Bearer ".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("Bearer ") => Secret::from(rest.trim_start()),
        _ => credential.clone(),
    }
}

fn begins_with_credential(template: &Template) -> bool {
    template.as_text().is_some_and(|text| text.starts_with("${credential"))
}

fn header(name: &str, value: Secret) -> Result<(String, Secret), Unplaceable> {
    check_header(name)?;
    if is_header_value(value.expose()) {
        Ok((name.to_owned(), value))
    } else {
        Err(Unplaceable(
            "a header takes visible ASCII and blanks between (RFC 9110 §5.5); trim it, or encode it with ${credential|base64url}",
        ))
    }
}

/// The one `Cookie` header (RFC 6265 §4.2.1).
fn cookies(
    cookies: &[(String, Template)],
    filling: &Filling<'_>,
) -> Result<Option<(String, Secret)>, Unplaceable> {
    let mut joined = Assembly::new();
    let cookies = cookies.iter().filter(|(_, template)| !template.is_left_out(filling.captures));
    for (index, (name, template)) in cookies.clone().enumerate() {
        let value = template.render(filling)?;
        check_cookie(name)?;
        if !is_cookie_value(value.expose()) {
            return Err(Unplaceable(
                "a cookie takes visible ASCII without quotes, commas, semicolons and backslashes (RFC 6265 §4.1.1); encode it with \
                 ${credential|url} or ${credential|base64url}",
            ));
        }
        for text in [if index == 0 { "" } else { "; " }, name, "=", value.expose()] {
            joined.push(text);
        }
    }
    let any = cookies.count() > 0;
    Ok(any.then(|| ("Cookie".to_owned(), joined.finish())))
}

/// An entry of `Sec-WebSocket-Protocol`, which must be a token (RFC 6455 §4.1).
fn subprotocol(entry: &SubprotocolEntry, filling: &Filling<'_>) -> Result<Secret, Unplaceable> {
    let text = match entry {
        SubprotocolEntry::Name(name) => Secret::from(name.as_str()),
        SubprotocolEntry::Credential(template) => template.render(filling)?,
        SubprotocolEntry::Json { prefix, form } => {
            let mut text = Assembly::new();
            text.push(prefix);
            Encoding::Base64Url.append(form.render(filling)?.expose(), &mut text);
            text.finish()
        }
    };
    match entry {
        SubprotocolEntry::Credential(_) if !is_token(text.expose()) => Err(Unplaceable(
            "a subprotocol is a token, without blanks, slashes and padding (RFC 6455 §4.1); encode it with ${credential|base64url} if the \
             server undoes that, or place it elsewhere",
        )),
        SubprotocolEntry::Credential(_) => Ok(text),
        SubprotocolEntry::Name(_) | SubprotocolEntry::Json { .. } => {
            check_subprotocol(text.expose())?;
            Ok(text)
        }
    }
}

/// The URL with parameters behind those that it has, and without its fragment.
fn with_query(
    url: &str,
    parameters: &[(String, Template)],
    filling: &Filling<'_>,
) -> Result<Secret, Unplaceable> {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let mut text = Assembly::new();
    let parameters = parameters.iter().filter(|(_, template)| !template.is_left_out(filling.captures));
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let end =
        url.get(authority..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |end| authority + end);
    match url.split_at_checked(end) {
        // Without a path, what is asked for would not begin with a slash (RFC 9112 §3.2.1).
        Some((server, query))
            if query.starts_with('?') || query.is_empty() && parameters.clone().next().is_some() =>
        {
            text.push(server);
            text.push("/");
            text.push(query);
        }
        _ => text.push(url),
    }
    for (name, template) in parameters {
        let query = text.as_str().split_once('?').map(|(_, query)| query);
        let separator = match query {
            None => "?",
            Some(query) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        text.push(separator);
        Encoding::Url.append(name, &mut text);
        text.push("=");
        Encoding::Url.append(template.render(filling)?.expose(), &mut text);
    }
    Ok(text.finish())
}

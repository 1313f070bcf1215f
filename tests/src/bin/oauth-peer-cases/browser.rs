//! A browser small enough for a provider's own login pages: it keeps cookies, follows redirects and fills in forms.

use std::collections::BTreeMap;

use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange as _;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Method, Request, Uri};

use crate::kit::FORM;
use realtime_auth_tests::verdict::Wrong;

/// A person's browser, at one server.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
}

/// Where a browser arrives.
pub(crate) enum Arrival {
    /// At a page of the server's, with the address that it has.
    Page { uri: Uri, html: String },
    /// At the program that began the login, by this URL.
    Redirected(String),
}

/// Where programs have their answers sent.
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1/callback";

/// More pages than any login has.
const MOST_STEPS: usize = 20;

impl Browser {
    /// Opens a page.
    pub(crate) async fn open(&mut self, uri: &str) -> Result<Arrival, Wrong> {
        self.go(Method::GET, uri.parse()?, String::new()).await
    }

    /// Fills in what the page asks for, sends it, and goes on like that while there are forms.
    pub(crate) async fn log_in(
        &mut self,
        arrival: Arrival,
        typed: &[(&str, &str)],
    ) -> Result<Arrival, Wrong> {
        let mut arrival = arrival;
        for _ in 0..MOST_STEPS {
            match &arrival {
                Arrival::Page { html, .. } if html.contains("<form") => {
                    arrival = self.submit(&arrival, typed, &[]).await?;
                }
                _ => return Ok(arrival),
            }
        }
        Err(Wrong::new("an end of the login", "page after page"))
    }

    /// Fills in the first form of a page and sends it, with more fields than it has.
    pub(crate) async fn submit(
        &mut self,
        page: &Arrival,
        typed: &[(&str, &str)],
        more: &[(&str, &str)],
    ) -> Result<Arrival, Wrong> {
        let no_form = || Wrong::new("a page with a form", "there is none");
        let Arrival::Page { uri, html } = page else { return Err(no_form()) };
        let form = html.split_once("<form").ok_or_else(no_form)?.1;
        let form = form.split_once("</form>").map_or(form, |(form, _)| form);
        let action = attribute(form, "action").ok_or_else(no_form)?;
        let inputs = form.split("<input").skip(1).filter_map(|input| {
            let input = input.split('>').next()?;
            let name = attribute(input, "name")?;
            let typed = typed.iter().find(|(field, _)| *field == name).map(|(_, value)| (*value).to_owned());
            Some((name, typed.or_else(|| attribute(input, "value")).unwrap_or_default()))
        });
        let body =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(inputs).extend_pairs(more).finish();
        let action = absolute(uri, &action)?;
        self.go(Method::POST, action, body).await
    }

    /// The address behind a link of a page.
    pub(crate) fn link(page: &Arrival, ending: &str) -> Result<String, Wrong> {
        let Arrival::Page { uri, html } = page else { return Err(Wrong::new("a page", "a redirect")) };
        let mut links = html.split("href=\"").skip(1).filter_map(|link| link.split('"').next());
        let link = links.find(|link| link.ends_with(ending));
        let link = link.ok_or_else(|| Wrong::new(format!("a link to {ending}"), "there is none"))?;
        Ok(absolute(uri, link)?.to_string())
    }

    async fn go(&mut self, method: Method, uri: Uri, body: String) -> Result<Arrival, Wrong> {
        let http = HyperClient::plaintext();
        let (mut method, mut uri, mut body) = (method, uri, body);
        for _ in 0..MOST_STEPS {
            let cookies: Vec<_> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = Request::builder().method(method).uri(&uri).header(CONTENT_TYPE, FORM);
            let request = request.header(COOKIE, cookies.join("; ")).body(body.into())?;
            let response = http.exchange(request).await?;
            for cookie in response.headers().get_all(SET_COOKIE) {
                let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
                if let Some((name, value)) = cookie.split_once('=') {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
            if !response.status().is_redirection() {
                let html = String::from_utf8(response.body().to_vec())?;
                return if response.status().is_success() {
                    Ok(Arrival::Page { uri, html })
                } else {
                    Err(Wrong::new("a page", format!("status {} at {}", response.status(), uri.path())))
                };
            }
            let location = response.headers().get(LOCATION).map(|location| location.to_str()).transpose()?;
            let location = location.unwrap_or_default();
            if location.starts_with(REDIRECT_URI) {
                return Ok(Arrival::Redirected(location.to_owned()));
            }
            (method, uri, body) = (Method::GET, absolute(&uri, location)?, String::new());
        }
        Err(Wrong::new("an end of the redirects", "one after the other"))
    }
}

impl Arrival {
    /// The URL by which the login ended.
    pub(crate) fn redirected(self) -> Result<String, Wrong> {
        match self {
            Self::Redirected(uri) => Ok(uri),
            Self::Page { uri, .. } => {
                Err(Wrong::new("a redirect to the program", format!("a page at {}", uri.path())))
            }
        }
    }
}

/// The value of an attribute in the text of an element.
fn attribute(element: &str, name: &str) -> Option<String> {
    let value = element.split_once(&format!("{name}=\""))?.1;
    Some(value.split('"').next()?.replace("&amp;", "&"))
}

fn absolute(base: &Uri, reference: &str) -> Result<Uri, Wrong> {
    if !reference.starts_with('/') {
        return Ok(reference.parse()?);
    }
    let authority = base.authority().map_or("", |authority| authority.as_str());
    Ok(format!("{}://{authority}{reference}", base.scheme_str().unwrap_or("http")).parse()?)
}

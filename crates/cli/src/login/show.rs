//! What a person sees of a login, or a script: never a token.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use auth_core::renewal::Record;
use auth_http::wire::DeviceLogin;
use serde_json::{Value, json};

use crate::exit::{self, Failure};

/// For whom.
pub(super) struct Show {
    json: bool,
}

impl Show {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether somebody watches who would like to see that something goes on.
    pub(super) fn is_live(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// The page to log in at.
    pub(super) fn page(&self, url: &str, opened: bool) -> Result<(), Failure> {
        if self.json {
            return exit::print(json!({ "event": "open", "url": url }));
        }
        let first = if opened {
            "The browser shows a page to log in at. If it does not, open this one on this computer:"
        } else {
            "Open this page in a browser on this computer, and log in:"
        };
        exit::print(format_args!("{first}\n\n{url}\n"))
    }

    /// The code to type, and where.
    pub(super) fn user_code(&self, login: &DeviceLogin) -> Result<(), Failure> {
        let DeviceLogin { user_code, verification_uri, verification_uri_complete, .. } = login;
        if self.json {
            let mut event = json!({
                "event": "user_code",
                "user_code": user_code,
                "verification_uri": verification_uri,
                "expires_in_ms": u64::try_from(login.expires_in.as_millis()).unwrap_or(u64::MAX),
            });
            if let Some(complete) = verification_uri_complete {
                event["verification_uri_complete"] = Value::from(complete.as_str());
            }
            return exit::print(event);
        }
        exit::print(format_args!(
            "On any device, open\n\n    {verification_uri}\n\nand type this code:\n\n    {user_code}\n"
        ))?;
        match verification_uri_complete {
            Some(complete) => exit::print(format_args!("This page has the code in it already: {complete}\n")),
            None => Ok(()),
        }
    }

    /// The login is in the file.
    pub(super) fn logged_in(&self, record: &Record, store: &Path) -> Result<(), Failure> {
        let token = record.access_token.as_ref();
        if self.json {
            let mut event = json!({
                "event": "logged_in",
                "store": store.to_string_lossy(),
                "refreshable": record.refresh_token.is_some(),
            });
            if let Some(token) = token {
                event["expires"] = Value::from(token.expires.as_millis());
            }
            if let Some(scope) = token.and_then(|token| token.scope.as_ref()) {
                event["scope"] = Value::from(scope.to_string());
            }
            return exit::print(event);
        }
        let store = store.display();
        exit::print(format_args!(
            "You are logged in, and the login is in {store}. Get tokens by the same flags of the client and:\n\n    \
             rtauth token --grant refresh_token --store {store} …"
        ))
    }
}

//! Stories of sessions, each told once and played on every driver: what the server does by script, what the client does, and
//! what either must have seen. What differs by design is said in the story.

mod blocking;
pub(crate) mod log;
mod on_smol;
mod on_tokio;
pub(crate) mod server;
mod subject;

mod echoes;
mod ends;
mod farewells;
mod faults;
mod logins;
mod messages;
mod renewals;

/// Has each of these stories played on each driver.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        $(mod $story {
            #[test]
            fn on_blocking() {
                super::$story(&crate::stories::blocking::open);
            }

            #[test]
            fn on_smol() {
                super::$story(&crate::stories::on_smol::open);
            }

            #[test]
            fn on_tokio() {
                super::$story(&crate::stories::on_tokio::open);
            }
        })+
    };
}
use stories;

/// What a story is told with.
mod prelude {
    pub(super) use std::time::Duration;

    pub(super) use serde_json::json;
    pub(super) use ws_session::ErrorKind;
    pub(super) use ws_session::dialect::{
        Codes, CredentialUse, Dialect, Matcher, On, Renewal, RenewalTime, Rule, SubprotocolEntry, Template,
        Trigger, Verdict,
    };
    pub(super) use ws_session::machine::State;

    pub(super) use super::Open;
    pub(super) use super::log::Log;
    pub(super) use super::server::{Act::*, Server};
    pub(super) use super::stories;
    pub(super) use super::subject::{Given, Plan};

    /// The acceptance of the dialect of the Genesys document, and its refusal.
    pub(super) const OK: &str = r#"{"type":"auth","status":"ok","sessionId":"s"}"#;
    pub(super) const NO: &str = r#"{"type":"auth","status":"error"}"#;

    /// An hour: a token that no story outlives.
    pub(super) const LONG: Option<Duration> = Some(Duration::from_secs(3_600));

    /// The login message of that dialect, as its server sees it.
    pub(super) fn auth(connection: usize, token: &str) -> String {
        format!(r#"{connection}: text {{"token":"{token}","type":"auth"}}"#)
    }

    /// The same after a connection whose session was named `s`.
    pub(super) fn auth_again(connection: usize, token: &str) -> String {
        format!(r#"{connection}: text {{"sessionId":"s","token":"{token}","type":"auth"}}"#)
    }

    /// A dialect of the upgrade: nothing more is needed to be in.
    pub(super) fn by_header() -> Dialect {
        let mut dialect = Dialect::new("header");
        let bearer = Template::text("Bearer ${credential}");
        dialect.placement.headers.push(("Authorization".to_owned(), bearer));
        dialect
    }
}

/// Opens a session on one of the drivers.
type Open = dyn Fn(subject::Plan) -> Box<dyn subject::Subject>;

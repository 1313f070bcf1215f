//! How the demo shows what it observed: a timeline for people, or one JSON object per line.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use auth_core::AuthEvent;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::scene::Scene;
use super::witness::Broken;

/// The time since the demo began.
pub(super) type Elapsed = Duration;

/// When the demo began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Started(Instant);

impl Started {
    #[expect(clippy::disallowed_methods, reason = "this is the demo's clock")]
    fn now() -> Self {
        Self(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the demo's clock")]
    pub(super) fn elapsed(self) -> Elapsed {
        self.0.elapsed()
    }

    /// The instant `after` the beginning.
    pub(super) fn plus(self, after: Elapsed) -> Instant {
        self.0 + after
    }
}

/// Writes the timeline to standard output.
pub(super) struct Timeline {
    started: Started,
    style: Style,
    written: io::Result<()>,
}

#[derive(Clone, Copy)]
enum Style {
    Json,
    Text { color: bool },
}

impl Timeline {
    pub(super) fn json() -> Self {
        Self::new(Style::Json)
    }

    /// Colours only for a terminal, and not against the user's wish (no-color.org).
    #[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
    pub(super) fn for_people() -> Self {
        let wished = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self::new(Style::Text { color: wished && io::stdout().is_terminal() })
    }

    fn new(style: Style) -> Self {
        Self { started: Started::now(), style, written: Ok(()) }
    }

    pub(super) const fn started(&self) -> Started {
        self.started
    }

    pub(super) fn title(&mut self) {
        if let Style::Text { .. } = self.style {
            self.print("\n  A Genesys session, from its first token to its audit trail, against a gateway in this process.\n");
        }
    }

    pub(super) fn event(&mut self, at: Elapsed, event: &AuthEvent) {
        self.line(at, event);
    }

    pub(super) fn scene(&mut self, scene: &Scene) {
        self.line(self.started.elapsed(), scene);
    }

    pub(super) fn broken(&mut self, broken: &Broken) {
        self.scene(&Scene::Failed { step: broken.step, reason: broken.reason.clone() });
    }

    fn line(&mut self, at: Elapsed, event: &impl Serialize) {
        match self.style {
            Style::Json => {
                let Ok(event) = serde_json::to_string(event) else { return };
                // The name is the first member; the time stands second, where an eye looks for it.
                let (name, fields) = event.split_at(event.find(',').unwrap_or(event.len() - 1));
                self.print(&format!("{name},\"at_ms\":{}{fields}", at.as_millis()));
            }
            Style::Text { color } => {
                let Ok(event) = serde_json::to_value(event) else { return };
                let Line { mark, what, detail } = Line::of(&event);
                let (paint, dim, plain) =
                    if color { (mark.color(), "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
                let seconds = at.as_secs_f64();
                let mark = mark.symbol();
                self.print(&format!(
                    "  {dim}{seconds:6.3} s{plain}  {paint}{mark}{plain} {what:<20} {dim}{detail}{plain}"
                ));
            }
        }
    }

    /// A closed pipe is a reader who has seen enough; any other failure is kept for the end.
    fn print(&mut self, line: &str) {
        let printed = writeln!(io::stdout(), "{line}");
        if let Err(error) = printed
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.written = Err(error);
        }
    }

    /// Whether all lines could be written, as far as anybody wanted them.
    pub(super) fn written(self) -> io::Result<()> {
        self.written
    }
}

/// An event as a person reads it.
struct Line {
    mark: Mark,
    what: String,
    detail: String,
}

#[derive(Clone, Copy)]
enum Mark {
    /// Something went well.
    Good,
    /// Something was withheld or went wrong, as it should at that point of the story.
    Setback,
    /// Something is under way.
    Underway,
    /// The story did not hold.
    Broken,
}

impl Mark {
    const fn symbol(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Setback => "↯",
            Self::Underway => "→",
            Self::Broken => "✗",
        }
    }

    const fn color(self) -> &'static str {
        match self {
            Self::Good => "\x1b[32m",
            Self::Setback => "\x1b[33m",
            Self::Underway => "\x1b[36m",
            Self::Broken => "\x1b[31m",
        }
    }
}

impl Line {
    fn of(event: &Value) -> Self {
        let text = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
        let number = |name: &str| event[name].as_u64().unwrap_or_default();
        let seconds = |name: &str| format!("{:.1} s", number(name) as f64 / 1_000.0);
        let list = |name: &str| {
            let scopes = event[name].as_array().into_iter().flatten();
            scopes.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        };
        let name = text("event");
        let (mark, detail) = match name.as_str() {
            "gateway_listening" => (Mark::Good, format!("{} and {}", text("http"), text("ws"))),
            "renewal_started" => (Mark::Underway, format!("the token is wanted: {}", text("reason"))),
            "renewal_delayed" => (Mark::Underway, format!("waits: {}", text("reason"))),
            "token_requested" => (Mark::Underway, format!("attempt {}", number("attempt"))),
            "rate_limited" => (
                Mark::Setback,
                format!(
                    "429, Retry-After {}: again in {}",
                    seconds("retry_after_ms"),
                    seconds("retry_in_ms")
                ),
            ),
            "token_issued" => (
                Mark::Good,
                format!(
                    "token {}, lives {}, will be renewed in {}",
                    text("token"),
                    seconds("expires_in_ms"),
                    seconds("renews_in_ms")
                ),
            ),
            "scopes_checked" if text("verdict") == "allowed" => {
                (Mark::Good, format!("has {}", list("required")))
            }
            "scopes_checked" => (Mark::Setback, format!("lacks {}", list("missing"))),
            "connecting" => (Mark::Underway, format!("connection {}", number("connection"))),
            "authenticated" => {
                (Mark::Good, format!("session {} with token {}", text("session_id"), text("token")))
            }
            "message_echoed" if event["outlived_first_token"] == true => {
                (Mark::Good, format!("“{}”, after the first token has expired", text("text")))
            }
            "message_echoed" => (Mark::Good, format!("“{}”", text("text"))),
            "token_renewed" => (
                Mark::Good,
                format!("token {} over the live connection {}", text("token"), number("connection")),
            ),
            "connection_delayed" => {
                (Mark::Setback, format!("{}: again in {}", text("reason"), seconds("retry_in_ms")))
            }
            "connection_lost" => {
                (Mark::Setback, format!("{}: again in {}", text("reason"), seconds("retry_in_ms")))
            }
            "reconnected" => (
                Mark::Good,
                format!(
                    "connection {} with token {}, never used before",
                    number("connection"),
                    text("token")
                ),
            ),
            "session_failed" => (Mark::Setback, text("reason")),
            "scope_denied" => (Mark::Good, format!("no {}, no socket: none was opened", list("missing"))),
            "session_closed" => (Mark::Good, "by us".to_owned()),
            "audit_verified" => (
                Mark::Good,
                format!("{} records, chain whole, head {:.16}…", number("records"), text("head")),
            ),
            "done" => (Mark::Good, format!("{} steps held", number("steps"))),
            "failed" => (Mark::Broken, format!("{}: {}", text("step"), text("reason"))),
            _ => (Mark::Setback, text("reason")),
        };
        Self { mark, what: name.replace('_', " "), detail }
    }
}

//! How a session looks to a person: the notes beside its messages, and the line at the bottom of the terminal.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use auth_core::ErrorKind;

use super::lines::token_kind;
use super::printer::Bottom;
use super::story::Story;
use crate::environment;

/// For whom it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) bottom: Bottom,
    color: bool,
    /// Messages go to a terminal, which would obey what is in them.
    shown: bool,
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Good,
    Setback,
}

impl Style {
    /// A line at the bottom only where both outputs are one terminal that can redraw it; colours only there, and not against
    /// the user's wish (no-color.org).
    pub(super) fn of(json: bool, typed: bool) -> Self {
        let is_dumb = environment::variable("TERM").is_none_or(|terminal| terminal == "dumb");
        let live =
            !json && io::stdout().is_terminal() && io::stderr().is_terminal() && !(cfg!(unix) && is_dumb);
        let bottom = match (live, typed) {
            (false, _) => Bottom::None,
            (true, false) => Bottom::Status,
            (true, true) => Bottom::Prompt,
        };
        let color = live && !environment::is_set("NO_COLOR");
        Self { bottom, color, shown: !json && io::stdout().is_terminal() }
    }

    /// A note.
    pub(super) fn note(self, mark: Mark, text: &str) -> String {
        // Reasons and names in it are a server's.
        let text = &shown(text);
        if self.bottom == Bottom::None {
            return format!("rtauth connect: {text}");
        }
        let (symbol, color) = match mark {
            Mark::Good => ("✓", GREEN),
            Mark::Setback => ("↯", YELLOW),
        };
        format!("{} {}", self.paint(color, symbol), self.paint(DIM, text))
    }

    /// What to do, for somebody at a terminal that shows no prompt: where nothing is redrawn, nothing else says so.
    pub(super) fn hint(self, is_seen: bool, ends_with_input: bool) -> Option<String> {
        let end = if ends_with_input { "Ctrl-D" } else { "Ctrl-C" };
        let text = format!("each line that you type is sent as a message; {end} ends the session");
        (is_seen && self.bottom == Bottom::None).then(|| self.note(Mark::Good, &text))
    }

    /// A message's text: what a server sends must neither command the terminal, nor pass for a line of ours.
    pub(super) fn message(self, text: &str) -> String {
        if self.shown { shown(text) } else { text.to_owned() }
    }

    /// The line at the bottom: state, token time left, round trip, reconnects. At most 80 columns wide.
    pub(super) fn status(
        self,
        story: &Story,
        left: Option<Duration>,
        round_trip: Option<Duration>,
    ) -> String {
        let (color, symbol) = match story.state() {
            "connected" => (GREEN, "●"),
            "failed" | "closed" => (RED, "●"),
            _ => (YELLOW, "○"),
        };
        let mut parts = vec![match (story.state(), story.retry_in()) {
            ("connecting", _) if story.attempt() > 1 => format!("connecting, attempt {}", story.attempt()),
            (state @ ("disconnected" | "suspended"), Some(wait)) => {
                let next = if wait.is_zero() {
                    "reconnecting".to_owned()
                } else {
                    format!("again in {}", during(wait))
                };
                format!("{state}, {next}")
            }
            (state, _) => state.to_owned(),
        }];
        if story.state() == "connected" {
            parts.push(match left {
                Some(left) => format!("token {}", during(left)),
                None => "token without an end".to_owned(),
            });
            parts.extend(round_trip.map(|took| format!("round trip {} ms", took.as_millis().max(1))));
        }
        parts.push(match story.reconnects() {
            1 => "1 reconnect".to_owned(),
            count => format!("{count} reconnects"),
        });
        let state = parts.remove(0);
        let rest = format!(" · {}", parts.join(" · "));
        format!("{} {state}{}", self.paint(color, symbol), self.paint(DIM, &rest))
    }

    fn paint(self, color: &str, text: &str) -> String {
        if self.color { format!("{color}{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Text as a terminal may show it, in one line: what would do something to it is escaped, as in a string of Rust.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\t' => shown.push(letter),
            letter if letter.is_control() || turns_text(letter) => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    shown
}

/// Whether it changes the direction of what follows (UAX #9 §2), or breaks a line (UAX #14 BK).
const fn turns_text(letter: char) -> bool {
    matches!(
        letter,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const DIM: &str = "\x1b[2m";

/// A time as a person says it.
pub(super) fn during(time: Duration) -> String {
    // Rounded up, so that what is over says so.
    let seconds = time.as_millis().div_ceil(1_000);
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, _) if time < Duration::from_secs(10) => format!("{:.1} s", time.as_secs_f64()),
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes:02} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// A close code or a status, and what it means.
pub(super) fn numbered(code: u16) -> String {
    let means = match code {
        // RFC 6455 §7.4.1, and its registry.
        1_000 => "done",
        1_001 => "going away",
        1_002 => "protocol error",
        1_003 => "unsupported data",
        1_006 => "without a word",
        1_007 => "invalid data",
        1_008 => "policy violation",
        1_009 => "message too big",
        1_011 => "internal error",
        1_012 => "restarting",
        1_013 => "try again later",
        // RFC 9110 §15, and RFC 6585.
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not found",
        429 => "too many requests",
        500 => "internal error",
        502 => "bad gateway",
        503 => "unavailable",
        504 => "gateway timeout",
        _ => return code.to_string(),
    };
    format!("{code}, {means}")
}

/// Why a source has no token, in words.
pub(super) fn no_token(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::Transport => "its server can't be reached".to_owned(),
        ErrorKind::Timeout => "no answer came in time".to_owned(),
        ErrorKind::ServerFailed => "its server failed".to_owned(),
        ErrorKind::MalformedResponse => "its server's answer makes no sense".to_owned(),
        other => token_kind(other),
    }
}

#[cfg(test)]
mod tests {
    use auth_core::AuthEvent;
    use auth_core::observe::Label;

    use super::super::story::Told;
    use super::*;

    const fn style(bottom: Bottom, color: bool) -> Style {
        Style { bottom, color, shown: true }
    }

    #[test]
    fn who_types_where_no_prompt_is_drawn_is_told_what_that_does() {
        let hint = style(Bottom::None, false).hint(true, true).unwrap();
        assert!(hint.starts_with("rtauth connect: each line that you type is sent"), "{hint}");
        assert!(hint.contains("Ctrl-D ends"), "{hint}");
        assert!(style(Bottom::None, false).hint(true, false).unwrap().contains("Ctrl-C ends"));
        assert_eq!(style(Bottom::None, false).hint(false, true), None, "a pipe");
        for bottom in [Bottom::Prompt, Bottom::Status] {
            assert_eq!(style(bottom, true).hint(true, true), None, "{bottom:?}");
        }
    }

    fn connected() -> AuthEvent {
        AuthEvent::Authenticated {
            connection: 1,
            token: None,
            session_id: Some(Label::new("session-1")),
            latency: Duration::from_millis(5),
        }
    }

    fn lost(retry_in: Duration) -> AuthEvent {
        let reason = Label::new("the server closed the connection");
        AuthEvent::ConnectionLost {
            connection: 1,
            reason,
            code: Some(1001),
            lasted: None,
            retry_in: Some(retry_in),
        }
    }

    #[test]
    fn the_line_at_the_bottom_tells_all_four_in_80_columns() {
        let plain = style(Bottom::Status, false);
        let mut story = Story::new(false, plain);
        story.begins();
        assert_eq!(plain.status(&story, None, None), "○ connecting · 0 reconnects");
        story.event(&connected());
        let left = Some(Duration::from_secs(86_399));
        let status = plain.status(&story, left, Some(Duration::from_micros(1_300)));
        assert_eq!(status, "● connected · token 23 h 59 min · round trip 1 ms · 0 reconnects");
        story.event(&lost(Duration::from_secs(3_595)));
        let status = plain.status(&story, None, None);
        assert!(status.starts_with("○ disconnected, again in 59 min 5"), "{status}");
        assert!(!status.contains("token"), "{status}");
        story.event(&connected());
        let status = plain.status(&story, left, Some(Duration::from_millis(99_999)));
        assert!(status.ends_with("1 reconnect") && status.chars().count() <= 80, "{status}");
        story.event(&lost(Duration::ZERO));
        assert_eq!(plain.status(&story, None, None), "○ disconnected, reconnecting · 1 reconnect");
        story.event(&connected());
        let colored = style(Bottom::Status, true).status(&story, left, None);
        assert!(colored.starts_with("\x1b[32m●\x1b[0m connected\x1b[2m · token"), "{colored:?}");
        assert!(colored.ends_with("\x1b[0m"), "{colored:?}");
    }

    #[test]
    fn a_note_is_marked_on_a_terminal_and_names_the_command_elsewhere() {
        let text = "connected, session session-1";
        for (style, expected) in [
            (style(Bottom::None, false), format!("rtauth connect: {text}")),
            (style(Bottom::Prompt, false), format!("✓ {text}")),
            (style(Bottom::Status, true), format!("\x1b[32m✓\x1b[0m \x1b[2m{text}\x1b[0m")),
        ] {
            let told = Story::new(false, style).event(&connected());
            assert_eq!(told, [Told::Note(expected)]);
        }
    }

    #[test]
    fn what_a_server_sends_does_not_command_the_terminal() {
        let terminal = style(Bottom::Status, false);
        let sent = "a\tü\r\n✓ connected\x1b[2J\x07\u{9b}\u{202e}d\u{2067}\u{2028}";
        let safe = "a\tü\\r\\n✓ connected\\u{1b}[2J\\u{7}\\u{9b}\\u{202e}d\\u{2067}\\u{2028}";
        assert_eq!(terminal.message(sent), safe);
        assert_eq!(terminal.note(Mark::Good, sent), format!("✓ {safe}"));
        let pipe = Style { shown: false, ..style(Bottom::None, false) };
        assert_eq!(pipe.message(sent), sent);
        assert_eq!(pipe.note(Mark::Good, sent), format!("rtauth connect: {safe}"));
    }

    #[test]
    fn a_time_is_told_as_a_person_says_it() {
        for (millis, said) in [
            (1_260, "1.3 s"),
            (9_500, "9.5 s"),
            (10_001, "11 s"),
            (59_001, "1 min 00 s"),
            (3_500_000, "58 min 20 s"),
            (3_600_000, "1 h 00 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(during(Duration::from_millis(millis)), said);
        }
    }
}

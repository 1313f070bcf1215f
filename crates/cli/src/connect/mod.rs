//! `rtauth connect`: a session for scripts and for people, by whatever dialect and source.

mod ends;
mod input;
mod lines;
mod opening;
mod options;
mod printer;
mod story;
mod talk;
mod url;
mod way;
mod words;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use audit::Trail;
use auth_core::AuthEvent;
use auth_core::observe::Observers;
use tokio::sync::mpsc;
use ws_session::driver::polled::Session;
use ws_session::machine::Config;

use self::ends::Ends;
use self::opening::{Opened, Plan, with_headers};
pub(crate) use self::options::ConnectOptions;
use self::printer::{Bottom, Printer};
use self::story::{Story, Told};
use self::talk::Talk;
use self::words::Style;
use crate::exit::{self, Failure, complain};
use crate::signals::Signals;
use crate::source::Tokens;
use crate::token_command::{Witness, obtain, saved};
use crate::trail;

pub(crate) fn command(options: &ConnectOptions) -> ExitCode {
    exit::run("connect", connect(options))
}

async fn connect(options: &ConnectOptions) -> Result<(), Failure> {
    let mut plan = Plan::read(options)?;
    let key = plan.audit_key.take();
    let audit = options.audit.as_deref().map(|directory| trail::open(directory, key)).transpose()?;
    let audit = audit.map(|trail| trail.named(&name(options)));
    let signals = Signals::listen();
    let signals = signals.map_err(|error| Failure::Operation(format!("no signal handler: {error}")))?;
    // A secret that was read from standard input has left nothing there to send.
    let reads = !plan.took_stdin;
    let style = Style::of(options.json, reads && input::is_typed());
    let printer = Printer::start(style.bottom);
    let connected = session(options, plan, audit.as_ref(), signals, style, printer, reads).await;
    let audited = audit.map_or(Ok(()), |audit| trail::close(&audit));
    connected.and(audited)
}

async fn session(
    options: &ConnectOptions,
    plan: Plan,
    audit: Option<&Trail>,
    mut signals: Signals,
    style: Style,
    printer: Printer,
    reads: bool,
) -> Result<(), Failure> {
    let mut story = Story::new(options.json, style);
    let mut ends = Ends::new(options);
    let (tell, events) = mpsc::unbounded_channel();
    let witness = Arc::new(Witness::default());
    let mut observers = Observers::default();
    observers.push(Arc::clone(&witness) as _);
    if let Some(audit) = audit {
        observers.push(Arc::new(audit.clone()));
    }
    // The receiver lives as long as the session.
    observers.push(Arc::new(move |event: &AuthEvent| drop(tell.send(event.clone()))));
    show(&printer, story.begins());
    let Plan { dialect, target, source, required, headers, runtime, names, .. } = plan;
    let opening = async {
        let source = source.open(Arc::new(observers.clone()), names.as_ref()).await?;
        let opened = Opened::of(source, names.as_ref(), required, &observers);
        if let Some((tokens, _)) = opened.live.as_ref().filter(|_| options.source.refresh) {
            obtain(&**tokens, true, &witness).await?;
        }
        Ok(opened)
    };
    let opened = tokio::select! {
        biased;
        opened = opening => opened,
        () = signals.next() => Err(Failure::Interrupted),
        time = ends.impatient() => Err(Failure::TimedOut(format!("timeout: no token {time}; check the source"))),
    };
    let Opened { source, live, expires } = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            let (kind, message) = (failure.name(), failure.to_string());
            show(&printer, story.fails(kind, None, &message));
            return finish(printer, Some(talk::PATIENCE)).await.and(Err(failure));
        }
    };
    let session = with_headers(Session::builder(target, dialect, source), &headers)?
        .with_observer(Arc::new(observers))
        .with_config(config(options.lasts.is_some(), style))
        .build(Arc::new(runtime));
    let is_seen = reads && input::is_typed() && io::stderr().is_terminal();
    let mut talk = Talk {
        hint: style.hint(is_seen, options.ends_with_input()),
        session,
        events,
        signals,
        story,
        style,
        printer,
        ends,
        expires,
        json: options.json,
        patience: None,
    };
    let talked = talk.until_it_ends(options, reads).await;
    let Talk { mut signals, printer, session, patience, .. } = talk;
    // What of the session is left ends here, before its tokens do.
    drop(session);
    let printed = tokio::select! {
        printed = finish(printer, patience) => printed,
        () = signals.next() => Err(Failure::Interrupted),
    };
    let outcome = talked.and(printed);
    let Some((tokens, store)) = live else { return outcome };
    settle(&*tokens, &mut signals).await?;
    match (outcome, saved("connect", &witness, &store)) {
        // A login that is lost is said to be, whatever else went wrong.
        (Err(failure), Err(lost)) => {
            complain("connect", lost);
            Err(failure)
        }
        (outcome, saved) => outcome.and(saved),
    }
}

/// Where somebody watches, a silent connection is asked more often: the answer tells the round trip. Where the time is
/// limited, a server that does not answer the close does not make it much longer.
fn config(is_limited: bool, style: Style) -> Config {
    let mut config = Config::new();
    if style.bottom != Bottom::None {
        config = config.with_keep_alive(Some(Duration::from_secs(10)));
    }
    if is_limited {
        config = config.with_close_timeout(Duration::from_secs(1));
    }
    config
}

/// Sees a refresh token through that was sent, or is not saved yet: only who asks twice ends that, and is told so.
async fn settle(tokens: &dyn Tokens, signals: &mut Signals) -> Result<(), Failure> {
    let mut settled = tokens.shut_down();
    for told in [false, true] {
        tokio::select! {
            biased;
            () = &mut settled => return Ok(()),
            () = signals.next() => {}
        }
        if !told {
            complain(
                "connect",
                "ending once the tokens are safe; interrupt again to end at once and lose them",
            );
        }
    }
    Err(Failure::Interrupted)
}

/// Writes what was told.
fn show(printer: &Printer, told: Vec<Told>) {
    for told in told {
        match told {
            Told::Line(line) => printer.line(line),
            Told::Note(note) => printer.note(note),
        }
    }
}

/// Waits until everything is written. A pipe that was closed is a reader who has seen enough.
async fn finish(printer: Printer, patience: Option<Duration>) -> Result<(), Failure> {
    match printer.finish(patience).await {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Failure::Operation(
            "nobody reads standard output; what was left to write to it is lost".to_owned(),
        )),
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Operation(format!("standard output can't be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// What the session is called in its audit log: its profile, else its dialect.
fn name(options: &ConnectOptions) -> String {
    let file = || options.dialect_file.as_ref()?.file_stem()?.to_str().map(str::to_owned);
    let named = options.profile.profile.clone().or_else(|| options.dialect.clone());
    named.or_else(file).unwrap_or_else(|| "connect".to_owned())
}

/// Why a session ended by itself, with the exit code that has.
fn ended(error: &ws_session::Error) -> Failure {
    use ws_session::ErrorKind as Kind;
    if let Some(error) = error.token_error() {
        return Failure::from(error.clone());
    }
    let text = format!("{}: {error}", lines::kind(error));
    match error.kind() {
        Kind::AuthenticationRefused | Kind::ConnectionRefused | Kind::Forbidden => Failure::Denied(text),
        Kind::Timeout => Failure::TimedOut(text),
        _ => Failure::Operation(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_the_time_is_limited_a_server_has_a_second_to_answer_the_close() {
        let script = Style::of(true, false);
        let hurried = Config::new().with_close_timeout(Duration::from_secs(1));
        assert_eq!(config(true, script), hurried);
        assert_eq!(config(false, script), Config::new());
    }
}

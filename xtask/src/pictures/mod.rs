//! Pictures of `rtauth connect` in a terminal, against a gateway of its own, and of `rtauth audit report` in a browser, as the README has them.

mod svg;
mod terminal;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use self::terminal::Terminal;
use crate::chromium::Chromium;
use crate::conformance;
use crate::shell::{Done, Failed, cargo, quietly, root, run as run_command};

/// The page that has the first picture as text, since documentation pages show none, and what stands around it there.
const PAGE: &str = "crates/realtime-auth/src/manual/sessions.md";
const AROUND: [&str; 2] = ["<!-- cargo xtask pictures -->\n```text\n", "\n```\n"];

/// Makes all pictures anew, or that of a report alone.
pub(crate) fn run(only_report: bool) -> Done {
    report()?;
    if only_report {
        return Ok(());
    }
    run_command(&mut cargo(&["build", "--locked", "-p", "rtauth"]))?;
    let folder = tempfile::tempdir()?;
    let stage = Stage::set(folder.path())?;
    let session = session(&stage)?;
    let pipe = pipe(&stage)?;
    let pictures = root().join("docs").join("pictures");
    fs::create_dir_all(&pictures)?;
    for (name, screen, columns, title) in [
        (
            "connect.svg",
            &session,
            COLUMNS,
            "rtauth connect in a terminal: renewed in band, and back after a restart",
        ),
        ("connect-pipe.svg", &pipe, WIDE, "rtauth connect in a pipe, and its lines of JSON"),
    ] {
        fs::write(pictures.join(name), svg::picture(screen, columns, title))?;
        println!("docs/pictures/{name}:\n{}\n", svg::plain(screen));
    }
    let page = fs::read_to_string(root().join(PAGE))?;
    fs::write(root().join(PAGE), with_text(&page, &svg::plain(&session))?)?;
    Ok(())
}

/// The page of an audit log, as a browser shows it.
fn report() -> Done {
    let folder = tempfile::tempdir()?;
    let (page, _) = conformance::story(folder.path(), false)?;
    let picture = root().join("docs").join("pictures").join("report.png");
    Chromium::new()?.picture(&page, REPORT, &picture)?;
    println!("docs/pictures/report.png: {} bytes", fs::metadata(&picture)?.len());
    Ok(())
}

/// The size of the report's picture: its headline, its sessions, and what happened over time.
const REPORT: (u32, u32) = (1_280, 1_400);

/// What the terminals are wide, in characters.
const COLUMNS: usize = 80;
const WIDE: usize = 96;

/// A session that somebody watches: it authenticates, is renewed, loses its server, and comes back.
fn session(stage: &Stage) -> Done<String> {
    let mut gateway = stage.gateway("127.0.0.1:0")?;
    stage.profile(&gateway.address)?;
    let terminal = Terminal::open(&stage.folder, &stage.programs, COLUMNS, 24)?;
    terminal.type_in("rtauth connect --profile work")?;
    terminal.until("● connected")?;
    terminal.type_in(r#"{"type":"subscribe","topic":"v2.conversations"}"#)?;
    terminal.until("the token was renewed over the live connection")?;
    gateway.restart(stage)?;
    terminal.until("connected again")?;
    terminal.type_in("still here")?;
    terminal.until("\nstill here")?;
    // Some seconds of the thirty later.
    terminal.until("● connected · token 2")?;
    terminal.until("round trip")?;
    terminal.look()
}

/// The same for programs.
fn pipe(stage: &Stage) -> Done<String> {
    let gateway = stage.gateway("127.0.0.1:0")?;
    stage.profile(&gateway.address)?;
    let terminal = Terminal::open(&stage.folder, &stage.programs, WIDE, 40)?;
    terminal.type_in(r"printf 'one\ntwo\n' | rtauth connect --profile work | tr a-z A-Z")?;
    terminal.until("TWO\n$")?;
    terminal.type_in("echo three | rtauth connect --profile work --json")?;
    terminal.until("\"closed\"}\n$")?;
    terminal.look().map(|screen| screen.trim_end().trim_end_matches('$').trim_end().to_owned())
}

/// The folder that everything happens in, and the programs.
struct Stage {
    folder: PathBuf,
    programs: PathBuf,
}

impl Stage {
    fn set(folder: &Path) -> Done<Self> {
        fs::write(folder.join("secret.txt"), "for the pictures only")?;
        // So short that renewals come soon, and so long that there is time for a ping between two.
        let settings = "token_lifetime_seconds = 30\n[[client]]\nid = \"abc\"\nsecret_file = \"secret.txt\"\nscope = \"a\"\n";
        fs::write(folder.join("gateway.toml"), settings)?;
        let programs = root().canonicalize()?.join("target").join("debug");
        Ok(Self { folder: folder.to_owned(), programs })
    }

    /// The profile of the sessions, for a gateway at this address.
    fn profile(&self, address: &str) -> Done {
        let folder = self.folder.join(".config").join("rtauth");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("secret.txt"), "for the pictures only")?;
        let profile = format!(
            "[profile.work]\ndialect = \"genesys\"\nurl = \"ws://{address}/ws\"\ntoken-url = \"http://{address}/oauth/token\"\n\
             client-id = \"abc\"\nclient-secret = {{ file = \"secret.txt\" }}\n"
        );
        Ok(fs::write(folder.join("config.toml"), profile)?)
    }

    fn gateway(&self, listen: &str) -> Done<Gateway> {
        let mut process = Command::new(self.programs.join("rtauth"))
            .current_dir(&self.folder)
            .args(["gateway", "--config", "gateway.toml", "--listen", listen])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = &mut process.stdout {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let mut gateway = Gateway { process, address: String::new() };
        let listening: Value = serde_json::from_str(&line)?;
        let url = listening["http"].as_str().and_then(|url| url.strip_prefix("http://"));
        gateway.address =
            url.ok_or_else(|| Failed("the gateway does not say where it listens".to_owned()))?.to_owned();
        Ok(gateway)
    }
}

/// A gateway that ends with this.
struct Gateway {
    process: Child,
    address: String,
}

impl Gateway {
    /// Has it end as an operator would, and starts another where it was.
    fn restart(&mut self, stage: &Stage) -> Done {
        quietly(Command::new("kill").args(["-TERM", &self.process.id().to_string()]))?;
        self.process.wait()?;
        let address = self.address.clone();
        *self = stage.gateway(&address)?;
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A process that is gone already is what this is for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The page, with this text in its place there.
fn with_text(page: &str, text: &str) -> Done<String> {
    let [before, after] = AROUND;
    let place = page.split_once(before).and_then(|(start, rest)| Some((start, rest.split_once(after)?.1)));
    let (start, end) = place.ok_or_else(|| Failed(format!("{PAGE} has no place for a picture")))?;
    Ok([start, before, text, after, end].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gets_the_text_where_the_old_one_was() {
        let page = "a\n<!-- cargo xtask pictures -->\n```text\nold\nolder\n```\nb\n";
        let expected = "a\n<!-- cargo xtask pictures -->\n```text\nnew\n```\nb\n";
        assert_eq!(with_text(page, "new").ok().as_deref(), Some(expected));
        assert!(with_text("a\n", "new").is_err());
    }
}

//! An rsyslogd of a case's own, which writes what it receives as lines of JSON.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use audit::Entry;
use audit::format::{Format, Origin, Renderer};
use realtime_auth_tests::authority::Certificate;
use serde_json::Value;

use crate::Settings;

/// Beyond this it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often something that says nothing is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Tells its process id, and ends the server when this process is no more, however that ended.
const RUN: &str = r#"
    exec 3<&0
    "$@" 3<&- >&2 & server=$!
    echo $server
    (cat <&3 >/dev/null; kill -KILL $server) & watcher=$!
    wait $server
    kill $watcher
"#;

/// One that runs, unless it was told to end.
pub(crate) struct Rsyslog {
    program: PathBuf,
    folder: PathBuf,
    running: Option<(Child, String)>,
    pub(crate) tcp: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
}

/// A record as it was received.
#[derive(Debug)]
pub(crate) struct Received {
    /// The message's name of its event.
    pub(crate) event: String,
    /// The parameters of our element.
    pub(crate) data: Value,
}

impl Received {
    /// A parameter that is a number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.data[name].as_str().and_then(|number| number.parse().ok()).unwrap_or_default()
    }
}

/// The message that is sent of an entry.
pub(crate) fn message() -> impl Fn(&Entry) -> String + Send + Sync + 'static {
    let renderer = Renderer::new(Format::Syslog, Origin::new("gw-1", "gateway"));
    move |entry| renderer.render(entry)
}

impl Rsyslog {
    /// Starts it in a folder of that name, with TLS where there is a certificate with the authority's.
    pub(crate) fn start(
        settings: &Settings,
        name: &str,
        certificate: Option<(&str, &Certificate)>,
    ) -> io::Result<Self> {
        let folder = settings.folder.join(name);
        fs::create_dir_all(&folder)?;
        let tcp = free_port()?;
        let tls = certificate.map(|_| free_port()).transpose()?;
        let mut rsyslog = Self { program: settings.program.clone(), folder, running: None, tcp, tls };
        let mut text = rsyslog.configuration();
        if let (Some(tls), Some((authority, certificate))) = (tls, certificate) {
            let files = [("ca", authority), ("certificate", &certificate.pem), ("key", &certificate.key_pem)];
            for (name, pem) in files {
                fs::write(rsyslog.path(name), pem)?;
            }
            let [ca, certificate, key] = files.map(|(name, _)| rsyslog.path(name).display().to_string());
            text = format!(
                r#"global(defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
{text}
input(type="imtcp" address="127.0.0.1" port="{}" ruleset="all")
"#,
                tls.port()
            );
        }
        fs::write(rsyslog.path("rsyslog.conf"), text)?;
        rsyslog.run()?;
        Ok(rsyslog)
    }

    fn configuration(&self) -> String {
        let path = |name| self.path(name).display().to_string();
        let [stream, datagram, received] = ["stream", "datagram", "received"].map(path);
        format!(
            r#"global(workDirectory="{}" maxMessageSize="64k")
main_queue(queue.timeoutshutdown="60000" queue.timeoutactioncompletion="60000")
module(load="imptcp")
module(load="imuxsock" sysSock.use="off")
module(load="mmpstrucdata")
template(name="record" type="list") {{
    constant(value="{{\"event\":\"") property(name="msgid" format="json")
    constant(value="\",\"data\":\"") property(name="$!rfc5424-sd" format="json")
    constant(value="\"}}\n")
}}
ruleset(name="all") {{
    action(type="mmpstrucdata")
    action(type="omfile" file="{received}" template="record" flushOnTXEnd="on")
}}
input(type="imptcp" address="127.0.0.1" port="{}" ruleset="all")
input(type="imptcp" path="{stream}" ruleset="all")
input(type="imuxsock" socket="{datagram}" useSpecialParser="off" parseHostname="on" ruleset="all")
"#,
            self.folder.display(),
            self.tcp.port()
        )
    }

    /// A file in its folder, or a socket.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts it, again if it has ended, and waits until it listens.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        for socket in ["stream", "datagram"] {
            // What is left of one that was here before.
            let _ = fs::remove_file(self.path(socket));
        }
        let mut command = Command::new("sh");
        command.args(["-c", RUN, "sh"]).arg(&self.program).arg("-n");
        command.arg("-f").arg(self.path("rsyslog.conf")).arg("-i").arg(self.path("pid"));
        let log = fs::File::create(self.path("rsyslog.log"))?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let mut pid = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut pid)?;
        }
        self.running = Some((child, pid.trim().to_owned()));
        let listens = |address: &SocketAddr| TcpStream::connect(address).is_ok();
        eventually("it does not listen", || {
            let ports = listens(&self.tcp) && self.tls.as_ref().is_none_or(listens);
            ports && self.path("stream").exists() && self.path("datagram").exists()
        })
    }

    /// Sends it a signal, as STOP or CONT.
    pub(crate) fn signal(&self, signal: &str) -> io::Result<()> {
        let Some((_, pid)) = &self.running else { return Ok(()) };
        let status = Command::new("kill").args(["-s", signal, pid]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("it is no more")) }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.signal("TERM")?;
        if let Some((mut child, _)) = self.running.take() {
            child.wait()?;
        }
        Ok(())
    }

    /// What it has written down, once that is so many records.
    pub(crate) fn received(&self, enough: impl Fn(&[Received]) -> bool) -> io::Result<Vec<Received>> {
        let mut received = Vec::new();
        let waited = eventually("it has not received what it was sent", || {
            received = read(&self.path("received")).unwrap_or_default();
            enough(&received)
        });
        // What is missing is for the case to say.
        waited.map_or_else(|_| read(&self.path("received")), |()| Ok(received))
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.signal("KILL");
        if let Some((mut child, _)) = self.running.take() {
            let _ = child.wait();
        }
    }
}

/// The whole lines of the file.
fn read(path: &Path) -> io::Result<Vec<Received>> {
    let text = fs::read_to_string(path)?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let records = whole.lines().map(|line| {
        let line: Value = serde_json::from_str(line)?;
        let [event, data] = ["event", "data"].map(|name| line[name].as_str().unwrap_or_default());
        // A record without structured data has nothing there.
        let data: Value = serde_json::from_str(data).unwrap_or_default();
        Ok(Received { event: event.to_owned(), data: data["rtauth@32473"].clone() })
    });
    records.collect()
}

/// Waits for something that says nothing when it comes.
#[expect(clippy::disallowed_methods, reason = "a process of others tells nobody how far it is")]
pub(crate) fn eventually(complaint: &str, mut is_so: impl FnMut() -> bool) -> io::Result<()> {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > PATIENCE {
            return Err(io::Error::new(io::ErrorKind::TimedOut, complaint));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

/// One that nobody else is likely to take in the next moment.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

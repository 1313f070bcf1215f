//! The tables `[audit.syslog]` and `[audit.hec]` of the gateway's configuration file: to whom its records are given as well.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audit::deliver::Outlet;
use audit::deliver::hec::{ExchangeError, Hec};
use audit::deliver::syslog::Syslog;
use audit::format::{Format, Origin, Renderer};
use auth_core::Secret;
use auth_core::loopback::is_loopback;
use auth_http::client::{HyperClient, Identity, Roots};
use auth_http::exchange::HttpExchange as _;
use serde::Deserialize;

use crate::environment;
use crate::exit::Failure;
use crate::files::{self, secret};

/// A syslog receiver.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyslogTable {
    address: String,
    #[serde(default)]
    transport: Transport,
    format: Option<String>,
    server_name: Option<String>,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    certificate_key_file: Option<PathBuf>,
    queue: Option<usize>,
    dead_letter_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Transport {
    Tcp,
    #[default]
    Tls,
    Unix,
    UnixDatagram,
}

/// Splunk's HTTP Event Collector.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HecTable {
    url: String,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    channel: Option<String>,
    acknowledge_seconds: Option<u64>,
    queue: Option<usize>,
    dead_letter_file: Option<PathBuf>,
}

/// How long an indexer may take to acknowledge, where nothing else is said; Splunk suggests minutes.
const ACKNOWLEDGE: u64 = 300;

/// Where a collector's token is, where no file is named.
const TOKEN: &str = "RTAUTH_HEC_TOKEN";

impl SyslogTable {
    /// The outlet, whose messages say that they come from `origin`. Plain TCP is for this machine, unless `insecure` says otherwise.
    pub(crate) fn outlet(self, folder: &Path, origin: &Origin, insecure: bool) -> Result<Outlet, Failure> {
        let format = self.format.as_deref().map_or(Ok(Format::Syslog), str::parse);
        let renderer = Renderer::new(format.map_err(wrong("audit.syslog.format"))?, origin.clone());
        let message = move |entry: &audit::Entry| renderer.render(entry);
        let for_tls = [
            ("server_name", self.server_name.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("certificate_file", self.certificate_file.is_some()),
            ("certificate_key_file", self.certificate_key_file.is_some()),
        ];
        let of_tls = for_tls.into_iter().find(|(_, is_given)| *is_given && self.transport != Transport::Tls);
        if let Some((key, _)) = of_tls {
            let text = format!("audit.syslog.{key} is for transport = \"tls\"; say that, or leave it out");
            return Err(Failure::Usage(text));
        }
        let syslog = match self.transport {
            Transport::Tcp => {
                let host = host(&self.address)?;
                if !is_loopback(host) && !insecure {
                    return Err(Failure::Usage(format!(
                        "audit.syslog.address: over tcp to {host}, everybody on the way can read the records and change them; \
                         use transport = \"tls\", or say --insecure"
                    )));
                }
                Syslog::tcp(&self.address, message)
            }
            Transport::Tls => {
                let host = host(&self.address)?.trim_start_matches('[').trim_end_matches(']');
                let name = self.server_name.as_deref().unwrap_or(host);
                let name = name.to_owned().try_into().map_err(|_| {
                    Failure::Usage(format!("audit.syslog.server_name: {name:?} can't be in a certificate"))
                })?;
                let config = roots(folder, self.ca_file.as_deref(), "audit.syslog.ca_file")?
                    .client_config(self.identity(folder)?)
                    .map_err(|error| Failure::Usage(format!("audit.syslog: {error}, by ca_file")))?;
                Syslog::tls(&self.address, name, config, message)
            }
            #[cfg(unix)]
            Transport::Unix => Syslog::unix(folder.join(&self.address), message),
            #[cfg(unix)]
            Transport::UnixDatagram => Syslog::unix_datagram(folder.join(&self.address), message),
            #[cfg(not(unix))]
            Transport::Unix | Transport::UnixDatagram => {
                let text = "audit.syslog.transport: this system has no such sockets; use tls or tcp";
                return Err(Failure::Usage(text.to_owned()));
            }
        };
        Ok(bounded(Outlet::sink("syslog", syslog), folder, self.queue, self.dead_letter_file))
    }

    /// The gateway's own certificate, for a receiver that asks for one.
    fn identity(&self, folder: &Path) -> Result<Option<Identity>, Failure> {
        match (&self.certificate_file, &self.certificate_key_file) {
            (Some(chain), Some(key)) => {
                let (chain, key) = (folder.join(chain), Secret::from(files::text(&folder.join(key))?));
                let identity = Identity::from_pem(files::text(&chain)?.as_bytes(), &key);
                identity.map(Some).map_err(wrong("audit.syslog.certificate_file"))
            }
            (None, None) => Ok(None),
            _ => Err(Failure::Usage(
                "audit.syslog has one of certificate_file and certificate_key_file; give both or none"
                    .to_owned(),
            )),
        }
    }
}

impl HecTable {
    /// The outlet, whose events say that they come from `origin`.
    pub(crate) fn outlet(self, folder: &Path, origin: &Origin) -> Result<Outlet, Failure> {
        let token = match &self.token_file {
            Some(path) => secret(&folder.join(path))?,
            None => match environment::secret(TOKEN)? {
                Some(text) => files::secret_of(text, TOKEN)?,
                None => {
                    let text = format!(
                        "audit.hec needs the collector's token: in token_file, or in the environment variable {TOKEN}"
                    );
                    return Err(Failure::Usage(text));
                }
            },
        };
        // Which http it may be, the sink says.
        let client = match self.url.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("http://") => {
                if self.ca_file.is_some() {
                    let text = "audit.hec.ca_file is for a url of https; say that, or leave it out";
                    return Err(Failure::Usage(text.to_owned()));
                }
                HyperClient::plaintext()
            }
            _ => {
                let roots = roots(folder, self.ca_file.as_deref(), "audit.hec.ca_file")?;
                let client = HyperClient::builder().with_roots(roots).build();
                client.map_err(|error| Failure::Usage(format!("audit.hec: {error}, by ca_file")))?
            }
        };
        let client = Arc::new(client);
        let exchange = move |request: http::Request<String>| {
            let client = Arc::clone(&client);
            async move {
                let reply = client.exchange(request.map(Into::into)).await?;
                Ok::<_, ExchangeError>(reply.map(|body| body.to_vec()))
            }
        };
        let renderer = Renderer::new(Format::Hec, origin.clone());
        let hec = Hec::new(&self.url, &token, move |entry| renderer.render(entry), exchange);
        let hec = hec.map_err(wrong("audit.hec"))?;
        let hec = match &self.channel {
            Some(channel) => {
                let within = Duration::from_secs(self.acknowledge_seconds.unwrap_or(ACKNOWLEDGE));
                hec.acknowledged(channel, within).map_err(wrong("audit.hec.channel"))?
            }
            None if self.acknowledge_seconds.is_some() => {
                let text =
                    "audit.hec.acknowledge_seconds is for a channel, by which it is asked; give its GUID";
                return Err(Failure::Usage(text.to_owned()));
            }
            None => hec,
        };
        Ok(bounded(Outlet::sink("hec", hec), folder, self.queue, self.dead_letter_file))
    }
}

/// The host of `host:port`.
fn host(address: &str) -> Result<&str, Failure> {
    let host = address.rsplit_once(':').and_then(|(host, port)| {
        let is_one = !host.is_empty() && (!host.contains(':') || host.starts_with('['));
        port.parse::<u16>().ok().filter(|port| *port != 0 && is_one).map(|_| host)
    });
    host.ok_or_else(|| {
        let text = "is no host with a port, such as logs.example:6514 or [::1]:601; with transport = \"unix\", it is a path";
        Failure::Usage(format!("audit.syslog.address: {address:?} {text}"))
    })
}

/// The platform's authorities, and those of a file.
fn roots(folder: &Path, file: Option<&Path>, key: &'static str) -> Result<Roots, Failure> {
    match file {
        Some(file) => {
            Roots::platform().with_pem(files::text(&folder.join(file))?.as_bytes()).map_err(wrong(key))
        }
        None => Ok(Roots::platform()),
    }
}

fn bounded(outlet: Outlet, folder: &Path, queue: Option<usize>, dead_letters: Option<PathBuf>) -> Outlet {
    let outlet = match queue {
        Some(queue) => outlet.queue(queue),
        None => outlet,
    };
    match dead_letters {
        Some(path) => outlet.dead_letter(folder.join(path)),
        None => outlet,
    }
}

/// A key of the file whose value can't be.
fn wrong<E: fmt::Display>(key: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::Usage(format!("{key}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syslog(text: &str) -> Result<Outlet, String> {
        let table: SyslogTable = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let outlet = table.outlet(Path::new(""), &Origin::new("gw-1", "rtauth"), false);
        outlet.map_err(|failure| failure.to_string())
    }

    #[test]
    fn what_can_not_be_a_receiver_is_refused_with_a_sentence_that_says_what_to_do() {
        for (text, expected) in [
            ("", "missing field `address`"),
            ("address = '127.0.0.1:601'\ntransport = 'udp'", "unknown variant `udp`"),
            ("address = '127.0.0.1:601'\ntransport = 'tcp'\nfacility = 10", "unknown field `facility`"),
            (
                "address = '127.0.0.1:601'\ntransport = 'tcp'\nformat = 'xml'",
                "audit.syslog.format: no format has this name",
            ),
            ("address = '127.0.0.1'\ntransport = 'tcp'", "\"127.0.0.1\" is no host with a port"),
            ("address = ':601'\ntransport = 'tcp'", "is no host with a port"),
            ("address = '::1:601'\ntransport = 'tcp'", "is no host with a port"),
            ("address = 'localhost:0'\ntransport = 'tcp'", "is no host with a port"),
            ("address = '/dev/log'", "is no host with a port"),
            (
                "address = 'logs.example:601'\ntransport = 'tcp'",
                "over tcp to logs.example, everybody on the way can read",
            ),
            (
                "address = '127.0.0.1:601'\ntransport = 'tcp'\nca_file = 'a'",
                "audit.syslog.ca_file is for transport = \"tls\"",
            ),
            ("address = 'a b:6514'", "\"a b\" can't be in a certificate"),
            ("address = 'a:6514'\nca_file = 'nowhere.pem'", "nowhere.pem can't be read"),
            (
                "address = 'a:6514'\ncertificate_file = 'a.pem'",
                "certificate_file and certificate_key_file; give both or none",
            ),
        ] {
            let error = syslog(text).err().unwrap_or_default();
            assert!(error.contains(expected), "{text}\n{expected}\n{error}");
        }
    }

    #[test]
    fn plain_tcp_is_for_this_machine_unless_somebody_says_otherwise() {
        for address in ["127.0.0.1:601", "localhost:601", "[::1]:601"] {
            syslog(&format!("address = '{address}'\ntransport = 'tcp'")).unwrap();
        }
        let table: SyslogTable = toml::from_str("address = 'logs.example:601'\ntransport = 'tcp'").unwrap();
        table.outlet(Path::new(""), &Origin::new("gw-1", "rtauth"), true).unwrap();
    }

    #[test]
    fn what_can_not_be_a_collector_is_refused_with_a_sentence_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hec.txt"), "canary\n").unwrap();
        let local = "url = 'http://127.0.0.1:8088'\ntoken_file = 'hec.txt'";
        for (text, expected) in [
            ("", "missing field `url`"),
            ("url = 'http://127.0.0.1:8088'\ntoken = 'canary'", "unknown field `token`"),
            (
                "url = 'http://127.0.0.1:8088'",
                "in token_file, or in the environment variable RTAUTH_HEC_TOKEN",
            ),
            ("url = 'http://127.0.0.1:8088'\ntoken_file = 'nowhere'", "nowhere can't be read"),
            (
                "url = 'http://splunk.example:8088'\ntoken_file = 'hec.txt'",
                "the token would go over the network in the clear",
            ),
            (
                "url = 'http://127.0.0.1:8088/a'\ntoken_file = 'hec.txt'",
                "audit.hec: the collector's address is",
            ),
            (&*format!("{local}\nchannel = 'a'"), "audit.hec.channel: a channel is a GUID"),
            (&*format!("{local}\nacknowledge_seconds = 5"), "acknowledge_seconds is for a channel"),
            (&*format!("{local}\nca_file = 'nowhere.pem'"), "audit.hec.ca_file is for a url of https"),
            (
                "url = 'https://splunk.example:8088'\ntoken_file = 'hec.txt'\nca_file = 'nowhere.pem'",
                "nowhere.pem can't be read",
            ),
        ] {
            let table: Result<HecTable, _> = toml::from_str(text);
            let outlet = table.map_err(|error| error.message().to_owned()).and_then(|table| {
                let outlet = table.outlet(folder.path(), &Origin::new("gw-1", "rtauth"));
                outlet.map_err(|failure| failure.to_string())
            });
            let error = outlet.err().unwrap_or_default();
            assert!(error.contains(expected) && !error.contains("canary"), "{text}\n{expected}\n{error}");
        }
        let table: HecTable = toml::from_str(local).unwrap();
        table.outlet(folder.path(), &Origin::new("gw-1", "rtauth")).unwrap();
    }
}

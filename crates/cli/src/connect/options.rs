//! The flags of `rtauth connect`: what `--help` teaches.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use ws_session::dialect::Dialect;

use crate::profile::ProfileOptions;
use crate::source::SourceOptions;

/// Opens a WebSocket session that stays authenticated: it gets tokens, logs in, renews them, and reconnects by itself.
///
/// Once connected it sends each --send and then each line of standard input, and prints each message that comes as a line
/// (binary ones in base64). A terminal gets what would command it, or break the line, as an escape such as \n or \u{1b}; a
/// file or a pipe gets each message as it came: one with line breaks in it is several lines there, except with --json. On a
/// terminal a line at the bottom tells how the session is; otherwise standard error does.
///
/// The end of standard input ends the session, behind what was sent: when you type Ctrl-D, and after the last line of a file
/// or a pipe. With --for or --keep-open it does not, nor does an input that never had a line, such as /dev/null, or that a
/// secret was read from. Ctrl-C and SIGTERM close the session gracefully, a second one ends it at once.
///
/// A message counts as sent once it is with the operating system: whether the server has read it, only its own answer tells.
/// Messages that nobody reads from standard output wait, up to 16 MiB of them; then no more are read from the server, while the
/// session goes on.
///
/// What you are typing when a message comes is still there: Ctrl-R shows it again. A terminal takes lines of at most some 4000
/// bytes (1000 on macOS); longer ones, up to 16 MiB, come from a file or a pipe.
#[derive(Debug, Args)]
#[command(after_help = "\
Sources are those of rtauth token --help, with the same flags. Secrets come from files, standard input (`-`), the environment
or a keyring (see --profile), never from the command line. Plain http and ws are for this machine only, unless --insecure says otherwise. The proxy variables
of the environment (HTTPS_PROXY, NO_PROXY …) are heeded, for tokens and for the session.

A profile, in ~/.config/rtauth/config.toml, for rtauth connect --profile work:

    [profile.work]
    dialect = \"genesys\"
    url = \"wss://api.mypurecloud.com/ws\"
    token-url = \"https://api.mypurecloud.com/oauth/token\"
    client-id = \"abc\"
    client-secret = { keyring = { service = \"rtauth\", user = \"work\" } }   # or { env = \"NAME\" }, { file = \"s.txt\" }

With --json each line is an object with `event`:

    state            state: connecting, connected, disconnected, suspended, closing, closed or failed; with reason, code, attempt
                     and retry_in_ms where they apply
    authenticated    session_id (null if the server names none), connection, latency_ms
    message          text, or base64
    renewed          in_band: whether the fresh token went over the live connection, or a new one took its place
    renewal_failed   reason, retry_in_ms: the old token goes on serving
    closed           code (null if there was none), reason
    unsent           text or base64, may_have_arrived: a message that did not leave, or may not have left whole, before its
                     connection broke; one that did leave and was lost on its way is not told
    failed           kind, code, message: the last line of a session that ends by itself

Exit code 0 if the session was closed by you, by --for or by the end of the input, 1 if it failed or something was not sent or not read, 2
if the flags or a file are wrong, 3 if the server refused for good or a scope is missing, 4 if it was not authenticated in
--timeout, 130 if interrupted before it was.

Examples:

    rtauth connect --dialect genesys --url wss://api.mypurecloud.com/ws --client-id abc --client-secret-file secret.txt \\
        --token-url https://api.mypurecloud.com/oauth/token --require-scope conversation:read
    rtauth connect --dialect bearer-header --url wss://api.example.com/ws --source static --token-file token.txt
    rtauth connect --dialect-file mine.toml --url wss://api.example.com/ws --issuer https://as.example.com --client-id app \\
        --grant refresh_token --store login.json     # after rtauth login
    tail -f events.log | rtauth connect --profile work --json | jq -c 'select(.event == \"message\")'

Against a gateway at 127.0.0.1:8080 with the configuration of rtauth gateway --help:

    rtauth connect --dialect genesys --url ws://127.0.0.1:8080/ws --token-url http://127.0.0.1:8080/oauth/token \\
        --client-id abc123 --client-secret-file secret.txt --send hello --for 2
    rtauth connect --dialect optave --url ws://127.0.0.1:8080/ --source optave --token-url http://127.0.0.1:8080/auth/oauth2 \\
        --client-id cid --client-secret-file optave.txt --send hello --for 2 --json
    rtauth connect --dialect genesys --url ws://127.0.0.1:8080/ws --source static --token-file token.txt --for 2 \\
        --audit audit --fingerprint-key-file names.key     # the gateway's key: both logs name the token alike")]
pub(crate) struct ConnectOptions {
    /// How the service logs in: a built-in dialect; rtauth dialects lists them.
    #[arg(long, value_name = "NAME", help_heading = "Session", conflicts_with = "dialect_file")]
    #[arg(value_parser = PossibleValuesParser::new(Dialect::names()), hide_possible_values = true)]
    pub(super) dialect: Option<String>,

    /// A dialect of your own, in TOML; rtauth dialects NAME prints one to begin from.
    #[arg(long, value_name = "FILE", help_heading = "Session")]
    pub(super) dialect_file: Option<PathBuf>,

    /// Where to connect to: wss://…, or ws://… on this machine. Not needed where the token is the URL.
    #[arg(long, value_name = "URL", help_heading = "Session")]
    pub(super) url: Option<String>,

    /// A scope that each token must grant, or it is not presented; may stand several times.
    #[arg(long, value_name = "SCOPE", help_heading = "Session")]
    pub(super) require_scope: Vec<String>,

    /// A message to send once connected; may stand several times.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, help_heading = "Session")]
    pub(super) send: Vec<String>,

    /// Close the session after so many seconds, counted from the start. A server that does not answer the close has a second for
    /// it, instead of five.
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, help_heading = "Session")]
    pub(super) lasts: Option<Duration>,

    /// Stay connected when standard input ends.
    #[arg(long, help_heading = "Session")]
    pub(super) keep_open: bool,

    /// How long the session may take until it is authenticated for the first time, in seconds, and each token. Later it
    /// never gives up over an outage.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, allow_negative_numbers = true, help_heading = "Session")]
    pub(super) timeout: Duration,

    /// A header to send with the upgrade, that is no secret; may stand several times. --header is for an auth URL.
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Session")]
    pub(super) ws_header: Vec<String>,

    /// A header to send with the upgrade whose value is a secret, in this file; `-` is standard input. May stand several times.
    #[arg(long, value_name = "NAME=FILE", help_heading = "Session")]
    pub(super) ws_header_file: Vec<String>,

    /// Trust the certificate authorities in this file for the WebSocket, in PEM, in the place of the platform's. --ca-file is
    /// for the source.
    #[arg(long, value_name = "FILE", help_heading = "Session")]
    pub(super) ws_ca_file: Option<PathBuf>,

    /// Write every step into the audit log in this directory, hash-chained and without secrets. rtauth audit reads it.
    #[arg(long, value_name = "DIR", help_heading = "Session")]
    pub(super) audit: Option<PathBuf>,

    /// Seal the audit log with the key in this file, as rtauth audit key makes it; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "audit", help_heading = "Session")]
    pub(super) audit_key_file: Option<PathBuf>,

    /// Name tokens in the audit log by the key in this file, 64 hexadecimal digits, as openssl rand -hex 32 makes them; `-` is standard
    /// input. Else by that of the environment variable RTAUTH_FINGERPRINT_KEY. Without one, each run names the same token otherwise;
    /// with that of a gateway, both logs name it alike. Whoever has the key can tell whether a log speaks of a token they have.
    #[arg(long, value_name = "FILE", requires = "audit", help_heading = "Session")]
    pub(super) fingerprint_key_file: Option<PathBuf>,

    /// One JSON object a line.
    #[arg(long, help_heading = "Session")]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) profile: ProfileOptions,

    #[command(flatten)]
    pub(super) source: SourceOptions,
}

impl ConnectOptions {
    /// Whether the end of standard input is the session's.
    pub(super) const fn ends_with_input(&self) -> bool {
        self.lasts.is_none() && !self.keep_open
    }
}

/// A time in seconds, whole or not.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    let seconds = seconds.filter(|seconds| !seconds.is_zero() && *seconds <= LONGEST);
    seconds.ok_or_else(|| format!("a number of seconds above 0, at most {}", LONGEST.as_secs()))
}

/// A year.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

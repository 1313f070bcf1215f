//! The flags of `rtauth audit`.

use std::path::PathBuf;

use audit::format::Format;
use auth_core::time::Timestamp;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use clap::{Args, Subcommand};

use super::vocabulary;
use crate::clock;

/// Reads audit logs: verifies them, renders them for a SIEM or as a page, follows them, and makes keys that seal them.
///
/// A log is a directory of segments, whose records are chained by their hashes. With a key, its writer signs where the log
/// stands every second, and at the end of each segment. Verifying needs the files and the public key, and nothing else.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 done, 1 the log can't be trusted, or an output can't be written, 2 the flags are wrong, or there is no log.

From the beginning to the end:

    rtauth audit key --out audit.key > audit.vkey      # audit.key seals, keep it secret; audit.vkey verifies, keep it elsewhere
    rtauth demo --audit audit --audit-key-file audit.key
    rtauth audit verify audit --key audit.vkey
    rtauth audit report audit --key audit.vkey --out report.html
    rtauth audit export audit --format ecs > events.ndjson
    rtauth audit tail audit --lines 5")]
pub(crate) struct AuditOptions {
    #[command(subcommand)]
    pub(super) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    Verify(VerifyOptions),
    Export(ExportOptions),
    Tail(TailOptions),
    Report(ReportOptions),
    Key(KeyOptions),
}

/// Says whether a log is what was written, and how far that is known.
///
/// Each record is compared with its hash and with the one before it, and each checkpoint with the records that it covers.
/// The first record that does not fit is named. What can't be known is said: records after the newest checkpoint may have
/// been cut off or written anew, and so may all of them where no key is given. A checkpoint that was kept elsewhere shows
/// whether somebody put an older state of the whole log in its place.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 0 if nothing is wrong, 1 if something is, 2 if the flags are wrong or there is no log.

Examples:

    rtauth audit verify audit --key audit.vkey
    rtauth audit verify audit --key audit.vkey --checkpoint yesterday.checkpoint    # a copy of audit/checkpoint, kept elsewhere
    rtauth audit verify audit --key old.vkey --key new.vkey    # a log whose key was changed
    rtauth audit verify audit --json | jq .unsealed_tail")]
pub(super) struct VerifyOptions {
    #[command(flatten)]
    pub(super) trust: TrustOptions,

    /// One JSON object: {"event":"verified","records":…,"sealed_through":…,"unsealed_tail":…,"broken_off":…,"head":…}, or
    /// {"event":"bad","file":…,"seq":…,"reason":…}.
    #[arg(long)]
    pub(super) json: bool,
}

/// What a log is verified against.
#[derive(Debug, Args)]
pub(super) struct TrustOptions {
    /// The log: the directory of its segments.
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,

    /// The public key that checkpoints must be signed by, or the file that holds it: the line that rtauth audit key prints. May stand
    /// several times, for a log whose key was changed.
    #[arg(long, value_name = "FILE or VKEY")]
    pub(super) key: Vec<String>,

    /// A checkpoint that was kept elsewhere: the log must still have all that it covers. May stand several times.
    #[arg(long, value_name = "FILE")]
    pub(super) checkpoint: Vec<PathBuf>,

    /// Take a log whose first segments were moved away.
    #[arg(long)]
    pub(super) archived: bool,
}

/// Prints the records of a log in the words of whoever is to receive them, one a line.
///
/// The log is verified while it is read, as rtauth audit verify does without a key: the export ends before the first record
/// that does not fit.
#[derive(Debug, Args)]
#[command(after_help = "\
Formats:

    json      the record as the log has it, without its hashes
    generic   the audit entry of the Genesys document        siem   its SIEM event, with severity and source
    ecs       Elastic Common Schema 9.4                      ocsf   Open Cybersecurity Schema Framework 1.8.0
    cef       ArcSight Common Event Format                   syslog RFC 5424, without framing
    hec       the event object of Splunk's HTTP Event Collector

Exit code 0 if all was printed, or whoever reads has seen enough, 1 if the log can't be trusted or something was left out, 2 if
the flags are wrong. A record of an event that is new to this version is printed as json alone.

Examples:

    rtauth audit export audit --format ecs > events.ndjson
    rtauth audit export audit --format json --since 24h --event session_failed --event replay_rejected
    rtauth audit export audit --format cef --session orders --from 1000")]
pub(super) struct ExportOptions {
    /// The log: the directory of its segments.
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,

    /// The format.
    #[arg(long, value_parser = format())]
    pub(super) format: Format,

    #[command(flatten)]
    pub(super) choice: Choice,

    /// The host that the records say to come from; this one if left out.
    #[arg(long, value_name = "NAME")]
    pub(super) host: Option<String>,

    /// The service that the records say to be about; rtauth if left out.
    #[arg(long, value_name = "NAME")]
    pub(super) service: Option<String>,

    /// Take a log whose first segments were moved away.
    #[arg(long)]
    pub(super) archived: bool,

    /// Only read, and verify nothing: for a log that is known to be broken. Lines that are no record are told on standard error and passed
    /// over.
    #[arg(long, conflicts_with = "archived")]
    pub(super) unverified: bool,
}

/// Which records are wanted.
#[derive(Debug, Default, Args)]
pub(super) struct Choice {
    /// From this sequence number on.
    #[arg(long, value_name = "SEQ")]
    pub(super) from: Option<u64>,

    /// From this time on, such as 2026-11-22T05:00:00Z, or from so long ago, such as 90s, 15m, 24h or 7d.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) since: Option<Timestamp>,

    /// Only of the session of this name; may stand several times.
    #[arg(long, value_name = "NAME")]
    pub(super) session: Vec<String>,

    /// Only events of this name, such as session_failed; may stand several times. It must be one that this version knows.
    #[arg(long, value_name = "NAME", hide_possible_values = true, value_parser = PossibleValuesParser::new(vocabulary::names()))]
    pub(super) event: Vec<String>,
}

/// Prints the last records of a log, and with --follow each further one as it is written.
///
/// Nothing is verified: records are shown as they are in the files. A log that goes on in a new segment is followed there,
/// and where its directory was moved away, it is waited for until there is one again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:

    rtauth audit tail audit --lines 50
    rtauth audit tail audit --follow --json | jq -c 'select(.event == \"session_failed\")'")]
pub(super) struct TailOptions {
    /// The log: the directory of its segments.
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,

    /// How many records to begin with.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(super) lines: u32,

    /// Go on until interrupted.
    #[arg(long, short)]
    pub(super) follow: bool,

    /// The records themselves, one JSON object a line.
    #[arg(long)]
    pub(super) json: bool,
}

/// Writes a log as one page to look at: sessions along the time, tokens, failures, latencies, and what was verified.
///
/// The page is one file that fetches nothing, and holds no secret, since the log has none. It is of bounded size, whatever the
/// log's. A log that can't be trusted has a page too: it shows the records before the first that does not fit, says so in its
/// headline, and the exit code is 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:

    rtauth audit report audit --key audit.vkey --out report.html
    rtauth audit report audit --out - > report.html")]
pub(super) struct ReportOptions {
    #[command(flatten)]
    pub(super) trust: TrustOptions,

    /// Where to write the page, readable by its owner only; `-` is standard output. A file that exists is replaced only if it is such a
    /// page, and nothing is written to the directory of the log.
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
}

/// Makes a key that seals audit logs, and prints the public key that verifies them.
///
/// Keep the file where the log is written, and nowhere else: whoever has it can write any log. Keep the public key wherever
/// logs are verified, away from those who may write them.
#[derive(Debug, Args)]
#[command(after_help = "\
Both keys have the form of signed notes (golang.org/x/mod/sumdb/note): other tools verify the checkpoints too.

Examples:

    rtauth audit key --out audit.key > audit.vkey
    rtauth audit key --name gateway.example.com/audit --out gateway.key > gateway.vkey")]
pub(super) struct KeyOptions {
    /// Where to write the signing key, readable by its owner only. A file that exists is left alone.
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,

    /// What the key is called, and by default the logs that it seals; without spaces and plus signs.
    #[arg(long, default_value = "audit")]
    pub(super) name: String,

    /// {"verifier_key":…} instead of the key alone.
    #[arg(long)]
    pub(super) json: bool,
}

fn format() -> impl clap::builder::TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

/// A time, or how long ago it was.
fn time(text: &str) -> Result<Timestamp, String> {
    const FORM: &str = "a time such as 2026-11-22T05:00:00Z, or how long ago, such as 90s, 15m, 24h or 7d";
    let whole = text.strip_suffix('Z').map(|text| format!("{text}.000Z"));
    let day = format!("{text}T00:00:00.000Z");
    if let Some(at) = [text, whole.as_deref().unwrap_or(""), &day].iter().find_map(|text| text.parse().ok()) {
        return Ok(at);
    }
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(FORM.to_owned()),
    };
    let count = text[..text.len() - 1].parse::<u64>().ok().and_then(|count| count.checked_mul(unit * 1_000));
    let ago = count.ok_or_else(|| FORM.to_owned())?;
    Ok(Timestamp::from_millis(clock::now().wall.as_millis().saturating_sub(ago)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_may_be_said_to_the_day_to_the_second_or_to_the_millisecond() {
        for (text, millis) in [
            ("2026-11-22", 1_795_305_600_000),
            ("2026-11-22T05:00:00Z", 1_795_323_600_000),
            ("2026-11-22T05:00:00.007Z", 1_795_323_600_007),
        ] {
            assert_eq!(time(text).map(Timestamp::as_millis), Ok(millis), "{text}");
        }
    }

    #[test]
    fn a_time_may_be_said_by_how_long_ago_it_was() {
        let hour = time("1h").unwrap();
        let ago = clock::now().wall.saturating_since(hour);
        assert!((3_600..3_700).contains(&ago.as_secs()), "{ago:?}");
        for wrong in ["", "h", "-1h", "1y", "1ü", "yesterday", "99999999999999999999d"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}

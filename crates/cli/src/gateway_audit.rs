//! The table `[audit]` of the gateway's configuration file: where its decisions are recorded, and how safely.

use std::path::{Path, PathBuf};

use audit::deliver::HookCounts;
use audit::format::Origin;
use audit::{LogOptions, Mode, Modes, Trail};
use auth_core::fingerprint::FingerprintKey;
use serde::Deserialize;

use crate::exit::{Failure, complain};
use crate::files::{name, secret};
use crate::gateway_outlets::{HecTable, SyslogTable};
use crate::trail;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditTable {
    directory: PathBuf,
    #[serde(default)]
    mode: ModeTable,
    signing_key_file: Option<PathBuf>,
    segment_megabytes: Option<u64>,
    fingerprint_key_file: Option<PathBuf>,
    #[serde(default)]
    origin: OriginTable,
    syslog: Option<SyslogTable>,
    hec: Option<HecTable>,
}

/// Who speaks to the receivers of records.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginTable {
    host: Option<String>,
    service: Option<String>,
    enterprise_number: Option<u32>,
}

/// The mode of each class of event.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModeTable {
    issuing: Option<Word>,
    consuming: Option<Word>,
    revoking: Option<Word>,
    deciding: Option<Word>,
    progress: Option<Word>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    BestEffort,
    Durable,
    Strict,
}

/// How many events may wait for the disk: several times what a flood of strangers' refusals can bring at once.
const QUEUE: usize = 16_384;

/// The most megabytes of a segment: opening reads one whole.
const MOST_MEGABYTES: u64 = 1_024;

impl AuditTable {
    /// Opens the trail, and reads the key under which tokens are named in it, if there is one. `insecure` lets records go to other
    /// machines unencrypted.
    pub(crate) fn open(
        self,
        folder: &Path,
        insecure: bool,
    ) -> Result<(Trail, Option<FingerprintKey>), Failure> {
        let directory = folder.join(&self.directory);
        let mut options = LogOptions::new(&directory).modes(self.mode.modes());
        if let Some(path) = self.signing_key_file {
            let path = folder.join(path);
            options = options.signing_key(trail::signing_key(&secret(&path)?, &name(&path))?);
        }
        if let Some(megabytes) = self.segment_megabytes {
            if !(1..=MOST_MEGABYTES).contains(&megabytes) {
                return Err(Failure::Usage(format!(
                    "audit.segment_megabytes is {megabytes}; it must be from 1 to {MOST_MEGABYTES}"
                )));
            }
            options = options.segment_bytes(megabytes * 1_024 * 1_024);
        }
        let key = self.fingerprint_key_file.map(|path| folder.join(path));
        let key = key.map(|path| trail::fingerprint_key(&secret(&path)?, &name(&path))).transpose()?;
        let origin = self.origin.origin();
        let mut described = Trail::builder().origin(origin.clone()).queue(QUEUE).log(options);
        if let Some(syslog) = self.syslog {
            described = described.outlet(syslog.outlet(folder, &origin, insecure)?);
        }
        if let Some(hec) = self.hec {
            described = described.outlet(hec.outlet(folder, &origin)?);
        }
        let opened = trail::begin(described, "gateway", &directory).map_err(Failure::Operation)?;
        Ok((opened, key))
    }
}

impl OriginTable {
    fn origin(&self) -> Origin {
        let origin = trail::origin(self.host.as_deref(), self.service.as_deref());
        let origin = origin.with_process(std::process::id());
        match self.enterprise_number {
            Some(number) => origin.with_enterprise_number(number),
            None => origin,
        }
    }
}

impl ModeTable {
    fn modes(&self) -> Modes {
        let mode = |word: Option<Word>, default| match word {
            Some(Word::BestEffort) => Mode::BestEffort,
            Some(Word::Durable) => Mode::Durable,
            Some(Word::Strict) => Mode::Strict,
            None => default,
        };
        let Modes { issuing, consuming, revoking, deciding, progress } = Modes::gateway();
        Modes {
            issuing: mode(self.issuing, issuing),
            consuming: mode(self.consuming, consuming),
            revoking: mode(self.revoking, revoking),
            deciding: mode(self.deciding, deciding),
            progress: mode(self.progress, progress),
        }
    }
}

/// Writes out what is left, and complains of what is in no record, and of records that a receiver was not given.
pub(crate) fn close(trail: &Trail) {
    let summary = trail.close();
    if summary.dropped + summary.failed > 0 {
        let text = format!(
            "{} events are in no record for want of room, and {} for a failing disk",
            summary.dropped, summary.failed
        );
        complain("gateway", text);
    }
    for hook in trail.hooks() {
        if let Some(text) = undelivered(hook.name().as_str(), hook.counts()) {
            complain("gateway", text);
        }
    }
}

/// What is said of a receiver, whose table of the file has this name, that was not given all records.
fn undelivered(name: &str, counts: HookCounts) -> Option<String> {
    let HookCounts { accepted, dropped, dead_lettered, .. } = counts;
    let letters = match (dropped + dead_lettered, dead_lettered) {
        (0, _) => return None,
        (_, 0) => {
            format!("none of these is in a file of dead letters, which audit.{name}.dead_letter_file sets")
        }
        (_, kept) => format!("{kept} of these are in its file of dead letters"),
    };
    Some(format!(
        "{} of {accepted} records did not reach {name}: {letters}, and all are in the log",
        dropped + dead_lettered
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<AuditTable, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn without_a_mode_nothing_is_issued_that_is_not_on_record() {
        let modes = |text: &str| table(text).unwrap().mode.modes();
        assert_eq!(modes("directory = \"a\""), Modes::gateway());
        let changed = modes("directory = \"a\"\n[mode]\nissuing = \"best_effort\"\nprogress = \"durable\"");
        let expected = Modes { issuing: Mode::BestEffort, progress: Mode::Durable, ..Modes::gateway() };
        assert_eq!(changed, expected);
    }

    #[test]
    fn whoever_has_no_file_of_dead_letters_is_told_how_to_set_one() {
        let said = |dropped, dead_lettered| {
            let mut counts = HookCounts::default();
            (counts.accepted, counts.dropped, counts.dead_lettered) = (10, dropped, dead_lettered);
            undelivered("syslog", counts)
        };
        assert_eq!(said(0, 0), None);
        let without = said(4, 0).unwrap();
        assert!(
            without.starts_with("4 of 10 records did not reach syslog: none of these is in"),
            "{without}"
        );
        assert!(without.contains("audit.syslog.dead_letter_file"), "{without}");
        let with = said(1, 3).unwrap();
        assert!(
            with.starts_with("4 of 10 records did not reach syslog: 3 of these are in its file"),
            "{with}"
        );
        assert!(!with.contains("dead_letter_file"), "{with}");
        for receiver in ["[syslog]\naddress = 'a:1'", "[hec]\nurl = 'https://a'"] {
            let text = format!("directory = 'a'\n{receiver}\ndead_letter_file = 'b'");
            assert!(table(&text).is_ok(), "{text}: the key that is named");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let unknown =
            ["mod = 1", "[mode]\nissuing = \"maybe\"", "[origin]\nhots = \"a\"", "[syslog]\nport = 601"];
        let unknown = unknown.map(|text| format!("directory = \"a\"\n{text}"));
        for text in unknown.iter().map(String::as_str).chain([""]) {
            assert!(table(text).is_err(), "{text}");
        }
    }
}

//! The table `[audit]` of the gateway's configuration file: where its decisions are recorded, and how safely.

use std::path::{Path, PathBuf};

use audit::checkpoint::SigningKey;
use audit::{LogOptions, Mode, Modes, Trail};
use auth_core::fingerprint::{FingerprintKey, InvalidFingerprintKey};
use serde::Deserialize;

use crate::exit::{Failure, complain};
use crate::files::secret;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditTable {
    directory: PathBuf,
    #[serde(default)]
    mode: ModeTable,
    signing_key_file: Option<PathBuf>,
    segment_megabytes: Option<u64>,
    fingerprint_key_file: Option<PathBuf>,
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
    /// Opens the trail, and reads the key under which tokens are named in it, if there is one.
    pub(crate) fn open(self, folder: &Path) -> Result<(Trail, Option<FingerprintKey>), Failure> {
        let directory = folder.join(&self.directory);
        let mut options = LogOptions::new(&directory).modes(self.mode.modes());
        if let Some(path) = self.signing_key_file {
            let path = folder.join(path);
            let key: SigningKey = secret(&path)?.expose().parse().map_err(|error| {
                Failure::Usage(format!("{} is no key to sign a log with: {error}", path.display()))
            })?;
            options = options.signing_key(key);
        }
        if let Some(megabytes) = self.segment_megabytes {
            if !(1..=MOST_MEGABYTES).contains(&megabytes) {
                return Err(Failure::Usage(format!(
                    "audit.segment_megabytes is {megabytes}; it must be from 1 to {MOST_MEGABYTES}"
                )));
            }
            options = options.segment_bytes(megabytes * 1_024 * 1_024);
        }
        let key = self.fingerprint_key_file.map(|path| fingerprint_key(&folder.join(path))).transpose()?;
        let trail =
            Trail::builder().queue(QUEUE).log(options).on_fault(|text| complain("gateway", text)).open();
        let trail = trail.map_err(|error| Failure::Operation(format!("{}: {error}", directory.display())))?;
        Ok((trail, key))
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

fn fingerprint_key(path: &Path) -> Result<FingerprintKey, Failure> {
    let key = secret(path)?.expose().parse();
    key.map_err(|error: InvalidFingerprintKey| Failure::Usage(format!("{}: {error}", path.display())))
}

/// Writes out what is left, and complains of what is in no record.
pub(crate) fn close(trail: &Trail) {
    let summary = trail.close();
    if summary.dropped + summary.failed > 0 {
        let text = format!(
            "{} events are in no record for want of room, and {} for a failing disk",
            summary.dropped, summary.failed
        );
        complain("gateway", text);
    }
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
    fn what_is_not_known_is_refused() {
        for text in ["", "directory = \"a\"\nmod = 1", "directory = \"a\"\n[mode]\nissuing = \"maybe\""] {
            assert!(table(text).is_err(), "{text}");
        }
    }
}

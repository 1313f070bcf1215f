//! The audit log that a command writes while it runs, and the keys that go with one.

use std::fs;
use std::path::Path;

use audit::checkpoint::SigningKey;
use audit::format::Origin;
use audit::{LogOptions, Trail, TrailBuilder};
use auth_core::Secret;
use auth_core::fingerprint::{FingerprintKey, InvalidFingerprintKey};

use crate::exit::{Failure, complain};
use crate::source::Secrets;

/// The key that seals the log, from the file that `--audit-key-file` names, if it does.
pub(crate) fn key(file: Option<&Path>, secrets: &mut Secrets) -> Result<Option<SigningKey>, Failure> {
    const FLAG: &str = "--audit-key-file";
    file.map(|path| signing_key(&secrets.read(FLAG, path)?, FLAG)).transpose()
}

/// The key under which the log names tokens: from the file that `--fingerprint-key-file` names, else from the environment.
pub(crate) fn names(file: Option<&Path>, secrets: &mut Secrets) -> Result<Option<FingerprintKey>, Failure> {
    const FLAG: &str = "--fingerprint-key-file";
    const VARIABLE: &str = "RTAUTH_FINGERPRINT_KEY";
    let place = if file.is_some() { FLAG } else { VARIABLE };
    secrets.read_or(FLAG, file, VARIABLE)?.map(|text| fingerprint_key(&text, place)).transpose()
}

/// A key that seals logs, of which `place` says where it stands.
pub(crate) fn signing_key(text: &Secret, place: &str) -> Result<SigningKey, Failure> {
    let key = text.expose().parse::<SigningKey>();
    key.map_err(|error| Failure::Usage(format!("{place}: {error}; rtauth audit key makes one")))
}

/// A key under which tokens are named, of which `place` says where it stands.
pub(crate) fn fingerprint_key(text: &Secret, place: &str) -> Result<FingerprintKey, Failure> {
    let key = text.expose().parse();
    key.map_err(|error: InvalidFingerprintKey| Failure::Usage(format!("{place}: {error}")))
}

/// Opens the log in the directory of `--audit`, sealed by the key, if there is one.
pub(crate) fn open(directory: &Path, key: Option<SigningKey>) -> Result<Trail, Failure> {
    let options = LogOptions::new(directory);
    let options = match key {
        Some(key) => options.signing_key(key),
        None => options,
    };
    let own = origin(None, None).with_process(std::process::id());
    begin(Trail::builder().origin(own).log(options), "--audit", directory)
        .map_err(|text| Failure::Usage(format!("--audit: {text}")))
}

/// Opens a trail whose log is in `directory`; its faults are told in the name of `teller`. An error says where.
pub(crate) fn begin(trail: TrailBuilder, teller: &'static str, directory: &Path) -> Result<Trail, String> {
    let opened = trail.on_fault(move |text| complain(teller, text)).open();
    opened.map_err(|error| format!("{}: {error}", directory.display()))
}

/// Who speaks in what is rendered of a log: this program, on this host and about itself unless something else is given.
pub(crate) fn origin(host: Option<&str>, service: Option<&str>) -> Origin {
    // The system tells it in a file, where it is Linux.
    let told = || fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    let host = host.map(str::to_owned).or_else(told).filter(|name| !name.is_empty());
    let origin = host.map_or_else(Origin::default, |host| Origin::new(&host, "rtauth"));
    let origin = origin.with_application("rtauth").with_version(env!("CARGO_PKG_VERSION"));
    origin.with_service(service.unwrap_or("rtauth"))
}

/// Writes out what is left, and tells of what is missing.
pub(crate) fn close(trail: &Trail) -> Result<(), Failure> {
    let summary = trail.close();
    let missing = summary.dropped + summary.failed;
    if missing == 0 {
        return Ok(());
    }
    Err(Failure::Operation(format!("{missing} events are missing in the audit log; check its disk")))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use audit::deliver::Outlet;
    use audit::format::{Format, Renderer};

    use super::*;

    /// The `trail_opened` of a trail of this origin.
    fn opened(origin: Origin) -> String {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (keep, json) = (Arc::clone(&told), Renderer::new(Format::Json, origin.clone()));
        let outlet = Outlet::closure("kept", move |entry| keep.lock().unwrap().push(json.render(entry)));
        Trail::builder().origin(origin).outlet(outlet).open().unwrap().close();
        told.lock().unwrap().swap_remove(0)
    }

    #[test]
    fn a_log_says_no_host_where_none_is_known() {
        // An empty name is none, as where the system tells none.
        let unknown = origin(Some(""), None);
        assert_eq!(
            (unknown.host(), unknown.application(), unknown.service()),
            ("localhost", "rtauth", "rtauth")
        );
        let text = opened(unknown);
        assert!(
            text.contains("\"event\":\"trail_opened\",\"host\":null,\"application\":\"rtauth\""),
            "{text}"
        );
        let text = opened(origin(Some("gw-1"), None));
        assert!(text.contains("\"host\":\"gw-1\",\"application\":\"rtauth\",\"version\":\"0."), "{text}");
    }
}

//! What stands on the command line in the place of what a profile says: a flag of itself, and another source as a whole.

use std::collections::BTreeSet;

use clap::ValueEnum as _;
use toml::{Table, Value};

use super::Flags;
use super::entry::{SECRETS, flag_of};
use crate::source::{FLAGS, SourceKind, name};

/// What is to be left out of a profile, and what takes its place.
pub(super) struct Instead<'a> {
    said: &'a Flags,
    has: BTreeSet<String>,
    /// The source that the command line means, where that is not the profile's.
    source: Option<SourceKind>,
    /// Another grant than the profile's stands on the command line.
    another_grant: bool,
}

/// Flags of which those of a row stand in the place of those of the other rows.
type Choice = &'static [&'static [&'static str]];

const CHOICES: [Choice; 2] = [&[&["dialect"], &["dialect-file"]], PROOFS];

/// How a client proves who it is.
const PROOFS: Choice = &[
    &["client-secret-file"],
    &["client-key-file"],
    &["client-certificate-file", "client-certificate-key-file"],
];

/// What is for one grant of OAuth alone.
const OF_GRANTS: Choice = &[
    &["refresh-token-file"],
    &["assertion-file"],
    &["assertion-key-file", "assertion-issuer", "assertion-subject", "assertion-audience"],
    &["subject-token-file", "subject-token-type", "actor-token-file", "actor-token-type"],
];

/// Flags of any source, for the way to servers.
const OF_THE_WAY: [&str; 3] = ["ca-file", "proxy", "insecure"];

impl<'a> Instead<'a> {
    pub(super) fn of(said: &'a Flags, entries: &Table) -> Self {
        let text = |key: &str| entries.get(key).and_then(Value::as_str);
        let kind = |text: &str| SourceKind::from_str(text, false).ok();
        let own = text("source").map_or(Some(SourceKind::Oauth), kind);
        let wanted = match said.get("source") {
            Some(source) => source.as_deref().and_then(kind),
            None => own.and_then(|own| credentials(said).find(|kind| *kind != own)),
        };
        // What is no source at all is refused where flags are read.
        let source = wanted.filter(|wanted| own.is_some_and(|own| own != *wanted));
        let grant = said.get("grant").and_then(Option::as_deref);
        let another_grant = grant.is_some_and(|grant| grant != text("grant").unwrap_or("client_credentials"));
        Self { said, has: entries.keys().map(|key| flag_of(key)).collect(), source, another_grant }
    }

    /// The flag for the source that is meant, where the command line does not have it.
    pub(super) fn source(&self) -> Option<String> {
        let source = self.source.filter(|_| !self.said.contains_key("source"))?;
        Some(format!("--source={}", name(source)))
    }

    /// Whether a flag of the profile does not count.
    pub(super) fn leaves_out(&self, flag: &str) -> bool {
        let of_source = FLAGS.iter().find(|(of_source, _)| *of_source == flag).map(|(_, owners)| owners);
        let of_another_source = self.source.is_some_and(|kind| match of_source {
            Some(owners) => !OF_THE_WAY.contains(&flag) || !owners.contains(&kind),
            None => flag == "source",
        });
        let of_another_grant = (self.another_grant || self.chooses(OF_GRANTS)) && is_in(OF_GRANTS, flag);
        let of_another_proof = flag == "client-auth" && self.chooses(PROOFS);
        let replaced =
            CHOICES.into_iter().any(|choice| is_in(choice, flag) && self.chooses_other(choice, flag));
        self.said.contains_key(flag) || of_another_source || of_another_grant || of_another_proof || replaced
    }

    /// Whether the command line has something of another row than a flag's.
    fn chooses_other(&self, choice: Choice, flag: &str) -> bool {
        choice.iter().any(|row| !row.contains(&flag) && self.says(row))
    }

    /// Whether the command line has something of another row than the profile.
    fn chooses(&self, choice: Choice) -> bool {
        let has = |row: &[&str]| row.iter().any(|flag| self.has.contains(*flag));
        choice.iter().any(|row| self.says(row) && choice.iter().any(|other| other != row && has(other)))
    }

    fn says(&self, row: &[&str]) -> bool {
        row.iter().any(|flag| self.said.contains_key(*flag))
    }
}

fn is_in(choice: Choice, flag: &str) -> bool {
    choice.iter().any(|row| row.contains(&flag))
}

/// The sources of the credentials on a command line that no other source takes.
fn credentials(said: &Flags) -> impl Iterator<Item = SourceKind> {
    let is_secret = |flag: &str| flag.strip_suffix("-file").is_some_and(|name| SECRETS.contains(&name));
    FLAGS.iter().filter_map(move |(flag, owners)| match owners {
        [only] if is_secret(flag) && said.contains_key(*flag) => Some(*only),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of a profile does not count with these flags, in the order of the alphabet, and the flag that is added.
    fn left_out(profile: &str, flags: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
        let table: Table = toml::from_str(profile).unwrap();
        let said =
            flags.iter().map(|(flag, value)| ((*flag).to_owned(), Some((*value).to_owned()))).collect();
        let instead = Instead::of(&said, &table);
        let keys = table.keys().map(|key| flag_of(key));
        (keys.filter(|flag| instead.leaves_out(flag)).collect(), instead.source())
    }

    const OAUTH: &str = "url = 'u'\ntoken_url = 't'\nclient-id = 'c'\nclient-secret = { env = 'S' }\nstore = 's'\nproxy = 'p'\nca-file = 'f'\ninsecure = true";

    #[test]
    fn another_source_takes_the_place_of_the_profiles_as_a_whole() {
        let of_oauth = ["client-id", "client-secret-file", "store", "token-url"];
        for (flags, added) in [
            (vec![("source", "static"), ("token-file", "t")], None),
            (vec![("token-file", "t")], Some("--source=static")),
        ] {
            let (out, source) = left_out(OAUTH, &flags);
            // Nobody is asked for a static token, so that no authority of theirs is.
            assert_eq!(out, ["ca-file", "client-id", "client-secret-file", "store", "token-url"]);
            assert_eq!(source.as_deref(), added);
        }
        let (out, source) = left_out(OAUTH, &[("key-file", "k")]);
        assert_eq!((out, source.as_deref()), (of_oauth.map(str::to_owned).into(), Some("--source=ably")));
        let ably = "source = 'ably'\nkey = { file = 'k' }\nclient-id = 'alice'\nurl = 'u'";
        let (out, source) = left_out(ably, &[("source", "oauth")]);
        assert_eq!((out, source), (vec!["client-id".into(), "key-file".into(), "source".into()], None));
    }

    #[test]
    fn the_same_source_is_changed_flag_by_flag() {
        for flags in [
            &[("source", "oauth"), ("client-secret-file", "s")][..],
            &[("client-secret-file", "s")],
            // Whose that is, nothing says.
            &[("client-secret-file", "s"), ("scope", "a")],
        ] {
            assert_eq!(left_out(OAUTH, flags), (vec!["client-secret-file".to_owned()], None), "{flags:?}");
        }
        assert_eq!(left_out("source = 'ably'\nkey = 5", &[("client-secret-file", "s")]), (vec![], None));
        for unknown in [("source = 'nothing'", "static"), ("url = 'u'", "nothing")] {
            let (out, added) = left_out(unknown.0, &[("source", unknown.1)]);
            assert!(out.iter().all(|flag| flag == "source") && added.is_none(), "{unknown:?}");
        }
    }

    #[test]
    fn another_grant_or_proof_or_dialect_takes_the_place_of_the_profiles() {
        let granted = "grant = 'jwt_bearer'\nassertion-key = 'k'\nassertion-subject = 's'\nclient-id = 'c'";
        let of_grant = |flags: &[(&str, &str)]| left_out(granted, flags).0;
        let all = ["assertion-key-file", "assertion-subject", "grant"].map(str::to_owned);
        assert_eq!(of_grant(&[("grant", "client_credentials")]), all);
        assert_eq!(of_grant(&[("grant", "jwt_bearer")]), ["grant"]);
        assert_eq!(of_grant(&[("assertion-file", "a")]), all[..2]);
        assert_eq!(of_grant(&[("assertion-key-file", "k")]), ["assertion-key-file"]);
        assert_eq!(of_grant(&[("assertion-subject", "s")]), ["assertion-subject"]);
        let proven = "client-secret = 's'\nclient-auth = 'post'\nclient-id = 'c'";
        let of_proof = |flags: &[(&str, &str)]| left_out(proven, flags).0;
        assert_eq!(of_proof(&[("client-key-file", "k")]), ["client-auth", "client-secret-file"]);
        assert_eq!(of_proof(&[("client-secret-file", "k")]), ["client-secret-file"]);
        assert_eq!(left_out("dialect = 'a'\nurl = 'u'", &[("dialect-file", "d")]).0, ["dialect"]);
        assert_eq!(left_out("dialect-file = 'a'", &[("dialect", "d")]).0, ["dialect-file"]);
    }
}

//! What must hold of a description as a whole: each part may be well written, and the dialect still make no sense.

use std::ops::RangeInclusive;
use std::time::Duration;

use auth_core::Secret;
use auth_core::time::{Moment, Now, Timestamp};

use crate::dialect::template::Filling;
use crate::dialect::{
    Acceptance, Captured, Captures, Codec, Codes, CredentialUse, Dialect, Fresh, On, Phase, Ping, Placement,
    Renewal, RenewalTime, Rule, SubprotocolEntry, Template,
};

/// A key of the description, and what is wrong with it.
pub(super) type Complaint = (String, String);

type Checked = Result<(), Complaint>;

pub(super) fn check(dialect: &Dialect) -> Checked {
    check_credential(dialect)?;
    check_placement(dialect)?;
    check_messages(dialect)?;
    check_acceptance(dialect)?;
    check_renewal(dialect)?;
    check_rules(dialect)
}

fn complain(place: impl Into<String>, problem: impl Into<String>) -> Checked {
    Err((place.into(), problem.into()))
}

fn check_credential(dialect: &Dialect) -> Checked {
    let in_login = dialect.login.iter().any(|step| step.send.has_credential());
    let elsewhere = Placement { is_url: false, ..dialect.placement.clone() };
    match (in_login || elsewhere.has_credential(), dialect.placement.is_url) {
        (false, false) => complain(
            "place",
            "the credential goes nowhere; write `${credential}` into a header, a parameter, a cookie, a subprotocol or a message of `login`, \
             or say `url = true`",
        ),
        (true, true) => complain("place.url", "the credential is the URL already, and goes nowhere else"),
        _ => Ok(()),
    }
}

fn check_placement(dialect: &Dialect) -> Checked {
    let placement = &dialect.placement;
    let pairs =
        [("headers", &placement.headers), ("query", &placement.query), ("cookies", &placement.cookies)];
    for (section, entries) in pairs {
        for (name, template) in entries {
            check_in_upgrade(dialect, &format!("place.{section}.{name}"), template)?;
        }
    }
    let mut selectable = placement.subprotocols.is_empty();
    for (index, entry) in placement.subprotocols.iter().enumerate() {
        let place = format!("place.subprotocols[{index}]");
        match entry {
            SubprotocolEntry::Name(_) => selectable = true,
            SubprotocolEntry::Credential(template) | SubprotocolEntry::Json { form: template, .. } => {
                check_in_upgrade(dialect, &place, template)?;
            }
        }
    }
    if !selectable {
        return complain(
            "place.subprotocols",
            "name a protocol that the server may select: it must not select the credential, and clients end a connection that selects none",
        );
    }
    placement.check().map_err(|unplaceable| ("place".to_owned(), unplaceable.to_string()))?;
    check_by_upgrade(dialect)
}

/// What goes into the upgrade can't hold what the server says after it.
fn check_in_upgrade(dialect: &Dialect, place: &str, template: &Template) -> Checked {
    if mentions_session_id(template) {
        return complain(place, "the server has said nothing yet, so that there is no `${session_id}`");
    }
    let says = |name: &str| dialect.captured.named.contains_key(name);
    template.check_each(|_| false, says).map_err(|invalid| (place.to_owned(), invalid.to_string()))
}

/// Builds an upgrade, since that knows which texts are legal where.
fn check_by_upgrade(dialect: &Dialect) -> Checked {
    let credential = Secret::from(if dialect.placement.is_url { "wss://example.com/" } else { "credential" });
    let now =
        Now { wall: Timestamp::since_epoch(Duration::ZERO), mono: Moment::since_origin(Duration::ZERO) };
    let filling = Filling {
        credential: Some(&credential),
        captures: &Captures::default(),
        fresh: Fresh { now, random: [0; 16] },
        authenticator: None,
    };
    match dialect.upgrade("wss://example.com/", &filling) {
        Ok(_) => Ok(()),
        Err(unplaceable) => complain("place", unplaceable.to_string()),
    }
}

fn check_messages(dialect: &Dialect) -> Checked {
    if dialect.requests.is_some() && !dialect.codec.is_json() {
        return complain(
            "request",
            "with this codec no reply can be told by an identifier in it; leave this out",
        );
    }
    for (index, step) in dialect.login.iter().enumerate() {
        check_message(dialect, &format!("login[{index}].send"), &step.send)?;
    }
    if let Renewal::InBand { send, .. } = &dialect.renewal {
        check_message(dialect, "renew.send", send)?;
    }
    for (index, reply) in dialect.replies.iter().enumerate() {
        check_without_credential(dialect, &format!("reply[{index}].send"), &reply.send)?;
    }
    if let Some(farewell) = &dialect.farewell {
        check_without_credential(dialect, "farewell.send", &farewell.send)?;
    }
    match &dialect.ping {
        Ping::Message(message) => check_without_credential(dialect, "ping.send", message),
        Ping::Frame | Ping::Never => Ok(()),
    }
}

fn check_without_credential(dialect: &Dialect, place: &str, message: &Template) -> Checked {
    if message.has_credential() {
        return complain(
            place,
            "the credential goes into the upgrade, the login and the renewal, and nowhere else",
        );
    }
    check_message(dialect, place, message)
}

fn check_message(dialect: &Dialect, place: &str, message: &Template) -> Checked {
    if message.as_text() == Some("") {
        return complain(place, "the message is empty");
    }
    let member = match dialect.codec {
        Codec::EngineIo => Some("packet"),
        Codec::Nats => Some("verb"),
        Codec::Json | Codec::JsonLines | Codec::JsonRecordSeparator => None,
    };
    if let (Some(member), Some(view)) = (member, message.as_json())
        && !view.get(member).is_some_and(serde_json::Value::is_string)
    {
        return complain(place, format!("with this codec, a message is a text, or a table with `{member}`"));
    }
    if mentions_session_id(message) && dialect.captured.session_id.is_none() {
        return complain(
            place,
            "nothing fills `${session_id}`; say under `capture` where the server says it",
        );
    }
    check_template(place, message, &dialect.captured)
}

fn check_template(place: &str, template: &Template, captured: &Captured) -> Checked {
    template
        .check(|name| captured.named.contains_key(name))
        .map_err(|invalid| (place.to_owned(), invalid.to_string()))
}

fn mentions_session_id(template: &Template) -> bool {
    let json = template.as_json().map(ToString::to_string);
    template.as_text().or(json.as_deref()).is_some_and(|text| text.contains("${session_id"))
}

fn check_acceptance(dialect: &Dialect) -> Checked {
    if dialect.acceptance != Acceptance::Upgrade {
        return Ok(());
    }
    if !dialect.login.is_empty() {
        return complain(
            "login",
            "who logs in by a message is in when the server says so; say under `accept` which message that is",
        );
    }
    if dialect.captured != Captured::default() {
        return complain(
            "capture",
            "the upgrade is the acceptance here, and says nothing that could be captured",
        );
    }
    Ok(())
}

fn check_renewal(dialect: &Dialect) -> Checked {
    let (asked_by, when) = match &dialect.renewal {
        Renewal::Never => return Ok(()),
        Renewal::InBand { send, asked_by, when, .. } => {
            if dialect.credential_use == CredentialUse::Once {
                return complain(
                    "renew.how",
                    "a credential that serves once serves a connection, not a renewal; use \"reconnect\" or \"never\"",
                );
            }
            if !send.has_credential() {
                return complain(
                    "renew.send",
                    "this holds no credential; write `${credential}` where it belongs",
                );
            }
            (asked_by, when)
        }
        Renewal::Reconnect { asked_by, when, .. } => (asked_by, when),
    };
    if *when == RenewalTime::WhenAsked && asked_by.is_empty() {
        return complain(
            "renew.when",
            "nobody ever asks; say by which message under `asked_by`, or say \"never\"",
        );
    }
    Ok(())
}

fn check_rules(dialect: &Dialect) -> Checked {
    for (index, rule) in dialect.rules.iter().enumerate() {
        let is_out_of_place = |phase: &Phase| match (phase, &rule.on) {
            (Phase::Upgrade, On::Message(_)) => Some("there are no messages before the upgrade is done"),
            (Phase::Login | Phase::Live | Phase::Renewing, On::Status(_)) => {
                Some("a status answers the upgrade, and comes in no other phase")
            }
            (Phase::Login, _) if dialect.acceptance == Acceptance::Upgrade => {
                Some("the upgrade is the acceptance here, so that there is no login behind it")
            }
            (Phase::Renewing, _) if !matches!(dialect.renewal, Renewal::InBand { .. }) => {
                Some("nothing is renewed in band here")
            }
            _ => None,
        };
        if let Some(problem) = rule.phases.iter().find_map(is_out_of_place) {
            return complain(format!("rule[{index}].phase"), problem);
        }
        if let Some(before) = dialect.rules[..index].iter().position(|earlier| hides(earlier, rule)) {
            return complain(
                format!("rule[{index}]"),
                format!(
                    "this is never reached: rule[{before}] decides before it; put the narrower one first"
                ),
            );
        }
    }
    Ok(())
}

/// Whether whatever the later rule speaks of, the earlier has decided.
fn hides(earlier: &Rule, later: &Rule) -> bool {
    let everywhere = earlier.phases.is_empty()
        || (!later.phases.is_empty() && later.phases.iter().all(|phase| earlier.phases.contains(phase)));
    let what = match (&earlier.on, &later.on) {
        (On::Status(all), On::Status(some)) => covers(all, some),
        (On::Close { codes: all, reason: None }, On::Close { codes: some, reason: _ }) => covers(all, some),
        (all, some) => all == some,
    };
    everywhere && what && earlier.after <= later.after
}

fn covers(all: &Codes, some: &Codes) -> bool {
    let within = |range: &RangeInclusive<u16>| {
        all.ranges.iter().any(|wide| wide.contains(range.start()) && wide.contains(range.end()))
    };
    (all.or_none || !some.or_none) && some.ranges.iter().all(within)
}

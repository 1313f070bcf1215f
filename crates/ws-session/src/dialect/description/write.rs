//! Writing a dialect as a description.

use std::time::Duration;

use serde_json::Value;

use super::text::{key_of, one_or_array, quoted, toml};
use super::words::{CODECS, EXPIRES_AT, PHASES, RECONNECTIONS, TIMES, USES, VERDICTS, word};
use crate::dialect::{
    Acceptance, Captured, Codes, Condition, Dialect, Farewell, InForm, InUnit, Matcher, On, Ping, Placement,
    Renewal, Requests, Resumed, Rule, SubprotocolEntry, Template, Trigger, Unit,
};

/// What a description can't say, and where.
type Wrote<T> = Result<T, (String, &'static str)>;

/// A description that is being written.
#[derive(Default)]
pub(super) struct Writer {
    text: String,
    /// The section that is being written, for complaints.
    section: String,
}

impl Writer {
    pub(super) fn write(dialect: &Dialect) -> Wrote<String> {
        let mut writer = Self::default();
        if dialect.authenticator.is_some() {
            return Err((
                "authenticator".to_owned(),
                "code can't be written down; take it away before, and give it to the dialect that is read",
            ));
        }
        writer.entry("name", &quoted(&dialect.name));
        writer.word("codec", word(&CODECS, &dialect.codec), "json")?;
        writer.word("use", word(&USES, &dialect.credential_use), USES[0].0)?;
        writer.word("reconnect", word(&RECONNECTIONS, &dialect.reconnection), RECONNECTIONS[0].0)?;
        if dialect.ping == Ping::Never {
            writer.entry("ping", "\"never\"");
        }
        writer.placement(&dialect.placement)?;
        for step in &dialect.login {
            writer.section("[[login]]");
            if let Trigger::Message(matcher) = &step.on {
                let matcher = writer.matcher(matcher)?;
                writer.entry("on", &matcher);
            }
            writer.template("send", &step.send);
        }
        writer.acceptance(&dialect.acceptance)?;
        writer.captured(&dialect.captured)?;
        writer.renewal(&dialect.renewal)?;
        for reply in &dialect.replies {
            writer.section("[[reply]]");
            let matcher = writer.matcher(&reply.on)?;
            writer.entry("on", &matcher);
            writer.template("send", &reply.send);
        }
        if let Some(requests) = &dialect.requests {
            writer.requests(requests)?;
        }
        if let Ping::Message(message) = &dialect.ping {
            writer.section("[ping]");
            writer.template("send", message);
        }
        for heartbeat in &dialect.heartbeats {
            writer.section("[[heartbeat]]");
            for (at, condition) in writer.conditions(heartbeat)? {
                writer.entry(&at, &condition);
            }
        }
        if let Some(Farewell { send, answered }) = &dialect.farewell {
            writer.section("[farewell]");
            writer.template("send", send);
            writer.some_matchers("answered", answered)?;
        }
        for rule in &dialect.rules {
            writer.rule(rule)?;
        }
        Ok(writer.text)
    }

    fn section(&mut self, header: &str) {
        header.trim_matches(['[', ']']).clone_into(&mut self.section);
        self.line(&format!("\n{header}"));
    }

    fn entry(&mut self, key: &str, value: &str) {
        self.line(&format!("{} = {value}", key_of(key)));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn cannot<T>(&self, problem: &'static str) -> Wrote<T> {
        Err((self.section.clone(), problem))
    }

    /// A word, unless it is the default.
    fn word(&mut self, key: &str, word: Option<&str>, default: &str) -> Wrote<()> {
        match word {
            None => return self.cannot("a description has no word for this"),
            Some(word) if word == default => {}
            Some(word) => self.entry(key, &quoted(word)),
        }
        Ok(())
    }

    fn template(&mut self, key: &str, template: &Template) {
        match (template.as_text(), template.as_json()) {
            (Some(text), _) => self.entry(key, &quoted(text)),
            (None, form) => match form.and_then(message) {
                Some(inline) => self.entry(key, &inline),
                None => {
                    let text = form.map(Value::to_string).unwrap_or_default();
                    self.entry(&format!("{key}_json"), &quoted(&text));
                }
            },
        }
    }

    fn placement(&mut self, placement: &Placement) -> Wrote<()> {
        let Placement { headers, query, cookies, subprotocols, is_url } = placement;
        if *placement == Placement::default() {
            return Ok(());
        }
        self.section("[place]");
        for (key, entries) in [("headers", headers), ("query", query), ("cookies", cookies)] {
            if entries.is_empty() {
                continue;
            }
            let entries = entries.iter().map(|(name, template)| {
                let value = self.inline(template)?;
                Ok(format!("{} = {value}", key_of(name)))
            });
            let entries = entries.collect::<Wrote<Vec<_>>>()?.join(", ");
            self.entry(key, &format!("{{ {entries} }}"));
        }
        if !subprotocols.is_empty() {
            let entries = subprotocols.iter().map(|entry| self.subprotocol(entry));
            let entries = entries.collect::<Wrote<Vec<_>>>()?.join(", ");
            self.entry("subprotocols", &format!("[{entries}]"));
        }
        if *is_url {
            self.entry("url", "true");
        }
        Ok(())
    }

    fn subprotocol(&self, entry: &SubprotocolEntry) -> Wrote<String> {
        match entry {
            SubprotocolEntry::Name(name) => Ok(quoted(name)),
            SubprotocolEntry::Credential(template) => match template.as_text() {
                Some(text) => Ok(quoted(text)),
                None => self.cannot("a subprotocol with the credential is a text, or a prefix and an object"),
            },
            SubprotocolEntry::Json { prefix, form } => {
                Ok(format!("{{ prefix = {}, form = {} }}", quoted(prefix), self.inline(form)?))
            }
        }
    }

    fn inline(&self, template: &Template) -> Wrote<String> {
        let form = template.as_text().map(quoted).or_else(|| template.as_json().and_then(message));
        form.map_or_else(|| self.cannot("TOML can't say this message here"), Ok)
    }

    fn acceptance(&mut self, acceptance: &Acceptance) -> Wrote<()> {
        let Acceptance::Message { any_of, within } = acceptance else { return Ok(()) };
        self.section("[accept]");
        self.matchers("message", any_of)?;
        if let Some(within) = within {
            self.duration("within", *within);
        }
        Ok(())
    }

    fn captured(&mut self, captured: &Captured) -> Wrote<()> {
        let Captured { session_id, expires_in, expires_at, idle, kept, resumed, reason_code, named } =
            captured;
        if *captured == Captured::default() {
            return Ok(());
        }
        self.section("[capture]");
        for (key, place) in [("session_id", session_id), ("reason_code", reason_code)] {
            if let Some(at) = place {
                self.entry(key, &quoted(at));
            }
        }
        for (key, place) in [("expires_in", expires_in), ("idle", idle), ("kept", kept)] {
            if let Some(InUnit { at, unit }) = place {
                let end = if *unit == Unit::Seconds { "s" } else { "ms" };
                self.entry(&format!("{key}_{end}"), &quoted(at));
            }
        }
        if let Some(InForm { at, form }) = expires_at {
            let Some(key) = word(&EXPIRES_AT, form) else {
                return self.cannot("there is no word for this form");
            };
            self.entry(key, &quoted(at));
        }
        if !named.is_empty() {
            let named: Vec<_> =
                named.iter().map(|(name, at)| format!("{} = {}", key_of(name), quoted(at))).collect();
            self.entry("named", &format!("{{ {} }}", named.join(", ")));
        }
        match resumed {
            None => {}
            Some(Resumed::SameSession) => self.entry("resumed", "\"same_session\""),
            Some(Resumed::Message(matcher)) => {
                let matcher = self.matcher(matcher)?;
                self.entry("resumed", &matcher);
            }
        }
        Ok(())
    }

    fn requests(&mut self, requests: &Requests) -> Wrote<()> {
        let Requests { id, reply_id, errors, interim } = requests;
        self.section("[request]");
        self.entry("id", &quoted(id));
        if *reply_id != [id.clone()] {
            let places: Vec<_> = reply_id.iter().map(|at| quoted(at)).collect();
            self.entry("reply_id", &one_or_array(&places));
        }
        self.some_matchers("error", errors)?;
        self.some_matchers("interim", interim)
    }

    fn renewal(&mut self, renewal: &Renewal) -> Wrote<()> {
        let (asked_by, when) = match renewal {
            Renewal::Never => return Ok(()),
            Renewal::InBand { send, accepted, asked_by, when } => {
                self.section("[renew]");
                self.entry("how", "\"in_band\"");
                self.template("send", send);
                self.matchers("accepted", accepted)?;
                (asked_by, when)
            }
            Renewal::Reconnect { overlap, asked_by, when } => {
                self.section("[renew]");
                self.entry("how", "\"reconnect\"");
                if !overlap {
                    self.entry("overlap", "false");
                }
                (asked_by, when)
            }
        };
        self.some_matchers("asked_by", asked_by)?;
        self.word("when", word(&TIMES, when), TIMES[0].0)
    }

    fn rule(&mut self, rule: &Rule) -> Wrote<()> {
        let Rule { phases, after, on, verdict } = rule;
        self.section("[[rule]]");
        match on {
            On::Status(codes) => self.codes("status", codes),
            On::Close { codes, reason } => {
                self.codes("close", codes);
                if let Some(reason) = reason {
                    self.entry("reason", &quoted(reason));
                }
            }
            On::Message(matcher) => {
                let matcher = self.matcher(matcher)?;
                self.entry("message", &matcher);
            }
            On::Timeout => self.entry("timeout", "true"),
            On::Transport => self.entry("transport", "true"),
        }
        if !phases.is_empty() {
            let phases: Vec<_> = phases.iter().filter_map(|phase| word(&PHASES, phase)).map(quoted).collect();
            self.entry("phase", &one_or_array(&phases));
        }
        if !after.is_zero() {
            self.duration("after", *after);
        }
        self.word("means", word(&VERDICTS, verdict), "")
    }

    fn codes(&mut self, key: &str, codes: &Codes) {
        let Codes { ranges, or_none } = codes;
        let none = or_none.then(|| quoted("none"));
        let ranges = ranges.iter().map(|range| match (range.start(), range.end()) {
            (low, high) if low == high => low.to_string(),
            (low, high) => quoted(&format!("{low}-{high}")),
        });
        self.entry(key, &one_or_array(&ranges.chain(none).collect::<Vec<_>>()));
    }

    fn duration(&mut self, key: &str, duration: Duration) {
        if duration.subsec_nanos() == 0 {
            self.entry(&format!("{key}_s"), &duration.as_secs().to_string());
        } else {
            self.entry(&format!("{key}_ms"), &duration.as_millis().to_string());
        }
    }

    /// Matchers, where there are any: none is the default.
    fn some_matchers(&mut self, key: &str, matchers: &[Matcher]) -> Wrote<()> {
        if matchers.is_empty() { Ok(()) } else { self.matchers(key, matchers) }
    }

    fn matchers(&mut self, key: &str, matchers: &[Matcher]) -> Wrote<()> {
        let matchers = matchers.iter().map(|matcher| self.matcher(matcher)).collect::<Wrote<Vec<_>>>()?;
        self.entry(key, &one_or_array(&matchers));
        Ok(())
    }

    fn matcher(&self, matcher: &Matcher) -> Wrote<String> {
        let conditions = self.conditions(matcher)?;
        let conditions: Vec<_> =
            conditions.iter().map(|(at, condition)| format!("{} = {condition}", key_of(at))).collect();
        Ok(if conditions.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", conditions.join(", ")) })
    }

    fn conditions(&self, matcher: &Matcher) -> Wrote<Vec<(String, String)>> {
        let conditions = matcher.conditions();
        for (index, (at, _)) in conditions.iter().enumerate() {
            if conditions[..index].iter().any(|(other, _)| other == at) {
                return self.cannot("a matcher has at most one condition for each place");
            }
        }
        Ok(conditions.iter().map(|(at, condition)| (at.clone(), self::condition(condition))).collect())
    }
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Equals(value) => wanted(value),
        Condition::OneOf(values) => {
            let values: Vec<_> = values.iter().map(wanted).collect();
            format!("[{}]", values.join(", "))
        }
        Condition::Between(low, high) => format!("{{ between = [{low}, {high}] }}"),
        Condition::Contains(text) => format!("{{ contains = {} }}", quoted(text)),
        Condition::Exists(exists) => format!("{{ exists = {exists} }}"),
    }
}

/// A value that is looked for: a scalar as it is, anything else as JSON.
fn wanted(value: &Value) -> String {
    match value {
        Value::String(_) | Value::Bool(_) | Value::Number(_) => {
            toml(value).unwrap_or_else(|| format!("{{ json = {} }}", quoted(&value.to_string())))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => {
            format!("{{ json = {} }}", quoted(&value.to_string()))
        }
    }
}

/// A message of JSON, if TOML can say it.
fn message(form: &Value) -> Option<String> {
    if form.is_object() || form.is_array() { toml(form) } else { None }
}

//! Reading a description, section by section.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::InvalidDescription;
use super::node::{Document, Node, Table};
use super::parts::pointer;
use super::words::{CODECS, HOWS, How, PHASES, RECONNECTIONS, TIMES, USES, VERDICTS};
use crate::dialect::template::KNOWN;
use crate::dialect::{
    Acceptance, Captured, Dialect, Farewell, Matcher, On, Ping, Placement, Renewal, RenewalTime, Reply,
    Requests, Resumed, Rule, Step, SubprotocolEntry, Template, Trigger,
};

type Read<T> = Result<T, InvalidDescription>;

const STATUSES: RangeInclusive<u16> = 100..=599;
const CLOSE_CODES: RangeInclusive<u16> = 1000..=4999;

impl<'a> Document<'a> {
    /// The dialect as it is written, which may still make no sense as a whole.
    pub(super) fn dialect(&self) -> Read<Dialect> {
        let mut root = self.root()?;
        let name = root.must("name", "people and the command line know the dialect by it")?;
        let mut dialect = Dialect::new(name.text()?.to_owned());
        if dialect.name.is_empty()
            || dialect.name.len() > 64
            || !dialect.name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(name.wrong("a name is 1 to 64 visible characters of ASCII, without blanks"));
        }
        if let Some(node) = root.take("codec") {
            dialect.codec = node.word(&CODECS)?;
        }
        if let Some(node) = root.take("use") {
            dialect.credential_use = node.word(&USES)?;
        }
        if let Some(node) = root.take("reconnect") {
            dialect.reconnection = node.word(&RECONNECTIONS)?;
        }
        if let Some(node) = root.take("place") {
            dialect.placement = self.placement(node)?;
        }
        if let Some(node) = root.take("login") {
            dialect.login = self.each(&node, |table| self.step(table))?;
        }
        if let Some(node) = root.take("accept") {
            dialect.acceptance = self.acceptance(node)?;
        }
        if let Some(node) = root.take("capture") {
            dialect.captured = self.captured(node)?;
        }
        if let Some(node) = root.take("renew") {
            dialect.renewal = self.renewal(node, &dialect)?;
        }
        if let Some(node) = root.take("reply") {
            dialect.replies = self.each(&node, |table| self.reply(table))?;
        }
        if let Some(node) = root.take("request") {
            dialect.requests = Some(self.requests(node)?);
        }
        if let Some(node) = root.take("ping") {
            dialect.ping = self.ping(node)?;
        }
        if let Some(node) = root.take("heartbeat") {
            dialect.heartbeats = self.matchers(&node, false)?;
        }
        if let Some(node) = root.take("farewell") {
            dialect.farewell = Some(self.farewell(node)?);
        }
        if let Some(node) = root.take("rule") {
            dialect.rules = self.each(&node, |table| self.rule(table))?;
        }
        root.finish()?;
        Ok(dialect)
    }

    /// One table or an array of them, each read to its end.
    fn each<T>(&self, node: &Node<'a>, read: impl Fn(&mut Table<'a>) -> Read<T>) -> Read<Vec<T>> {
        let tables = self.one_or_more(node).into_iter().map(|node| {
            let mut table = self.table_of(node)?;
            let value = read(&mut table)?;
            table.finish()?;
            Ok(value)
        });
        tables.collect()
    }

    fn placement(&self, node: Node<'a>) -> Read<Placement> {
        let mut table = self.table_of(node)?;
        let mut placement = Placement {
            headers: self.named_templates(&mut table, "headers")?,
            query: self.named_templates(&mut table, "query")?,
            cookies: self.named_templates(&mut table, "cookies")?,
            ..Placement::default()
        };
        if let Some(node) = table.take("subprotocols") {
            let entries = self.one_or_more(&node);
            placement.subprotocols =
                entries.into_iter().map(|node| self.subprotocol(node)).collect::<Read<_>>()?;
        }
        if let Some(node) = table.take("url") {
            placement.is_url = node.flag()?;
        }
        table.finish()?;
        Ok(placement)
    }

    fn named_templates(&self, table: &mut Table<'a>, key: &'static str) -> Read<Vec<(String, Template)>> {
        let Some(node) = table.take(key) else { return Ok(Vec::new()) };
        let entries = self.table_of(node)?.rest().into_iter().map(|(name, node)| {
            if name.is_empty() {
                return Err(node.wrong("a name is missing before the equals sign"));
            }
            Ok((name.to_owned(), self.message(&node)?))
        });
        entries.collect()
    }

    fn subprotocol(&self, node: Node<'a>) -> Read<SubprotocolEntry> {
        if node.is_text() {
            let text = node.text()?;
            return Ok(match text.contains("${") {
                true => SubprotocolEntry::Credential(Template::text(text)),
                false => SubprotocolEntry::Name(text.to_owned()),
            });
        }
        let mut table = self.table_of(node)?;
        let prefix = table.must("prefix", "it stands before the encoded form")?.text()?.to_owned();
        let form = self.template(&mut table, "form", "form_json")?;
        let form = form.ok_or_else(|| table.wrong("`form` is missing: the object to encode"))?;
        table.finish()?;
        Ok(SubprotocolEntry::Json { prefix, form })
    }

    fn step(&self, table: &mut Table<'a>) -> Read<Step> {
        let on = match table.take("on") {
            None => Trigger::Open,
            Some(node) => Trigger::Message(self.matcher(&node, true)?),
        };
        Ok(Step { on, send: self.send(table)? })
    }

    fn reply(&self, table: &mut Table<'a>) -> Read<Reply> {
        let on = table.must("on", "the message that is answered")?;
        Ok(Reply { on: self.matcher(&on, false)?, send: self.send(table)? })
    }

    fn send(&self, table: &mut Table<'a>) -> Read<Template> {
        let send = self.template(table, "send", "send_json")?;
        send.ok_or_else(|| table.wrong("`send` is missing: the message to send"))
    }

    fn acceptance(&self, node: Node<'a>) -> Read<Acceptance> {
        let mut table = self.table_of(node)?;
        let node = table.must("message", "without `accept`, the upgrade itself is the acceptance")?;
        let any_of = self.matchers(&node, true)?;
        if any_of.is_empty() {
            return Err(node.wrong("no message would ever be the acceptance"));
        }
        let within = self.duration(&mut table, "within_s", "within_ms")?;
        table.finish()?;
        Ok(Acceptance::Message { any_of, within })
    }

    fn captured(&self, node: Node<'a>) -> Read<Captured> {
        let mut table = self.table_of(node)?;
        let (expires_in, expires_at) = self.expiry(&mut table)?;
        let mut captured = Captured {
            session_id: table.take("session_id").map(|node| pointer(&node)).transpose()?,
            expires_in,
            expires_at,
            idle: self.in_unit(&mut table, "idle_s", "idle_ms")?,
            kept: self.in_unit(&mut table, "kept_s", "kept_ms")?,
            reason_code: table.take("reason_code").map(|node| pointer(&node)).transpose()?,
            ..Captured::default()
        };
        if let Some(node) = table.take("resumed") {
            captured.resumed = Some(if node.is_text() {
                node.word(&[("same_session", ())]).map(|()| Resumed::SameSession)?
            } else {
                Resumed::Message(self.matcher(&node, false)?)
            });
        }
        if let Some(node) = table.take("named") {
            for (name, node) in self.table_of(node)?.rest() {
                let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
                if name.is_empty() || !name.bytes().all(is_plain) || KNOWN.contains(&name) {
                    return Err(node.wrong(
                        "the name of a capture is of small letters, digits and underscores, and none that placeholders have already",
                    ));
                }
                captured.named.insert(name.to_owned(), pointer(&node)?);
            }
        }
        table.finish()?;
        Ok(captured)
    }

    fn requests(&self, node: Node<'a>) -> Read<Requests> {
        let mut table = self.table_of(node)?;
        let id = table.must("id", "the place in a request for its identifier")?;
        let mut requests = Requests::new(pointer(&id)?);
        if let Some(node) = table.take("reply_id") {
            requests.reply_id = self.one_or_more(&node).iter().map(pointer).collect::<Read<_>>()?;
            if requests.reply_id.is_empty() {
                return Err(node.wrong("no message would ever be a reply; leave it away where it is as `id`"));
            }
        }
        if let Some(node) = table.take("error") {
            requests.errors = self.matchers(&node, false)?;
        }
        if let Some(node) = table.take("interim") {
            requests.interim = self.matchers(&node, false)?;
        }
        table.finish()?;
        Ok(requests)
    }

    fn renewal(&self, node: Node<'a>, dialect: &Dialect) -> Read<Renewal> {
        let mut table = self.table_of(node)?;
        let how = table.must("how", "`never`, `in_band` or `reconnect`")?.word(&HOWS)?;
        let renewal = match how {
            How::Never => Renewal::Never,
            How::InBand => {
                let send = self.template(&mut table, "send", "send_json")?;
                let again = || dialect.login.iter().rev().find(|step| step.send.has_credential());
                let send = send.or_else(|| again().map(|step| step.send.clone()));
                let send = send.ok_or_else(|| {
                    table.wrong("`send` is missing: the message that renews, as no message of the login holds the credential")
                })?;
                let accepted = match (table.take("accepted"), &dialect.acceptance) {
                    (Some(node), _) => self.matchers(&node, false)?,
                    (None, Acceptance::Message { any_of, .. }) => {
                        if any_of.iter().any(|matcher| matcher.conditions().is_empty()) {
                            return Err(table.wrong(
                                "`accepted` is missing: any message accepts the login, and the user's must not accept a renewal",
                            ));
                        }
                        any_of.clone()
                    }
                    (None, Acceptance::Upgrade) => Vec::new(),
                };
                let (asked_by, when) = self.renewal_time(&mut table)?;
                Renewal::InBand { send, accepted, asked_by, when }
            }
            How::Reconnect => {
                let overlap = table.take("overlap").map_or(Ok(true), |node| node.flag())?;
                let (asked_by, when) = self.renewal_time(&mut table)?;
                Renewal::Reconnect { overlap, asked_by, when }
            }
        };
        table.finish()?;
        Ok(renewal)
    }

    fn renewal_time(&self, table: &mut Table<'a>) -> Read<(Vec<Matcher>, RenewalTime)> {
        let asked_by = match table.take("asked_by") {
            Some(node) => self.matchers(&node, false)?,
            None => Vec::new(),
        };
        let when = table.take("when").map_or(Ok(RenewalTime::Early), |node| node.word(&TIMES))?;
        Ok((asked_by, when))
    }

    fn ping(&self, node: Node<'a>) -> Read<Ping> {
        if node.is_text() {
            return Ok(match node.word(&[("frame", true), ("never", false)])? {
                true => Ping::Frame,
                false => Ping::Never,
            });
        }
        let mut table = self.table_of(node)?;
        let send = self.send(&mut table)?;
        table.finish()?;
        Ok(Ping::Message(send))
    }

    fn farewell(&self, node: Node<'a>) -> Read<Farewell> {
        let mut table = self.table_of(node)?;
        let send = self.send(&mut table)?;
        let answered = table.take("answered").map_or(Ok(Vec::new()), |node| self.matchers(&node, false))?;
        table.finish()?;
        Ok(Farewell { send, answered })
    }

    fn rule(&self, table: &mut Table<'a>) -> Read<Rule> {
        let mut found = Vec::new();
        if let Some(node) = table.take("status") {
            found.push(On::Status(self.codes(&node, &STATUSES, false)?));
        }
        let close = table.take("close").map(|node| self.codes(&node, &CLOSE_CODES, true)).transpose()?;
        match (close, table.take("reason")) {
            (Some(codes), reason) => found.push(On::Close { codes, reason: reason_of(reason.as_ref())? }),
            (None, Some(node)) => return Err(node.wrong("only a `close` has a reason")),
            (None, None) => {}
        }
        if let Some(node) = table.take("message") {
            found.push(On::Message(self.matcher(&node, false)?));
        }
        for (key, on) in [("timeout", On::Timeout), ("transport", On::Transport)] {
            match table.take(key) {
                Some(node) if !node.flag()? => return Err(node.wrong("leave it away where it is not meant")),
                Some(_) => found.push(on),
                None => {}
            }
        }
        let phases = match table.take("phase") {
            None => Vec::new(),
            Some(node) => {
                let phases = self.one_or_more(&node);
                if phases.is_empty() {
                    return Err(node.wrong("no phase is meant; leave it away where any is"));
                }
                phases.iter().map(|node| node.word(&PHASES)).collect::<Read<_>>()?
            }
        };
        let after = self.duration(table, "after_s", "after_ms")?.unwrap_or(Duration::ZERO);
        let verdict = table.must("means", "the verdict")?.word(&VERDICTS)?;
        match (found.pop(), found.is_empty()) {
            (Some(on), true) => Ok(Rule { phases, after, on, verdict }),
            _ => Err(table.wrong("say one of `status`, `close`, `message`, `timeout` and `transport`")),
        }
    }
}

fn reason_of(node: Option<&Node<'_>>) -> Read<Option<String>> {
    let Some(node) = node else { return Ok(None) };
    match node.text()? {
        "" => Err(node.wrong("every reason contains the empty one; leave it away where any will do")),
        text => Ok(Some(text.to_owned())),
    }
}

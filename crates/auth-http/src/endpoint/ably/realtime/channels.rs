//! What a connection does on channels: attaches, publishes, enters presence, each within its capability.

use auth_core::ably::ErrorCode;
use auth_core::capability::Operation;
use auth_core::time::Now;
use serde_json::{Value, json};

use super::super::caller::check_name;
use super::super::{Caller, Refusal, code};
use super::modes::Modes;
use super::protocol::{Frame, action, channel_failure, error};
use super::publication::named;
use super::{Connection, MOST_CHANNELS, Output, Publication};

/// A channel that a connection is attached to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attachment {
    requested: Modes,
    granted: Modes,
}

/// The flag of an `ATTACHED` that interrupts nothing (TR3c).
const RESUMED: u32 = 1 << 2;

impl Connection {
    /// Whether the connection is to be told what is published on a channel, by that connection if it was by one.
    #[must_use]
    pub fn hears(&self, channel: &str, connection_id: Option<&str>) -> bool {
        let attachment = self.attachments.get(channel);
        attachment.is_some_and(|attachment| attachment.granted.contains(Modes::SUBSCRIBE))
            && (self.echo || connection_id != Some(self.connection_id()))
    }

    pub(super) fn attach(&mut self, now: Now, caller: &Caller, frame: &Frame) {
        let channel = frame.channel.as_deref().unwrap_or_default();
        let modes = frame.params.as_ref().and_then(|params| params.get("modes")?.as_str());
        let requested = Modes::requested(modes, frame.flags.unwrap_or_default());
        let granted = check_name(channel).and_then(|()| granted(caller, channel, requested));
        let granted = granted.and_then(|granted| {
            if self.attachments.len() < MOST_CHANNELS || self.attachments.contains_key(channel) {
                return Ok(granted);
            }
            let text =
                "a connection can be attached to 200 channels; detach from one, or open another connection";
            Err(Refusal::new(code::TOO_MANY_CHANNELS, text))
        });
        match granted {
            Ok(granted) => {
                let attachment = Attachment { requested, granted };
                if self.attachments.insert(channel.to_owned(), attachment).is_none() {
                    self.outputs.push_back(Output::Join { channel: channel.to_owned() });
                }
                self.attached(now, channel, granted.flags());
            }
            Err(refusal) => self.fail_channel(channel, &refusal),
        }
    }

    fn attached(&mut self, now: Now, channel: &str, flags: u32) {
        let serial = format!("{:014}-000@{}", now.wall.as_millis(), self.connection_id());
        self.say(&json!({
            "action": action::ATTACHED, "channel": channel, "channelSerial": serial, "flags": flags,
        }));
    }

    pub(super) fn detach(&mut self, frame: &Frame) {
        let channel = frame.channel.as_deref().unwrap_or_default();
        self.leave(channel);
        self.say(&json!({ "action": action::DETACHED, "channel": channel }));
    }

    /// Looks at each attachment again, after the capability has changed.
    pub(super) fn recheck_attachments(&mut self, now: Now, caller: &Caller) {
        for (channel, Attachment { requested, granted: before }) in self.attachments.clone() {
            match granted(caller, &channel, requested) {
                Ok(granted) if granted == before => {}
                Ok(granted) => {
                    self.attachments.insert(channel.clone(), Attachment { requested, granted });
                    self.attached(now, &channel, granted.flags() | RESUMED);
                }
                Err(refusal) => self.fail_channel(&channel, &refusal),
            }
        }
    }

    fn fail_channel(&mut self, channel: &str, refusal: &Refusal) {
        self.leave(channel);
        self.say(&channel_failure(channel, refusal));
    }

    fn leave(&mut self, channel: &str) {
        if self.attachments.remove(channel).is_some() {
            self.outputs.push_back(Output::Leave { channel: channel.to_owned() });
        }
    }

    pub(super) fn publish(&mut self, now: Now, caller: &Caller, frame: &Frame) {
        let channel = frame.channel.as_deref().unwrap_or_default();
        let messages = frame.messages.as_deref().unwrap_or_default();
        let id = format!("{}:{}", self.connection_id(), self.published);
        let publication = Publication::new(now, caller, channel, Some(self.connection_id()), &id, messages);
        match publication {
            Ok(publication) => {
                self.published += 1;
                self.acknowledge(frame, Ok(json!([{ "serials": publication.serials }])));
                self.outputs.push_back(Output::Publish(publication));
            }
            Err(refusal) => self.acknowledge(frame, Err(&refusal)),
        }
    }

    /// Who enters is checked, and told to nobody.
    pub(super) fn enter(&mut self, caller: &Caller, frame: &Frame) {
        let channel = frame.channel.as_deref().unwrap_or_default();
        let entered = caller.require(Operation::Presence, channel).and_then(|()| {
            for member in frame.presence.as_deref().unwrap_or_default() {
                let malformed = || Refusal::new(ErrorCode::BAD_REQUEST, "who is present is an object");
                if named(caller, member.as_object().ok_or_else(malformed)?)?.is_none() {
                    let text = "presence needs a clientId; get a token for one";
                    return Err(Refusal::new(ErrorCode::INVALID_CLIENT_ID, text));
                }
            }
            Ok(())
        });
        match entered {
            Ok(()) => self.acknowledge(frame, Ok(Value::Null)),
            Err(refusal) => self.acknowledge(frame, Err(&refusal)),
        }
    }

    /// Answers a frame that wants an answer, with what came of it.
    pub(super) fn acknowledge(&mut self, frame: &Frame, came: Result<Value, &Refusal>) {
        // A serial of 0 is written out as well: the libraries miss it otherwise.
        let mut answer = json!({ "msgSerial": frame.msg_serial.unwrap_or_default(), "count": 1 });
        match came {
            Ok(result) => {
                answer["action"] = json!(action::ACK);
                if !result.is_null() {
                    answer["res"] = result;
                }
            }
            Err(refusal) => {
                answer["action"] = json!(action::NACK);
                answer["error"] = error(refusal.info());
            }
        }
        self.say(&answer);
    }
}

/// The modes that a caller gets on a channel.
fn granted(caller: &Caller, channel: &str, requested: Modes) -> Result<Modes, Refusal> {
    let granted = requested.permitted(caller.capability.operations_on(channel));
    if !granted.is_empty() {
        return Ok(granted);
    }
    caller.require(requested.first_needed(), channel)?;
    let text =
        "none of the modes that were asked for is served; leave them out, or ask for publish or subscribe";
    Err(Refusal::new(ErrorCode::CAPABILITY, text))
}

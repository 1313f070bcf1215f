//! What is published: checked, and stamped with who it is from and when.

use auth_core::ably::ErrorCode;
use auth_core::capability::Operation;
use auth_core::time::Now;
use serde_json::{Map, Value, json};

use super::super::{Caller, Refusal, code};
use super::protocol::action;
use super::{LARGEST_FRAME, LARGEST_MESSAGE, MOST_MESSAGES};

/// Messages that were published together, as they are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Publication {
    /// The channel.
    pub channel: String,
    /// The connection that published them; `None` if they came by REST.
    pub connection_id: Option<String>,
    /// The frame that says it.
    pub frame: String,
    /// Under which names the messages would be found.
    pub serials: Vec<String>,
    /// The name of the first message, or that which its publisher gave it.
    pub message_id: String,
}

/// What a message can consist of; the rest is left out.
const MEMBERS: [&str; 5] = ["name", "data", "encoding", "extras", "id"];

impl Publication {
    /// Checks messages, and stamps them. `id` must be another for each publication.
    ///
    /// # Errors
    ///
    /// 40160 when the capability does not allow it, 40010 for a channel that can't be, 40012 for a message in somebody else's
    /// name (RSL1m), 40009 when they are longer than [`LARGEST_MESSAGE`], more than
    /// [`MOST_MESSAGES`], or stamped too long for a frame of [`LARGEST_FRAME`], 40000 when they are no messages.
    pub fn new(
        now: Now,
        caller: &Caller,
        channel: &str,
        connection_id: Option<&str>,
        id: &str,
        messages: &[Value],
    ) -> Result<Self, Refusal> {
        caller.require(Operation::Publish, channel)?;
        let malformed = || Refusal::new(ErrorCode::BAD_REQUEST, "publish a message, or a list of messages");
        if messages.is_empty() {
            return Err(malformed());
        }
        let too_large = |text| Err(Refusal::new(code::TOO_LARGE, text));
        // Each costs memory however short it is: it is stamped.
        if messages.len() > MOST_MESSAGES {
            return too_large("up to 1,000 messages can be published at once; publish them in several lists");
        }
        let mut size = 0;
        let mut serials = Vec::new();
        let mut stamped = Vec::new();
        let timestamp = now.wall.as_millis();
        for (index, message) in messages.iter().enumerate() {
            let message = message.as_object().ok_or_else(malformed)?;
            if message.get("action").is_some_and(|action| !action.is_null() && *action != 0) {
                let text = "messages are kept by nobody here, so none can be changed or deleted";
                return Err(Refusal::new(ErrorCode::BAD_REQUEST, text));
            }
            size += size_of(message);
            let serial = format!("{timestamp:014}-000@{id}:{index:03}");
            stamped.push(stamp(caller, message, &serial, timestamp)?);
            serials.push(serial);
        }
        if size > LARGEST_MESSAGE {
            return too_large("messages of up to 64 KiB can be published at once; this is more");
        }
        let own_id = stamped.first().and_then(|message| message["id"].as_str().map(str::to_owned));
        let mut frame = json!({
            "action": action::MESSAGE,
            "id": id,
            "channel": channel,
            "channelSerial": format!("{timestamp:014}-000@{id}"),
            "timestamp": timestamp,
            "messages": stamped,
        });
        if let Some(connection_id) = connection_id {
            frame["connectionId"] = json!(connection_id);
        }
        let frame = frame.to_string();
        // The size of a message counts neither its id nor its encoding, nor the names that it gets.
        if frame.len() > LARGEST_FRAME {
            return too_large("the messages do not fit into a frame of 256 KiB; publish fewer at once");
        }
        Ok(Self {
            channel: channel.to_owned(),
            connection_id: connection_id.map(str::to_owned),
            frame,
            serials,
            message_id: own_id.unwrap_or_else(|| format!("{id}:0")),
        })
    }
}

fn stamp(
    caller: &Caller,
    message: &Map<String, Value>,
    serial: &str,
    timestamp: u64,
) -> Result<Value, Refusal> {
    let client_id = named(caller, message)?;
    let given = MEMBERS.iter().filter_map(|member| Some((*member, message.get(*member)?)));
    let given = given.filter(|(_, value)| !value.is_null());
    let mut stamped: Map<String, Value> =
        given.map(|(member, value)| (member.to_owned(), value.clone())).collect();
    if let Some(client_id) = client_id {
        stamped.insert("clientId".to_owned(), json!(client_id));
    }
    stamped.insert("action".to_owned(), json!(0));
    stamped.insert("serial".to_owned(), json!(serial));
    stamped.insert("version".to_owned(), json!({ "serial": serial, "timestamp": timestamp }));
    Ok(Value::Object(stamped))
}

/// Whom a message is from, or somebody who enters presence.
pub(super) fn named(caller: &Caller, message: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let named = match message.get("clientId") {
        None | Some(Value::Null) => None,
        Some(Value::String(client_id)) => Some(client_id.as_str()),
        Some(_) => return Err(Refusal::new(ErrorCode::INVALID_CLIENT_ID, "a clientId is a text")),
    };
    Ok(caller.message_client_id(named)?.map(|client_id| client_id.as_str().to_owned()))
}

/// The size of a message (TO3l8): that of its name, data, clientId and extras.
fn size_of(message: &Map<String, Value>) -> usize {
    let size = |member: &str| match message.get(member) {
        None | Some(Value::Null) => 0,
        Some(Value::String(text)) => text.len(),
        Some(value) => value.to_string().len(),
    };
    size("name") + size("data") + size("clientId") + size("extras")
}

//! Requests and their replies, where a service numbers them.

use serde_json::Value;

use super::Matcher;
use super::matcher::{place, value_at};

/// How a reply is told from other messages, and which request it answers. Places are JSON pointers (RFC 6901).
///
/// For messages of JSON: neither [Socket.IO](super::Codec::EngineIo) nor [NATS](super::Codec::Nats) numbers its replies in them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Requests {
    /// Where in a request its identifier goes: a random UUID, unless something stands there already.
    pub id: String,
    /// Where in a reply it comes back: the first place at which there is something.
    pub reply_id: Vec<String>,
    /// Replies that say that the request failed.
    pub errors: Vec<Matcher>,
    /// Replies after which another comes, such as one that says that the work has begun: the request waits on, and they are its
    /// session's reader's. One that says that the request failed is never such.
    pub interim: Vec<Matcher>,
}

impl Requests {
    /// Requests whose identifier goes to this place, and comes back at the same; each reply is the last, and none says that a request
    /// failed.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        Self { reply_id: vec![id.clone()], id, errors: Vec::new(), interim: Vec::new() }
    }

    /// Gives a request its identifier, the one it has or this one; `None` if it has no place for one, or what stands there is neither a text
    /// nor a number.
    pub fn identify(&self, request: &mut Value, fresh: &str) -> Option<Value> {
        if !request.is_object() && !request.is_array() {
            return None;
        }
        let place = place(request, &self.id)?;
        if place.is_null() {
            *place = Value::from(fresh);
        }
        (place.is_string() || place.is_number()).then(|| place.clone())
    }

    /// The identifier of the request that a message answers, if it is a reply.
    #[must_use]
    pub fn answered<'a>(&self, message: &'a Value) -> Option<&'a Value> {
        let mut found = self.reply_id.iter().filter_map(|at| value_at(message, at));
        found.find(|id| id.is_string() || id.is_number())
    }

    /// Whether a reply says that its request failed.
    #[must_use]
    pub fn is_error(&self, reply: &Value) -> bool {
        self.errors.iter().any(|matcher| matcher.matches(reply))
    }

    /// Whether another reply comes after this one.
    #[must_use]
    pub fn is_interim(&self, reply: &Value) -> bool {
        self.interim.iter().any(|matcher| matcher.matches(reply)) && !self.is_error(reply)
    }

    /// Whether a message with this text may be a reply, by a test that parses nothing. `false` is certain.
    #[must_use]
    pub fn may_answer(&self, text: &str) -> bool {
        let last = |at: &String| {
            at.rsplit('/').next().is_none_or(|name| {
                // An element of an array has no name that stands in the text.
                let is_index = name.bytes().all(|byte| byte.is_ascii_digit());
                is_index || name.contains('~') || text.contains(name)
            })
        };
        self.reply_id.iter().any(last) || text.contains("\\u")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_keeps_the_identifier_that_it_has() {
        let requests = Requests::new("/headers/correlationId");
        let mut bare = json!({"action": "message"});
        assert_eq!(requests.identify(&mut bare, "fresh"), Some(json!("fresh")));
        assert_eq!(bare, json!({"action": "message", "headers": {"correlationId": "fresh"}}));
        let mut own = json!({"headers": {"correlationId": 7, "tenantId": "t"}});
        let before = own.clone();
        assert_eq!((requests.identify(&mut own, "fresh"), own), (Some(json!(7)), before));
        for unfit in [json!("text"), json!(null), json!({"headers": {"correlationId": {}}})] {
            assert_eq!(requests.identify(&mut unfit.clone(), "fresh"), None, "{unfit}");
        }
    }

    #[test]
    fn a_reply_is_known_by_the_first_place_that_has_an_identifier() {
        let optave = Dialect::optave().requests.unwrap();
        let answered = |message: &Value| optave.answered(message).cloned();
        assert_eq!(
            answered(&json!({"headers": {"correlationId": "a"}, "correlationId": "b"})),
            Some(json!("a"))
        );
        assert_eq!(answered(&json!({"correlationId": "b"})), Some(json!("b")));
        assert_eq!(answered(&json!({"headers": {"correlationId": null}})), None);
        assert_eq!(answered(&json!(["correlationId"])), None);
        assert!(!optave.may_answer(r#"{"news":1}"#));
        assert!(optave.may_answer(r#"{"correlation\u0049d":1}"#));
    }

    #[test]
    fn an_element_of_an_array_has_no_name_that_could_be_looked_for() {
        let phoenix = Requests::new("/1");
        let reply = r#"[null,7,"room","phx_reply",{}]"#;
        assert_eq!(phoenix.answered(&serde_json::from_str(reply).unwrap()), Some(&json!(7)));
        assert!(phoenix.may_answer(reply));
        assert!(!Requests::new("/1/id").may_answer(reply), "the control");
    }

    #[test]
    fn an_error_of_optave_is_known_by_any_of_four_marks() {
        let optave = Dialect::optave().requests.unwrap();
        for error in [
            json!({"state": "error"}),
            json!({"actionType": "error"}),
            json!({"error": {"code": "X"}, "state": "started"}),
            json!({"payload": {"state": "error"}}),
        ] {
            assert!(optave.is_error(&error) && !optave.is_interim(&error), "{error}");
        }
        assert!(!optave.is_error(&json!({"state": "completed", "payload": {"error": 1}})));
    }

    #[test]
    fn what_optave_has_only_begun_is_not_its_last_word() {
        let optave = Dialect::optave().requests.unwrap();
        for begun in [json!({"state": "started"}), json!({"payload": {"state": "started"}})] {
            assert!(optave.is_interim(&begun), "{begun}");
        }
        for last in
            [json!({"state": "completed"}), json!({"payload": {"state": "completed"}}), json!({"payload": 1})]
        {
            assert!(!optave.is_interim(&last), "{last}");
        }
    }

    use super::super::Dialect;
}

//! Parameters in a query or a form, in layers of which later ones win.

use auth_core::Secret;
use auth_core::ably::TokenParams;

/// One parameter, as it travels.
#[derive(Clone)]
pub(super) struct Parameter {
    name: String,
    encoded: Secret,
}

impl Parameter {
    pub(super) fn new(name: &str, value: &str) -> Self {
        let encoded = format!("{}={}", encoded(name), Secret::from(encoded(value)).expose());
        Self { name: name.to_owned(), encoded: Secret::from(encoded) }
    }

    /// The parameters of a query, each kept as it was written.
    pub(super) fn of_query(query: &str) -> Vec<Self> {
        let parts = query.split('&').filter(|part| !part.is_empty());
        let parameters = parts.map(|part| {
            let name = form_urlencoded::parse(part.as_bytes()).next().map(|(name, _)| name.into_owned());
            Self { name: name.unwrap_or_default(), encoded: Secret::from(part) }
        });
        parameters.collect()
    }

    /// What an auth URL is told of the token that is wanted: what the caller asks for, and nothing else (RSA8c1).
    pub(super) fn of_token(params: &TokenParams) -> Vec<Self> {
        let ttl = params.ttl().map(|ttl| ttl.as_millis().to_string());
        let timestamp = params.timestamp().map(|timestamp| timestamp.as_millis().to_string());
        let named = [
            ("clientId", params.client_id().map(|client_id| client_id.as_str())),
            ("ttl", ttl.as_deref()),
            ("capability", params.capability().map(|capability| capability.canonical_text())),
            ("timestamp", timestamp.as_deref()),
            ("nonce", params.nonce().map(|nonce| nonce.as_str())),
        ];
        named.into_iter().filter_map(|(name, value)| Some(Self::new(name, value?))).collect()
    }
}

/// The lower layer under the upper one: a parameter of the upper takes the place of all of that name below it.
pub(super) fn layered(lower: Vec<Parameter>, upper: Vec<Parameter>) -> Vec<Parameter> {
    let mut upper: Vec<_> = upper.into_iter().map(Some).collect();
    let named: Vec<_> = upper.iter().flatten().map(|parameter| parameter.name.clone()).collect();
    let mut layered = Vec::new();
    for parameter in lower {
        if !named.contains(&parameter.name) {
            layered.push(parameter);
            continue;
        }
        let of_that_name =
            |above: &&mut Option<Parameter>| above.as_ref().is_some_and(|above| above.name == parameter.name);
        layered.extend(upper.iter_mut().filter(of_that_name).filter_map(Option::take));
    }
    layered.extend(upper.into_iter().flatten());
    layered
}

/// The text of a query or a form.
pub(super) fn text_of(parameters: &[Parameter]) -> Secret {
    let parts: Vec<_> = parameters.iter().map(|parameter| parameter.encoded.expose()).collect();
    Secret::from(parts.join("&"))
}

/// Percent-encoding for a query, a form or a segment of a path: a blank is `%20`, which no server takes for a plus
/// sign.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth_core::ably::ClientId;
    use auth_core::time::Timestamp;

    use super::*;

    #[test]
    fn a_later_layer_takes_the_place_of_an_earlier_one() {
        let own = Parameter::of_query("a=1&conf=url&b%20c=%2B&conf=again&&flag");
        let params = vec![Parameter::new("conf", "param"), Parameter::new("foo", "b r&=+")];
        let layered = layered(own, params);
        assert_eq!(text_of(&layered).expose(), "a=1&conf=param&b%20c=%2B&flag&foo=b%20r%26%3D%2B");
    }

    #[test]
    fn one_name_several_times_in_a_layer_stays_so() {
        let twice = vec![Parameter::new("a", "2"), Parameter::new("a", "3")];
        assert_eq!(text_of(&layered(Parameter::of_query("a=1&z=0"), twice)).expose(), "a=2&a=3&z=0");
    }

    /// UTS rest/unit/TK/token-params-to-query-string-0.
    #[test]
    fn uts_tk_token_params_to_query_string_0() {
        let params = TokenParams::new()
            .with_ttl(Duration::from_millis(3_600_000))
            .with_client_id(ClientId::new("query-client").unwrap())
            .with_capability(r#"{ "ch": ["publish"] }"#.parse().unwrap());
        let text = text_of(&Parameter::of_token(&params));
        let pairs: Vec<_> = form_urlencoded::parse(text.expose().as_bytes()).collect();
        let of = |name| pairs.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_ref());
        assert_eq!(of("ttl"), Some("3600000"));
        assert_eq!(of("clientId"), Some("query-client"));
        assert_eq!(of("capability"), Some(r#"{"ch":["publish"]}"#));
        assert_eq!(pairs.len(), 3, "nothing is added");
        let params = TokenParams::new().with_timestamp(Timestamp::from_millis(5));
        assert_eq!(text_of(&Parameter::of_token(&params)).expose(), "timestamp=5");
        assert_eq!(text_of(&Parameter::of_token(&TokenParams::new())).expose(), "");
    }
}

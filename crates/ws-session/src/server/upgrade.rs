//! What an upgrade request says in a dialect's terms.

use auth_core::Secret;

use crate::dialect::{Dialect, SubprotocolEntry, Template};

/// What an upgrade request says in a dialect's terms.
#[derive(Debug)]
#[non_exhaustive]
pub struct Upgrade {
    /// The credential, where the dialect places it into the upgrade and the client did.
    pub credential: Option<Secret>,
    /// The subprotocol to select; `None` when none was offered that the dialect knows.
    pub subprotocol: Option<String>,
}

impl Upgrade {
    /// Reads the path, with its query, and the headers of a request. A credential that stands there twice is none.
    pub fn read<'a>(
        dialect: &Dialect,
        path_and_query: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let headers: Vec<_> = headers.into_iter().collect();
        let mut found = Vec::new();
        let mut take = |template: &Template, text: &str| {
            found.extend(template.read(text).flatten().filter(|credential| !credential.is_empty()));
        };
        let placement = &dialect.placement;
        for (name, value) in &headers {
            for (_, template) in
                placement.headers.iter().filter(|(wanted, _)| wanted.eq_ignore_ascii_case(name))
            {
                take(template, value);
            }
        }
        let mut offered = Vec::new();
        for (_, value) in
            headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
        {
            offered.extend(value.split(',').map(str::trim));
        }
        let is_name = |text: &str| {
            placement
                .subprotocols
                .iter()
                .any(|entry| matches!(entry, SubprotocolEntry::Name(name) if name == text))
        };
        for entry in &placement.subprotocols {
            if let SubprotocolEntry::Credential(template) = entry {
                for text in offered.iter().filter(|text| !is_name(text)) {
                    take(template, text);
                }
            }
        }
        let query = path_and_query.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            for (_, template) in placement.query.iter().filter(|(wanted, _)| wanted == name) {
                take(template, value);
            }
        }
        if placement.is_url {
            found.push(Secret::from(path_and_query));
        }
        let subprotocol = offered.iter().find(|text| is_name(text)).map(|&text| text.to_owned());
        let credential = if found.len() == 1 { found.pop() } else { None };
        Self { credential, subprotocol }
    }
}

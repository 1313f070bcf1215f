//! Random sets of token parameters, from a seed: what any of Ably's libraries may be asked to sign.

use std::fmt::Write as _;

/// One call of `createTokenRequest`. Everything that a library would draw or read itself is fixed.
pub(super) struct Set {
    pub(super) number: usize,
    pub(super) key: String,
    pub(super) ttl: Option<u64>,
    pub(super) capability: Option<Asked>,
    pub(super) client_id: Option<String>,
    pub(super) timestamp: u64,
    pub(super) nonce: String,
    /// What the verifier's clock says: within two minutes of the timestamp, either way.
    pub(super) received_at: u64,
    /// Chooses what the negative controls change.
    pub(super) salt: u64,
}

/// A capability as the caller gives it.
pub(super) struct Asked {
    /// What is asked for.
    pub(super) resources: Vec<(String, Vec<String>)>,
    /// JSON, which is either given as an object or, quoted, as text.
    json: String,
    as_text: bool,
}

/// Resources and their operations, in the caller's order.
pub(super) type Resources = [(String, Vec<String>)];

impl Set {
    /// The set of this number under this seed; each is drawn by itself, so that one can be replayed without the others.
    pub(super) fn draw(seed: u64, number: usize) -> Self {
        // Each starts elsewhere: neighbours on one stream would draw alike.
        let mut draws = Draws(Draws(seed).next() ^ Draws(number as u64).next());
        let timestamp = 1_600_000_000_000 + draws.below(400_000_000_000);
        Self {
            number,
            key: draws.one_of(&KEYS).to_owned(),
            ttl: draws.sometimes(2, 3).then(|| draws.ttl()),
            capability: draws.sometimes(4, 5).then(|| draws.capability()),
            client_id: draws.sometimes(2, 3).then(|| draws.client_id()),
            timestamp,
            nonce: draws.nonce(),
            received_at: timestamp + draws.below(240_001) - 120_000,
            salt: draws.next(),
        }
    }

    /// The line that every peer reads.
    pub(super) fn line(&self) -> String {
        let Self { number, timestamp, .. } = self;
        let mut line = format!(r#"{{"number":{number},"key":{},"timestamp":{timestamp}"#, quoted(&self.key));
        // Writing to a string does not fail.
        let _ = write!(line, r#","nonce":{}"#, quoted(&self.nonce));
        if let Some(ttl) = self.ttl {
            let _ = write!(line, r#","ttl":{ttl}"#);
        }
        if let Some(Asked { json, as_text, .. }) = &self.capability {
            let json = if *as_text { quoted(json) } else { json.clone() };
            let _ = write!(line, r#","capability":{json}"#);
        }
        if let Some(client_id) = &self.client_id {
            let _ = write!(line, r#","clientId":{}"#, quoted(client_id));
        }
        line + "}"
    }
}

/// A text as JSON writes it, with no more escapes than it needs.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// SplitMix64: a stream of numbers that stays the same whatever the version of anything.
pub(super) struct Draws(pub(super) u64);

impl Draws {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn sometimes(&mut self, times: u64, of: u64) -> bool {
        self.below(of) < times
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    fn ttl(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => 86_400_000,
            _ => self.below(86_400_001),
        }
    }

    /// Some have control characters, which these libraries sign and we refuse.
    fn client_id(&mut self) -> String {
        match self.below(40) {
            0..=2 => "*".to_owned(),
            3 => self.text(&CONTROLS, 1) + &self.text(&FRAGMENTS, 2),
            _ => {
                let pieces = 1 + self.below(3);
                self.text(&FRAGMENTS, pieces)
            }
        }
    }

    fn text(&mut self, pieces: &[&str], count: u64) -> String {
        (0..count).map(|_| self.one_of(pieces)).collect()
    }

    fn nonce(&mut self) -> String {
        let length = 16 + self.below(20);
        (0..length).map(|_| char::from(b' ' + self.below(95) as u8)).collect()
    }

    fn capability(&mut self) -> Asked {
        let mut resources: Vec<(String, Vec<String>)> = Vec::new();
        for _ in 0..=self.below(6) {
            let name = self.resource();
            if resources.iter().all(|(other, _)| *other != name) {
                let operations = self.operations();
                resources.push((name, operations));
            }
        }
        self.shuffle(&mut resources);
        let as_text = self.sometimes(1, 2);
        // Blanks and escapes that nobody needs survive only in a text.
        let json = self.json(&resources, as_text);
        Asked { resources, json, as_text }
    }

    fn resource(&mut self) -> String {
        match self.below(24) {
            0 => "*".to_owned(),
            1 => self.one_of(&INTEGERS).to_owned(),
            2 => self.one_of(&INTEGERS).to_owned() + self.one_of(&FRAGMENTS),
            3 => self.one_of(&PROPERTIES).to_owned(),
            4..=5 => self.one_of(&FRAGMENTS).to_owned() + self.one_of(&CONTROLS),
            6..=7 => self.one_of(&QUALIFIERS).to_owned() + self.one_of(&FRAGMENTS),
            8..=9 => self.one_of(&FRAGMENTS).to_owned() + ":*",
            _ => {
                let pieces = 1 + self.below(3);
                self.text(&FRAGMENTS, pieces)
            }
        }
    }

    fn operations(&mut self) -> Vec<String> {
        if self.sometimes(1, 6) {
            return vec!["*".to_owned()];
        }
        let mut operations = OPERATIONS.to_vec();
        self.shuffle(&mut operations);
        operations.truncate(1 + self.below(5) as usize);
        if self.sometimes(1, 30) {
            operations.push(operations[0]);
        }
        operations.into_iter().map(str::to_owned).collect()
    }

    fn json(&mut self, resources: &Resources, freely: bool) -> String {
        let mut json = String::new();
        let mut comma = "";
        for (name, operations) in resources {
            let name = self.string(name, freely);
            let operations: Vec<_> =
                operations.iter().map(|operation| self.string(operation, freely)).collect();
            let between = self.blank(freely) + "," + &self.blank(freely);
            json += &format!("{comma}{name}{}:{}[", self.blank(freely), self.blank(freely));
            json += &format!("{}{}]", operations.join(&between), self.blank(freely));
            comma = ",";
        }
        format!("{}{{{json}}}{}", self.blank(freely), self.blank(freely))
    }

    fn blank(&mut self, freely: bool) -> String {
        if freely { self.one_of(&["", "", " ", "\n", "\t", "\r\n  "]).to_owned() } else { String::new() }
    }

    /// A JSON string, some of whose characters are escaped without need.
    fn string(&mut self, text: &str, freely: bool) -> String {
        let mut json = String::from('"');
        for character in text.chars() {
            if freely && self.sometimes(1, 16) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(json, "\\u{unit:04X}");
                }
            } else if freely && character == '/' {
                json += "\\/";
            } else {
                let quoted = quoted(character.encode_utf8(&mut [0; 4]));
                json += &quoted[1..quoted.len() - 1];
            }
        }
        json + "\""
    }
}

const KEYS: [&str; 5] = [
    "appid1.keyid1:SecretSecretSecret",
    "xVLyHw.A-pwh7:-_3k/Zq+9==",
    "a.b:c",
    "café.ключ:pässwörd☃",
    "I2ACJQ.Lv8AUQ:01234567890123456789012345678901234567890123456789012345678901234567890123456789",
];

/// What Ably knows to do with a channel.
const OPERATIONS: [&str; 17] = [
    "subscribe",
    "publish",
    "presence",
    "message-delete-any",
    "history",
    "stats",
    "push-subscribe",
    "push-admin",
    "channel-metadata",
    "privileged-headers",
    "object-subscribe",
    "object-publish",
    "annotation-subscribe",
    "annotation-publish",
    "message-update-own",
    "message-update-any",
    "message-delete-own",
];

/// Pieces of names. The last ones sort differently by code point and by UTF-16 unit.
const FRAGMENTS: [&str; 30] = [
    "a", "B", "chat", "alice", "room", "-", "_", ".", ":", "/", " ", "#", "&", "=", "%41", "<b>", "'", "\"",
    "\\", "\\u0041", "é", "e\u{301}", "ß", "日本", "\u{2028}", "\u{7f}x", "ﬁ", "～", "😀", "𝔘",
];

const CONTROLS: [&str; 9] = ["\n", "\r", "\t", "\0", "\u{1}", "\u{8}", "\u{c}", "\u{1f}", "\u{85}"];

/// Names that JavaScript takes for indexes of an array, and some that only look so.
const INTEGERS: [&str; 9] = ["0", "1", "2", "10", "33", "4294967294", "4294967295", "007", "-1"];

const QUALIFIERS: [&str; 4] = ["[meta]", "[queue]", "[*]", "[?rewind=1]"];

/// Names that mean something to an object of JavaScript or Python.
const PROPERTIES: [&str; 5] = ["__proto__", "constructor", "hasOwnProperty", "toString", "__class__"];

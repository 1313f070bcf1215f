//! The text that a token request's MAC is over, hashed without being put together.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::TokenRequest;
use crate::ably::ApiKey;

impl TokenRequest {
    /// The MAC over the signing text: six values in a fixed order, each followed by a line feed, an absent one empty. A
    /// lifetime of zero counts as absent.
    ///
    /// The text is unambiguous because no value but the capability can have a line feed in a request that is accepted.
    pub(super) fn mac_under(&self, key: &ApiKey) -> Hmac<Sha256> {
        let mut mac = key.mac();
        let mut digits = Digits::new();
        let mut text = Lines::new(&mut mac);
        let mut line = |value: &str| text.line(value.as_bytes());
        line(&self.key_name);
        line(self.ttl.filter(|ttl| *ttl != 0).map_or("", |ttl| digits.write(ttl)));
        line(self.capability.as_str().unwrap_or_default());
        line(self.client_id.as_deref().unwrap_or_default());
        line(digits.write(self.timestamp));
        line(&self.nonce);
        text.flush();
        mac
    }
}

/// Gathers short lines before they are hashed: a dozen small updates would cost a good part of what the hash does.
struct Lines<'a> {
    mac: &'a mut Hmac<Sha256>,
    gathered: [u8; 512],
    length: usize,
}

impl<'a> Lines<'a> {
    const fn new(mac: &'a mut Hmac<Sha256>) -> Self {
        Self { mac, gathered: [0; 512], length: 0 }
    }

    fn line(&mut self, value: &[u8]) {
        let end = self.length + value.len();
        match self.gathered.get_mut(self.length..=end) {
            Some([room @ .., feed]) => {
                room.copy_from_slice(value);
                *feed = b'\n';
                self.length = end + 1;
            }
            _ => {
                self.flush();
                self.mac.update(value);
                self.mac.update(b"\n");
            }
        }
    }

    fn flush(&mut self) {
        self.mac.update(self.gathered.get(..self.length).unwrap_or_default());
        self.length = 0;
    }
}

/// Decimal digits without an allocation.
struct Digits([u8; 20]);

impl Digits {
    const fn new() -> Self {
        Self([0; 20])
    }

    fn write(&mut self, value: i64) -> &str {
        let (mut magnitude, mut start) = (value.unsigned_abs(), self.0.len());
        loop {
            start -= 1;
            self.0[start] = b'0' + (magnitude % 10) as u8;
            magnitude /= 10;
            if magnitude == 0 {
                break;
            }
        }
        if value < 0 {
            start -= 1;
            self.0[start] = b'-';
        }
        core::str::from_utf8(&self.0[start..]).unwrap_or_default()
    }
}

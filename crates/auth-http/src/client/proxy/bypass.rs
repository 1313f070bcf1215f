//! Which servers are reached without a proxy: the list of `NO_PROXY`.

use std::net::IpAddr;

/// A list of servers. `Proxy::from_environment` explains its text.
#[derive(Clone, Default)]
pub(super) struct Bypass(Vec<Entry>);

#[derive(Clone)]
enum Entry {
    Everything,
    /// A domain in lower case, perhaps itself, and one port or all.
    Domain {
        name: String,
        itself: bool,
        port: Option<u16>,
    },
    Address {
        address: IpAddr,
        port: Option<u16>,
    },
    Network {
        address: IpAddr,
        prefix: u32,
    },
}

impl Bypass {
    pub(super) fn parse(list: &str) -> Self {
        let entries = list.split([',', ' ', '\t']).filter(|text| !text.is_empty());
        Self(entries.map(Entry::parse).collect())
    }

    /// Whether a server is in the list; `host` is without brackets.
    pub(super) fn includes(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        self.0.iter().any(|entry| entry.includes(&host, address, port))
    }
}

impl Entry {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Everything;
        }
        if let Some((address, prefix)) = text.split_once('/')
            && let (Ok(address), Ok(prefix)) = (address.parse::<IpAddr>(), prefix.parse())
            && prefix <= bits(address)
        {
            return Self::Network { address, prefix };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Self::Address { address: address.to_canonical(), port: None };
        }
        let (host, port) = match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) => (host, Some(port)),
            _ => (text, None),
        };
        if let Ok(address) = super::super::dialer::bare(host).parse::<IpAddr>() {
            return Self::Address { address: address.to_canonical(), port };
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let below = host.strip_prefix("*.").or_else(|| host.strip_prefix('.'));
        let name = below.unwrap_or(&host).to_owned();
        Self::Domain { itself: below.is_none(), name, port }
    }

    fn includes(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        match self {
            Self::Everything => true,
            Self::Address { address: listed, port: only } => {
                address == Some(*listed) && only.is_none_or(|only| only == port)
            }
            Self::Network { address: network, prefix } => {
                address.is_some_and(|address| shares(address, *network, *prefix))
            }
            Self::Domain { name, itself, port: only } => {
                let fits = match host.strip_suffix(name.as_str()) {
                    Some("") => *itself && !name.is_empty(),
                    Some(below) => below.ends_with('.') && address.is_none(),
                    None => false,
                };
                fits && only.is_none_or(|only| only == port)
            }
        }
    }
}

fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Whether two addresses agree in their first `prefix` bits.
fn shares(one: IpAddr, other: IpAddr, prefix: u32) -> bool {
    let differing = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return false,
    };
    differing >= prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_entry_fits_what_it_says_and_nothing_else() {
        for (list, inside, outside) in [
            ("*", "a:1 1.2.3.4:5", ""),
            ("", "", "a:1 1.2.3.4:5"),
            (
                "example.com",
                "example.com:1 EXAMPLE.com.:1 a.b.example.com:2",
                "notexample.com:1 com:1 example.com.evil:1",
            ),
            (".example.com", "a.example.com:1", "example.com:1 aexample.com:1"),
            ("*.example.com", "a.example.com:1", "example.com:1"),
            ("Example.COM.", "example.com:1", "example.org:1"),
            ("example.com:8443", "example.com:8443 a.example.com:8443", "example.com:443"),
            ("a, b c,,d", "a:1 b:1 c:1 d:1", "e:1"),
            ("192.0.2.1", "192.0.2.1:1 ::ffff:192.0.2.1:1", "192.0.2.10:1 192.0.2.2:1 x.192.0.2.1:1"),
            ("192.0.2.1:80", "192.0.2.1:80", "192.0.2.1:81"),
            ("192.0.2.0/24", "192.0.2.0:1 192.0.2.255:1", "192.0.3.0:1 name:1 ::c000:200:1"),
            ("0.0.0.0/0", "8.8.8.8:1", "2001:db8::1:1"),
            ("10.0.0.7/32", "10.0.0.7:1", "10.0.0.6:1"),
            ("2001:db8::/33", "2001:db8:7fff::1:1", "2001:db8:8000::1:1"),
            ("2001:db8::1", "2001:db8::1:1", "2001:db8::2:1"),
            ("[2001:db8::1]:443", "2001:db8::1:443", "2001:db8::1:80"),
            ("2.1", "", "192.0.2.1:1"),
            ("10.0.0.0/33 10.0.0/8 . :80 http://a", "", "10.0.0.1:80 a:80 a:1"),
        ] {
            let bypass = Bypass::parse(list);
            let fits = |server: &str| {
                let (host, port) = server.rsplit_once(':').unwrap();
                bypass.includes(host, port.parse().unwrap())
            };
            for server in inside.split_whitespace() {
                assert!(fits(server), "{list:?} should include {server}");
            }
            for server in outside.split_whitespace() {
                assert!(!fits(server), "{list:?} should not include {server}");
            }
        }
    }
}

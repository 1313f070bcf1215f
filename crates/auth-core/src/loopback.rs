//! The one rule about plain transports: credentials travel unencrypted only inside this machine.

use core::net::IpAddr;

/// Whether a host, as it stands in a URL, can only be this machine: `localhost`, 127.0.0.0/8 or `::1`.
///
/// ```
/// use auth_core::loopback::is_loopback;
///
/// assert!(is_loopback("127.0.0.1") && is_loopback("[::1]") && is_loopback("localhost"));
/// assert!(!is_loopback("127.0.0.1.example.com") && !is_loopback("10.0.0.1"));
/// ```
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

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

/// Whether credentials may travel to a host unencrypted: if it [is this machine](is_loopback), unless a program has
/// [given up](dangerous::allow_plaintext_everywhere) that rule.
#[must_use]
pub fn may_be_plaintext(host: &str) -> bool {
    is_loopback(host) || dangerous::is_plaintext_allowed()
}

/// What a program may offer to the person who runs it, under a name that says what it is. No library has reason to.
pub mod dangerous {
    use core::sync::atomic::{AtomicBool, Ordering};

    static PLAINTEXT: AtomicBool = AtomicBool::new(false);

    /// Lets this whole process send credentials unencrypted wherever a URL says `http` or `ws`, from now on: everybody on
    /// the way can read them, and put others in their place.
    ///
    /// It is for the process and not for a client, because the rule is one: endpoints that a server names in its metadata, and
    /// URLs that are credentials, are checked by it as well as those that somebody configured.
    pub fn allow_plaintext_everywhere() {
        PLAINTEXT.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_plaintext_allowed() -> bool {
        PLAINTEXT.load(Ordering::Relaxed)
    }
}

//! The head of a request, as far as one GET by a browser needs it.

use super::page::Page;

/// The largest head that is read, in bytes: the codes of servers that put a token into them have a few kilobytes.
pub(super) const LARGEST_HEAD: usize = 16 * 1_024;

/// Of a GET: what is asked for, and of which host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) target: &'a str,
    pub(super) host: &'a str,
}

/// Whether the last `new` bytes have brought the blank line that ends a head.
pub(super) fn is_whole(head: &[u8], new: usize) -> bool {
    // Three bytes of it may have come before.
    let searched = head.len().saturating_sub(new + 3);
    head[searched..].windows(4).any(|end| end == b"\r\n\r\n")
}

impl<'a> Head<'a> {
    /// Reads what a browser sends, and no more: ASCII, lines that end in CRLF, one `Host`.
    pub(super) fn parse(head: &'a [u8]) -> Result<Self, Page> {
        if head.len() > LARGEST_HEAD {
            return Err(Page::TooLarge);
        }
        let text = str::from_utf8(head).ok().filter(|text| text.is_ascii()).ok_or(Page::Malformed)?;
        let (text, _) = text.split_once("\r\n\r\n").ok_or(Page::Malformed)?;
        let mut lines = text.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        let target = target.filter(|target| target.starts_with('/') && !target.contains(char::is_control));
        let version = version.filter(|version| matches!(*version, "HTTP/1.1" | "HTTP/1.0"));
        let (Some(method), Some(target), Some(_), None) = (method, target, version, words.next()) else {
            return Err(Page::Malformed);
        };
        let mut hosts = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("host").then(|| value.trim_matches([' ', '\t']))
        });
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Page::Malformed) };
        if method != "GET" {
            return Err(Page::NotAllowed);
        }
        Ok(Self { target, host })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_sends_is_read() {
        let head = b"GET /cb?code=1&state=2 HTTP/1.1\r\nhOsT:\t127.0.0.1:5000 \r\nAccept: text/html\r\n\r\n";
        let read = Head::parse(head).unwrap();
        assert_eq!(read, Head { target: "/cb?code=1&state=2", host: "127.0.0.1:5000" });
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for (head, page) in [
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", Page::NotAllowed),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", Page::NotAllowed),
            ("GET / HTTP/1.1\r\n\r\n", Page::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Page::Malformed),
            ("GET / HTTP/1.1\nHost: a\n\n", Page::Malformed),
            ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Page::Malformed),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Page::Malformed),
            ("GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", Page::Malformed),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Page::Malformed),
            ("GET /\u{7} HTTP/1.1\r\nHost: a\r\n\r\n", Page::Malformed),
            ("GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n", Page::Malformed),
            ("\r\n\r\n", Page::Malformed),
            ("\u{16}\u{3}\u{1}\r\n\r\n", Page::Malformed),
        ] {
            assert_eq!(Head::parse(head.as_bytes()), Err(page), "{head:?}");
        }
        let large = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(LARGEST_HEAD));
        assert_eq!(Head::parse(large.as_bytes()), Err(Page::TooLarge));
    }
}

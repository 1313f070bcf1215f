//! The pages that a person sees in the browser: fixed texts, without anything of the request in them.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The code is here.
    Done,
    /// The server or a person said no.
    Refused,
    /// The answer can't be used, or the server failed.
    Failed,
    /// It is not an answer to this login.
    Stranger,
    /// There is nothing at this path.
    NotFound,
    /// It is for another host.
    Misdirected,
    /// It is no GET.
    NotAllowed,
    /// It is no request.
    Malformed,
    /// Its head is too large.
    TooLarge,
}

impl Page {
    /// The whole response. It is kept nowhere, tells no other page where it was, and loads nothing.
    pub(super) fn response(self) -> String {
        let (status, title, text) = self.texts();
        let allow = if self == Self::NotAllowed { "Allow: GET\r\n" } else { "" };
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n\
             X-Content-Type-Options: nosniff\r\n{allow}Connection: close\r\n\r\n{body}",
            body.len()
        )
    }

    const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            // The code is still to be redeemed: that somebody is logged in only the program can say.
            Self::Done => (
                "200 OK",
                "Back to the program",
                "It has what it needs to log you in. You may close this window.",
            ),
            Self::Refused => (
                "200 OK",
                "You are not logged in",
                "The server refused the login, or somebody said no to it. The program says more; you may close this window.",
            ),
            Self::Failed => (
                "200 OK",
                "You are not logged in",
                "The server failed, or its answer can't be used. The program says more; you may close this window.",
            ),
            Self::Stranger => (
                "400 Bad Request",
                "This is not the answer to the login",
                "It belongs to another login, or to none, and has changed nothing. Use the page that the program opened.",
            ),
            Self::NotFound => {
                ("404 Not Found", "There is nothing here", "A program on this computer waits for a login.")
            }
            Self::Misdirected => {
                ("421 Misdirected Request", "Wrong host", "This address does not belong to that host name.")
            }
            Self::NotAllowed => {
                ("405 Method Not Allowed", "Only GET", "A program on this computer waits for a login.")
            }
            Self::Malformed => {
                ("400 Bad Request", "Not a request", "A program on this computer waits for a login.")
            }
            Self::TooLarge => (
                "431 Request Header Fields Too Large",
                "Too large",
                "Delete the cookies of this address, and log in again.",
            ),
        }
    }
}

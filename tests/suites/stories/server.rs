//! A WebSocket server by hand: each of its connections plays its part of a script, byte by byte, and keeps what it was sent.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use realtime_auth_tests::raw_socket::opcode;

use super::log::{Log, PATIENCE};

/// One act of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Reads the upgrade, and answers with 101.
    Accept,
    /// The same, with a subprotocol selected.
    Select(&'static str),
    /// Reads the upgrade, and answers nothing.
    Head,
    /// Reads the upgrade, and answers with a status and headers.
    Refuse(u16, &'static str),
    /// Reads up to the next message. Pings on the way are answered.
    Expect,
    /// Finds that nothing comes, for a tenth of a second.
    Quiet,
    /// Sends a text message.
    Send(&'static str),
    /// Reads so many messages, and sends each back before it reads the next.
    Echo(usize),
    /// Sends a ping, and reads up to its pong.
    Ping,
    /// Reads up to a ping, and answers it once the story opens a gate.
    PongAfter(&'static str),
    /// Closes with a code and a reason, and reads up to the client's answer.
    Close(u16, &'static str),
    /// Reads up to the client's close frame, and answers it.
    ExpectClose,
    /// Reads up to the end of the stream, whatever comes before it.
    ExpectEnd,
    /// Ends the connection without a word.
    HangUp,
    /// Resets the connection: what the client has sent is never read.
    Reset,
    /// Waits until the story opens a gate, and reads nothing meanwhile.
    Await(&'static str),
}

/// The server of one story.
pub(crate) struct Server {
    address: SocketAddr,
    log: Log,
}

/// Why a part of the script ends early.
type Ended = Result<(), io::Error>;

impl Server {
    /// Serves on a free loopback port: the n-th connection plays the n-th part; there should be no more.
    pub(crate) fn play(log: &Log, parts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = log.clone();
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let (Ok(stream), log) = (stream, told.clone()) else { break };
                if log.is_over() {
                    break;
                }
                let Some(part) = parts.get(index).cloned() else {
                    log.server(index + 1, "is one too many");
                    continue;
                };
                thread::spawn(move || {
                    let mut connection = Connection { stream, number: index + 1, log };
                    if let Err(error) = connection.play(&part) {
                        connection.say(&format!("ended early: {:?}", error.kind()));
                    }
                });
            }
        });
        Self { address, log: log.clone() }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.log.end();
        // Wakes the listener, so that it ends.
        drop(TcpStream::connect(self.address));
    }
}

struct Connection {
    stream: TcpStream,
    number: usize,
    log: Log,
}

impl Connection {
    fn say(&self, what: &str) {
        self.log.server(self.number, what);
    }

    fn play(&mut self, part: &[Act]) -> Ended {
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.stream.set_nodelay(true)?;
        for act in part {
            match act {
                Act::Accept => self.upgrade("")?,
                Act::Select(protocol) => self.upgrade(&format!("Sec-WebSocket-Protocol: {protocol}\r\n"))?,
                Act::Head => drop(self.head()?),
                Act::Refuse(status, headers) => {
                    self.head()?;
                    let answer = format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n{headers}\r\n");
                    self.stream.write_all(answer.as_bytes())?;
                }
                Act::Expect => self.read_up_to(|opcode| opcode <= opcode::BINARY)?,
                Act::Quiet => self.quiet()?,
                Act::Send(text) => self.write(opcode::TEXT, text.as_bytes())?,
                Act::Echo(messages) => {
                    for _ in 0..*messages {
                        let (opcode, body) = self.read()?;
                        self.write(opcode, &body)?;
                    }
                }
                Act::Ping => {
                    self.write(opcode::PING, b"are you there")?;
                    self.read_up_to(|opcode| opcode == PONG)?;
                }
                Act::PongAfter(gate) => {
                    let (opcode, body) = self.read()?;
                    self.say(if opcode == opcode::PING { "ping" } else { "no ping" });
                    self.log.pass(gate);
                    self.write(PONG, &body)?;
                }
                Act::Close(code, reason) => {
                    let body = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
                    self.write(opcode::CLOSE, &body)?;
                    self.read_up_to(|opcode| opcode == opcode::CLOSE)?;
                }
                Act::ExpectClose => {
                    self.read_up_to(|opcode| opcode == opcode::CLOSE)?;
                    self.write(opcode::CLOSE, &1000_u16.to_be_bytes())?;
                }
                Act::ExpectEnd => {
                    let ended = self.read_up_to(|_| false);
                    self.say(if ended.is_err_and(|error| is_end(&error)) { "end" } else { "no end" });
                }
                Act::HangUp => self.stream.shutdown(Shutdown::Both)?,
                Act::Reset => {
                    // A socket that is closed with something unread in it sends a reset.
                    self.stream.peek(&mut [0])?;
                    return Ok(());
                }
                Act::Await(gate) => self.log.pass(gate),
            }
        }
        Ok(())
    }

    /// Reads the request up to its empty line.
    fn head(&mut self) -> io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let target = head.split(' ').nth(1).unwrap_or_default();
        let mut told = format!("upgrade {target}");
        for name in ["authorization", "sec-websocket-protocol", "cookie"] {
            if let Some(value) = header(&head, name) {
                told.push_str(&format!(", {name}: {value}"));
            }
        }
        self.say(&told);
        Ok(head)
    }

    fn upgrade(&mut self, headers: &str) -> Ended {
        let head = self.head()?;
        let key = header(&head, "sec-websocket-key").ok_or(ErrorKind::InvalidData)?;
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        );
        self.stream.write_all(answer.as_bytes())
    }

    /// Reads and tells frames until one is wanted. A ping is answered.
    fn read_up_to(&mut self, wanted: impl Fn(u8) -> bool) -> Ended {
        loop {
            let (opcode, body) = self.read()?;
            let text = String::from_utf8_lossy(&body);
            match opcode {
                opcode::TEXT if text.len() > 200 => self.say(&format!("{} and more", &text[..3])),
                opcode::TEXT => self.say(&format!("text {text}")),
                opcode::BINARY => self.say(&format!("binary {body:?}")),
                opcode::PING => {
                    self.say("ping");
                    self.write(PONG, &body)?;
                }
                PONG => self.say(&format!("pong {text}")),
                opcode::CLOSE => {
                    let code = body.first_chunk().map(|code| u16::from_be_bytes(*code));
                    self.say(&format!("close {}", code.unwrap_or_default()));
                }
                other => self.say(&format!("opcode {other}")),
            }
            if wanted(opcode) {
                return Ok(());
            }
        }
    }

    fn read(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut start = [0; 2];
        self.stream.read_exact(&mut start)?;
        let length = match start[1] & 0x7F {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length)?;
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.stream.read_exact(&mut length)?;
                usize::try_from(u64::from_be_bytes(length)).map_err(io::Error::other)?
            }
            short => usize::from(short),
        };
        let mut mask = [0; 4];
        self.stream.read_exact(&mut mask)?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        for (byte, mask) in body.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok((start[0] & 0x0F, body))
    }

    fn write(&mut self, opcode: u8, body: &[u8]) -> Ended {
        let mut frame = vec![0x80 | opcode];
        match u16::try_from(body.len()).map_err(io::Error::other)? {
            length @ ..126 => frame.push(length.to_be_bytes()[1]),
            length => frame.extend([&[126], &length.to_be_bytes()[..]].concat()),
        }
        frame.extend(body);
        self.stream.write_all(&frame)
    }

    fn quiet(&mut self) -> Ended {
        self.stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        let came = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.say(if came.is_ok() { "not quiet" } else { "quiet" });
        Ok(())
    }
}

const PONG: u8 = 0xA;

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
}

fn header<'head>(head: &'head str, wanted: &str) -> Option<&'head str> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then_some(value.trim())
    })
}

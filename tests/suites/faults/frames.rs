//! Frames that no server may send, and messages that are larger than what is read.

use realtime_auth_tests::flawed_server::{frame, welcome};
use realtime_auth_tests::raw_socket::{accept, opcode};
use tokio::io::AsyncWriteExt as _;

use super::*;

/// Sends these bytes before, then after the welcome.
async fn ends(failure: Failure, bytes: Vec<u8>) {
    let bytes: Arc<[u8]> = bytes.into();
    for phase in [Phase::Login, Phase::Live] {
        let bytes = Arc::clone(&bytes);
        let flaw = move |mut stream: TcpStream| {
            let bytes = Arc::clone(&bytes);
            async move {
                if phase == Phase::Login {
                    accept(&mut stream).await?;
                } else {
                    welcome(&mut stream).await?;
                }
                // A client that does not read on has what it needs.
                let _ = stream.write_all(&bytes).await;
                Ok(stream)
            }
        };
        ends_as_the_table_says(Dialect::genesys(), phase, failure.clone(), flaw).await;
    }
}

#[tokio::test]
async fn frames_that_break_the_protocol_end_as_the_table_says() {
    for (what, bytes) in [
        ("a masked frame", vec![0x81, 0x82, 0, 0, 0, 0, b'h', b'i']),
        ("a reserved bit", frame(0xc1, b"hi")),
        ("all reserved bits", frame(0xf1, b"hi")),
        ("an opcode that is none", frame(0x83, b"hi")),
        ("a control opcode that is none", frame(0x8b, b"hi")),
        ("a ping in fragments", frame(opcode::PING, b"hi")),
        ("a close in fragments", frame(opcode::CLOSE, &[0x03, 0xe8])),
        ("a ping of 126 bytes", frame(0x80 | opcode::PING, &[b'x'; 126])),
        ("a close frame of one byte", frame(0x80 | opcode::CLOSE, &[0x03])),
        ("a continuation of nothing", frame(0x80 | opcode::CONTINUATION, b"hi")),
        (
            "a message within a message",
            [frame(opcode::TEXT, b"h"), frame(0x80 | opcode::TEXT, b"i")].concat(),
        ),
        ("text that is no UTF-8", frame(0x80 | opcode::TEXT, &[0xff, 0xfe])),
        ("text that ends halfway", frame(0x80 | opcode::TEXT, &[0xe2, 0x98])),
        ("a reason that is no UTF-8", frame(0x80 | opcode::CLOSE, &[0x03, 0xe8, 0xff, 0xfe])),
    ] {
        eprintln!("{what}");
        ends(Failure::Protocol, bytes).await;
    }
}

/// Two megabytes: what is announced is enough, nobody waits for it.
#[tokio::test]
async fn a_message_that_is_too_large_ends_as_the_table_says() {
    let length = 2_u64 * 1024 * 1024;
    let mut announced = vec![0x81, 127];
    announced.extend_from_slice(&length.to_be_bytes());
    ends(Failure::TooLarge, announced).await;
    let mut endless = vec![0x81, 127];
    endless.extend_from_slice(&(u64::MAX >> 1).to_be_bytes());
    ends(Failure::TooLarge, endless).await;
    // In pieces, each of which would do.
    let piece = frame(opcode::BINARY, &[0; 400_000]);
    let next = frame(opcode::CONTINUATION, &[0; 400_000]);
    ends(Failure::TooLarge, [piece, next.clone(), next].concat()).await;
}

/// A megabyte is for who is trusted: before the welcome, less is read.
#[tokio::test]
async fn less_is_read_before_the_welcome_than_after() {
    let large = frame(0x80 | opcode::BINARY, &vec![b'x'; 1_000_000]);
    let early: Arc<[u8]> = large.clone().into();
    let flaw = move |mut stream: TcpStream| {
        let early = Arc::clone(&early);
        async move {
            accept(&mut stream).await?;
            let _ = stream.write_all(&early).await;
            Ok(stream)
        }
    };
    ends_as_the_table_says(Dialect::genesys(), Phase::Login, Failure::TooLarge, flaw).await;

    let server = FlawedServer::serve(1, move |mut stream| {
        let large = large.clone();
        async move {
            welcome(&mut stream).await?;
            stream.write_all(&large).await?;
            Ok(stream)
        }
    });
    let server = server.await.unwrap();
    let mut observed = Observed::open(&url(server.address()), Dialect::genesys(), config());
    let message = timeout(PATIENCE, observed.session.next()).await.expect("nothing came").unwrap();
    assert!(matches!(message, ws_session::driver::tokio::Message::Binary(bytes) if bytes.len() == 1_000_000));
    observed.leaves_nothing().await;
    server.until_idle().await;
}

/// The control: whatever is legal and rare is read.
#[tokio::test]
async fn frames_that_are_rare_and_legal_are_read() {
    let server = FlawedServer::serve(1, |mut stream| async move {
        welcome(&mut stream).await?;
        let parts = [
            frame(0x80 | 0xa, b"a pong that nobody asked for"),
            frame(opcode::TEXT, b"in "),
            frame(0x80 | opcode::PING, b""),
            frame(opcode::CONTINUATION, b""),
            frame(0x80 | opcode::CONTINUATION, b"parts"),
            // A length that could be shorter.
            [&[0x81, 126, 0, 2], &b"ok"[..]].concat(),
        ];
        stream.write_all(&parts.concat()).await?;
        // The ping is answered, by a pong that is masked.
        let pong = realtime_auth_tests::flawed_server::hear(&mut stream).await?;
        assert_eq!(pong, (opcode::PONG, Vec::new()));
        Ok(stream)
    });
    let server = server.await.unwrap();
    let mut observed = Observed::open(&url(server.address()), Dialect::genesys(), config());
    for expected in ["in parts", "ok"] {
        let message = timeout(PATIENCE, observed.session.next()).await.expect("nothing came").unwrap();
        assert_eq!(message.as_text(), Some(expected));
    }
    observed.leaves_nothing().await;
    server.until_idle().await;
}

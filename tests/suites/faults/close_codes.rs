//! Every close code that there is, on the wire, with a reason and without.

use realtime_auth_tests::flawed_server::{drain, frame, welcome};
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::raw_socket::opcode;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use super::*;

/// As many sessions at a time.
const AT_A_TIME: usize = 16;

fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(0x80 | opcode::CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// One code of each class, and some that are on no list.
#[tokio::test]
async fn a_close_ends_as_the_table_says_before_and_after_the_welcome() {
    for code in
        [1000, 1001, 1002, 1008, 1011, 1012, 1013, 3000, 3003, 3500, 4001, 4100, 4401, 4403, 4500, 4999]
    {
        for reason in ["", "because"] {
            let before = move |mut stream: TcpStream| async move {
                realtime_auth_tests::raw_socket::accept(&mut stream).await?;
                stream.write_all(&close(code, reason)).await?;
                Ok(stream)
            };
            let failure = closed(code, reason);
            ends_as_the_table_says(Dialect::genesys(), Phase::Login, failure.clone(), before).await;
            let after = move |mut stream: TcpStream| async move {
                welcome(&mut stream).await?;
                stream.write_all(&close(code, reason)).await?;
                Ok(stream)
            };
            ends_as_the_table_says(Dialect::genesys(), Phase::Live, failure, after).await;
        }
    }
}

#[tokio::test]
async fn a_close_without_a_code_ends_as_the_table_says() {
    let flaw = |mut stream: TcpStream| async move {
        welcome(&mut stream).await?;
        stream.write_all(&frame(0x80 | opcode::CLOSE, b"")).await?;
        Ok(stream)
    };
    ends_as_the_table_says(Dialect::genesys(), Phase::Live, closed(None, ""), flaw).await;
}

#[tokio::test]
async fn what_comes_behind_a_close_changes_nothing() {
    for garbage in [&b"\xff\xff\xff\xff"[..], b"\x81\x02hi", &[0x88, 0x02, 0x0f, 0xa1]] {
        let flaw = move |mut stream: TcpStream| async move {
            welcome(&mut stream).await?;
            stream.write_all(&[&close(4403, "enough"), garbage].concat()).await?;
            Ok(stream)
        };
        ends_as_the_table_says(Dialect::genesys(), Phase::Live, closed(4403, "enough"), flaw).await;
    }
}

/// What the first attempt of a session comes to, when its server closes with this code.
async fn first_verdict(code: u16, reason: &'static str) -> (Option<u16>, bool, usize) {
    let server = RawServer::serve(move |mut stream, _| async move {
        welcome(&mut stream).await?;
        stream.write_all(&close(code, reason)).await?;
        stream.shutdown().await?;
        drain(&mut stream).await
    });
    let server = server.await.unwrap();
    // What is tried again would be tried tomorrow.
    let day = Duration::from_secs(86_400);
    let config = Config::new().with_backoff(Backoff::new(day, day).with_floor(day));
    let observed = Observed::open(&url(server.address()), Dialect::genesys(), config);
    observed.recorder.wait_for(1, |event| matches!(event, AuthEvent::ConnectionLost { .. })).await;
    let lost = observed.recorder.events().into_iter().find_map(|event| match event {
        AuthEvent::ConnectionLost { code, retry_in, .. } => Some((code, retry_in.is_some())),
        _ => None,
    });
    let (told, tried_again) = lost.unwrap();
    let Observed { session, tokens, .. } = observed;
    // A session that failed says so once more.
    let _ = timeout(PATIENCE, session.close()).await.expect("the session does not close");
    (told, tried_again, tokens.refused.load(Ordering::SeqCst))
}

/// 8,000 sessions: each is tried again or not as the table says, and a reason changes nothing.
#[tokio::test]
async fn every_code_from_1000_to_4999_is_classified_as_the_table_says() {
    let dialect = Dialect::genesys();
    let before = tasks();
    let mut sessions = JoinSet::new();
    let mut wrong = Vec::new();
    let mut seen = 0;
    let mut codes = (1_000..=4_999).flat_map(|code| [(code, ""), (code, "because")]);
    loop {
        while sessions.len() < AT_A_TIME
            && let Some((code, reason)) = codes.next()
        {
            sessions.spawn(async move { (code, reason, first_verdict(code, reason).await) });
        }
        let Some(outcome) = sessions.join_next().await else { break };
        let (code, reason, (told, tried_again, refused)) = outcome.unwrap();
        seen += 1;
        let disposition = disposition(&dialect, Phase::Live, &closed(code, reason));
        let right = tried_again == (disposition != Disposition::Fatal)
            // A refusal asks for another token, nothing else does.
            && (refused == 0 || disposition == Disposition::RetryWithFreshToken)
            && told == on_the_wire(code).then_some(code);
        if !right {
            wrong.push((code, reason, disposition, told, tried_again, refused));
        }
    }
    assert_eq!(seen, 8_000);
    assert!(
        wrong.is_empty(),
        "{} are classified otherwise: {:?}",
        wrong.len(),
        &wrong[..wrong.len().min(20)]
    );
    none_beyond(before).await;
}

/// Whether RFC 6455 §7.4 lets a server send it. The codec hides others: such a close has no code.
const fn on_the_wire(code: u16) -> bool {
    matches!(code, 1_000..=1_003 | 1_007..=1_013 | 3_000..=4_999)
}

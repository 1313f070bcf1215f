//! Several callers at once: one request for those who need a token, one each for those who authorize.

use auth_core::token::Generation;
use auth_core::{Demand, TokenSource as _};
use tokio::sync::oneshot;

use super::*;

/// A callback whose calls wait for the test, in order.
fn gated(gates: usize) -> (Vec<oneshot::Sender<Result<TokenReply, Error>>>, Calls, AuthOptions) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..gates).map(|_| oneshot::channel()).unzip();
    let receivers = Arc::new(Mutex::new(receivers.into_iter().collect::<std::collections::VecDeque<_>>()));
    let calls = Calls(Arc::default());
    let kept = calls.clone();
    let callback = super::super::callback(move |params| {
        kept.0.lock().unwrap().push(params);
        let receiver = receivers.lock().unwrap().pop_front().expect("no further call was expected");
        async move { receiver.await.unwrap_or_else(|_| Err(down())) }
    });
    (senders, calls, AuthOptions::new().with_auth_callback(callback))
}

/// Lets every task go as far as it can.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "callers at once are tasks")]
fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(work)
}

fn asking(auth: &Auth) -> tokio::task::JoinHandle<Result<Response<Bytes>, Error>> {
    let auth = auth.clone();
    spawn(async move { status(&auth).await })
}

fn authorizing(auth: &Auth) -> tokio::task::JoinHandle<Result<TokenDetails, Error>> {
    let auth = auth.clone();
    spawn(async move { auth.authorize(None, None).await })
}

fn token(outcome: &Result<TokenDetails, Error>) -> &str {
    outcome.as_ref().unwrap().token().expose()
}

#[tokio::test]
async fn all_who_need_a_token_share_one_request() {
    let world = World::content();
    let (gates, calls, options) = gated(1);
    let auth = world.client(options);
    let callers: Vec<_> = (0..8).map(|_| asking(&auth)).collect();
    settle().await;
    for gate in gates {
        gate.send(Ok(lasting("shared"))).unwrap();
    }
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(calls.count(), 1);
    assert!(world.asked().iter().all(|asked| token_of(asked) == "shared"));
}

#[tokio::test]
async fn all_who_wait_share_its_failure() {
    let world = World::content();
    let (mut gates, calls, options) = gated(1);
    let auth = world.client(options);
    let callers: Vec<_> = (0..8).map(|_| asking(&auth)).collect();
    settle().await;
    gates.remove(0).send(Err(down())).unwrap();
    for caller in callers {
        assert_eq!(code(&caller.await.unwrap().unwrap_err()), 40_170);
    }
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn a_caller_that_is_dropped_harms_nobody() {
    let (mut gates, calls, options) = gated(1);
    let auth = World::content().client(options);
    let (first, second) = (asking(&auth), asking(&auth));
    settle().await;
    first.abort();
    settle().await;
    gates.remove(0).send(Ok(lasting("shared"))).unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn a_token_on_its_way_is_not_lost_with_the_only_caller() {
    let (mut gates, calls, options) = gated(1);
    let auth = World::content().client(options);
    let only = asking(&auth);
    settle().await;
    only.abort();
    settle().await;
    gates.remove(0).send(Ok(lasting("on its way"))).unwrap();
    status(&auth).await.unwrap();
    assert_eq!(calls.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_befell_an_abandoned_request_is_not_told_to_the_next_caller() {
    let (mut gates, calls, options) = gated(2);
    let auth = World::content().client(options);
    let only = asking(&auth);
    settle().await;
    only.abort();
    settle().await;
    // The callback's time is long over when the next caller comes.
    tokio::time::advance(Duration::from_secs(3_600)).await;
    gates.remove(1).send(Ok(lasting("second"))).unwrap();
    status(&auth).await.unwrap();
    assert_eq!(calls.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn nor_to_those_who_joined_somebody_who_took_it_up() {
    let (mut gates, calls, options) = gated(2);
    let auth = World::content().client(options);
    let only = asking(&auth);
    settle().await;
    only.abort();
    settle().await;
    // The callback has ten seconds.
    tokio::time::advance(Duration::from_millis(9_900)).await;
    let (first, second) = (asking(&auth), asking(&auth));
    settle().await;
    first.abort();
    settle().await;
    assert_eq!(calls.count(), 1);
    gates.remove(1).send(Ok(lasting("second"))).unwrap();
    tokio::time::advance(Duration::from_millis(200)).await;
    second.await.unwrap().unwrap();
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn what_an_abandoned_request_was_answered_long_ago_is_not_taken_for_new() {
    let world = World::content();
    let (mut gates, calls, options) = gated(2);
    let auth = world.client(options);
    let only = asking(&auth);
    settle().await;
    only.abort();
    settle().await;
    gates.remove(0).send(Ok(lasting("old"))).unwrap();
    world.advance(Duration::from_secs(51));
    gates.remove(0).send(Ok(lasting("new"))).unwrap();
    status(&auth).await.unwrap();
    assert_eq!((calls.count(), token_of(&world.asked()[0]).as_str()), (2, "new"));
}

#[tokio::test]
async fn a_lifetime_by_an_unknown_clock_begins_with_the_request() {
    let world = World::content();
    let (mut gates, _, options) = gated(1);
    let auth = world.client(options);
    let only = asking(&auth);
    settle().await;
    only.abort();
    settle().await;
    let (hour, year) = (3_600_000, 31_536_000_000);
    let token = TokenDetails::new(Secret::from("t")).with_issued(Timestamp::from_millis(START + year));
    let token = token.with_expires(Timestamp::from_millis(START + year + hour));
    gates.remove(0).send(Ok(TokenReply::Details(token))).unwrap();
    world.advance(Duration::from_secs(40));
    let token = auth.token(Demand::Current).await.unwrap();
    assert_eq!(token.expires_in(), Some(Duration::from_secs(3_560)));
}

/// Notes whether a client was locked while code of the program ran.
#[derive(Clone, Default)]
struct Witness {
    auth: Arc<std::sync::OnceLock<Auth>>,
    looked: Arc<AtomicU64>,
    locked: Arc<AtomicU64>,
}

impl Witness {
    fn look(&self) {
        let Some(auth) = self.auth.get() else { return };
        self.looked.fetch_add(1, Ordering::Relaxed);
        self.locked.fetch_add(auth.is_locked().into(), Ordering::Relaxed);
    }
}

/// Looks when it is dropped.
struct LastWords(Witness);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.look();
    }
}

#[tokio::test]
async fn no_code_of_the_program_runs_while_the_client_is_locked() {
    let witness = Witness::default();
    let world = World::content();
    let mut surroundings = world.surroundings();
    let (clock, looking) = (Arc::clone(&world), witness.clone());
    surroundings.clock = Arc::new(move || {
        looking.look();
        clock.now()
    });
    let silent = |witness: &Witness| {
        let (of_callback, of_call) = (LastWords(witness.clone()), witness.clone());
        AuthOptions::new().with_auth_callback(super::super::callback(move |_| {
            let (_, last_words) = (&of_callback, LastWords(of_call.clone()));
            async move {
                let _last_words = last_words;
                std::future::pending().await
            }
        }))
    };
    let auth = Auth::builder(silent(&witness), surroundings).build().unwrap();
    assert!(witness.auth.set(auth.clone()).is_ok());
    for options in [None, Some(silent(&witness)), None] {
        tokio::select! {
            biased;
            _ = auth.authorize(None, options) => unreachable!("its callback is silent"),
            () = settle() => {}
        }
    }
    world.advance(Duration::from_secs(51));
    tokio::select! {
        biased;
        _ = status(&auth) => unreachable!("its callback is silent"),
        () = settle() => {}
    }
    let keyless = silent(&witness).with_token(TokenDetails::new(Secret::from("t")));
    auth.create_token_request(None, Some(silent(&witness))).await.unwrap_err();
    auth.authorize(None, Some(keyless)).await.unwrap();
    auth.authorize(None, Some(with_token("given"))).await.unwrap();
    assert!(witness.looked.load(Ordering::Relaxed) > 10);
    assert_eq!(witness.locked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn each_authorize_asks_and_the_latest_wins_for_everybody() {
    let (mut gates, calls, options) = gated(2);
    let auth = World::content().client(options);
    let first = authorizing(&auth);
    settle().await;
    let second = authorizing(&auth);
    settle().await;
    assert_eq!(calls.count(), 2);
    gates.remove(1).send(Ok(lasting("second"))).unwrap();
    let second = second.await.unwrap();
    gates.remove(0).send(Ok(lasting("first"))).unwrap();
    let first = first.await.unwrap();
    assert_eq!((token(&first), token(&second)), ("second", "second"), "the late answer changes nothing");
    assert_eq!(auth.token_details().unwrap().token().expose(), "second");
}

#[tokio::test]
async fn an_earlier_authorize_that_is_answered_first_serves_until_the_later() {
    let (mut gates, _, options) = gated(2);
    let auth = World::content().client(options);
    let (first, second) = (authorizing(&auth), authorizing(&auth));
    settle().await;
    gates.remove(0).send(Ok(lasting("first"))).unwrap();
    assert_eq!(token(&first.await.unwrap()), "first");
    gates.remove(0).send(Ok(lasting("second"))).unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(auth.token_details().unwrap().token().expose(), "second");
}

#[tokio::test]
async fn whoever_needs_a_token_during_an_authorize_waits_for_it() {
    let world = World::content();
    let (mut gates, calls, options) = gated(1);
    let auth = world.client(options);
    let authorizing = authorizing(&auth);
    settle().await;
    let asking = asking(&auth);
    settle().await;
    gates.remove(0).send(Ok(lasting("authorized"))).unwrap();
    authorizing.await.unwrap().unwrap();
    asking.await.unwrap().unwrap();
    assert_eq!((calls.count(), token_of(&world.asked()[0]).as_str()), (1, "authorized"));
}

#[tokio::test]
async fn what_a_later_authorize_gives_counts_more_than_an_earlier_failure() {
    let (mut gates, calls, options) = gated(1);
    let auth = World::content().client(options);
    let asking = asking(&auth);
    settle().await;
    auth.authorize(None, Some(with_token("given"))).await.unwrap();
    gates.remove(0).send(Err(down())).unwrap();
    asking.await.unwrap().unwrap();
    assert_eq!((calls.count(), auth.token_details().unwrap().token().expose()), (1, "given"));
}

#[tokio::test]
async fn a_failed_authorize_leaves_the_token_in_use() {
    let (_, callback) = Calls::giving(|number| if number == 1 { Ok(lasting("first")) } else { Err(down()) });
    let auth = World::content().client(AuthOptions::new().with_auth_callback(callback));
    auth.authorize(None, None).await.unwrap();
    auth.authorize(None, None).await.unwrap_err();
    assert_eq!(auth.token_details().unwrap().token().expose(), "first");
}

#[tokio::test]
async fn twenty_late_refusals_of_one_token_cost_one_new_token() {
    let world = World::content();
    let (calls, options) = Calls::numbered();
    let auth = world.client(options);
    let generation = auth.token(Demand::Current).await.unwrap().generation();
    for _ in 0..20 {
        let token = auth.token(Demand::InsteadOf(generation)).await.unwrap();
        assert_eq!(token.secret().expose(), "token-2");
    }
    assert_eq!((calls.count(), generation), (2, Generation::NONE.next()));
}

#[tokio::test]
async fn a_callback_that_panics_fails_those_who_wait_and_the_next_caller_is_served() {
    let (open, gate) = oneshot::channel::<()>();
    let (gate, calls) = (Arc::new(Mutex::new(Some(gate))), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&calls);
    let callback = super::super::callback(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        let gate = gate.lock().unwrap().take();
        async move {
            if let Some(gate) = gate {
                let _ = gate.await;
                panic!("on purpose");
            }
            Ok(lasting("second"))
        }
    });
    let auth = World::content().client(AuthOptions::new().with_auth_callback(callback));
    let callers = [asking(&auth), asking(&auth)];
    settle().await;
    open.send(()).unwrap();
    let [one, two] = callers;
    let (panicked, told): (Vec<_>, Vec<_>) =
        [one.await, two.await].into_iter().partition(|outcome| outcome.is_err());
    assert!(panicked[0].as_ref().unwrap_err().is_panic(), "it is that caller's own code");
    assert_eq!((panicked.len(), code(told[0].as_ref().unwrap().as_ref().unwrap_err())), (1, 40_170));
    status(&auth).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

//! A server that asks for fresh credentials, once in a while and without end.

use std::time::Duration;

use auth_core::backoff::Backoff;
use auth_core::{ErrorKind as TokenErrorKind, Secret, Token};
use serde_json::json;

use super::renewal::{quiet, reconnecting, told};
use super::scene::Scene;
use super::world::{closed, generation};
use crate::dialect::{Dialect, InUnit, Matcher, RenewalTime, Unit};
use crate::machine::{Config, Input, State};

const ASKS: &str = r#"{"type":"please renew"}"#;

/// Renewed in band, and answered by `ok`, which may tell a lifetime in milliseconds.
fn in_band(when: RenewalTime) -> Dialect {
    let mut dialect = told(vec![Matcher::of([("/ok", json!(true))])], when);
    dialect.captured.expires_in = Some(InUnit { at: "/ttl".to_owned(), unit: Unit::Milliseconds });
    dialect
}

/// A service that asks, and whose source hands out tokens that live for as long as it says, if it does.
struct Service {
    scene: Scene,
    life: Option<u64>,
    /// When their source advises to renew them.
    advice: Option<Duration>,
    /// What it answers a renewal in band with.
    answer: String,
    renewals: u64,
    put_off: u32,
}

impl Service {
    fn new(dialect: Dialect, config: Config, life: Option<u64>) -> Self {
        let scene = Scene::with(dialect, config.with_keep_alive(None));
        let answer = r#"{"ok":true}"#.to_owned();
        let mut service = Self { scene, life, advice: None, answer, renewals: 0, put_off: 0 };
        let _ = service.scene.input(Input::Start);
        let _ = service.hand_out();
        let _ = service.scene.opened(1);
        service
    }

    fn hand_out(&mut self) -> Vec<String> {
        let mut token = Token::new(Secret::from(self.renewals.to_string()));
        if let Some(life) = self.life {
            token = token.with_generation(generation(self.renewals + 1));
            token = token.with_expires_in(Duration::from_secs(life));
        }
        if let Some(advice) = self.advice {
            token = token.with_renew_in(advice);
        }
        self.scene.any_token(token)
    }

    /// Time passes, deadline by deadline, and then it asks: whether it was brought another credential.
    fn asks_after(&mut self, seconds: f64) -> bool {
        let (mut left, before) = (seconds, self.renewals);
        while left > 1e-9 {
            let step = self.scene.wait.map_or(left, |wait| wait.as_secs_f64().clamp(1e-9, left));
            let lines = self.scene.after(step);
            self.follow(&lines);
            left -= step;
        }
        let lines = self.scene.says(self.live(), ASKS);
        self.follow(&lines);
        self.renewals > before
    }

    fn live(&self) -> u64 {
        self.scene.client.live().expect("the connection stays up").0
    }

    /// Does what the machine wants, where it wants a token.
    fn follow(&mut self, lines: &[String]) {
        self.put_off += lines.iter().filter(|line| *line == "put_off").count() as u32;
        let fetched = lines.iter().filter(|line| line.starts_with("fetch")).count();
        assert!(fetched <= 1, "{lines:?}");
        if fetched == 0 {
            return;
        }
        self.renewals += 1;
        let live = self.live();
        let lines = self.hand_out();
        match lines.iter().find_map(|line| line.strip_prefix("open ")) {
            Some(epoch) => {
                let _ = self.scene.opened(epoch.parse().unwrap());
                let _ = self.scene.ended(live, closed(1000));
            }
            None => _ = self.scene.says(live, &self.answer),
        }
        assert_eq!(self.scene.client.state(), State::Connected);
    }

    /// How long its wish waits.
    fn wait(&self) -> Duration {
        self.scene.client.renews_in(self.scene.now).unwrap()
    }

    /// How many renewals an hour costs in which it asks once a second.
    fn an_hour(mut self) -> u64 {
        (0..3_600).for_each(|_| _ = self.asks_after(1.0));
        self.renewals
    }
}

#[test]
fn one_wish_after_a_while_is_followed_at_once_and_nothing_is_put_off() {
    for (dialect, life, seconds) in [
        (in_band(RenewalTime::Early), Some(3_600), 30.0),
        (in_band(RenewalTime::WhenAsked), None, 15.0),
        (reconnecting(true), Some(3_600), 30.0),
        // Half of a short life.
        (in_band(RenewalTime::AtExpiry), Some(20), 10.0),
        (in_band(RenewalTime::AtExpiry), Some(2), 1.0),
    ] {
        let mut service = Service::new(dialect, Config::new(), life);
        for _ in 0..20 {
            assert!(service.asks_after(seconds), "{life:?}");
        }
        assert_eq!(service.put_off, 0, "{life:?}");
    }
}

/// RTN22: whatever the reason, a server that has served a token for a while gets the next at once.
#[test]
fn ably_s_wish_is_followed_at_once_and_the_usual_renewals_go_on() {
    let mut scene = Scene::with(Dialect::ably(), Config::new().with_keep_alive(None));
    let connected = r#"{"action":4,"connectionId":"x","connectionDetails":{"connectionKey":"k"}}"#;
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 3_600);
    let _ = scene.opened(1);
    let _ = scene.says(1, connected);
    let _ = scene.after(300.0);
    assert_eq!(scene.says(1, r#"{"action":17}"#), ["fetch newer than 1"]);
    assert_eq!(scene.token(2, 3_600), ["send 1 Renewal"]);
    assert_eq!(scene.says(1, connected), ["renewed", "forget 2"]);
    assert_eq!(scene.after(3_479.0), [""; 0]);
    assert_eq!(scene.after(1.0), ["fetch newer than 2"]);
}

#[test]
fn a_wish_right_behind_the_login_is_followed_within_a_second_and_told_to_nobody() {
    for dialect in [in_band(RenewalTime::Early), reconnecting(true)] {
        let mut scene = quiet(dialect);
        assert_eq!(scene.says(1, ASKS), [""; 0]);
        assert!(scene.wait.is_some_and(|wait| wait <= Duration::from_secs(1)), "{:?}", scene.wait);
        assert_eq!(scene.when_due(), ["fetch newer than 1"]);
    }
}

#[test]
fn a_server_that_asks_once_a_second_for_ever_is_followed_less_and_less_often() {
    let hasty =
        || Config::new().with_backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(1)));
    for (dialect, config, life) in [
        (in_band(RenewalTime::Early), Config::new(), Some(3_600)),
        (in_band(RenewalTime::Early), hasty(), Some(86_400)),
        (in_band(RenewalTime::WhenAsked), hasty(), None),
        (reconnecting(true), hasty(), Some(3_600)),
    ] {
        let renewals = Service::new(dialect, config, life).an_hour();
        // It is followed, which is more than not at all.
        assert!((200..=400).contains(&renewals), "{renewals} in an hour, of {life:?}");
    }
}

/// Nobody states a lifetime, and the server ends what is older than 20 s.
#[test]
fn a_server_that_drops_what_is_not_renewed_soon_after_it_asks_is_followed_in_time_for_ever() {
    for asks_every in [12.0, 15.0] {
        let mut service = Service::new(in_band(RenewalTime::WhenAsked), Config::new(), None);
        for wish in 0..200 {
            // It asks so long after it has accepted one, and has the next before it ends that.
            let is_followed = service.asks_after(asks_every) || {
                let lines = service.scene.after((20.0 - asks_every).min(4.9));
                let before = service.renewals;
                service.follow(&lines);
                service.renewals > before
            };
            assert!(is_followed, "wish {wish}, every {asks_every} s");
        }
    }
}

#[test]
fn a_lifetime_of_nothing_that_the_server_states_renews_nobody_in_a_loop() {
    for ttl in [0, 1, 200, 1_000, 3_600] {
        let mut service = Service::new(in_band(RenewalTime::Early), Config::new(), Some(86_400));
        service.answer = json!({"ok": true, "ttl": ttl}).to_string();
        let _ = service.asks_after(60.0);
        assert_eq!(service.scene.client.valid_for(service.scene.now), Some(Duration::from_secs(30)));
        let renewals = service.an_hour();
        assert!((200..=400).contains(&renewals), "{renewals} in an hour, of {ttl} ms");
    }
}

/// In bursts, in steps, together with whatever lifetimes: a small generator picks.
#[test]
fn whatever_a_server_says_it_gets_no_more_than_400_renewals_an_hour() {
    let mut most = 0;
    for seed in 1..100_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut below = |limit: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % limit as u64) as usize
        };
        let dialect = if seed % 3 == 0 { reconnecting(true) } else { in_band(RenewalTime::Early) };
        let mut service = Service::new(dialect, Config::new(), [Some(86_400), None][below(2)]);
        let (mut elapsed, mut gap) = (0.0, 1.0);
        while elapsed < 3_600.0 {
            if below(20) == 0 {
                gap = [0.1, 0.4, 1.0, 5.0, 15.1, 30.1, 121.0][below(7)];
                let ttl = [json!(null), json!(0), json!(30_000), json!(3_600_000)][below(4)].clone();
                service.answer = json!({"ok": true, "ttl": ttl}).to_string();
            }
            elapsed += gap;
            let _ = service.asks_after(gap);
        }
        most = most.max(service.renewals);
    }
    assert!((150..=400).contains(&most), "{most} in an hour");
}

#[test]
fn a_wish_that_is_put_off_is_told_once_however_often_it_comes() {
    let mut service = Service::new(in_band(RenewalTime::Early), Config::new(), Some(3_600));
    for _ in 0..5 {
        while !service.asks_after(0.1) {}
    }
    // The first pauses are moments, and the sixth wish waits already.
    let told = service.put_off;
    assert!((3..=5).contains(&told), "{told} of {}", service.renewals);
    let wait = service.wait();
    assert!(wait > Duration::from_secs(7) && wait <= Duration::from_secs(15), "{wait:?}");
    for _ in 0..100 {
        assert!(!service.asks_after(0.1));
    }
    assert_eq!(service.put_off, told);
}

#[test]
fn after_a_quiet_time_a_wish_that_comes_too_soon_waits_for_a_moment_again() {
    let mut service = Service::new(in_band(RenewalTime::Early), Config::new(), Some(3_600));
    for _ in 0..8 {
        while !service.asks_after(1.0) {}
    }
    assert!(service.asks_after(121.0));
    let _ = service.scene.says(1, ASKS);
    assert!(service.wait() <= Duration::from_secs(1), "{:?}", service.wait());
}

#[test]
fn a_wish_puts_off_no_renewal_that_is_due_sooner() {
    let mut service = Service::new(in_band(RenewalTime::Early), Config::new(), Some(3_600));
    service.advice = Some(Duration::from_secs(5));
    for _ in 0..8 {
        while !service.asks_after(1.0) {}
    }
    let _ = service.scene.says(1, ASKS);
    assert!(service.wait() <= Duration::from_secs(5), "{:?}", service.wait());
}

#[test]
fn the_user_s_wish_does_not_wait_for_the_server_s() {
    let mut service = Service::new(in_band(RenewalTime::Early), Config::new(), Some(3_600));
    for _ in 0..6 {
        while !service.asks_after(0.5) {}
    }
    assert!(service.wait() > Duration::from_secs(6), "{:?}", service.wait());
    let number = service.renewals + 1;
    assert_eq!(service.scene.input(Input::Renew), [format!("fetch newer than {number}")]);
}

#[test]
fn a_wish_does_not_cut_the_wait_of_a_renewal_that_failed_short() {
    let mut scene = quiet(in_band(RenewalTime::Early));
    let _ = scene.after(60.0);
    assert_eq!(scene.says(1, ASKS), ["fetch newer than 1"]);
    let advice = auth_core::Retry::After(Duration::from_secs(60));
    let busy = auth_core::Error::new(TokenErrorKind::RateLimited, "slow down").with_retry(advice);
    assert_eq!(scene.no_token(busy), ["renewal_failed"]);
    for _ in 0..50 {
        let _ = scene.after(1.0);
        assert_eq!(scene.says(1, ASKS), [""; 0]);
    }
    assert_eq!(scene.when_due(), ["fetch newer than 1"]);
}

//! Who listens on which channel: what is published reaches those connections of this gateway, and is kept for nobody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_http::endpoint::ably::realtime::Publication;
use tokio::sync::{Notify, mpsc};
use tungstenite::Utf8Bytes;

/// How many publications a connection may be behind.
const MOST_QUEUED: usize = 256;

/// How many bytes of them.
const MOST_QUEUED_BYTES: usize = 1_024 * 1_024;

/// The channels of all applications; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Hub(Arc<Mutex<Channels>>);

/// By application and channel, and then by connection.
type Channels = HashMap<(String, String), HashMap<String, Arc<Inbox>>>;

/// What was published, as it is on its way to a connection.
pub(super) struct Delivery {
    pub(super) channel: String,
    pub(super) connection_id: Option<String>,
    pub(super) frame: Utf8Bytes,
}

/// Where a connection finds what it hears.
struct Inbox {
    deliveries: mpsc::Sender<Arc<Delivery>>,
    bytes: AtomicUsize,
    overflown: AtomicBool,
    /// Wakes up who waits with nothing in its inbox: what is too long for it is never put there.
    overflow: Notify,
}

/// A connection's place in the hub; it leaves all its channels when this is dropped.
pub(super) struct Member {
    hub: Hub,
    application: String,
    connection_id: String,
    channels: Vec<String>,
    inbox: Arc<Inbox>,
    deliveries: mpsc::Receiver<Arc<Delivery>>,
}

impl Hub {
    pub(super) fn enter(&self, application: &str, connection_id: &str) -> Member {
        let (sender, deliveries) = mpsc::channel(MOST_QUEUED);
        let inbox = Inbox {
            deliveries: sender,
            bytes: AtomicUsize::new(0),
            overflown: AtomicBool::new(false),
            overflow: Notify::new(),
        };
        Member {
            hub: self.clone(),
            application: application.to_owned(),
            connection_id: connection_id.to_owned(),
            channels: Vec::new(),
            inbox: Arc::new(inbox),
            deliveries,
        }
    }

    /// Hands a publication to all who listen. One who is too far behind gets it no more, nor anything after it.
    pub(super) fn publish(&self, application: &str, publication: Publication) {
        let place = (application.to_owned(), publication.channel);
        let channels = self.lock();
        let Some(listening) = channels.get(&place) else { return };
        let delivery = Arc::new(Delivery {
            channel: place.1,
            connection_id: publication.connection_id,
            frame: publication.frame.into(),
        });
        for inbox in listening.values() {
            inbox.put(&delivery);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    fn put(&self, delivery: &Arc<Delivery>) {
        if self.overflown.load(Ordering::Relaxed) {
            return;
        }
        let bytes = self.bytes.fetch_add(delivery.frame.len(), Ordering::Relaxed) + delivery.frame.len();
        if bytes > MOST_QUEUED_BYTES || self.deliveries.try_send(Arc::clone(delivery)).is_err() {
            self.overflown.store(true, Ordering::Relaxed);
            self.overflow.notify_one();
        }
    }
}

impl Member {
    pub(super) fn join(&mut self, channel: String) {
        let place = (self.application.clone(), channel.clone());
        let inbox = Arc::clone(&self.inbox);
        self.hub.lock().entry(place).or_default().insert(self.connection_id.clone(), inbox);
        self.channels.push(channel);
    }

    pub(super) fn leave(&mut self, channel: &str) {
        self.channels.retain(|joined| joined != channel);
        self.remove(channel);
    }

    /// What is published next on the channels joined; `None` once the connection has fallen too far behind.
    pub(super) async fn next(&mut self) -> Option<Arc<Delivery>> {
        let delivery = tokio::select! {
            biased;
            () = self.inbox.overflow.notified() => return None,
            // It never ends by itself: a sender is here.
            delivery = self.deliveries.recv() => delivery?,
        };
        self.inbox.bytes.fetch_sub(delivery.frame.len(), Ordering::Relaxed);
        (!self.inbox.overflown.load(Ordering::Relaxed)).then_some(delivery)
    }

    fn remove(&self, channel: &str) {
        let place = (self.application.clone(), channel.to_owned());
        let mut channels = self.hub.lock();
        if let Some(listening) = channels.get_mut(&place) {
            listening.remove(&self.connection_id);
            if listening.is_empty() {
                channels.remove(&place);
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        for channel in &self.channels {
            self.remove(channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth_core::ably::ApiKey;
    use auth_core::time::{Moment, Now, Timestamp};
    use auth_http::endpoint::ably::{Records, ServedKey, caller_of_key};
    use tokio::time::timeout;

    use super::*;

    fn publication(channel: &str, length: usize) -> Publication {
        let key = ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap();
        let mut records = Records::new([1; 32]);
        records.serve(ServedKey::new(key.clone()));
        let caller = caller_of_key(&records, &key).unwrap();
        let now = Now { wall: Timestamp::from_millis(1), mono: Moment::ORIGIN };
        let messages = [serde_json::json!({ "data": "x".repeat(length) })];
        Publication::new(now, &caller, channel, Some("one"), "one:0", &messages).unwrap()
    }

    #[tokio::test]
    async fn a_publication_reaches_those_of_its_application_who_joined_its_channel() {
        let hub = Hub::default();
        let mut one = hub.enter("app", "one");
        let mut two = hub.enter("app", "two");
        let mut stranger = hub.enter("other", "three");
        for member in [&mut one, &mut two, &mut stranger] {
            member.join("a".to_owned());
        }
        two.join("b".to_owned());
        two.leave("a");
        for channel in ["a", "b", "c"] {
            hub.publish("app", publication(channel, 1));
        }
        assert_eq!(one.next().await.unwrap().channel, "a");
        assert_eq!(two.next().await.unwrap().channel, "b");
        assert!(one.deliveries.is_empty() && two.deliveries.is_empty() && stranger.deliveries.is_empty());
        drop((one, two, stranger));
        assert!(hub.lock().is_empty(), "nothing is left of those who are gone");
    }

    #[tokio::test]
    async fn who_is_too_far_behind_is_told_so_and_holds_up_nobody() {
        for (length, most) in [(1, MOST_QUEUED), (60_000, 17)] {
            let hub = Hub::default();
            let (mut slow, mut quick) = (hub.enter("app", "slow"), hub.enter("app", "quick"));
            slow.join("a".to_owned());
            quick.join("a".to_owned());
            for _ in 0..most {
                hub.publish("app", publication("a", length));
                assert!(quick.next().await.is_some());
            }
            assert!(!slow.inbox.overflown.load(Ordering::Relaxed), "{length}");
            for _ in 0..1_000 {
                hub.publish("app", publication("a", length));
                assert!(quick.next().await.is_some());
            }
            assert_eq!(slow.deliveries.len(), most);
            assert!(slow.next().await.is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_long_for_an_empty_inbox_is_told_even_to_one_who_waits_already() {
        let mut too_long = publication("a", 1);
        too_long.frame = "x".repeat(MOST_QUEUED_BYTES + 1);
        let hub = Hub::default();
        let mut member = hub.enter("app", "one");
        member.join("a".to_owned());
        hub.publish("app", publication("a", 1));
        assert!(member.next().await.is_some(), "the control");
        let publishing = async {
            tokio::task::yield_now().await;
            hub.publish("app", too_long);
        };
        let (next, ()) = tokio::join!(timeout(Duration::from_secs(60), member.next()), publishing);
        assert!(next.expect("it is told").is_none());
    }
}

//! The Merkle tree of what was read, grown by a second thread while the next records are read.

use std::mem;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::chain::{Frontier, Hash};

/// A tree, and the records that are still to be added to it.
///
/// Its hashing is a third of all that a verifier does, and nobody asks for a root but at the ends of segments.
pub(super) struct Tree {
    /// Empty while the other thread has it.
    frontier: Frontier,
    batch: Vec<Hash>,
    /// What the next batch is gathered in.
    spare: Vec<Hash>,
    /// The thread, once there was a whole batch to give it, and where it could be started.
    helper: Option<Helper>,
    is_away: bool,
}

struct Helper {
    work: SyncSender<Job>,
    done: Receiver<Job>,
}

/// A tree, and what is to be added to it.
struct Job {
    frontier: Frontier,
    records: Vec<Hash>,
}

/// How many records are handed over at once: enough that waking a thread costs nothing beside them.
const BATCH: usize = 4 * 1024;
/// How many are gathered at most: 1 MiB.
const MOST: usize = 8 * BATCH;

impl Tree {
    pub(super) fn new() -> Self {
        Self::from(Frontier::new())
    }

    /// Adds a leaf: the hash of a record.
    pub(super) fn push(&mut self, record: &Hash) {
        self.batch.push(*record);
        let gathered = self.batch.len();
        // A short log has no need of a thread; and where the thread has no processor, nobody waits for it before there is much to do.
        if gathered >= MOST || (gathered.is_multiple_of(BATCH) && self.is_ready()) {
            self.take_back();
            self.hand_over();
        }
    }

    /// The tree with all that was added.
    pub(super) fn whole(&mut self) -> &Frontier {
        self.take_back();
        for record in self.batch.drain(..) {
            self.frontier.push(&record);
        }
        &self.frontier
    }

    /// Whether the other thread is there and has nothing to do.
    fn is_ready(&mut self) -> bool {
        let Some(helper) = &self.helper else { return false };
        if self.is_away
            && let Ok(job) = helper.done.try_recv()
        {
            self.is_away = false;
            self.put_back(job);
        }
        !self.is_away
    }

    fn hand_over(&mut self) {
        let frontier = mem::replace(&mut self.frontier, Frontier::new());
        let job = Job { frontier, records: mem::replace(&mut self.batch, mem::take(&mut self.spare)) };
        if self.helper.is_none() {
            self.helper = Helper::start();
        }
        let refused = match &self.helper {
            Some(helper) => helper.work.send(job).err().map(|error| error.0),
            None => Some(job),
        };
        self.is_away = refused.is_none();
        if let Some(job) = refused {
            self.put_back(job.done());
        }
    }

    fn take_back(&mut self) {
        let helper = self.helper.as_ref().filter(|_| mem::take(&mut self.is_away));
        // Without an answer the tree stays empty, and fits no checkpoint: the log is refused.
        if let Some(job) = helper.and_then(|helper| helper.done.recv().ok()) {
            self.put_back(job);
        }
    }

    fn put_back(&mut self, job: Job) {
        (self.frontier, self.spare) = (job.frontier, job.records);
    }
}

impl From<Frontier> for Tree {
    fn from(frontier: Frontier) -> Self {
        Self { frontier, batch: Vec::new(), spare: Vec::new(), helper: None, is_away: false }
    }
}

impl Helper {
    /// `None` where the system has no thread to spare: then all is done by the one that asks.
    #[expect(clippy::disallowed_methods, reason = "it computes, and ends with whoever started it")]
    fn start() -> Option<Self> {
        let ((work, jobs), (told, done)) = (sync_channel::<Job>(1), sync_channel(1));
        let helps = move || {
            while let Ok(job) = jobs.recv() {
                if told.send(job.done()).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("audit-verify".to_owned()).spawn(helps).ok()?;
        Some(Self { work, done })
    }
}

impl Job {
    fn done(mut self) -> Self {
        for record in self.records.drain(..) {
            self.frontier.push(&record);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_is_grown_in_batches_is_the_tree() {
        let (mut tree, mut expected) = (Tree::new(), Frontier::new());
        let records = (0..3 * MOST as u32 + 5).map(|number| Hash::of(&number.to_be_bytes()));
        for (number, record) in records.enumerate() {
            tree.push(&record);
            expected.push(&record);
            if [1, BATCH, MOST - 1, MOST, MOST + 1, MOST + BATCH, 3 * MOST - 1, 3 * MOST + 5]
                .contains(&(number + 1))
            {
                assert_eq!(tree.whole(), &expected, "{} records", number + 1);
            }
        }
    }
}

//! Who waits for news of which unit. Passes on that there is news, and leaves it to the waiter to ask what.

use super::{JobId, job_of};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// News of one unit.
#[derive(Debug, Default)]
pub(super) struct News {
    came: Notify,
    start: Mutex<Option<String>>,
}

impl News {
    /// Resolves at the next news, or at once where there was some since the last time.
    pub(super) async fn came(&self) {
        self.came.notified().await;
    }

    /// How the job that starts the unit came out (`JobRemoved` of org.freedesktop.systemd1(5)), once it is known.
    pub(super) fn start(&self) -> Option<String> {
        self.start.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first job of a unit is the one that starts it.
    fn job_removed(&self, result: &str) {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        start.get_or_insert_with(|| result.to_owned());
    }
}

/// The units that are waited for, by their jobs.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<HashMap<JobId, Arc<News>>>);

impl Watched {
    /// News of a job's unit, from here on.
    pub(super) fn watch(self: &Arc<Self>, job: &JobId) -> Watch {
        let news = Arc::clone(self.of().entry(job.clone()).or_default());
        Watch { news, job: job.clone(), watched: Arc::clone(self) }
    }

    fn of(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Arc<News>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job of systemd's for this unit is done, with this result.
    pub(super) fn job_removed(&self, unit: &str, result: &str) {
        if let Some(news) = job_of(unit).and_then(|job| self.of().get(&job).cloned()) {
            news.job_removed(result);
            news.came.notify_one();
        }
    }

    /// There is news of this unit.
    pub(super) fn changed(&self, unit: &str) {
        if let Some(news) = job_of(unit).and_then(|job| self.of().get(&job).cloned()) {
            news.came.notify_one();
        }
    }

    /// There may be news of every one.
    pub(super) fn all_changed(&self) {
        for news in self.of().values() {
            news.came.notify_one();
        }
    }
}

/// The waiting for one unit; dropped, nobody waits for it any more.
#[derive(Debug)]
pub(super) struct Watch {
    news: Arc<News>,
    job: JobId,
    watched: Arc<Watched>,
}

impl std::ops::Deref for Watch {
    type Target = News;

    fn deref(&self) -> &News {
        &self.news
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watched.of().remove(&self.job);
    }
}

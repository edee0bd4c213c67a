//! Ordinary logs: to the journal where that is where our errors go, to the terminal elsewhere. Never blocks the event
//! loop, never carries the audit.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

/// Lines that may wait for the journal.
const QUEUE: usize = 256;

/// Logging under way. Dropped, it waits until the journal has what was logged.
#[derive(Debug)]
#[must_use]
pub struct Log(Option<(SyncSender<Option<Line>>, JoinHandle<()>)>);

impl Drop for Log {
    fn drop(&mut self) {
        if let Some((lines, writer)) = self.0.take()
            && lines.try_send(None).is_ok()
        {
            // A writer that panicked has nothing more to write.
            drop(writer.join());
        }
    }
}

/// Starts logging. `in_journal` says that standard error is the journal's (`JOURNAL_STREAM`, systemd.exec(5)).
pub fn start(in_journal: bool, identifier: &'static str) -> Log {
    if in_journal && let Ok(journal) = tracing_journald::layer() {
        let (lines, queue) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let layer = Queue { lines: lines.clone(), lost: Arc::clone(&lost) };
        let journal = journal.with_syslog_identifier(identifier.to_owned());
        let writer = std::thread::spawn(move || write_all(&queue, &lost, journal));
        install(registry().with(LevelFilter::INFO).with(layer));
        Log(Some((lines, writer)))
    } else {
        let lines =
            tracing_subscriber::fmt::layer().with_writer(std::io::stderr).without_time().with_target(false);
        install(registry().with(LevelFilter::INFO).with(lines));
        Log(None)
    }
}

fn install(subscriber: impl Subscriber + Send + Sync) {
    // Only a second start can fail, and the first goes on.
    drop(tracing::subscriber::set_global_default(subscriber));
}

#[derive(Debug)]
struct Line {
    level: Level,
    text: String,
}

#[derive(Debug)]
struct Queue {
    lines: SyncSender<Option<Line>>,
    lost: Arc<AtomicU64>,
}

impl<S: Subscriber> Layer<S> for Queue {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let line = Line { level: *event.metadata().level(), text: text.0 };
        if self.lines.try_send(Some(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let separator = if self.0.is_empty() { "" } else { " " };
        let written = match field.name() {
            "message" => write!(self.0, "{separator}{value:?}"),
            name => write!(self.0, "{separator}{name}={value:?}"),
        };
        debug_assert!(written.is_ok(), "a string takes all text");
    }
}

/// Writes until a `None`.
fn write_all(queue: &Receiver<Option<Line>>, lost: &AtomicU64, journal: tracing_journald::Layer) {
    tracing::subscriber::with_default(registry().with(journal), || {
        for Line { level, text } in queue.iter().map_while(|line| line) {
            let missing = lost.swap(0, Ordering::Relaxed);
            if missing > 0 {
                tracing::warn!("{missing} log lines before this one were lost");
            }
            match level {
                Level::ERROR => tracing::error!("{text}"),
                Level::WARN => tracing::warn!("{text}"),
                _ => tracing::info!("{text}"),
            }
        }
    });
}

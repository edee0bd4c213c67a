//! Ordinary logs: to the journal where that is where our errors go, to the terminal elsewhere. Never blocks the event
//! loop, never carries the audit.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

/// Lines that may wait for the journal.
const QUEUE: usize = 256;

/// Starts logging. `in_journal` says that standard error is the journal's (`JOURNAL_STREAM`, systemd.exec(5)).
pub fn start(in_journal: bool, identifier: &'static str) {
    if in_journal && let Ok(journal) = tracing_journald::layer() {
        let (lines, queue) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        std::thread::spawn(move || {
            write_all(&queue, &counted, journal.with_syslog_identifier(identifier.to_owned()));
        });
        install(registry().with(LevelFilter::INFO).with(Queue { lines, lost }));
    } else {
        let lines =
            tracing_subscriber::fmt::layer().with_writer(std::io::stderr).without_time().with_target(false);
        install(registry().with(LevelFilter::INFO).with(lines));
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
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

impl<S: Subscriber> Layer<S> for Queue {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        if self.lines.try_send(Line { level: *event.metadata().level(), text: text.0 }).is_err() {
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

fn write_all(queue: &Receiver<Line>, lost: &AtomicU64, journal: tracing_journald::Layer) {
    tracing::subscriber::with_default(registry().with(journal), || {
        for Line { level, text } in queue {
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

//! What systemd is told (`sd_notify(3)`). No text of anybody's can become an assignment of its own.

use sd_notify::NotifyState;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often `systemctl status` may change: each time is a message that the program waits for systemd to take.
pub const STATUS_EVERY: Duration = Duration::from_secs(1);

/// The program serves.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// The program reads its policy again; [`ready`] ends that.
pub fn reloading() {
    let now = NotifyState::monotonic_usec_now().ok();
    tell(&[Some(NotifyState::Reloading), now].into_iter().flatten().collect::<Vec<_>>());
}

/// How the program is, for `systemctl status`.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(&one_line(text))]);
}

/// The program is ending.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells the watchdog that the event loop turns, twice in each of its intervals; for ever, or not at all where systemd
/// watches nothing (`WatchdogSec=`).
pub async fn keep_watchdog_quiet() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let mut ticks = interval((limit / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd was not told: {error}");
    }
}

/// The text without anything that could end its line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newline_injects_no_assignment() {
        assert_eq!(one_line("fine\nMAINPID=1"), "fine MAINPID=1");
    }
}

//! Accepts connections, backs off when the machine is out of descriptors, stops when told.

use std::future::Future;
use std::io;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The first pause after a failed accept; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Hands every accepted connection to `serve`, until `stop`. An accept that fails (`EMFILE`, say) is tried again after a
/// pause: the kernel keeps the connection queued meanwhile.
pub async fn accept_all<C, A, F>(mut accept: A, stop: &CancellationToken, mut serve: impl FnMut(C))
where
    A: FnMut() -> F,
    F: Future<Output = io::Result<C>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = accept() => accepted,
        };
        match accepted {
            Ok(connection) => {
                pause = FIRST_PAUSE;
                serve(connection);
            }
            Err(error) => {
                tracing::warn!("a connection can't be accepted now: {error}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_accept_that_fails_is_tried_again_after_a_pause_and_not_at_once() {
        let stop = CancellationToken::new();
        let start = tokio::time::Instant::now();
        let mut tries = 0;
        let accept = || {
            tries += 1;
            std::future::ready(if tries <= 10 { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) })
        };
        accept_all(accept, &stop, |()| stop.cancel()).await;
        assert!(start.elapsed() > LONGEST_PAUSE, "no back-off: {:?}", start.elapsed());
    }
}

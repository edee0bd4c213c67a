//! Tokens under every fate of their runs, with a clock that is moved and a ledger that is opened again.

use super::*;
use crate::execution::Outcome;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

const DONE: Over = Over { outcome: Some(Outcome::Exited(3)), ms: 7, cut: false };

/// The tests' clock, in seconds: each test that moves it has one of its own.
static LATER: AtomicU64 = AtomicU64::new(0);

fn still() -> Uptime {
    Uptime::of("a boot", || Duration::ZERO)
}

fn moving() -> Uptime {
    Uptime::of("a boot", || Duration::from_secs(LATER.load(Ordering::SeqCst)))
}

fn alice() -> Uid {
    Uid::new(1000).unwrap()
}

fn asked(spelling: &str) -> Asked {
    Asked { spelling: spelling.to_owned(), digest: 1, has_more: false }
}

fn token(text: &str) -> Token {
    text.parse().unwrap()
}

async fn fresh(tokens: &Arc<Tokens>, text: &str) -> Claimed {
    let claim = tokens.claim(alice(), &token(text), &asked("backup daily")).await;
    let Claim::Fresh(claimed) = claim else { panic!("{claim:?}") };
    claimed
}

async fn run(tokens: &Arc<Tokens>, text: &str) -> (JobId, Claimed) {
    let (mut claimed, job) = (fresh(tokens, text).await, JobId::draw().unwrap());
    claimed.begin(&job).await.unwrap();
    (job, claimed.started())
}

async fn again(tokens: &Arc<Tokens>, text: &str) -> (JobId, Option<Over>) {
    let claim = tokens.claim(alice(), &token(text), &asked("backup daily")).await;
    let Claim::Again(begun) = claim else { panic!("{claim:?}") };
    (begun.job, begun.over)
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("udsadmin-tokens-{}", JobId::draw().unwrap())))
    }

    fn open(&self) -> Arc<Tokens> {
        Tokens::open(Some(&self.0), still()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[tokio::test]
async fn a_token_is_its_users_own_and_its_requests_own() {
    let tokens = Tokens::open(None, still()).unwrap();
    let (job, claimed) = run(&tokens, "a").await;
    assert_eq!(again(&tokens, "a").await, (job.clone(), None));
    claimed.end(DONE).await;
    assert_eq!(again(&tokens, "a").await, (job, Some(DONE)));
    assert!(matches!(tokens.claim(alice(), &token("a"), &asked("backup weekly")).await, Claim::Taken));
    let bob = tokens.claim(Uid::new(1001).unwrap(), &token("a"), &asked("backup daily")).await;
    assert!(matches!(bob, Claim::Fresh(_)));
}

#[tokio::test]
async fn what_was_not_started_leaves_its_token_free() {
    let folder = Folder::new();
    let tokens = folder.open();
    let mut claimed = fresh(&tokens, "a").await;
    claimed.begin(&JobId::draw().unwrap()).await.unwrap();
    drop(claimed);
    drop(fresh(&tokens, "a").await);
    drop(fresh(&folder.open(), "a").await);
}

#[tokio::test]
async fn whoever_asks_again_while_the_first_starts_waits_for_it() {
    let tokens = Tokens::open(None, still()).unwrap();
    let (mut first, job) = (fresh(&tokens, "a").await, JobId::draw().unwrap());
    let waiting = tokio::spawn({
        let tokens = Arc::clone(&tokens);
        async move { again(&tokens, "a").await }
    });
    tokio::task::yield_now().await;
    first.begin(&job).await.unwrap();
    assert!(!waiting.is_finished());
    let _running = first.started();
    assert_eq!(waiting.await.unwrap().0, job);
}

#[tokio::test]
async fn a_restart_forgets_neither_what_was_over_nor_what_was_not() {
    let folder = Folder::new();
    let tokens = folder.open();
    let ((over, ended), (cut_off, _running)) = (run(&tokens, "a").await, run(&tokens, "b").await);
    ended.end(DONE).await;
    let next = folder.open();
    assert_eq!(again(&next, "a").await, (over, Some(DONE)));
    assert_eq!(again(&next, "b").await, (cut_off, None));
}

#[tokio::test]
async fn a_token_is_known_for_ten_minutes_after_its_run_and_as_long_as_it_runs() {
    let tokens = Tokens::open(None, moving()).unwrap();
    let (job, running) = run(&tokens, "a").await;
    LATER.store(3600, Ordering::SeqCst);
    assert_eq!(again(&tokens, "a").await, (job.clone(), None));
    running.end(DONE).await;
    LATER.store(3600 + 599, Ordering::SeqCst);
    assert_eq!(again(&tokens, "a").await, (job, Some(DONE)));
    LATER.store(3600 + 600, Ordering::SeqCst);
    drop(fresh(&tokens, "a").await);
}

#[tokio::test]
async fn a_token_is_known_as_long_as_a_run_that_the_next_broker_took_over() {
    let folder = Folder::new();
    let (job, _running) = run(&folder.open(), "a").await;
    let next = Tokens::open(Some(&folder.0), Uptime::of("a boot", || Duration::from_secs(3600))).unwrap();
    let held = next.hold(&job);
    assert_eq!(again(&next, "a").await, (job, None));
    drop(held);
    drop(fresh(&next, "a").await);
}

#[tokio::test]
async fn a_token_of_before_a_reboot_is_known_for_ten_minutes_of_the_boot_after_it() {
    let folder = Folder::new();
    run(&folder.open(), "a").await.1.end(DONE).await;
    let next = |clock| Tokens::open(Some(&folder.0), Uptime::of("the next boot", clock)).unwrap();
    again(&next(|| Duration::from_secs(599)), "a").await;
    drop(fresh(&next(|| Duration::from_secs(600)), "a").await);
}

#[tokio::test]
async fn one_user_has_so_many_tokens_and_no_more() {
    let tokens = Tokens::open(None, still()).unwrap();
    let mut held = Vec::new();
    for number in 0..PER_USER {
        held.push(run(&tokens, &number.to_string()).await);
    }
    assert!(matches!(tokens.claim(alice(), &token("more"), &asked("backup daily")).await, Claim::TooMany));
}

#[tokio::test]
async fn what_is_asked_for_with_another_secret_or_input_is_another_request_and_so_is_what_can_not_be_told() {
    let folder = Folder::new();
    let tokens = folder.open();
    let (_, claimed) = run(&tokens, "a").await;
    claimed.end(DONE).await;
    let more = |digest| Asked { has_more: true, digest, ..asked("backup daily") };
    assert!(matches!(tokens.claim(alice(), &token("a"), &more(1)).await, Claim::Again(_)));
    assert!(matches!(tokens.claim(alice(), &token("a"), &more(2)).await, Claim::Taken));
    assert!(matches!(folder.open().claim(alice(), &token("a"), &more(1)).await, Claim::Taken));
}

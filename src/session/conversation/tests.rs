//! What a conversation hears.

use super::*;
use crate::accounts::Database;
use crate::audit::{Memory, Trail};
use crate::broker::{Followed, InForce, Version};
use crate::identity::{Gid, Peer, Uid};
use crate::policy::{Policy, Source};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

fn context(policy: Policy) -> Arc<Context> {
    let version = Version::of(&[], SystemTime::UNIX_EPOCH);
    let followed = Followed::new(InForce { policy, version, warnings: 0 }, Arc::new(Database));
    Arc::new(Context {
        followed: Arc::new(followed),
        trail: Arc::new(Trail::Memory(Memory::default())),
        broker: "/nonexistent".into(),
        clock: || SystemTime::UNIX_EPOCH,
        status: Box::new(Vec::new),
        draining: CancellationToken::new(),
    })
}

fn peer() -> Peer {
    Peer::of(Uid::ROOT, Gid::new(0).unwrap(), [])
}

/// A policy of so many commands for everyone who has the group 0.
fn policy(commands: usize) -> Policy {
    let command = |number| {
        let line =
            format!("[commands.c{number}]\nsummary = \"{}\"\nexec = [\"/bin/true\"]\n", "x".repeat(99));
        line + &format!("[[commands.c{number}.allow]]\ngroups = [0]\n")
    };
    let text = "[allow]\nusers = [0]\n".to_owned() + &(0..commands).map(command).collect::<String>();
    Policy::parse(&[Source { name: "p.toml".to_owned(), text }], &Database).unwrap().policy
}

#[tokio::test]
async fn a_long_list_waits_for_its_reader_and_lets_others_have_their_turn() {
    let (context, (ours, _client)) = (context(policy(5000)), UnixStream::pair().unwrap());
    let (peer, turns) = (peer(), Arc::new(AtomicUsize::new(0)));
    let stream = Stream::new(ours, peer.uid).unwrap();
    let mut conversation = Conversation::new(&context, Judge { now: context.followed.now(), peer }, &stream);
    let counted = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    conversation.unread = b"commands\nping\n".to_vec();
    let mut told = Vec::new();
    while !told.ends_with(b"200 ok\n200 ok\n") {
        conversation.answer_in_turn().await;
        let unsent = conversation.out.unsent().to_vec();
        assert!((1..300 * 1024).contains(&unsent.len()), "{} octets at once", unsent.len());
        conversation.out.sent(unsent.len());
        told.extend(unsent);
    }
    other.abort();
    let rows = told.split(|octet| *octet == b'\n').filter(|line| line.starts_with(b"* name=c"));
    assert_eq!((rows.count(), turns.load(Ordering::Relaxed) > 50), (5000, true));
}

#[tokio::test(start_paused = true)]
async fn the_servers_end_is_heard_though_something_else_was_heard_first() {
    let (context, (ours, _client)) = (context(Policy::default()), UnixStream::pair().unwrap());
    let peer = peer();
    let stream = Stream::new(ours, peer.uid).unwrap();
    let judge = Judge { now: context.followed.now(), peer };
    let mut conversation = Conversation::new(&context, judge, &stream);
    context.draining.cancel();
    let heard = tokio::time::timeout(Duration::from_secs(1), conversation.wake()).await;
    assert!(matches!(heard, Ok(Wake::Draining)));
    conversation.act(Wake::Draining).await;
    let heard = tokio::time::timeout(2 * DRAINING, conversation.wake()).await;
    assert!(matches!(heard, Ok(Wake::QuittingIsOver)));
}

//! What a conversation hears.

use super::*;
use crate::accounts::Database;
use crate::audit::{Memory, Trail};
use crate::broker::{Followed, InForce, Version};
use crate::identity::{DatabaseGroups, Gid, Peer, Uid};
use crate::policy::{Policy, Source};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

fn context() -> Arc<Context> {
    context_with(Policy::default())
}

fn context_with(policy: Policy) -> Arc<Context> {
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

/// The server's end of a connection of root's.
fn stream(ours: UnixStream) -> Stream {
    Stream::new(ours, Uid::ROOT).unwrap()
}

fn conversation<'a>(context: &'a Arc<Context>, stream: &'a Stream) -> Conversation<'a> {
    let peer = Peer::of(Uid::ROOT, Gid::new(0).unwrap(), []);
    Conversation::new(context, Judge::new(context.followed.now(), peer), stream)
}

#[tokio::test]
async fn whoever_asks_without_end_leaves_others_their_turn() {
    let (context, (ours, _client)) = (context(), UnixStream::pair().unwrap());
    let stream = stream(ours);
    for (asked, times) in [("ping\n", TURN), ("commands\n", 1), ("help\n", 1), ("why a\n", 1), ("a\n", 1)] {
        let mut conversation = conversation(&context, &stream);
        conversation.unread.fill(&mut asked.repeat(times).into_bytes());
        tokio::select! {
            biased;
            () = conversation.answer_in_turn() => panic!("nobody else had a turn: {asked:?}"),
            () = std::future::ready(()) => {}
        }
    }
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
    let (context, (ours, _client)) = (context_with(policy(5000)), UnixStream::pair().unwrap());
    let (stream, turns) = (stream(ours), Arc::new(AtomicUsize::new(0)));
    let mut conversation = conversation(&context, &stream);
    let counted = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    conversation.unread.fill(&mut b"commands\nping\n".to_vec());
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
    let (context, (ours, _client)) = (context(), UnixStream::pair().unwrap());
    let stream = stream(ours);
    let mut conversation = conversation(&context, &stream);
    context.draining.cancel();
    let heard = tokio::time::timeout(Duration::from_secs(1), conversation.wake()).await;
    assert!(matches!(heard, Ok(Wake::Draining)));
    conversation.act(Wake::Draining).await;
    let heard = tokio::time::timeout(2 * DRAINING, conversation.wake()).await;
    assert!(matches!(heard, Ok(Wake::QuittingIsOver)));
}

#[tokio::test]
async fn what_was_asked_before_the_server_ended_is_answered() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (context, (ours, mut client)) = (context(), UnixStream::pair().unwrap());
    let stream = stream(ours);
    client.write_all(b"say too late\n").await.unwrap();
    client.shutdown().await.unwrap();
    context.draining.cancel();
    conversation(&context, &stream).hold().await;
    let mut told = String::new();
    client.read_to_string(&mut told).await.unwrap();
    assert_eq!(told, "503 draining ms=0 : the service is ending; nothing was started\n");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_left_a_group_of_the_user_database_is_soon_no_longer_taken_for_a_member() {
    let text = "[allow]\ngroups = [61235]\ngroups-from = \"database\"\n".to_owned();
    let sources = [Source { name: "p".to_owned(), text }];
    let context = context_with(Policy::parse(&sources, &Database).unwrap().policy);
    let (ours, _client) = UnixStream::pair().unwrap();
    let stream = stream(ours);
    let mut peer = Peer::of(Uid::ROOT, Gid::new(0).unwrap(), []);
    peer.database_groups = DatabaseGroups::Known([Gid::new(61235).unwrap()].into());
    let judge = Judge::new(context.followed.now(), peer);
    let mut conversation = Conversation::new(&context, judge, &stream);
    for expected in ["200 ok\n", "403 denied : 0 (uid 0) may not connect; ask this machine's administrator\n"]
    {
        conversation.unread.fill(&mut b"ping\n".to_vec());
        conversation.answer_in_turn().await;
        assert_eq!(String::from_utf8_lossy(conversation.out.unsent()), expected);
        conversation.out = Outbox::default();
        tokio::time::advance(Duration::from_secs(10)).await;
    }
}

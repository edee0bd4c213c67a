//! A server that follows a broker played by the test.

use super::*;
use crate::accounts::Database;
use crate::audit::Memory;
use crate::broker::{Refused, accept};
use crate::identity::{Gid, Peer, Uid};
use crate::policy::Source;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::os::fd::AsFd;
use std::time::SystemTime;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

fn sources(uid: u32) -> Vec<Source> {
    vec![Source { name: "p.toml".to_owned(), text: format!("[allow]\nusers = [{uid}]\n") }]
}

fn version(uid: u32) -> Version {
    Version::of(&sources(uid), SystemTime::UNIX_EPOCH)
}

fn followed() -> Followed {
    let Loaded { policy, .. } = Policy::parse(&sources(7), &Database).unwrap();
    Followed::new(InForce { policy, version: version(7), warnings: 0 }, Arc::new(Database))
}

fn admits(followed: &Followed, uid: u32) -> bool {
    followed.now().policy.may_admit(&Peer::of(Uid::new(uid).unwrap(), Gid::new(9).unwrap(), []))
}

fn standing(uid: u32) -> Standing {
    Standing { version: version(uid), refused: None, until: None }
}

#[tokio::test]
async fn the_policy_of_the_broker_is_taken_over_and_recorded_once() {
    let (followed, memory) = (followed(), Trail::Memory(Memory::default()));
    for _ in 0..2 {
        followed.take(standing(8), (texts::seal(&sources(8)).unwrap(), None), &memory).await.unwrap();
    }
    assert!(admits(&followed, 8) && !admits(&followed, 7));
    let Trail::Memory(memory) = memory else { unreachable!("made so") };
    assert_eq!(memory.names(), ["policy-loaded"]);
}

#[tokio::test]
async fn how_things_stand_is_taken_over_though_the_policy_is_the_same() {
    let (followed, trail) = (followed(), Trail::Memory(Memory::default()));
    let before = followed.now();
    let refused = Some(Refused { at: SystemTime::UNIX_EPOCH, why: "p.toml:1:1: no".to_owned() });
    let standing = Standing { refused: refused.clone(), ..standing(7) };
    followed.take(standing, (texts::seal(&sources(7)).unwrap(), None), &trail).await.unwrap();
    assert!(Arc::ptr_eq(&followed.now(), &before));
    assert_eq!(followed.state().refused, refused);
}

#[tokio::test]
async fn texts_that_are_no_policy_change_nothing() {
    let (followed, trail) = (followed(), Trail::Memory(Memory::default()));
    let bad = [Source { name: "p.toml".to_owned(), text: "x = 1\n".to_owned() }];
    assert!(followed.take(standing(8), (texts::seal(&bad).unwrap(), None), &trail).await.is_err());
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(followed.take(standing(8), (file.into(), None), &trail).await.is_err());
    assert!(admits(&followed, 7));
}

/// A broker that tells whoever comes first of a policy with this text.
async fn broker_with(text: &str, socket: &AsyncFd<OwnedFd>) {
    let packets = Packets::new(accept(socket).await.unwrap()).unwrap();
    assert_eq!(packets.receive::<Order>().await.unwrap().unwrap().value, Order::Follow);
    let files = [Source { name: "p.toml".to_owned(), text: text.to_owned() }];
    let texts = texts::seal(&files).unwrap();
    packets.send(&Report::InForce(standing(8)), &[texts.as_fd()]).await.unwrap();
}

#[tokio::test]
async fn a_policy_that_can_not_be_taken_over_does_not_count_as_told() {
    let path = std::env::temp_dir().join(format!("udsadmin-follow-{}", std::process::id()));
    let socket = listener(&path);
    for (text, expected) in [("x = 1\n", false), ("[allow]\nusers = [8]\n", true)] {
        let (followed, trail) = (followed(), Trail::Memory(Memory::default()));
        let ((told, _why), ()) =
            tokio::join!(followed.follow_once(&path, &trail), broker_with(text, &socket));
        assert_eq!((told, admits(&followed, 8)), (expected, expected), "{text}");
    }
    std::fs::remove_file(path).unwrap();
}

fn listener(path: &Path) -> AsyncFd<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 1).unwrap();
    crate::sys::watch(socket, Interest::READABLE).unwrap()
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_policy_that_does_not_come_waits_no_longer_than_a_while() {
    let followed = followed();
    assert!(!followed.differs_from(&version(7)).await && followed.differs_from(&version(8)).await);
    let reloaded = |version| Answer::Reloaded { version, commands: 0, warnings: 0, until: None };
    let later = SystemTime::UNIX_EPOCH + LONGEST_PAUSE;
    let other = reloaded(Version::of(&[], later));
    assert!(!followed.knows_of(&other).await && followed.knows_of(&reloaded(version(7))).await);
    let refused = Refused { at: later, why: "p.toml:1:2: no".to_owned() };
    assert!(!followed.knows_of(&Answer::Refused(refused)).await && followed.knows_of(&Answer::Busy).await);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_not_there_is_asked_again_after_longer_and_longer_pauses() {
    let (followed, trail) = (followed(), Trail::Memory(Memory::default()));
    let path = Path::new("/nonexistent/broker.sock");
    let start = tokio::time::Instant::now();
    let hurried = async {
        followed.hurry();
        sleep(LONGEST_PAUSE * 10).await;
    };
    tokio::select! { () = followed.follow(path, &trail) => {}, () = hurried => {} }
    assert!(start.elapsed() >= LONGEST_PAUSE * 10);
    assert!(admits(&followed, 7));
}

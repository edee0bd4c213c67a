//! The seam between the programs, from the side of a server that was taken over, or of a broker that is gone.

use crate::client::Client;
use crate::process::{STRANGER, as_stranger, is_root};
use crate::world::{POLICY, World, version_at};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::fs::File;
use std::io::Read;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use udsadmin::broker::{FORM, NotRun, Order, Packet, Packets, Report, Version};
use udsadmin::execution::Outcome;
use udsadmin::request::{Argument, Request, Value, Wanted};

/// The broker alone, and a client that has connected to the door, whose connection this test has accepted.
struct Seam {
    accepted: UnixStream,
    client: UnixStream,
    version: Version,
    world: World,
}

impl Seam {
    fn new() -> Self {
        let mut world = World::prepare(POLICY);
        world.start_broker();
        let client = UnixStream::connect(world.folder.file("udsadmin.sock")).unwrap();
        let accepted = world.line.accept().unwrap().0;
        let version = version_at(&world.folder.file("broker.sock"));
        Self { accepted, client, version, world }
    }

    /// An order to run a command without arguments, under the policy in force.
    fn order(&self, run: u32, command: &str) -> Order {
        let request = Request { command: command.parse().unwrap(), arguments: Vec::new() };
        Order::Run { run, version: self.version, request, wanted: Wanted::default() }
    }

    fn path(&self) -> PathBuf {
        self.world.folder.file("broker.sock")
    }

    fn connect(&self) -> Packets {
        Packets::connect(&self.path()).unwrap()
    }

    async fn open(&self) -> Packets {
        let packets = self.connect();
        packets.send(&Order::Open, &[self.accepted.as_fd()]).await.unwrap();
        assert_eq!(report(&packets).await, Some(Report::Opened));
        packets
    }

    /// The broker still does its work.
    async fn is_well(&self) {
        let packets = self.open().await;
        let (code, output) = run(&packets, self.order(7, "echo")).await;
        assert_eq!((code, output.as_slice()), (Some(0), &b"nothing\n"[..]));
    }

    fn refused(&self, why: &str) {
        self.world.broker().line_with(&["refused", why]);
    }
}

async fn report(packets: &Packets) -> Option<Report> {
    packets.receive().await.ok().flatten().map(|packet: Packet<Report>| packet.value)
}

/// Has a command run, and gives its exit code and what it wrote.
async fn run(packets: &Packets, order: Order) -> (Option<i32>, Vec<u8>) {
    packets.send(&order, &[]).await.unwrap();
    let mut stdout = starts(packets).await;
    let code = match report(packets).await {
        Some(Report::Ended { outcome: Some(Outcome::Exited(code)), .. }) => Some(code),
        other => panic!("{other:?}"),
    };
    let mut output = Vec::new();
    rustix::io::ioctl_fionbio(&stdout, false).unwrap();
    stdout.read_to_end(&mut output).unwrap();
    (code, output)
}

/// A run starts: what there is to read of its standard output.
async fn starts(packets: &Packets) -> File {
    let packet: Packet<Report> = packets.receive().await.unwrap().unwrap();
    assert!(matches!(packet.value, Report::Starts { .. }), "{:?}", packet.value);
    let [stdout, _stderr, _tail] = packet.descriptors.try_into().unwrap();
    stdout.into()
}

/// What is said to somebody who opens a session with these descriptors.
async fn opening(seam: &Seam, descriptors: &[BorrowedFd<'_>]) -> Option<Report> {
    let packets = seam.connect();
    packets.send(&Order::Open, descriptors).await.unwrap();
    report(&packets).await
}

#[tokio::test]
async fn a_session_runs_what_its_client_may_run() {
    let seam = Seam::new();
    seam.is_well().await;
    let packets = seam.open().await;
    packets.send(&seam.order(1, "forbidden"), &[]).await.unwrap();
    assert_eq!(report(&packets).await, Some(Report::NotRun { run: 1, why: NotRun::Denied }));
    seam.world.broker().line_with(&["denied", "forbidden"]);
}

#[tokio::test]
async fn a_listening_socket_a_pair_and_a_file_are_no_clients() {
    let seam = Seam::new();
    let (end, _other) = UnixStream::pair().unwrap();
    let file = File::open("/dev/null").unwrap();
    let mut strange: Vec<BorrowedFd<'_>> = vec![seam.world.line.as_fd(), file.as_fd()];
    if is_root() {
        // Without privilege the broker can't tell; it then has none to protect either.
        strange.push(end.as_fd());
    }
    for descriptor in strange {
        assert_eq!(opening(&seam, &[descriptor]).await, Some(Report::Refused));
    }
    seam.refused("no connected Unix stream socket");
    seam.is_well().await;
}

#[tokio::test]
async fn a_client_of_another_door_is_refused() {
    if !is_root() {
        return;
    }
    let seam = Seam::new();
    let door = crate::world::listen_for_lines(&seam.world.folder.file("other.sock"));
    let _client = UnixStream::connect(seam.world.folder.file("other.sock")).unwrap();
    let accepted = door.accept().unwrap().0;
    assert_eq!(opening(&seam, &[accepted.as_fd()]).await, Some(Report::Refused));
    seam.refused("not accepted from our own listening socket");
}

#[tokio::test]
async fn the_end_that_the_client_holds_is_no_client() {
    let seam = Seam::new();
    // Its peer is the door's owner: whoever passes it would act in that name.
    let answer = opening(&seam, &[seam.client.as_fd()]).await;
    if is_root() {
        assert_eq!(answer, Some(Report::Refused));
    }
    seam.is_well().await;
}

#[tokio::test]
async fn a_client_that_has_hung_up_is_refused_and_runs_nothing_later_either() {
    let seam = Seam::new();
    let packets = seam.open().await;
    // Closing alone would do, but for a moment a fork of another test's may hold the socket too.
    seam.client.shutdown(Shutdown::Both).unwrap();
    packets.send(&seam.order(1, "echo"), &[]).await.unwrap();
    assert_eq!(report(&packets).await, Some(Report::NotRun { run: 1, why: NotRun::Denied }));
    let again = Packets::connect(&seam.world.folder.file("broker.sock")).unwrap();
    again.send(&Order::Open, &[seam.accepted.as_fd()]).await.unwrap();
    assert_eq!(report(&again).await, Some(Report::Refused));
    assert!(!seam.world.broker().lines().iter().any(|line| line.contains("started")));
}

#[tokio::test]
async fn a_client_whom_the_policy_does_not_admit_is_refused_by_the_broker_too() {
    if !is_root() {
        return;
    }
    let seam = Seam::new();
    let door = seam.world.folder.file("udsadmin.sock");
    let _stranger = as_stranger(|| UnixStream::connect(&door).unwrap());
    let accepted = seam.world.line.accept().unwrap().0;
    assert_eq!(opening(&seam, &[accepted.as_fd()]).await, Some(Report::Refused));
    seam.refused(&format!("UID={STRANGER}"));
}

#[tokio::test]
async fn nobody_but_the_server_is_served() {
    if !is_root() {
        return;
    }
    let seam = Seam::new();
    let path = seam.path();
    let stranger = as_stranger(|| {
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .unwrap();
        rustix::net::connect(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        socket
    });
    rustix::io::ioctl_fionbio(&stranger, true).unwrap();
    let packets = Packets::new(stranger).unwrap();
    // The broker may have hung up already.
    drop(packets.send(&Order::Open, &[seam.accepted.as_fd()]).await);
    assert_eq!(report(&packets).await, None);
    seam.refused(&format!("uid {STRANGER} connected to the broker"));
    seam.is_well().await;
}

#[tokio::test]
async fn a_session_opens_with_one_socket_and_opens_once() {
    let seam = Seam::new();
    assert_eq!(opening(&seam, &[]).await, None);
    assert_eq!(opening(&seam, &[seam.accepted.as_fd(), seam.accepted.as_fd()]).await, None);
    let packets = seam.connect();
    packets.send(&seam.order(1, "echo"), &[]).await.unwrap();
    assert_eq!(report(&packets).await, None, "a run before the session was opened");
    let packets = seam.connect();
    packets.send(&Order::Cancel { run: 1 }, &[]).await.unwrap();
    assert_eq!(report(&packets).await, None);
    let packets = seam.open().await;
    packets.send(&Order::Open, &[seam.accepted.as_fd()]).await.unwrap();
    assert_eq!(report(&packets).await, None, "opened twice");
    seam.refused("did not open its session with one socket");
    seam.is_well().await;
}

#[tokio::test]
async fn a_job_reads_a_sealed_file_in_memory_and_nothing_else() {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let seam = Seam::new();
    let packets = seam.open().await;
    let memory = || memfd_create("input", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    let (open, growing) = (memory(), memory());
    fcntl_add_seals(&growing, SealFlags::WRITE | SealFlags::SHRINK).unwrap();
    let gate = File::options().read(true).write(true).open(seam.world.folder.file("gate")).unwrap();
    let (file, (end, _other)) = (File::open("/dev/null").unwrap(), UnixStream::pair().unwrap());
    let (pipe, _writer) = std::io::pipe().unwrap();
    let strange = [open.as_fd(), growing.as_fd(), gate.as_fd(), file.as_fd(), end.as_fd(), pipe.as_fd()];
    for (number, passed) in (1..).zip(strange) {
        packets.send(&seam.order(number, "echo"), &[passed]).await.unwrap();
        let answer = report(&packets).await;
        assert_eq!(answer, Some(Report::NotRun { run: number, why: NotRun::Internal }));
    }
    assert!(!seam.world.broker().lines().iter().any(|line| line.contains("started")));
    seam.is_well().await;
}

#[tokio::test]
async fn a_packet_that_is_no_order_ends_its_connection_alone() {
    let seam = Seam::new();
    let large = vec![0; 64 * 1024];
    for octets in [
        &b"\x01\xff\xff\xff\xff"[..],
        b"\x01\x01",
        b"\x01\x00\x00\x00",
        &large,
        b"\x01\x01\xff\xff\xff\xff\x0f\x7f",
    ] {
        for is_open in [false, true] {
            let packets = if is_open { seam.open().await } else { seam.connect() };
            rustix::net::send(packets.as_fd(), octets, SendFlags::NOSIGNAL).unwrap();
            assert_eq!(report(&packets).await, None, "{octets:?}");
        }
    }
    seam.is_well().await;
}

#[tokio::test]
async fn a_server_of_another_version_is_not_misunderstood() {
    let seam = Seam::new();
    let packets = seam.connect();
    let follow = [FORM + 1, 5];
    rustix::net::send(packets.as_fd(), &follow, SendFlags::NOSIGNAL).unwrap();
    assert_eq!(report(&packets).await, None);
    seam.world.broker().line_with(&["of another version of udsadmin"]);
    let packets = seam.connect();
    rustix::net::send(packets.as_fd(), &[FORM, 5], SendFlags::NOSIGNAL).unwrap();
    assert!(matches!(report(&packets).await, Some(Report::InForce(_))));
}

#[tokio::test]
async fn a_packet_with_too_many_descriptors_ends_its_connection_and_leaves_none_open() {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::os::fd::AsRawFd;
    let seam = Seam::new();
    let packets = seam.open().await;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let passed = [writer.as_raw_fd(); 200];
    let (parts, rights) = ([std::io::IoSlice::new(b"\x01\x00")], [ControlMessage::ScmRights(&passed)]);
    sendmsg::<()>(packets.as_fd().as_raw_fd(), &parts, &rights, MsgFlags::empty(), None).unwrap();
    assert_eq!(report(&packets).await, None);
    drop(writer);
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    seam.is_well().await;
}

#[tokio::test]
async fn a_request_that_no_line_could_hold_is_judged_like_any_other() {
    let seam = Seam::new();
    let packets = seam.open().await;
    let word = Argument::Positional(Value::try_from("--\n\x1b[31m").unwrap());
    let request = Request { command: "echo".parse().unwrap(), arguments: vec![word] };
    packets
        .send(&Order::Run { run: 1, version: seam.version, request, wanted: Wanted::default() }, &[])
        .await
        .unwrap();
    let answer = report(&packets).await;
    assert!(matches!(answer, Some(Report::NotRun { why: NotRun::BadArgument { .. }, .. })), "{answer:?}");
}

#[tokio::test]
async fn a_run_judged_by_another_policy_is_neither_run_nor_denied() {
    let seam = Seam::new();
    let packets = seam.open().await;
    let old = [seam.order(1, "echo"), seam.order(2, "forbidden")];
    // The same text again: whom its names mean may be another by now.
    seam.world.broker().signal(rustix::process::Signal::HUP);
    seam.world.broker().line_with(&["policy-loaded", "by SIGHUP"]);
    for (run, order) in (1..).zip(old) {
        packets.send(&order, &[]).await.unwrap();
        assert_eq!(report(&packets).await, Some(Report::NotRun { run, why: NotRun::OtherPolicy }));
    }
    let lines = seam.world.broker().lines();
    assert!(!lines.iter().any(|line| line.contains("started") || line.contains("denied")), "{lines:#?}");
}

#[tokio::test]
async fn jobs_go_on_though_the_server_dies() {
    let seam = Seam::new();
    let mut gate = seam.world.gate();
    let packets = seam.open().await;
    packets.send(&seam.order(1, "gate"), &[]).await.unwrap();
    starts(&packets).await;
    drop(packets);
    gate.open();
    seam.world.broker().line_with(&["finished", "gate", "EXIT=0"]);
}

#[tokio::test]
async fn one_user_runs_so_many_at_once_and_no_more() {
    let seam = Seam::new();
    let mut gate = seam.world.gate();
    let packets = seam.open().await;
    for number in 0..64 {
        packets.send(&seam.order(number, "quiet"), &[]).await.unwrap();
        starts(&packets).await;
    }
    packets.send(&seam.order(64, "quiet"), &[]).await.unwrap();
    assert_eq!(report(&packets).await, Some(Report::NotRun { run: 64, why: NotRun::Busy }));
    for _ in 0..64 {
        gate.open();
        assert!(matches!(report(&packets).await, Some(Report::Ended { .. })));
    }
    seam.is_well().await;
}

#[test]
fn a_stranger_is_turned_away_with_one_line() {
    if !is_root() {
        return;
    }
    let world = World::start();
    let door = world.folder.file("udsadmin.sock");
    let mut stranger = Client::of(as_stranger(|| UnixStream::connect(&door).unwrap()));
    assert_eq!(stranger.answer().code(), 403);
    stranger.expect_end();
    world.server().line_with(&["refused", &format!("UID={STRANGER}"), "DECISION=deny"]);
}

#[test]
fn a_connection_that_another_user_writes_to_is_ended_and_runs_nothing() {
    if !is_root() {
        return;
    }
    let world = World::start();
    let mut client = world.client();
    assert_eq!(client.ask("ping").code(), 200);
    as_stranger(|| {
        client.send("echo stolen\n");
    });
    client.expect_end();
    world.server().line_with(&["sender-mismatch", &format!("SENDER_UID={STRANGER}")]);
    assert!(!world.broker().lines().iter().any(|line| line.contains("started")));
}

#[tokio::test]
async fn an_input_that_the_policy_does_not_take_is_refused_by_the_broker_too() {
    let seam = Seam::new();
    let packets = seam.open().await;
    let input = udsadmin::files::sealed("input", b"x").unwrap();
    packets.send(&seam.order(1, "echo"), &[input.as_fd()]).await.unwrap();
    let answer = report(&packets).await;
    assert!(matches!(answer, Some(Report::NotRun { why: NotRun::BadArgument { .. }, .. })), "{answer:?}");
    let long = udsadmin::files::sealed("input", &vec![b'x'; (1 << 20) + 1]).unwrap();
    packets.send(&seam.order(2, "cat"), &[long.as_fd()]).await.unwrap();
    let answer = report(&packets).await;
    assert!(matches!(answer, Some(Report::NotRun { why: NotRun::BadArgument { .. }, .. })), "{answer:?}");
    let endless = endless();
    let Order::Run { run, version, request, .. } = seam.order(3, "cat") else { unreachable!() };
    let wanted = Wanted { token: Some("again".parse().unwrap()), ..Wanted::default() };
    packets.send(&Order::Run { run, version, request, wanted }, &[endless.as_fd()]).await.unwrap();
    let answer = report(&packets).await;
    assert!(matches!(answer, Some(Report::NotRun { why: NotRun::BadArgument { .. }, .. })), "{answer:?}");
    assert!(!seam.world.broker().lines().iter().any(|line| line.contains("started")));
    seam.is_well().await;
}

/// A sealed file in memory that claims to be longer than there is memory, and has none.
fn endless() -> OwnedFd {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    let endless = memfd_create("input", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&endless, 1 << 42).unwrap();
    fcntl_add_seals(&endless, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK).unwrap();
    endless
}

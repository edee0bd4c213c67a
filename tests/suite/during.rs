//! Both programs' work on one event loop, while both load a policy that takes as long as the test wants.

use crate::client::Client;
use crate::process::PATIENCE;
use crate::trail::Inside;
use crate::world::{POLICY, listen_for_packets};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};
use tokio::io::Interest;
use tokio_util::sync::CancellationToken;
use udsadmin::accounts::Database;
use udsadmin::broker::{self, Followed, InForce, Service, Version};
use udsadmin::files::Trust;
use udsadmin::identity::{Gid, Uid};
use udsadmin::policy::{LookupFailed, Names, Source};
use udsadmin::server::policy;
use udsadmin::session::{self, Context};
use udsadmin::{sys, transport};

/// One command more.
const MORE: &str = "
[commands.more]
exec = [\"/bin/echo\", \"more\"]
run-as = \"USER\"
[[commands.more.allow]]
users = [\"USER\"]
";

/// What holds up whoever passes, and says that it does.
struct Barrier {
    reached: Sender<()>,
    lifted: Mutex<Receiver<()>>,
}

/// The test's hand on a barrier. Lifts it for good when dropped.
struct Hand {
    reached: Receiver<()>,
    _lift: Sender<()>,
}

fn barrier() -> (Barrier, Hand) {
    let ((reached, heard), (lift, lifted)) = (channel(), channel());
    (Barrier { reached, lifted: Mutex::new(lifted) }, Hand { reached: heard, _lift: lift })
}

impl Barrier {
    fn pass(&self) {
        // A test that has ended holds up nobody.
        let _ended = self.reached.send(()).and(Ok(self.lifted.lock().unwrap().recv()));
    }
}

impl Hand {
    fn is_reached(&self) {
        self.reached.recv_timeout(PATIENCE).expect("the policy is being loaded");
    }
}

/// The user database of this machine, behind a barrier.
struct Held(Barrier);

impl Names for Held {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        self.0.pass();
        Database.uid_of(user)
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        Database.gid_of(group)
    }
}

/// The broker at its socket, for as long as the event loop is there.
fn serve_orders(service: &Arc<Service>, socket: &Path) {
    let socket = listen_for_packets(socket);
    rustix::io::ioctl_fionbio(&socket, true).unwrap();
    let (service, listener) = (Arc::clone(service), sys::watch(socket, Interest::READABLE).unwrap());
    tokio::spawn(async move {
        while let Ok(connection) = broker::accept(&listener).await {
            tokio::spawn(Arc::clone(&service).session(connection));
        }
    });
}

/// The server's part: the session of the one client, and the policy that follows the broker's.
fn serve_client(inside: &Inside, names: Held) {
    let path = inside.folder.file("policy.toml");
    let sources = policy::read(&path, Trust::CallingUser).unwrap();
    let loaded = policy::check_here(&sources, Trust::CallingUser).unwrap();
    let version = Version::of(&sources, SystemTime::UNIX_EPOCH);
    let first = InForce { policy: loaded.policy, version, warnings: 0 };
    let context = Arc::new(Context {
        followed: Arc::new(Followed::new(first, Arc::new(names))),
        trail: Arc::clone(&inside.service.trail),
        broker: inside.folder.file("broker.sock"),
        clock: || SystemTime::UNIX_EPOCH,
        status: Box::new(Vec::new),
        draining: CancellationToken::new(),
    });
    let accepted = inside.accepted.try_clone().unwrap();
    accepted.set_nonblocking(true).unwrap();
    rustix::net::sockopt::set_socket_passcred(&accepted, true).unwrap();
    let socket = tokio::net::UnixStream::from_std(accepted).unwrap();
    let peer = transport::peer_of(std::os::fd::AsFd::as_fd(&socket)).unwrap();
    let following = Arc::clone(&context);
    tokio::spawn(async move { following.followed.follow(&following.broker, &following.trail).await });
    tokio::spawn(async move { session::serve(&context, socket, peer, |_, _| true).await });
}

/// What the client of the old policy is told.
fn is_served_as_before(client: &mut Client) {
    assert_eq!(client.ask("ping").code(), 200);
    assert_eq!(client.ask("echo before").output(), ["before"]);
    assert_eq!(client.ask("more").code(), 403);
}

#[tokio::test]
async fn a_session_is_served_under_the_old_policy_for_as_long_as_a_new_one_is_loaded() {
    let ((checked, check), (asked, names)) = (barrier(), barrier());
    let slowly = move |sources: &[Source]| {
        checked.pass();
        policy::check_here(sources, Trust::CallingUser)
    };
    let inside = Inside::checked_by(POLICY, Instant::now, Arc::new(slowly));
    serve_orders(&inside.service, &inside.folder.file("broker.sock"));
    serve_client(&inside, Held(asked));
    let mut client = Client::of(inside.client.try_clone().unwrap());
    let followed = tokio::task::spawn_blocking(move || {
        is_served_as_before(&mut client);
        client
    });
    let mut client = followed.await.unwrap();
    inside.folder.write("policy.toml", &format!("{POLICY}{MORE}"));
    let policies = Arc::clone(&inside.service.policies);
    let reload = tokio::spawn(async move { policies.reload().await });
    let served = tokio::task::spawn_blocking(move || {
        check.is_reached();
        names.is_reached();
        is_served_as_before(&mut client);
        drop(names);
        is_served_as_before(&mut client);
        drop(check);
        client
    });
    let mut client = served.await.unwrap();
    reload.await.unwrap();
    let told = tokio::task::spawn_blocking(move || client.ask("more").output());
    assert_eq!(told.await.unwrap(), ["more"]);
}

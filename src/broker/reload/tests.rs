//! Policies that replace one another, with a clock that the tests turn.

use super::*;
use crate::accounts::Database;
use crate::audit::Memory;
use crate::identity::{Gid, Uid};
use crate::policy::Policy;
use std::sync::Mutex as StdMutex;
use std::sync::PoisonError;

/// What the files hold, and the policies that were read from them.
struct Broker {
    text: Arc<StdMutex<String>>,
    trail: Arc<Trail>,
    policies: Arc<Policies>,
    peer: Peer,
}

const OLD: &str = "[allow]\nusers = [7]\n";
const NEW: &str = "[allow]\nusers = [7, 8]\n";
const BAD: &str = "[allow]\nusers = [7]\nuser = 1\n";

fn sources(text: &str) -> Vec<Source> {
    vec![Source { name: "p.toml".to_owned(), text: text.to_owned() }]
}

fn check(sources: &[Source]) -> Result<Loaded, Unfit> {
    Policy::parse(sources, &Database).map_err(Unfit::Text)
}

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH
}

impl Broker {
    fn new() -> Self {
        let text = Arc::new(StdMutex::new(OLD.to_owned()));
        let trail = Arc::new(Trail::Memory(Memory::default()));
        let files = Arc::clone(&text);
        let read = move || Ok(sources(&files.lock().unwrap_or_else(PoisonError::into_inner)));
        let (read, check): (Read, Check) = (Arc::new(read), Arc::new(check));
        let fresh = Fresh { loaded: check(&sources(OLD)).unwrap(), sources: sources(OLD) };
        let setup = Setup { path: "p.toml".into(), read, check, trail: Arc::clone(&trail), clock };
        let policies = Arc::new(Policies::new(fresh, setup).unwrap());
        let peer = Peer::of(Uid::new(7).unwrap(), Gid::new(7).unwrap(), []);
        let undoing = Arc::clone(&policies);
        tokio::spawn(async move { undoing.undo_in_time().await });
        Self { text, trail, policies, peer }
    }

    fn write(&self, text: &str) {
        text.clone_into(&mut self.text.lock().unwrap());
    }

    async fn reload(&self, confirm: Option<u64>) -> Answer {
        let judged = self.policies.now().version;
        let by = By::Peer { peer: &self.peer, wish: &Wish::Reload(None) };
        self.policies.reload_for(&by, &judged, confirm.map(Duration::from_secs)).await.1
    }

    async fn confirm(&self) -> Answer {
        let judged = self.policies.now().version;
        let by = By::Peer { peer: &self.peer, wish: &Wish::Confirm };
        self.policies.confirm(&by, &judged).await
    }

    /// Whether the new policy is in force.
    fn is_new(&self) -> bool {
        self.policies.now().policy.may_admit(&Peer::of(Uid::new(8).unwrap(), Gid::new(8).unwrap(), []))
    }

    fn memory(&self) -> &Memory {
        match &*self.trail {
            Trail::Memory(memory) => memory,
            Trail::Journal(_) | Trail::Terminal(_) => unreachable!("made with a trail in memory"),
        }
    }

    /// The fields of one name of the last event.
    fn last(&self, name: &str) -> Vec<String> {
        let event = self.memory().events().pop().unwrap();
        let named = event.fields().iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| String::from_utf8(value.clone()).unwrap()).collect()
    }

    fn message(&self) -> String {
        self.memory().events().pop().unwrap().message().to_owned()
    }

    /// Turns the clock, and lets what then has to be done be done: also what is done off the event loop.
    async fn pass(&self, seconds: u64) {
        let mut ruling = self.policies.watch();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        if ruling.borrow_and_update().before.as_ref().is_some_and(|before| before.due <= Instant::now()) {
            ruling.changed().await.unwrap();
        }
        tokio::time::pause();
    }
}

#[tokio::test]
async fn a_reload_swaps_and_tells_who_gains() {
    let broker = Broker::new();
    broker.write(NEW);
    assert!(matches!(broker.reload(None).await, Answer::Reloaded { commands: 0, until: None, .. }));
    assert!(broker.is_new());
    assert_eq!(broker.last("UDSADMIN_GAINS"), ["user 8  (connect)"]);
    assert_eq!(broker.last("UDSADMIN_LOSSES"), Vec::<String>::new());
    assert_eq!(broker.last("UDSADMIN_UID"), ["7"]);
    broker.write(OLD);
    broker.policies.reload().await;
    assert!(!broker.is_new());
    assert!(broker.message().contains("by SIGHUP; gains: 0, losses: 1"), "{}", broker.message());
}

#[tokio::test]
async fn a_bad_policy_is_refused_with_its_place_and_the_old_one_stays() {
    let broker = Broker::new();
    let before = broker.policies.now().version;
    broker.write(BAD);
    let Answer::Refused(Refused { why, .. }) = broker.reload(None).await else { panic!() };
    assert!(why.starts_with("p.toml:3:1: error: "), "{why}");
    assert_eq!(broker.policies.now().version, before);
    assert_eq!(broker.memory().names(), ["policy-refused"]);
    assert!(
        broker.last("UDSADMIN_ERROR")[0].starts_with("p.toml:3:1: "),
        "{:?}",
        broker.last("UDSADMIN_ERROR")
    );
    let standing = || broker.policies.watch().borrow().state.standing().to_string();
    assert!(standing().contains("p.toml:3:1") && standing().contains("stays in force"), "{}", standing());
    broker.write(NEW);
    broker.policies.reload().await;
    assert!(standing().ends_with("is in force"), "{}", standing());
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_not_confirmed_in_time_is_undone() {
    let broker = Broker::new();
    let before = broker.policies.now().version;
    broker.write(NEW);
    assert!(matches!(broker.reload(Some(60)).await, Answer::Reloaded { until: Some(_), .. }));
    broker.pass(59).await;
    assert!(broker.is_new());
    broker.pass(1).await;
    assert!(!broker.is_new());
    assert_eq!(broker.policies.now().version, before, "the very policy of before");
    assert!(broker.policies.watch().borrow().state.standing().to_string().contains("not confirmed in time"));
    assert_eq!(broker.confirm().await, Answer::NothingToConfirm);
    until_told(&broker, 2).await;
    assert!(broker.message().contains("not confirmed; the policy of 1970"), "{}", broker.message());
    assert_eq!(broker.last("UDSADMIN_LOSSES"), ["user 8  (connect)"]);
}

/// The record of an undoing is written after it.
async fn until_told(broker: &Broker, events: usize) {
    while broker.memory().names().len() < events {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_policy_stays() {
    let broker = Broker::new();
    assert_eq!(broker.confirm().await, Answer::NothingToConfirm);
    broker.write(NEW);
    assert!(matches!(broker.reload(Some(60)).await, Answer::Reloaded { .. }));
    assert_eq!(broker.confirm().await, Answer::Confirmed);
    assert!(broker.message().contains("is confirmed, by 7 (uid 7)"), "{}", broker.message());
    broker.pass(120).await;
    assert!(broker.is_new());
    assert_eq!(broker.confirm().await, Answer::NothingToConfirm);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_was_judged_by_another_policy_confirms_nothing() {
    let broker = Broker::new();
    let old = broker.policies.now().version;
    broker.write(NEW);
    assert!(matches!(broker.reload(Some(60)).await, Answer::Reloaded { .. }));
    let by = By::Peer { peer: &broker.peer, wish: &Wish::Confirm };
    assert_eq!(broker.policies.confirm(&by, &old).await, Answer::NothingToConfirm);
    assert_eq!(broker.policies.reload_for(&by, &old, None).await.1, Answer::Busy);
    broker.pass(60).await;
    assert!(!broker.is_new());
}

#[tokio::test(start_paused = true)]
async fn while_a_policy_is_on_trial_root_alone_can_reload_and_supersedes_it() {
    let broker = Broker::new();
    broker.write(NEW);
    assert!(matches!(broker.reload(Some(60)).await, Answer::Reloaded { .. }));
    assert_eq!(broker.reload(None).await, Answer::Busy);
    assert_eq!(broker.reload(Some(5)).await, Answer::Busy);
    broker.write(BAD);
    broker.policies.reload().await;
    assert!(broker.policies.watch().borrow().state.until.is_some(), "a refused policy supersedes nothing");
    broker.write(NEW);
    broker.policies.reload().await;
    assert!(broker.message().contains("superseded"), "{}", broker.message());
    broker.pass(120).await;
    assert!(broker.is_new(), "nothing comes back for what was superseded");
}

#[tokio::test]
async fn one_load_at_a_time_and_no_queue_for_peers() {
    let broker = Broker::new();
    let turn = broker.policies.loading.lock().await;
    assert_eq!(broker.reload(None).await, Answer::Busy);
    drop(turn);
    assert!(matches!(broker.reload(None).await, Answer::Reloaded { .. }));
}

#[tokio::test]
async fn a_broken_trail_stops_a_peers_reload_and_not_roots() {
    let broker = Broker::new();
    broker.memory().break_now();
    broker.write(NEW);
    assert_eq!(broker.reload(None).await, Answer::NotDone(NotRun::AuditUnavailable));
    assert!(!broker.is_new());
    broker.policies.reload().await;
    assert!(broker.is_new());
}

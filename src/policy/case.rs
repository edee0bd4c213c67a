//! Reads `[[test]]`: what the author of a policy expects of it. Decides nothing: whoever loads the policy does.

use super::diagnostic::{Diagnostic, Severity};
use super::language;
use super::origin::{Origin, Place};
use super::principal::LookupFailed;
use super::reader::{Item, Reader};
use super::time::moment;
use crate::identity::{DatabaseGroups, Gid, Namespace, Peer, Uid};
use std::time::SystemTime;
use toml::de::{DeTable, DeValue};

/// Whoever has an id that no system gives: the user or the group of a test that the user database does not know. No rule
/// can mean them.
const NOBODY_KNOWN: u32 = u32::MAX - 2;

/// One test: a peer, what it asks, and what is expected.
#[derive(Clone, Debug)]
pub struct Case {
    /// Who asks.
    pub peer: Peer,
    /// The request, as a client writes it.
    pub request: String,
    /// When it asks; `None` where the test doesn't say.
    pub at: Option<SystemTime>,
    /// Whether it is to be permitted.
    pub expects_permit: bool,
    place: Place,
    request_place: Place,
}

impl Case {
    /// The file and line of the test.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.place.origin()
    }

    /// That the test must say when it asks, as an error at its place: no policy may pass its tests at one hour alone.
    #[must_use]
    pub fn needs_time(&self) -> Diagnostic {
        let message =
            "rules for this peer name times, so the test needs one: at = \"2026-11-23 12:00 Europe/Berlin\"";
        Diagnostic::new(Severity::Error, self.place.clone(), message)
    }

    /// That the request asks for nothing there is, so that the test says nothing of the policy: a warning at the request.
    #[must_use]
    pub fn asks_nothing(&self, why: &str) -> Diagnostic {
        let message = format!("this test says nothing of the policy: {why}");
        Diagnostic::new(Severity::Warning, self.request_place.clone(), &message)
    }

    /// That the test fails, as an error at its place.
    #[must_use]
    pub fn failed(&self, why: &str) -> Diagnostic {
        Diagnostic::new(Severity::Error, self.place.clone(), &format!("this test fails: {why}"))
    }
}

impl Reader<'_> {
    /// Reads every test.
    pub(super) fn cases(&mut self, item: &Item<'_>) -> Vec<Case> {
        if item.get_ref().is_table() {
            self.error(&item.span(), "tests are a list: write them with double brackets, [[test]]");
            return Vec::new();
        }
        self.list(item).iter().filter_map(|case| self.case(case)).collect()
    }

    fn case(&mut self, item: &Item<'_>) -> Option<Case> {
        let table = self.table(item)?;
        self.known_keys(table, &language::TEST);
        let required: Vec<_> =
            ["peer", "request", "expect"].iter().filter_map(|key| table.get(*key)).collect();
        let [peer, request, expect] = *required else {
            self.error(&item.span(), "a test needs peer, request and expect");
            return None;
        };
        let peer = self.table(peer).and_then(|peer| self.test_peer(peer));
        let request = self.word(request);
        let expects_permit = self.expectation(expect);
        let at = table.get("at").map_or(Some(None), |item| self.moment(item).map(Some));
        let place = self.place(&item.span());
        let (request, at, expects_permit) = (request?, at?, expects_permit?);
        let request_place = self.place(&request.span);
        Some(Case { peer: peer?, request: request.text, at, expects_permit, place, request_place })
    }

    fn moment(&mut self, item: &Item<'_>) -> Option<SystemTime> {
        let word = self.word(item)?;
        moment(&word.text, self.names).map_err(|message| self.error(&word.span, &message)).ok()
    }

    fn namespace(&mut self, item: &Item<'_>) -> Option<Namespace> {
        let word = self.word(item)?;
        match word.text.as_str() {
            "own" => Some(Namespace::Own),
            "foreign" => Some(Namespace::Foreign),
            _ => {
                self.error(&word.span, "namespace is \"own\" or \"foreign\"");
                None
            }
        }
    }

    fn expectation(&mut self, item: &Item<'_>) -> Option<bool> {
        let word = self.word(item)?;
        match word.text.as_str() {
            "permit" => Some(true),
            "deny" => Some(false),
            _ => {
                self.error(&word.span, "expect is \"permit\" or \"deny\"");
                None
            }
        }
    }

    /// The peer of a test: the groups are those of the kernel and of the database both.
    fn test_peer(&mut self, table: &DeTable<'_>) -> Option<Peer> {
        self.known_keys(table, &language::TEST_PEER);
        let namespace = table.get("namespace").map_or(Some(Namespace::Own), |item| self.namespace(item));
        let names = self.names;
        let user = |raw| Uid::new(raw).ok();
        let group = |raw| Gid::new(raw).ok();
        let uid = match table.get("user") {
            None => user(NOBODY_KNOWN),
            Some(item) => self.test_id(("user", item), user, |name| names.uid_of(name)),
        }?;
        let mut groups = Vec::new();
        for item in table.get("groups").map_or(&[][..], |item| self.list(item)) {
            groups.push(self.test_id(("group", item), group, |name| names.gid_of(name))?);
        }
        let first = groups.first().copied().or_else(|| group(NOBODY_KNOWN))?;
        let mut peer = Peer::of(uid, first, groups);
        peer.database_groups = DatabaseGroups::Known(peer.groups.clone());
        peer.namespace = namespace?;
        Some(peer)
    }

    /// The id of a number or a name; of a name that nobody has, the one that nobody has, with a warning.
    fn test_id<Id>(
        &mut self,
        (kind, item): (&str, &Item<'_>),
        checked: impl Fn(u32) -> Option<Id>,
        look_up: impl Fn(&str) -> Result<Option<Id>, LookupFailed>,
    ) -> Option<Id> {
        if let DeValue::Integer(_) = item.get_ref() {
            let id = self.integer(item).and_then(|raw| checked(u32::try_from(raw).ok()?));
            return id.or_else(|| {
                self.error(&item.span(), "an id that nobody can have");
                None
            });
        }
        let word = self.word(item)?;
        match look_up(&word.text) {
            Ok(Some(id)) => Some(id),
            Ok(None) => {
                let message = format!("no such {kind}: {:?}; no rule can mean it in this test", word.text);
                self.warning(&word.span, &message);
                checked(NOBODY_KNOWN)
            }
            Err(failed) => {
                self.error(&word.span, &format!("{:?} can't be looked up: {failed}", word.text));
                None
            }
        }
    }
}

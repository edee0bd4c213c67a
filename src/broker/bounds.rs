//! The place of a run and its start on the record: with its limits in force, or with word of those that are not. Starts nothing.

use super::run::Entry;
use super::service::Service;
use super::wire::NotRun;
use crate::audit::{Event, Kind, Recorded};
use crate::execution::{JobId, Lacking, Room, listed};
use crate::policy::{Enforcement, Grant};

impl Service {
    /// Makes the place of a run, and puts on the record that it starts. Without its limits it does not, unless the policy says
    /// that it may.
    pub(super) async fn make_room(
        &self,
        entry: &Entry<'_>,
        grant: &Grant,
        id: &JobId,
    ) -> Result<(Room, Recorded), NotRun> {
        let ceilings = &grant.terms().ceilings;
        let room = self.surroundings.room(id, grant.terms());
        let lacking = room.as_ref().map_or(&[][..], Room::lacking);
        let goes_on = lacking.is_empty() || ceilings.enforcement == Enforcement::BestEffort;
        let starts = entry.granted(Kind::Started, "starts", grant, id);
        let starts = if goes_on { unbounded(starts, lacking) } else { starts };
        let recorded = self.trail.record(&starts).await.map_err(|broken| self.trail_broke(&broken))?;
        match room {
            Ok(room) if goes_on => Ok((room, recorded)),
            Ok(room) => Err(self.not_bounded(entry, grant, id, room.lacking()).await),
            Err(error) => Err(self.not_started(entry, grant, id.clone(), &error).await),
        }
    }

    /// The record of a run that does not start for want of its limits.
    async fn not_bounded(&self, entry: &Entry<'_>, grant: &Grant, id: &JobId, lacking: &[Lacking]) -> NotRun {
        let text = listed(lacking);
        let event = entry.granted(Kind::Finished, &format!("could not be started: {text}"), grant, id);
        let exit = format!("exec-failed:{}", libc::EOPNOTSUPP);
        self.trail.note(&event.field("UDSADMIN_EXIT", exit).field("UDSADMIN_REASON", &text)).await;
        NotRun::NotBounded { text, job: id.clone() }
    }
}

/// The event of a start, with the limits that are not in force.
fn unbounded(event: Event, lacking: &[Lacking]) -> Event {
    lacking.iter().fold(event, |event, lacking| event.field("UDSADMIN_UNBOUNDED", lacking.limit))
}

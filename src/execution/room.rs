//! Where a job is to run: made ready before it is on the record that it starts, and gone again where it does not start after all.

use super::bounds::{self, Lacking, lacking_all};
use super::cgroup::{self, JobGroup};
use super::unit::Systemd;
use super::{Delegation, JobId};
use crate::policy::{Property, Runner, Terms};
use std::io;

/// What the broker's own process lends to its jobs.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The cgroup to make the jobs' own in.
    pub delegation: Option<Delegation>,
    /// Soft and hard limit of open descriptors.
    pub descriptors: (u64, u64),
    /// What runs the jobs that are units.
    pub systemd: Systemd,
}

/// The place of one job.
#[derive(Debug)]
pub struct Room {
    /// `None` where no cgroup is delegated, when the job is a process group; and for a unit, which systemd makes room for.
    pub(super) group: Option<JobGroup>,
    pub(super) descriptors: (u64, u64),
    /// What the limits are to a unit.
    pub(super) properties: Vec<Property>,
    pub(super) lacking: Vec<Lacking>,
}

impl Surroundings {
    /// Makes the place of a job, with these limits in force as far as they can be set.
    ///
    /// # Errors
    /// Those of making a cgroup.
    pub fn room(&self, id: &JobId, terms: &Terms) -> io::Result<Room> {
        let (ceilings, descriptors) = (&terms.ceilings, self.descriptors);
        if matches!(terms.runner, Runner::Unit(_)) {
            let properties = bounds::properties(ceilings);
            return Ok(Room { group: None, descriptors, properties, lacking: self.lacking(terms) });
        }
        let made = self.delegation.as_ref().map(|own| own.job(id, ceilings)).transpose()?;
        let (group, lacking) = match made {
            Some((group, lacking)) => (Some(group), lacking),
            None => (None, lacking_all(ceilings)),
        };
        Ok(Room { group, descriptors, properties: Vec::new(), lacking })
    }

    /// Whether what is to run the command can be there.
    #[must_use]
    pub fn may_have_runner(terms: &Terms) -> bool {
        !matches!(terms.runner, Runner::Unit(_)) || Systemd::may_be_there()
    }

    /// Which of the limits can't be set here.
    #[must_use]
    pub fn lacking(&self, terms: &Terms) -> Vec<Lacking> {
        let ceilings = &terms.ceilings;
        if matches!(terms.runner, Runner::Unit(_)) {
            return bounds::lacking_without(&cgroup::offered(), ceilings);
        }
        self.delegation.as_ref().map_or_else(|| lacking_all(ceilings), |own| own.lacking(ceilings))
    }
}

impl Room {
    /// The limits that are not in force.
    #[must_use]
    pub fn lacking(&self) -> &[Lacking] {
        &self.lacking
    }
}

//! Where a job is to run: made ready before it is on the record that it starts, and gone again where it does not start after all.

use super::bounds::{Lacking, lacking_all};
use super::cgroup::JobGroup;
use super::{Delegation, JobId};
use crate::policy::Ceilings;
use std::io;

/// What the broker's own process lends to its jobs.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The cgroup to make the jobs' own in.
    pub delegation: Option<Delegation>,
    /// Soft and hard limit of open descriptors.
    pub descriptors: (u64, u64),
}

/// The place of one job.
#[derive(Debug)]
pub struct Room {
    /// `None` where no cgroup is delegated: the job is a process group then.
    pub(super) group: Option<JobGroup>,
    pub(super) descriptors: (u64, u64),
    lacking: Vec<Lacking>,
}

impl Surroundings {
    /// Makes the place of a job, with these limits in force as far as they can be set.
    ///
    /// # Errors
    /// Those of making a cgroup.
    pub fn room(&self, id: &JobId, ceilings: &Ceilings) -> io::Result<Room> {
        let made = self.delegation.as_ref().map(|own| own.job(id, ceilings)).transpose()?;
        let descriptors = self.descriptors;
        Ok(match made {
            Some((group, lacking)) => Room { group: Some(group), descriptors, lacking },
            None => Room { group: None, descriptors, lacking: lacking_all(ceilings) },
        })
    }

    /// Which of the limits can't be set here.
    #[must_use]
    pub fn lacking(&self, ceilings: &Ceilings) -> Vec<Lacking> {
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

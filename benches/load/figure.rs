//! A figure: one thing measured on several servers by turns, round after round. The first is measured; the others are
//! its yardsticks.

use crate::spread::{Spread, number};
use std::fmt;
use std::io;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Rounds of each figure: odd, so that one of them is the median.
pub(crate) const ROUNDS: u32 = 15;

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds.
    Seconds,
    /// KiB.
    Kibibytes,
}

/// What one round gave.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    /// One value for each thing measured.
    pub(crate) values: Vec<f64>,
    /// How many at once gave them.
    pub(crate) clients: usize,
    /// How many of what the rate counts were done.
    pub(crate) done: usize,
    /// In this time.
    pub(crate) took: Duration,
}

impl Round {
    /// What ratios compare: the median; of several clients, whose turns need not be alike, the time for each thing done.
    fn cost(&self) -> Option<f64> {
        match self.clients {
            1 => Spread::of(self.values.iter().copied()).map(|values| values.median),
            _ => Some(self.took.as_secs_f64() / number(self.done)),
        }
    }
}

type Measure<'a> = Box<dyn FnMut(Duration) -> io::Result<Round> + 'a>;

/// Something to measure.
pub(crate) struct Subject<'a> {
    name: &'static str,
    measure: Measure<'a>,
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subject").field(&self.name).finish()
    }
}

impl<'a> Subject<'a> {
    /// A subject of this name; `measure` takes one round of about the length that it is given.
    pub(crate) fn new(name: &'static str, measure: impl FnMut(Duration) -> io::Result<Round> + 'a) -> Self {
        Self { name, measure: Box::new(measure) }
    }

    /// Takes one round of about this length.
    ///
    /// # Errors
    /// Those of whatever is measured.
    pub(crate) fn take(&mut self, span: Duration) -> io::Result<Round> {
        (self.measure)(span)
    }

    /// A subject that is measured once a round.
    pub(crate) fn once(name: &'static str, mut measure: impl FnMut() -> io::Result<f64> + 'a) -> Self {
        Self::new(name, move |_| {
            Ok(Round { values: vec![measure()?], clients: 1, done: 0, took: Duration::ZERO })
        })
    }
}

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Figure<'a> {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What one value is, for people.
    pub(crate) what: String,
    /// What values are.
    pub(crate) unit: Unit,
    /// What the rate counts, where there is one.
    pub(crate) rate: Option<&'static str>,
    /// What is measured, and then its yardsticks.
    pub(crate) subjects: Vec<Subject<'a>>,
}

/// What was measured of one subject.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// Its name.
    pub(crate) subject: &'static str,
    /// How many a second, of what the rate counts.
    pub(crate) per_second: f64,
    /// All values of all rounds.
    pub(crate) spread: Spread,
    /// How many times this yardstick's cost the measured one's is, round by round; `None` for what is measured.
    pub(crate) ratio: Option<Spread>,
}

impl Figure<'_> {
    /// Measures, the subjects by turns, until `stop`.
    ///
    /// # Errors
    /// Those of the first round that failed; `Interrupted`.
    pub(crate) fn take(&mut self, span: Duration, stop: &CancellationToken) -> io::Result<Vec<Taken>> {
        let mut rounds: Vec<Vec<Round>> = self.subjects.iter().map(|_| Vec::new()).collect();
        for _ in 0..ROUNDS {
            for (subject, taken) in self.subjects.iter_mut().zip(&mut rounds) {
                if stop.is_cancelled() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                taken.push(subject.take(span / ROUNDS)?);
            }
        }
        let measured = costs(rounds.first().map_or(&[], Vec::as_slice));
        let taken = self.subjects.iter().zip(&rounds).enumerate().map(|(place, (subject, rounds))| {
            let ratio = Spread::of_ratios(&measured, &costs(rounds)).filter(|_| place > 0);
            sum_up(subject.name, rounds, ratio)
        });
        taken.collect::<Option<_>>().ok_or_else(|| io::Error::other("a round measured nothing"))
    }
}

fn costs(rounds: &[Round]) -> Vec<f64> {
    rounds.iter().filter_map(Round::cost).collect()
}

fn sum_up(subject: &'static str, rounds: &[Round], ratio: Option<Spread>) -> Option<Taken> {
    let done: usize = rounds.iter().map(|round| round.done).sum();
    let took: Duration = rounds.iter().map(|round| round.took).sum();
    let spread = Spread::of(rounds.iter().flat_map(|round| round.values.iter().copied()))?;
    Some(Taken { subject, per_second: number(done) / took.as_secs_f64(), spread, ratio })
}

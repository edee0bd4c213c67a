//! Figures on standard output, for people or as JSON. Rounds, and judges nothing.

use crate::figure::{Figure, Taken, Unit};
use crate::spread::Spread;
use std::fs;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

/// How figures are told.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
}

impl Report {
    /// As JSON, or for people.
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Tells of the machine.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn machine(&mut self) -> io::Result<()> {
        let read = |path| fs::read_to_string(path).unwrap_or_default().trim_end().to_owned();
        let kernel = read("/proc/sys/kernel/osrelease");
        let load = read("/proc/loadavg");
        let load = load.split(' ').next().unwrap_or_default();
        let cores = thread::available_parallelism()?;
        if self.json {
            say(&format!("{{\"kernel\":\"{kernel}\",\"cores\":{cores},\"load\":{load}}}\n"))
        } else {
            say(&format!("Linux {kernel}, {cores} cores, load {load}\n"))
        }
    }

    /// Tells of a figure.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn figure(&mut self, figure: &Figure<'_>, taken: &[Taken]) -> io::Result<()> {
        let heading = format!("\n{}: {}\n", figure.name, figure.what);
        let tell = if self.json { object } else { row };
        let rows: Vec<String> = taken.iter().map(|one| tell(figure, one)).collect();
        say(&format!("{}{}", if self.json { "" } else { &heading }, rows.concat()))
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn row(figure: &Figure<'_>, taken: &Taken) -> String {
    let Spread { min, median, p99, max } = taken.spread;
    let value = |value| shown(figure.unit, value);
    let p99 = p99.map_or_else(|| "-".to_owned(), value);
    let rate = figure.rate.map_or_else(String::new, |what| format!("{:.0} {what}/s", taken.per_second));
    let ratio = taken.ratio.map_or_else(String::new, |ratio| {
        format!("   ratio {:.2} ({:.2} to {:.2})", ratio.median, ratio.min, ratio.max)
    });
    format!(
        "  {:14} {:>16}   min {:>9}  median {:>9}  p99 {:>9}  max {:>9}{ratio}\n",
        taken.subject,
        rate,
        value(min),
        value(median),
        p99,
        value(max),
    )
}

fn shown(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Seconds => format!("{:.1?}", Duration::from_secs_f64(value)),
        Unit::Kibibytes => format!("{value:.1} KiB"),
    }
}

fn object(figure: &Figure<'_>, taken: &Taken) -> String {
    let unit = match figure.unit {
        Unit::Seconds => "s",
        Unit::Kibibytes => "KiB",
    };
    let Spread { min, median, p99, max } = taken.spread;
    let mut fields = vec![
        format!("\"figure\":\"{}\",\"subject\":\"{}\",\"unit\":\"{unit}\"", figure.name, taken.subject),
        format!("\"min\":{min},\"median\":{median},\"max\":{max}"),
    ];
    fields.extend(p99.map(|p99| format!("\"p99\":{p99}")));
    fields.extend(figure.rate.map(|what| format!("\"per_second\":{},\"of\":\"{what}\"", taken.per_second)));
    fields.extend(taken.ratio.map(|Spread { min, median, max, .. }| {
        format!("\"ratio\":{median},\"ratio_min\":{min},\"ratio_max\":{max}")
    }));
    format!("{{{}}}\n", fields.join(","))
}

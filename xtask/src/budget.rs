//! How long the steps of CI may take and how long they took.

use std::fmt;
use std::time::Duration;

use crate::failure::Failure;

/// What all steps together may take on two cores: the budgets of the steps sum to at most this.
pub(crate) const LIMIT: Duration = Duration::from_mins(40);

/// A step's time beside its budget.
#[derive(Debug)]
pub(crate) struct Timing {
    pub(crate) step: &'static str,
    pub(crate) took: Duration,
    pub(crate) budget: Duration,
}

/// The timings of a run. Shown as a table with their sum.
#[derive(Debug, Default)]
pub(crate) struct Timings(Vec<Timing>);

impl Timing {
    fn overrun(&self) -> Option<Duration> {
        self.took.checked_sub(self.budget).filter(|over| !over.is_zero())
    }
}

impl Timings {
    pub(crate) fn push(&mut self, timing: Timing) {
        self.0.push(timing);
    }

    /// Fails when all took longer than they may, naming each step over its budget. On a busy machine one step that is slow, while
    /// others are not, fails nothing.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        let took = self.took();
        if took <= LIMIT {
            return Ok(());
        }
        let whole =
            format!("The steps took {} s, which is over the {} s for all of them.", seconds(took), LIMIT.as_secs());
        let slow = self.0.iter().filter_map(|timing| {
            timing.overrun().map(|over| {
                format!(
                    "The step {} took {} s, which is {} s over its budget of {} s.",
                    timing.step,
                    seconds(timing.took),
                    seconds(over),
                    timing.budget.as_secs(),
                )
            })
        });
        Failure::gather([whole].into_iter().chain(slow).map(Failure::new).collect())
    }

    fn took(&self) -> Duration {
        self.0.iter().map(|timing| timing.took).sum()
    }
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let budget: Duration = self.0.iter().map(|timing| timing.budget).sum();
        writeln!(f, "{:<12}{:>10}{:>10}", "step", "time", "budget")?;
        for timing in &self.0 {
            row(f, timing.step, timing.took, timing.budget)?;
        }
        row(f, "together", self.took(), budget)
    }
}

fn row(f: &mut fmt::Formatter<'_>, step: &str, took: Duration, budget: Duration) -> fmt::Result {
    let mark = if took > budget { "  over" } else { "" };
    writeln!(f, "{step:<12}{:>8} s{:>8} s{mark}", seconds(took), budget.as_secs())
}

/// Rounded up, so that an overrun never reads as 0.0.
fn seconds(duration: Duration) -> String {
    let tenths = duration.as_micros().div_ceil(100_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timings(steps: &[(&'static str, u64, u64)]) -> Timings {
        let timing = |&(step, took, budget)| Timing {
            step,
            took: Duration::from_millis(took),
            budget: Duration::from_secs(budget),
        };
        Timings(steps.iter().map(timing).collect())
    }

    #[test]
    fn steps_that_take_just_what_all_may_take_are_in_time() {
        assert!(timings(&[("format", 2_000, 30), ("test", 2_398_000, 2_000)]).verdict().is_ok());
    }

    #[test]
    fn over_the_limit_of_the_whole_each_step_over_its_budget_is_named_with_its_overrun() {
        let error =
            timings(&[("format", 30_001, 30), ("docs", 1, 90), ("test", 2_400_500, 2_280)]).verdict().unwrap_err();
        assert_eq!(
            error.to_string(),
            "The steps took 2430.6 s, which is over the 2400 s for all of them.\n\
             The step format took 30.1 s, which is 0.1 s over its budget of 30 s.\n\
             The step test took 2400.5 s, which is 120.5 s over its budget of 2280 s."
        );
    }

    #[test]
    fn the_table_marks_a_step_over_its_budget() {
        let table = timings(&[("docs", 12_000, 90), ("test", 91_000, 90)]).to_string();
        assert_eq!(table.lines().map(|line| line.ends_with("over")).collect::<Vec<_>>(), [false, false, true, false]);
    }

    #[test]
    fn the_table_ends_with_the_sums() {
        assert_eq!(
            timings(&[("format", 1_250, 30), ("docs", 12_000, 90)]).to_string(),
            "step              time    budget\n\
             format           1.3 s      30 s\n\
             docs            12.0 s      90 s\n\
             together        13.3 s     120 s\n"
        );
    }
}

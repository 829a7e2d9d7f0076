//! What came of asking a server for a while.

use std::ops::Sub;
use std::time::Duration;

/// How long to ask: what is asked in the lead is not counted, so that the rest sees things as they go on to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) lead: Duration,
    pub(crate) length: Duration,
}

/// All the requests of one side in one round.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// Nanoseconds of each, in rising order.
    pub(crate) latencies: Vec<u32>,
    pub(crate) admitted: usize,
    /// With those of the lead.
    pub(crate) whole: Whole,
}

/// All that was asked from beginning to end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Whole {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    pub(crate) spent: Spent,
}

/// What was done for it. Time is that of processors, so that what else the machine does lengthens it but little.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// How many commands the server carried out, not counting those of a script.
    pub(crate) calls: f64,
    /// Nanoseconds that it took for the commands alone, by the wall clock.
    pub(crate) commands: f64,
    /// Nanoseconds that it took, with reading and writing.
    pub(crate) server: f64,
    /// Nanoseconds that this process took.
    pub(crate) client: f64,
}

impl Sub for Spent {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            commands: self.commands - before.commands,
            server: self.server - before.server,
            client: self.client - before.client,
        }
    }
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "there are millions")]
    pub(crate) fn requests_per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    #[expect(clippy::cast_precision_loss, reason = "there are millions")]
    pub(crate) fn admitted_per_second(&self) -> f64 {
        self.admitted as f64 / self.seconds
    }

    /// Of a hundred requests.
    pub(crate) fn admitted_percent(&self) -> f64 {
        100.0 * self.admitted_per_second() / self.requests_per_second()
    }

    /// The nanoseconds that so many of a thousand requests did not take longer than.
    pub(crate) fn nanos_of(&self, of_thousand: usize) -> u32 {
        let place = (self.latencies.len() * of_thousand).div_ceil(1_000).saturating_sub(1);
        self.latencies[place]
    }

    pub(crate) fn calls_per_second(&self) -> f64 {
        self.whole.spent.calls / self.whole.seconds
    }

    pub(crate) fn requests_per_call(&self) -> f64 {
        self.whole.requests / self.whole.spent.calls
    }

    /// Nanoseconds of the server in commands, for each request.
    pub(crate) fn command_nanos(&self) -> f64 {
        self.whole.spent.commands / self.whole.requests
    }

    /// Nanoseconds of the server, for each request.
    pub(crate) fn server_nanos(&self) -> f64 {
        self.whole.spent.server / self.whole.requests
    }

    /// Nanoseconds of this process, for each request.
    pub(crate) fn client_nanos(&self) -> f64 {
        self.whole.spent.client / self.whole.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_least_that_so_many_stay_within() {
        let run = Run { latencies: (1..=1_000).collect(), ..Run::default() };
        let shares = [500, 990, 999, 1_000];
        assert_eq!(shares.map(|share| run.nanos_of(share as usize)), shares);
        let few = Run { latencies: vec![10, 20, 30], ..Run::default() };
        assert_eq!([500, 990, 999].map(|share| few.nanos_of(share)), [20, 30, 30]);
    }
}

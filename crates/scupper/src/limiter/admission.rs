//! How a request comes to its ruling: straight from the store where nobody waits, in line where somebody does.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::decision::Decision;
use crate::error::{Error, ErrorKind, Result};
use crate::guard::read_ruling;
use crate::limiter::core::{Core, Demand};
use crate::limiter::reservation::Reservation;
use crate::permit::Permit;
use crate::ruling::Ruling;
use crate::source::Source;
use crate::store::{Action, Batch, Operation, Store, Verdict, check_time, check_units};
use crate::sync::Arc;
use crate::timer::Timer;
use crate::waiting::{Claim, Joined, Ticket};

/// A ruling, there or on its way: blocking and asynchronous callers differ in how they wait for it, and in nothing else.
// A future as it stands: one that an `async fn` makes of it holds it twice, for as long as it waits.
#[must_use]
pub(super) enum Asked {
    Ruled(Ready<Result<Ruling>>),
    Waits(Ticket),
}

impl Asked {
    fn ruled(ruling: Result<Ruling>) -> Self {
        Self::Ruled(ready(ruling))
    }

    pub(super) fn wait(self, timer: &dyn Timer) -> Result<Ruling> {
        match self {
            Self::Ruled(ruling) => ruling.into_inner(),
            Self::Waits(ticket) => ticket.wait(timer),
        }
    }
}

impl Future for Asked {
    type Output = Result<Ruling>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Ruled(ruling) => Pin::new(ruling).poll(context),
            Self::Waits(ticket) => Pin::new(ticket).poll(context),
        }
    }
}

/// How a request takes a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It goes.
    None,
    /// It goes, and wants to know how the bucket is left.
    NoneButDetails,
    /// It waits its turn.
    Waits,
}

impl Core {
    pub(super) fn ask(&self, demand: &Demand<'_>, patience: Patience) -> Asked {
        let seen = self.gate.look();
        if let Err(error) = self.check(demand) {
            return Asked::ruled(Err(error));
        }
        if !self.is_changed() {
            self.pass.renew(seen);
        }
        let detailed = patience == Patience::NoneButDetails;
        // Without time to wait, it is no use to stand in line; nor where nobody may.
        let waits = patience == Patience::Waits && demand.may_wait() && self.most_waiting > 0;
        let has_line = || self.gate.has_lines() && self.room.has_line(&demand.key);
        if let Some(direct) = self.direct(demand, detailed)
            && !has_line()
            && let Some(ruling) = direct()
        {
            let goes = !waits || !matches!(ruling, Ok(Ruling { verdict: Verdict::Denied(_), .. }));
            if goes {
                return Asked::ruled(ruling);
            }
        }
        self.join(demand, waits, detailed)
    }

    fn check(&self, demand: &Demand<'_>) -> Result<()> {
        if self.is_closed() {
            return Err(Error::new(ErrorKind::Closed, "the limiter was closed"));
        }
        check_units(demand.weight)?;
        check_time(demand.at)
    }

    /// How to decide at once, where that may take no call.
    fn direct<'b>(
        &'b self,
        demand: &'b Demand<'_>,
        detailed: bool,
    ) -> Option<impl FnOnce() -> Option<Result<Ruling>> + 'b> {
        let Demand { key, quota, shortcut, weight, at, .. } = demand;
        let is_plain = at.is_none() && !detailed;
        let shortcut = shortcut.filter(|_| is_plain);
        let memory = self.memory.as_ref();
        if !is_plain && memory.is_none() {
            return None;
        }
        Some(move || {
            let ruling = |verdict| Ruling::new(verdict, Source::Store, quota);
            if let Some(shortcut) = shortcut {
                return Some(shortcut.acquire(quota, *weight).map(ruling));
            }
            if memory.is_none() {
                return self.store.store.acquire_at_once(key, quota, *weight).map(|verdict| Ok(ruling(verdict)));
            }
            let acquire = Operation { at: *at, ..Operation::acquire(key, quota, *weight) };
            let look = Operation { action: Action::Peek { quota }, ..acquire };
            let both = [acquire, look];
            let operations = if detailed { &both[..] } else { &both[..1] };
            let outcomes = memory.map(|memory| memory.submit(Batch::new(operations)).wait()).unwrap_or_default();
            Some(read_ruling(quota, detailed, Source::Store, &mut outcomes.into_iter()))
        })
    }

    fn join(&self, demand: &Demand<'_>, waits: bool, detailed: bool) -> Asked {
        let Demand { key, quota, follows, weight, at, timeout, .. } = demand;
        if *weight > quota.capacity() {
            let never = Verdict::NeverFits { rate: quota.tightest() };
            return Asked::ruled(Ok(Ruling::new(never, Source::Store, quota)));
        }
        // What was decided at one time tells nothing about a time that the caller brings.
        if !waits
            && at.is_none()
            && let Some(known) = self.room.known_denial(key, &self.store, (quota, *weight))
        {
            return Asked::ruled(Ok(known));
        }
        let quota = quota.clone().into_owned();
        let timeout = timeout.filter(|_| waits);
        let claim = Claim { quota, follows: *follows, weight: *weight, at: *at, waits, timeout, detailed };
        match self.room.join(key, &self.store, claim, self.most_waiting, (|| self.is_closed(), || self.changed_quota()))
        {
            Ok(Joined::Ruled(ruling)) => Asked::ruled(Ok(ruling)),
            Ok(Joined::Waits(ticket)) => Asked::Waits(ticket),
            Err(error) => Asked::ruled(Err(error)),
        }
    }
}

impl<'a> Demand<'a> {
    fn may_wait(&self) -> bool {
        self.timeout.is_none_or(|timeout| !timeout.is_zero())
    }

    pub(super) fn decision(self, ruling: &Ruling) -> Decision<'a> {
        Decision::ruled(ruling, self.key, &self.quota, self.weight)
    }

    /// The permit of one who waited.
    pub(super) fn permit(self, ruling: &Ruling) -> Result<Permit<'a>> {
        match &ruling.verdict {
            Verdict::Admitted(admission) => Ok(Permit::by(ruling.source, self.key, *admission)),
            Verdict::Denied(_) if self.may_wait() => {
                let why = "the request would have to wait, and nobody may wait on any key; turn it away, or raise max_waiting";
                Err(Error::new(ErrorKind::QueueFull, why))
            }
            Verdict::Denied(denial) => {
                let pause = denial.retry_at.since(denial.now);
                Err(Error::new(
                    ErrorKind::Timeout,
                    format!(
                        "the request would have to wait {pause:?}, and has no time to; turn it away, or give it more time"
                    ),
                ))
            }
            Verdict::NeverFits { .. } => Err(self.never_fits(ruling)),
        }
    }

    /// The reservation of one who waited.
    pub(super) fn reservation(self, core: &Arc<Core>, ruling: &Ruling) -> Result<Reservation<'a>> {
        let quota = self.quota.clone().into_owned();
        Ok(Reservation::new(core, quota, self.permit(ruling)?))
    }

    fn never_fits(&self, ruling: &Ruling) -> Error {
        let rate = ruling.rate.map(|rate| rate.to_string()).unwrap_or_default();
        let (weight, most) = (self.weight, ruling.rate.map_or(self.quota.capacity(), |rate| rate.burst()));
        Error::new(
            ErrorKind::NeverFits,
            format!("the request weighs {weight} units, and {rate} never allows more than {most} at once; split it"),
        )
    }
}

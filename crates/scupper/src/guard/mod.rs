//! The store as a limiter sees it: with a limit to the time of each call, and a policy for when there is no answer.

mod policy;

mod breaker;

mod watched;

mod limited;

mod ask;

mod call;

mod outage;

mod guarded;

pub(crate) use ask::{Ask, OwnTime, read_ruling};
pub(crate) use call::{Answered, Call, Late};
pub(crate) use guarded::{GuardSettings, GuardedStore};
pub use policy::OutagePolicy;
pub(crate) use watched::Afterwards;

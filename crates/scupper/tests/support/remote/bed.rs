use std::future::Future;

use scupper::store::Store;
use scupper::{Limiter, Result};
use scupper_testbed::Proxy;

use crate::support::remote::{patient, used};

/// A store of one kind with a fault in its way. Keys begin with `user:`, or with `team:` where pages of them are asked for; nothing
/// else that is sent has either word.
pub(crate) trait RemoteBed: Sized {
    type Store: Store + Clone + 'static;

    /// Words that are sent when a connection is opened and made ready.
    const OPENING: &'static [&'static str];

    /// How many connections a store makes for one that it gives up.
    const FOR_ONE_GIVEN_UP: u64;

    fn make() -> Self;

    fn proxy(&self) -> &Proxy;

    /// Of the server, through the proxy.
    fn url(&self) -> String;

    fn connect(url: &str) -> impl Future<Output = Result<Self::Store>> + Send;

    fn connect_blocking(url: &str) -> Result<Self::Store>;

    /// A store that reaches the server through the proxy, by one connection and one call at a time: requests wait for their
    /// turn as long as that takes on a busy machine.
    fn one_by_one(&self) -> Self::Store;

    /// The same, but that requests wait no longer than they do by default.
    fn by_default(&self) -> Self::Store;

    /// The same, and out of patience with a connection after a second without an answer.
    fn impatient(&self) -> Self::Store;

    /// A store that no fault meets.
    fn direct(&self) -> &Self::Store;

    /// Whether the server knows this key.
    fn has(&self, key: &str) -> bool;

    /// How many connections the server has to those who came through the proxy.
    fn sessions(&self) -> i64;

    /// One call at a time, and it waits for its answers, however busy the machine is.
    fn limiter(&self, rates: &str) -> Limiter {
        patient(rates, &self.one_by_one())
    }

    /// Units in use under the first of these rates, as the server has it.
    #[track_caller]
    fn used(&self, key: &str, rates: &str) -> u64 {
        used(self.direct(), key, rates)
    }
}

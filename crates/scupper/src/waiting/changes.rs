//! What happens to a line from outside: one leaves it, room is given back, its limiter changes or ends, the process forks.

use crate::guard::GuardedStore;
use crate::quota::Quota;
use crate::sync::{Arc, lock};
use crate::timer::wake;
use crate::waiting::answers::closed;
use crate::waiting::entry::Entry;
use crate::waiting::queue::Number;
use crate::waiting::server::Server;
use crate::waiting::waiter::Waiter;

impl Server {
    /// Whether it is served in the parent of this process.
    pub(super) fn is_the_parents(&self) -> bool {
        !self.served_in.is_current()
    }

    /// One who waited goes away.
    pub(super) fn leave(self: &Arc<Self>, number: Number, waiter: &Arc<Waiter>) {
        if let Some(ruling) = waiter.go() {
            return self.take_back(&waiter.store, &ruling);
        }
        let mut line = lock(&self.line);
        let gone = line.queue.give_up(number, |next, gone| Arc::ptr_eq(&next.store, &gone.store));
        let is_at_rest = line.queue.is_at_rest();
        drop(line);
        drop(gone);
        if !is_at_rest {
            self.run();
        }
    }

    /// Something was given back: the first in line may fit at once, and no denial from before is believed.
    pub(super) fn release(self: &Arc<Self>) {
        lock(&self.line).queue.release();
        self.denials.forget(&self.key);
        self.run();
    }

    /// The bucket has changed, and has no more room than before.
    pub(super) fn change(&self) {
        lock(&self.line).queue.change();
        self.denials.forget(&self.key);
    }

    /// Sends all who wait for this store away with an error.
    pub(super) fn close(self: &Arc<Self>, store: &Arc<GuardedStore>) {
        let step = self.turn_out(|waiter| Arc::ptr_eq(&waiter.store, store), closed);
        step.wakers.into_iter().for_each(wake);
        self.run();
    }

    /// Holds all who wait for this store, and follow its limiter, to another quota from now on.
    pub(super) fn hold_to(self: &Arc<Self>, store: &Arc<GuardedStore>, quota: &Quota) {
        let follows = |entry: &Entry<Arc<Waiter>>| entry.claim.follows && Arc::ptr_eq(&entry.who.store, store);
        lock(&self.line).queue.hold_to(quota, follows);
        self.run();
    }
}

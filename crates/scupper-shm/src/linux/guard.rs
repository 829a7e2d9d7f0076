use super::lock_word;
use super::seating::Ticket;
use super::shared::Shared;

/// The lock of a mapped file, held until this is dropped.
///
/// If it is never dropped ([`std::mem::forget`]), the lock is held until its [`Shared`] is dropped or the process ends.
///
/// A child that is forked meanwhile has a copy of this that holds nothing, as it is the parent who has the lock:
/// [`is_held`](Self::is_held) is false there, and dropping it unlocks nothing.
#[derive(Debug)]
#[must_use = "the lock is given back when this is dropped"]
pub struct Guard<'a> {
    shared: &'a Shared,
    ticket: Ticket,
}

impl<'a> Guard<'a> {
    #[inline]
    pub(super) fn new(shared: &'a Shared, ticket: Ticket) -> Self {
        Self { shared, ticket }
    }

    /// Whether this is the process that has locked. Only a forked child is another one.
    #[must_use]
    #[inline]
    pub fn is_held(&self) -> bool {
        self.shared.ticket() == self.ticket
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.is_held() {
            lock_word::give_back(self.shared.lock_word());
        }
    }
}

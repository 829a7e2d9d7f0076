//! One at a time: who comes while another is inside has that one go round once more.

use crate::sync::{AtomicU8, Ordering};

/// Lets one at a time do a piece of work that anybody may ask for, and loses no request: work that is asked for while it is
/// being done is done once more.
#[derive(Debug, Default)]
pub(crate) struct Turnstile(AtomicU8);

const FREE: u8 = 0;
const TAKEN: u8 = 1;
const ASKED_AGAIN: u8 = 2;

impl Turnstile {
    /// Whether to do the work. If not, whoever is doing it learns that it must be done again.
    pub(crate) fn enter(&self) -> bool {
        let next = |now| Some(if now == FREE { TAKEN } else { ASKED_AGAIN });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) == Ok(FREE)
    }

    /// Whether somebody is doing the work now, or has just done it.
    pub(crate) fn is_taken(&self) -> bool {
        self.0.load(Ordering::Acquire) != FREE
    }

    /// Ends the work; says whether somebody asked for it meanwhile, so that it must be entered again.
    #[must_use = "if somebody asked meanwhile, the work must be done again"]
    pub(crate) fn leave(&self) -> bool {
        self.0.swap(FREE, Ordering::AcqRel) == ASKED_AGAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_no_request_is_lost() {
        let turnstile = Turnstile::default();
        assert!(!turnstile.is_taken() && turnstile.enter() && turnstile.is_taken());
        assert!(!turnstile.enter() && !turnstile.enter(), "somebody is inside");
        assert!(turnstile.leave(), "somebody asked meanwhile");
        assert!(turnstile.enter());
        assert!(!turnstile.leave(), "nobody asked");
        assert!(!turnstile.is_taken());
    }
}

#[cfg(test)]
#[cfg(scupper_shuttle)]
mod model {
    use shuttle::sync::atomic::{AtomicBool, AtomicUsize};
    use shuttle::{check_dfs, check_random, thread};

    use super::*;
    use crate::sync::Arc;

    #[derive(Default)]
    struct Work {
        turnstile: Turnstile,
        is_inside: AtomicBool,
        asked: AtomicUsize,
        seen: AtomicUsize,
    }

    /// Each of these threads asks for the work once; then nothing that was asked for is left undone.
    fn ask_from(threads: usize) {
        let work = Arc::<Work>::default();
        let asking = || {
            let work = Arc::clone(&work);
            thread::spawn(move || {
                work.asked.fetch_add(1, Ordering::AcqRel);
                while work.turnstile.enter() {
                    assert!(!work.is_inside.swap(true, Ordering::AcqRel), "two are inside");
                    work.seen.store(work.asked.load(Ordering::Acquire), Ordering::Release);
                    work.is_inside.store(false, Ordering::Release);
                    if !work.turnstile.leave() {
                        break;
                    }
                }
            })
        };
        let asking: Vec<_> = (0..threads).map(|_| asking()).collect();
        for asking in asking {
            asking.join().unwrap();
        }
        assert_eq!(work.seen.load(Ordering::Acquire), threads, "a request was lost");
    }

    #[test]
    fn no_request_is_lost_in_any_order_of_two() {
        check_dfs(|| ask_from(2), None);
    }

    #[test]
    fn no_request_of_many_is_lost() {
        check_random(|| ask_from(4), 5_000);
    }
}

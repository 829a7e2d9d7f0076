//! How idle buckets leave.

use std::task::{Wake, Waker};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::memory::shard::Walk;
use crate::store::memory::table::Table;
use crate::sync::{Arc, Ordering, Weak, lock};
use crate::time::Timestamp;

struct Sweeper(Weak<Table>);

impl Wake for Sweeper {
    fn wake(self: Arc<Self>) {
        if let Some(table) = self.0.upgrade() {
            table.sweep_slice();
        }
    }
}

impl Table {
    /// Idle buckets are looked for a second after the first of them can leave, so that more leave at once…
    const PAUSE: Duration = Duration::from_secs(1);
    /// …and at most this often for the number of keys, which bounds the work to a few hundredths of one processor.
    const PAUSE_PER_KEY: Duration = Duration::from_nanos(2_500);
    const OVERDUE: Duration = Duration::from_mins(1);
    const SLICE: usize = 16 * Self::STRIDE;

    /// Gives up idle buckets of one shard, if any shard has some.
    #[cold]
    pub(super) fn make_room(&self, now: Timestamp) -> Result<()> {
        for shard in &self.shards {
            let (mut walk, mut left, mut is_done) = (Walk::default(), 0, shard.0.lock().idle_from() > now);
            while !is_done {
                let (here, end) = shard.0.lock().sweep(&mut walk, &self.clock, Self::STRIDE);
                (left, is_done) = (left + here, end);
            }
            self.keys.fetch_sub(left as u64, Ordering::Relaxed);
            if left > 0 {
                return Ok(());
            }
        }
        Err(Error::new(
            ErrorKind::Capacity,
            format!(
                "the store holds its maximum of {} keys, and all of them still owe something; ask again later, or raise max_keys",
                self.max_keys
            ),
        ))
    }

    /// Has idle buckets looked for soon after `idle_from`, unless that is planned earlier anyway. A plan that is long overdue
    /// is none: its alarm was lost.
    pub(super) fn plan_sweep(self: &Arc<Self>, now: Timestamp, idle_from: Timestamp) {
        let pause = Self::PAUSE.max(Self::PAUSE_PER_KEY.saturating_mul(u32::try_from(self.len()).unwrap_or(u32::MAX)));
        let latest = Timestamp::from_micros(self.latest.fetch_max(now.as_micros(), Ordering::Relaxed));
        // More than threads differ that read the clock at about the same time.
        if latest.since(now) > Self::PAUSE {
            self.latest.store(now.as_micros(), Ordering::Relaxed);
            lock(&self.sweep).look_everywhere();
        }
        let planned = self.sweep_at.load(Ordering::Relaxed);
        if now > Timestamp::from_micros(planned) + pause + Self::OVERDUE {
            let _ = self.sweep_at.compare_exchange(planned, u64::MAX, Ordering::Relaxed, Ordering::Relaxed);
        }
        let at = idle_from + pause;
        if at.as_micros() < self.sweep_at.load(Ordering::Relaxed) {
            self.set_alarm(at);
        }
    }

    /// Has the timer start a sweep at this time, unless one is planned earlier. The timer is asked without a lock: it is
    /// foreign code, and may start the sweep before it returns.
    #[cold]
    fn set_alarm(self: &Arc<Self>, at: Timestamp) {
        let mut sweep = lock(&self.sweep);
        if at.as_micros() >= self.sweep_at.load(Ordering::Relaxed) {
            return;
        }
        self.sweep_at.store(at.as_micros(), Ordering::Relaxed);
        sweep.plan += 1;
        let plan = sweep.plan;
        drop(sweep);
        let alarm = self.clock.timer().remind_at(at, Waker::from(Arc::new(Sweeper(Arc::downgrade(self)))));
        let mut sweep = lock(&self.sweep);
        if sweep.plan != plan {
            drop(sweep);
            // Another plan has taken the place of this one; calling it off is foreign code, too.
            drop(alarm);
            return;
        }
        if alarm.is_err() {
            // The timer cannot wake anyone now. The next new bucket asks again.
            self.sweep_at.store(u64::MAX, Ordering::Relaxed);
        }
        let last = std::mem::replace(&mut sweep.alarm, alarm.ok());
        drop(sweep);
        drop(last);
    }

    /// A part of a sweep: short, so that it delays nobody who waits for the timer.
    fn sweep_slice(self: &Arc<Self>) {
        let now = self.clock.now();
        let mut sweep = lock(&self.sweep);
        let mut looked_at = 0;
        while looked_at < Self::SLICE && sweep.shard < self.shards.len() {
            let mut shard = self.shards[sweep.shard].0.lock();
            let (left, is_done) = if sweep.looks_everywhere || shard.idle_from() <= now || sweep.walk.is_under_way() {
                looked_at += Self::STRIDE;
                shard.sweep(&mut sweep.walk, &self.clock, Self::STRIDE)
            } else {
                (0, true)
            };
            drop(shard);
            self.keys.fetch_sub(left as u64, Ordering::Relaxed);
            if is_done {
                sweep.shard += 1;
                sweep.walk = Walk::default();
            }
        }
        let is_done = sweep.shard == self.shards.len();
        if is_done {
            sweep.shard = 0;
            sweep.looks_everywhere = false;
        }
        self.sweep_at.store(u64::MAX, Ordering::Relaxed);
        drop(sweep);
        if is_done {
            let next = self.shards.iter().map(|shard| shard.0.lock().idle_from()).min();
            next.filter(|next| *next < Timestamp::MAX).into_iter().for_each(|next| self.plan_sweep(now, next.max(now)));
        } else {
            self.set_alarm(now);
        }
    }
}

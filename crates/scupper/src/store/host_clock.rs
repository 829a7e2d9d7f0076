//! One clock for all processes of a host, that goes on over restarts and reboots.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;

/// Microseconds that the wall clock may have gone on before it is written down once more.
const SEEN_EVERY: u64 = 1_000_000;

/// A host's clocks.
pub(crate) trait Host: fmt::Debug + Send + Sync {
    /// Which boot this is.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the host does not tell.
    fn boot(&self) -> Result<Boot>;

    /// Microseconds since the boot, those of a suspended machine included.
    fn since_boot(&self) -> u64;

    /// Microseconds since the Unix epoch, as the host believes now.
    fn wall(&self) -> u64;
}

/// A boot of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boot(u128);

/// Where a store's time stands on the clock of this boot. It is kept in the store, so that all who use it have one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    boot: Boot,
    /// The store's time when the host was booted; wraps, as a store may be younger than the boot, and its time earlier.
    origin: u64,
    /// A time of the store not long ago, and the latest that the wall clock read until then: one that is behind until the
    /// network tells it better, as on a host without a battery, must not make a long time of the next reboot.
    seen: u64,
    seen_wall: u64,
}

impl Anchor {
    /// As so many numbers it is kept.
    pub(crate) const NUMBERS: usize = 5;

    /// That of a new store. Its time begins as the wall clock's, so that fixed windows begin with the hours of the day.
    ///
    /// # Errors
    /// Those of [`Host::boot`].
    pub(crate) fn first(host: &dyn Host) -> Result<Self> {
        let wall = host.wall();
        Ok(Self { boot: host.boot()?, origin: wall.wrapping_sub(host.since_boot()), seen: wall, seen_wall: wall })
    }

    /// Whether this is of the boot that is under way; if not, [`after_reboot`](Self::after_reboot) is to be kept in its place.
    ///
    /// # Errors
    /// Those of [`Host::boot`].
    pub(crate) fn is_current(&self, host: &dyn Host) -> Result<bool> {
        Ok(self.boot == host.boot()?)
    }

    /// The same on the clock of another boot. Between the two only the wall clock has gone on, and it may have been set: where
    /// it reads less than it should, no more is known to have passed than the time since the boot.
    ///
    /// # Errors
    /// Those of [`Host::boot`].
    pub(crate) fn after_reboot(&self, host: &dyn Host) -> Result<Self> {
        let (wall, since_boot) = (host.wall(), host.since_boot());
        let seen = self.seen.saturating_add(wall.saturating_sub(self.seen_wall).max(since_boot));
        let seen_wall = wall.max(self.seen_wall);
        Ok(Self { boot: host.boot()?, origin: seen.wrapping_sub(since_boot), seen, seen_wall })
    }

    /// The store's time.
    #[cfg(any(test, feature = "sqlite"))]
    #[inline]
    pub(crate) fn now(&self, host: &dyn Host) -> Timestamp {
        self.at(host.since_boot())
    }

    /// The store's time so many microseconds after the boot.
    #[inline]
    pub(crate) const fn at(&self, since_boot: u64) -> Timestamp {
        Timestamp::from_micros(self.origin.wrapping_add(since_boot))
    }

    /// The same once more if it is to be kept in the place of this one: the wall clock was looked at long ago.
    pub(crate) fn renewed(&self, now: Timestamp, host: &dyn Host) -> Option<Self> {
        let seen = now.as_micros();
        let renew = || Self { seen, seen_wall: host.wall().max(self.seen_wall), ..*self };
        (seen.saturating_sub(self.seen) >= SEEN_EVERY).then(renew)
    }

    pub(crate) fn to_numbers(self) -> [u64; Self::NUMBERS] {
        #[expect(clippy::cast_possible_truncation, reason = "its lower half")]
        let lower = self.boot.0 as u64;
        [(self.boot.0 >> 64) as u64, lower, self.origin, self.seen, self.seen_wall]
    }

    pub(crate) fn from_numbers([upper, lower, origin, seen, seen_wall]: [u64; Self::NUMBERS]) -> Self {
        Self { boot: Boot(u128::from(upper) << 64 | u128::from(lower)), origin, seen, seen_wall }
    }
}

/// The host that this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ThisHost;

#[cfg(target_os = "linux")]
impl Host for ThisHost {
    fn boot(&self) -> Result<Boot> {
        use crate::sync::OnceLock;
        // It stays what it is for as long as a process can live.
        static BOOT: OnceLock<Boot> = OnceLock::new();
        if let Some(boot) = BOOT.get() {
            return Ok(*boot);
        }
        let path = "/proc/sys/kernel/random/boot_id";
        let unknown = |why: String| {
            let what = format!("the host does not tell one boot from another: {path} {why}; mount /proc");
            Error::new(ErrorKind::Unsupported, what)
        };
        let text = std::fs::read_to_string(path).map_err(|error| unknown(format!("cannot be read: {error}")))?;
        let boot = Boot::of(&text).ok_or_else(|| unknown("holds no boot id".to_owned()))?;
        Ok(*BOOT.get_or_init(|| boot))
    }

    #[inline]
    fn since_boot(&self) -> u64 {
        micros(rustix::time::clock_gettime(rustix::time::ClockId::Boottime))
    }

    fn wall(&self) -> u64 {
        micros(rustix::time::clock_gettime(rustix::time::ClockId::Realtime))
    }
}

#[cfg(not(target_os = "linux"))]
impl Host for ThisHost {
    fn boot(&self) -> Result<Boot> {
        let what = "stores of a host need Linux: other systems have no clock that all processes share and that goes on \
                    while the machine sleeps; use memory, or a server";
        Err(Error::new(ErrorKind::Unsupported, what))
    }

    fn since_boot(&self) -> u64 {
        0
    }

    fn wall(&self) -> u64 {
        0
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn micros(time: rustix::time::Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default() / 1_000)
}

impl Boot {
    /// From the text of a UUID.
    #[cfg(any(test, target_os = "linux"))]
    fn of(text: &str) -> Option<Self> {
        let digits: String = text.trim().split('-').collect();
        (digits.len() == 32).then(|| u128::from_str_radix(&digits, 16).ok().map(Self)).flatten()
    }
}

/// A host whose clocks a test sets.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct TestHost {
    boot: crate::sync::AtomicU64,
    since_boot: crate::sync::AtomicU64,
    wall: crate::sync::AtomicU64,
}

#[cfg(test)]
impl TestHost {
    /// In its first boot, which was so long ago, at this time of the wall clock.
    pub(crate) fn new(since_boot: u64, wall: u64) -> Self {
        let this = Self::default();
        this.set(0, since_boot, wall);
        this
    }

    /// Time passes.
    pub(crate) fn pass(&self, micros: u64) {
        self.since_boot.fetch_add(micros, crate::sync::Ordering::AcqRel);
        self.wall.fetch_add(micros, crate::sync::Ordering::AcqRel);
    }

    /// Another boot, so long ago, at this time of the wall clock.
    pub(crate) fn reboot(&self, since_boot: u64, wall: u64) {
        self.set(self.boot.load(crate::sync::Ordering::Acquire) + 1, since_boot, wall);
    }

    pub(crate) fn set(&self, boot: u64, since_boot: u64, wall: u64) {
        for (clock, value) in [(&self.boot, boot), (&self.since_boot, since_boot), (&self.wall, wall)] {
            clock.store(value, crate::sync::Ordering::Release);
        }
    }
}

#[cfg(test)]
impl Host for TestHost {
    fn boot(&self) -> Result<Boot> {
        Ok(Boot(self.boot.load(crate::sync::Ordering::Acquire).into()))
    }

    fn since_boot(&self) -> u64 {
        self.since_boot.load(crate::sync::Ordering::Acquire)
    }

    fn wall(&self) -> u64 {
        self.wall.load(crate::sync::Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;

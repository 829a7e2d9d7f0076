use std::array;

use crate::error::Result;
use crate::store::bucket::BucketState;
use crate::store::host_clock::{Anchor, Host};
use crate::store::shared_memory::failure::corrupt;
use crate::store::shared_memory::geometry::at;
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::words::Words;
use crate::time::Timestamp;

/// The store's time so many microseconds after the boot. Where the host was booted since the anchor was written, or the wall
/// clock was seen long ago, the anchor changes with the change.
///
/// # Errors
/// Those of [`Host::boot`]; [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) for a time that cannot be.
#[inline(always)]
pub(super) fn now<W: Words + ?Sized>(change: &Change<'_, W>, host: &dyn Host, since_boot: u64) -> Result<Timestamp> {
    let mut anchor = Anchor::from_numbers(array::from_fn(|nth| change.get(at::ANCHOR + nth as u64)));
    if !anchor.is_current(host)? {
        anchor = anchor.after_reboot(host)?;
        keep(change, anchor);
    }
    let now = anchor.at(since_boot);
    if now > BucketState::LATEST {
        return Err(corrupt("its clock is set to a time that cannot be"));
    }
    if let Some(renewed) = anchor.renewed(now, host) {
        keep(change, renewed);
    }
    Ok(now)
}

#[cold]
fn keep<W: Words + ?Sized>(change: &Change<'_, W>, anchor: Anchor) {
    (at::ANCHOR..).zip(anchor.to_numbers()).for_each(|(place, number)| change.set(place, number));
}

//! Seats: who may write a number of its own into the lock word.

#![expect(unsafe_code, reason = "maps what holds a seat")]

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::AsFd;
use std::{process, ptr};

use rustix::io;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use super::byte_lock;
use super::header::LONGEST;
use crate::SEATS;

/// Any page will do.
const PAGE: usize = 4096;

/// A number below [`SEATS`] that nobody else has, from any opening of the file, as long as this value and its process live.
///
/// It is a lock of a byte of the file, that a file description of its own holds, and that description is held by a mapping alone:
/// no descriptor is left that someone could close or inherit, and the mapping is in no forked child and in no program that is
/// started. So the system drops the lock when the process ends, however it ends, and not before.
#[derive(Debug)]
pub(super) struct Seat {
    number: u32,
    hold: *mut c_void,
}

// SAFETY: the mapping belongs to no thread, and nothing in it is ever read or written.
unsafe impl Send for Seat {}

impl Seat {
    /// None if all are taken. `file` must be a description that nobody else has.
    pub(super) fn take(file: &File) -> io::Result<Option<Self>> {
        // Processes that start together do not all begin at the same one.
        let first = process::id() % SEATS;
        for number in (first..SEATS).chain(0..first) {
            if byte_lock::try_lock(file.as_fd(), byte_of(number))? {
                return Self::hold(file, number).map(Some);
            }
        }
        Ok(None)
    }

    fn hold(file: &File, number: u32) -> io::Result<Self> {
        // SAFETY: without an address that is asked for, new memory is mapped and none is replaced.
        let hold = unsafe { mmap(ptr::null_mut(), PAGE, ProtFlags::empty(), MapFlags::SHARED, file, 0) }?;
        let seat = Self { number, hold };
        // SAFETY: the mapping is ours, nobody uses what is in it, and so nobody misses it in a child.
        unsafe { madvise(hold, PAGE, Advice::LinuxDontFork) }?;
        Ok(seat)
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody uses what is in it. It cannot fail for a mapping that is there.
        let _ = unsafe { munmap(self.hold, PAGE) };
    }
}

/// Runs `bury` while nobody has this seat, and nobody can take it. False if somebody has it.
///
/// `file` must be a description that nobody else has, and that ends after the call.
pub(super) fn while_vacant(file: File, number: u32, bury: impl FnOnce()) -> io::Result<bool> {
    let is_vacant = byte_lock::try_lock(file.as_fd(), byte_of(number))?;
    if is_vacant {
        bury();
    }
    drop(file);
    Ok(is_vacant)
}

/// Beyond the longest file, so that no lock of what is in a file is ever in the way.
fn byte_of(seat: u32) -> u64 {
    LONGEST as u64 + u64::from(seat)
}

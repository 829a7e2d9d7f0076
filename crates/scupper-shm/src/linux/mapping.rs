//! The file in memory.
//!
//! All that is handed out of it are atomic numbers. Other processes, which may be at other versions or run wild, change them at
//! any time; for that reason no plain reference to a byte of it is ever made. To an atomic number no write is a data race, every
//! pattern of bits is a value, and no optimisation may assume that it stays as it was.

#![expect(unsafe_code, reason = "maps the file, and makes references to what is in it")]

use std::ffi::c_void;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::io;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::header::{Geometry, HEADER, LOCK_WORD, TELLING};

/// A file of this geometry, mapped from its first byte to its last.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<c_void>,
    geometry: Geometry,
}

// SAFETY: the memory belongs to no thread, and what is reached in it by `&Mapping` are atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// The file must be as long as the geometry says: who touches what lies behind its end is sent `SIGBUS`.
    pub(super) fn new(file: BorrowedFd<'_>, geometry: Geometry) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: without an address that is asked for, new memory is mapped and none is replaced.
        let start = unsafe { mmap(ptr::null_mut(), geometry.length(), access, MapFlags::SHARED, file, 0) }?;
        // The system maps nothing at zero unless it is asked to.
        let start = NonNull::new(start).ok_or(io::Errno::NOMEM)?;
        Ok(Self { start, geometry })
    }

    /// The header's words that say what the file is.
    pub(super) fn telling(&self) -> &[AtomicU64] {
        self.slice(0, TELLING / size_of::<AtomicU64>())
    }

    pub(super) fn words(&self) -> &[AtomicU64] {
        self.slice(HEADER, self.geometry.words())
    }

    pub(super) fn lock_word(&self) -> &AtomicU32 {
        // SAFETY: the header is mapped, and is longer than this.
        let word = unsafe { self.start.as_ptr().byte_add(LOCK_WORD) };
        // SAFETY: it is aligned, as the start is at a page, lives as long as `self`, and lies in no other view that is handed out.
        unsafe { AtomicU32::from_ptr(word.cast()) }
    }

    /// `offset` and what begins there must be within the file, a whole number of words from its start, and before or behind the
    /// lock word.
    fn slice(&self, offset: usize, words: usize) -> &[AtomicU64] {
        debug_assert!(offset + words * size_of::<AtomicU64>() <= self.geometry.length(), "it ends with the file");
        // SAFETY: both callers stay within the mapping, which is as long as the geometry says.
        let start = unsafe { self.start.as_ptr().byte_add(offset) };
        // SAFETY: it is aligned, as the start is at a page and the offset a multiple of eight; it lives as long as `self`; its
        // values are atomics, for which nobody's writes are a data race and every pattern of bits is a value.
        unsafe { slice::from_raw_parts(start.cast(), words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is ours from start to end, and no view of it outlives `self`. It cannot fail for a mapping that is there.
        let _ = unsafe { munmap(self.start.as_ptr(), self.geometry.length()) };
    }
}

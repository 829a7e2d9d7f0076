//! Locks of single bytes of a file that belong to a file description, not to a process: two descriptions exclude each other in
//! one process as in two, and the system drops the lock with the last that refers to the description.

#![expect(unsafe_code, reason = "calls the system by way of C, where nothing safe does")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io;

/// Tries to lock one byte for the description of `file`. False if another description has it.
pub(super) fn try_lock(file: BorrowedFd<'_>, byte: u64) -> io::Result<bool> {
    match set(file, byte, libc::F_WRLCK) {
        Ok(()) => Ok(true),
        Err(io::Errno::AGAIN | io::Errno::ACCESS) => Ok(false),
        Err(error) => Err(error),
    }
}

fn set(file: BorrowedFd<'_>, byte: u64, kind: libc::c_int) -> io::Result<()> {
    let (Ok(start), Ok(kind), Ok(whence)) =
        (libc::off_t::try_from(byte), libc::c_short::try_from(kind), libc::c_short::try_from(libc::SEEK_SET))
    else {
        return Err(io::Errno::INVAL);
    };
    let lock = libc::flock { l_type: kind, l_whence: whence, l_start: start, l_len: 1, l_pid: 0 };
    loop {
        // SAFETY: the descriptor is open, and the command takes a pointer to such a lock, which it only reads.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } == 0 {
            return Ok(());
        }
        match io::Errno::from_io_error(&std::io::Error::last_os_error()) {
            Some(io::Errno::INTR) => {}
            Some(error) => return Err(error),
            None => return Err(io::Errno::INVAL),
        }
    }
}

//! How `scupper run` ends where COMMAND did not begin.

/// More units than the rates ever allow at once.
pub(super) const NEVER_FITS: u8 = 123;
/// The deadline passed, or would have.
pub(super) const TOO_LATE: u8 = 124;
/// The store could not tell, or is not there.
pub(super) const STORE_FAILED: u8 = 125;
/// COMMAND is there and cannot be run.
pub(super) const CANNOT_RUN: u8 = 126;
/// COMMAND was not found.
pub(super) const NOT_FOUND: u8 = 127;

//! Scupper.

//! `scupper schema`, as a user runs it.

#[cfg(test)]
#[path = "../common/mod.rs"]
mod common;

#[cfg(test)]
mod printing;

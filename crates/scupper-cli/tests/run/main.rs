//! `scupper run`, as a user runs it.

#[cfg(test)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(test)]
mod support;

#[cfg(test)]
mod arguments;
#[cfg(test)]
mod becoming;
#[cfg(test)]
mod busy;
#[cfg(test)]
mod inheritance;
#[cfg(test)]
mod interrupts;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod shells;
#[cfg(test)]
mod statuses;
#[cfg(test)]
mod stores;
#[cfg(test)]
mod terminal;

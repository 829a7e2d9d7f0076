//! `scupper throttle`, as a user runs it.

#[cfg(test)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(test)]
mod support;

#[cfg(test)]
mod arguments;
#[cfg(test)]
mod copying;
#[cfg(test)]
mod display;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod statuses;
#[cfg(test)]
mod store;

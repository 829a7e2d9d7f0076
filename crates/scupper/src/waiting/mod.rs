//! Waiting in line: one queue per key and process, served first come, first served, on the limiter's timer.

mod gate;

mod forecast;

mod claim;

mod entry;

mod exchange;

mod queue;

mod waiter;

mod answers;

mod denials;

mod line;

mod directory;

mod server;

mod replies;

mod returns;

mod changes;

mod ticket;

mod room;

#[cfg(test)]
mod tests;

pub(crate) use claim::Claim;
pub(crate) use gate::{Gate, Pass};
pub(crate) use room::{Joined, Room};
pub(crate) use ticket::Ticket;

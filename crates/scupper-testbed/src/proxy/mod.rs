//! A proxy on loopback that breaks connections when it is told to.

mod control;
mod fault;
mod front;
mod link;
mod rule;

pub use fault::Fault;
pub use front::Proxy;

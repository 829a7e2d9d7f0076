//! The limiter and what it is asked.

mod answer;

mod shortcut;

mod core;

mod admission;

mod manager;

mod reservation;

mod request;

mod bucket;

mod facade;

mod manage;

mod control;

mod builder;

pub use bucket::Bucket;
pub use builder::LimiterBuilder;
pub use facade::Limiter;
pub use request::Request;
pub use reservation::Reservation;

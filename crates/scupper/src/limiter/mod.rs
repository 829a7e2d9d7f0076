//! The limiter and what it is asked.

mod answer;

mod shortcut;

mod core;

mod manager;

mod request;

mod bucket;

mod facade;

mod manage;

mod builder;

pub use bucket::Bucket;
pub use builder::LimiterBuilder;
pub use facade::Limiter;
pub use request::Request;

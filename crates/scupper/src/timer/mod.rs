//! Clock and sleep together, so that time can be real, calendar or manual.

mod signal;

mod contract;

mod alarms;
mod manual;
mod system;
mod wall;

pub use contract::{Alarm, Timer};
pub use manual::ManualTimer;
pub(crate) use signal::block_on;
pub use system::SystemTimer;
pub use wall::WallTimer;

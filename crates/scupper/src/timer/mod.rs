//! Clock and sleep together, so that time can be real, calendar or manual.

mod signal;

mod contract;

mod alarms;
mod manual;
mod system;
#[cfg(feature = "tokio")]
mod tokio_timer;
mod wall;

pub use contract::{Alarm, Timer};
pub use manual::ManualTimer;
pub(crate) use signal::{block_on, wake};
pub use system::SystemTimer;
#[cfg(feature = "tokio")]
pub use tokio_timer::TokioTimer;
pub use wall::WallTimer;

//! The script decides as the library does, operation by operation, on a server whose time is the test's.

mod server;

mod model;

mod comparison;

mod lists;

mod cases;

mod play;

mod random;

mod numbers;

mod logs;

mod lanes;

mod back;

mod keeping;

mod strange;

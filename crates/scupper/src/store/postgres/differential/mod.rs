//! The function in Postgres decides as the library does, bucket by bucket, on a server whose time is the test's.

mod asked;

mod rows;

mod layout;

mod server;

mod model;

mod comparison;

mod lists;

mod cases;

mod play;

mod random;

mod numbers;

mod many;

mod logs;

mod strange;

mod sweeping;

mod swept_in_parts;

mod together;

mod ways;

mod by_script;

mod size;

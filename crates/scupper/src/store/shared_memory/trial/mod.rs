//! The store on words in memory, where every store can be the last before a death, and every word be damaged; and in files, where
//! processes are killed in earnest.

mod memory;

mod audit;

mod blocks;

mod rings;

mod life;

mod model;

mod deaths;

mod damage;

mod room;

mod reboots;

mod stale;

mod kills;

//! Suites that need no server.

use peak_alloc::PeakAlloc;

/// Read by the library.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn main() -> anyhow::Result<()> {
    scupper_bench::in_process()
}

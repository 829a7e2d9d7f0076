//! Suites on stores that several processes can share.

fn main() -> anyhow::Result<()> {
    scupper_bench::shared()
}

//! Suites that ask servers.

fn main() -> anyhow::Result<()> {
    scupper_bench::remote()
}

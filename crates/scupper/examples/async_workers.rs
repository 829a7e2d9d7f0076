//! Tasks that share a limit: all wait their turn, one gives up while it waits, and one is told at once that it would be too late.

use std::time::{Duration, Instant};

use scupper::Limiter;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> scupper::Result<()> {
    let limiter = Limiter::builder().rates(["4/200ms".parse()?]).build()?;
    let start = Instant::now();

    let mut workers = JoinSet::new();
    for worker in ["ann", "bob", "cy"] {
        let limiter = limiter.clone();
        workers.spawn(async move {
            for job in 1..=5 {
                limiter.acquire_async("api").await?;
                println!("{:3} ms  {worker} does job {job}", start.elapsed().as_millis());
                yield_now().await;
            }
            Ok(())
        });
    }
    while limiter.peek("api")?.remaining() > 0 {
        yield_now().await;
    }

    // Dropping a future that waits is all that it takes: it leaves the line, and those behind it move up.
    let patience = Duration::from_millis(50);
    if timeout(patience, limiter.acquire_async("api")).await.is_err() {
        println!("{:3} ms  dee gave up after {patience:?}", start.elapsed().as_millis());
    }

    // A limiter that knows the deadline need not let it pass: this returns at once, and took nothing.
    let deadline = Duration::from_millis(100);
    if let Err(error) = limiter.request("api").timeout(deadline).acquire_async().await {
        println!("{:3} ms  eve does not even wait: {error}", start.elapsed().as_millis());
    }

    workers.join_all().await.into_iter().collect::<scupper::Result<()>>()?;
    println!("{:3} ms  15 jobs are done: 4 at once, and 4 more every 200 ms", start.elapsed().as_millis());
    Ok(())
}

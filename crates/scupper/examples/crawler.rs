//! A crawler that is polite to each host, bounded over all of them, and stays away for as long as a server tells it to.

use std::time::{Duration, Instant};

use scupper::{Decision, Limiter};
use tokio::task::JoinSet;
use tokio::time::sleep;

const HOSTS: [&str; 3] = ["a.example", "b.example", "c.example"];
const PAGES: u32 = 6;

#[derive(Clone)]
struct Crawler {
    /// Each host has its own bucket.
    per_host: Limiter,
    /// One bucket for all, so that our own line is not flooded.
    overall: Limiter,
    internet: Internet,
    start: Instant,
}

impl Crawler {
    async fn fetch(&self, host: &str, page: u32) -> scupper::Result<()> {
        loop {
            // The host last: between its permit and the request nothing else is waited for, so that it gets them as evenly.
            self.overall.acquire_async("all hosts").await?;
            self.per_host.acquire_async(host).await?;
            let reply = self.internet.get(host).await?;
            let at = self.start.elapsed().as_millis();
            let Reply::TooManyRequests { retry_after } = reply else {
                println!("{at:4} ms  {host}/{page}  200");
                return Ok(());
            };
            // Nobody goes to this host before, those who stand in line already included.
            self.per_host.hold_async(host, retry_after).await?;
            println!("{at:4} ms  {host}/{page}  429, nobody asks it for {} ms", retry_after.as_millis());
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> scupper::Result<()> {
    let crawler = Crawler {
        per_host: Limiter::builder().rates(["2/50ms".parse()?]).build()?,
        overall: Limiter::builder().rates(["5/50ms".parse()?]).build()?,
        internet: Internet { patience: Limiter::builder().rates(["3/300ms".parse()?]).build()? },
        start: Instant::now(),
    };
    let mut fetches = JoinSet::new();
    for page in 1..=PAGES {
        for host in HOSTS {
            let crawler = crawler.clone();
            fetches.spawn(async move { crawler.fetch(host, page).await });
        }
    }
    fetches.join_all().await.into_iter().collect::<scupper::Result<()>>()?;
    println!("{:4} ms  all {} pages are there", crawler.start.elapsed().as_millis(), HOSTS.len() * PAGES as usize);
    Ok(())
}

enum Reply {
    Page,
    TooManyRequests { retry_after: Duration },
}

/// All hosts, each of which bears less than the crawler supposes.
#[derive(Clone)]
struct Internet {
    patience: Limiter,
}

impl Internet {
    async fn get(&self, host: &str) -> scupper::Result<Reply> {
        sleep(Duration::from_millis(5)).await;
        Ok(match self.patience.try_acquire(host)? {
            Decision::Denied(denied) => Reply::TooManyRequests { retry_after: denied.retry_after() },
            _ => Reply::Page,
        })
    }
}

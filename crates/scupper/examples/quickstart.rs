//! The ten lines that most people need: decide, wait, look.

use scupper::{Decision, Limiter};

fn main() -> scupper::Result<()> {
    let limiter = Limiter::builder().rates(["3/s".parse()?, "100/h".parse()?]).build()?;

    for request in 1..=5 {
        match limiter.try_acquire("user:42")? {
            Decision::Admitted(permit) => println!("request {request}: go ({} unit)", permit.weight()),
            Decision::Denied(denied) => println!("request {request}: come back in {:?}", denied.retry_after()),
            Decision::NeverFits(never) => println!("request {request}: {} never allows that", never.rate()),
        }
    }

    let permit = limiter.acquire("user:42")?;
    println!("request 6 waited its turn until {}", permit.tick());

    for usage in limiter.peek("user:42")?.usage {
        println!("{}: {} used, {} remaining", usage.rate, usage.used, usage.remaining);
    }
    Ok(())
}

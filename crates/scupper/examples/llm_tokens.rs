//! Tokens of a language model, whose number is known only once it has answered: reserve an estimate, then settle for what it
//! was. The model and the clock are simulated, so that minutes take no time.

use scupper::{Limiter, ManualTimer, Timer};

/// What the provider counted, or why it did not answer.
type Reply = Result<u64, &'static str>;

struct Call {
    prompt: &'static str,
    /// As many tokens as the answer is expected to take, with its prompt.
    estimate: u64,
    reply: Reply,
}

const CALLS: [Call; 5] = [
    Call { prompt: "Summarise this page.", estimate: 4_000, reply: Ok(1_200) },
    Call { prompt: "Prove it.", estimate: 4_000, reply: Ok(5_500) },
    Call { prompt: "Draw a unicorn.", estimate: 3_000, reply: Err("overloaded") },
    Call { prompt: "Translate this page.", estimate: 3_000, reply: Ok(3_000) },
    Call { prompt: "Write a novel.", estimate: 6_000, reply: Ok(6_200) },
];

fn main() -> scupper::Result<()> {
    let timer = ManualTimer::auto_advancing();
    let limiter = Limiter::builder().rates(["10000/min".parse()?]).timer(timer.clone()).build()?;

    for call in &CALLS {
        // Waits until the estimate fits.
        let reservation = limiter.request("model").weight(call.estimate).reserve()?;
        println!("at {}: {:?}, {} tokens reserved", timer.now(), call.prompt, call.estimate);
        match ask_model(call) {
            Ok(used) => {
                // Below the estimate, the rest is given back. Above it, the rest is taken though nobody asked whether it fits.
                reservation.settle(used)?;
                println!("    it took {used}");
            }
            Err(why) => {
                // A reservation that is not settled, by `?` or by a panic too, is given back whole.
                drop(reservation);
                println!("    it failed ({why}) and costs nothing");
            }
        }
        let now = &limiter.peek("model")?.usage[0];
        println!("    {} of {} used this minute, {} remaining", now.used, now.rate, now.remaining);
    }
    Ok(())
}

fn ask_model(call: &Call) -> Reply {
    call.reply
}

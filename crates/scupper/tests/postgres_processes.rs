//! Many share one bucket in Postgres, and some of them are killed wherever they are: together they never have more than the rates
//! allow, nor less, and nothing is counted twice.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use std::thread;

use scupper::{Limiter, PostgresStore};
use scupper_testbed::PostgresServer;
use support::postgres::{builder, patient, without_hurry};
use support::remote::processes::SharedBucket;
use support::remote::tests_for;

const KEY: &str = "shared";

struct InPostgres;

impl SharedBucket for InPostgres {
    const RATES: &'static str = "20/200ms, 60/s";
    const LEAST: u64 = 90;
    type Server = PostgresServer;

    fn start() -> PostgresServer {
        PostgresServer::start()
    }

    fn url(server: &PostgresServer) -> String {
        server.url()
    }

    fn limiter(url: &str) -> Limiter {
        patient(Self::RATES, &without_hurry(PostgresStore::builder(url)).connect_blocking().unwrap())
    }
}

tests_for! { InPostgres, processes:
    promises_1_and_2_processes_that_are_killed_leave_the_others_the_full_rate_and_no_more,
}

/// One limiter, or several with connections of their own, which meet on the server alone.
fn limiters(count: usize) -> Vec<Limiter> {
    let store = builder();
    let stores = (0..count).map(|_| store.clone().connect_blocking().unwrap());
    stores.map(|store| patient("100/h", &store)).collect()
}

#[test]
fn promise_2_a_hundred_threads_that_ask_for_what_fits_are_all_admitted() {
    for count in [1, 10] {
        let limiters = limiters(count);
        let ask = |limiter: &Limiter| limiter.try_acquire(KEY).unwrap().is_admitted();
        let admitted: usize = thread::scope(|threads| {
            let asking: Vec<_> = limiters.iter().cycle().take(100).map(|one| threads.spawn(move || ask(one))).collect();
            asking.into_iter().map(|asked| usize::from(asked.join().unwrap())).sum()
        });
        assert_eq!(admitted, 100, "through {count} stores");
        assert!(!limiters[0].try_acquire(KEY).unwrap().is_admitted());
    }
}

#[test]
fn promise_2_a_hundred_tasks_that_ask_for_what_fits_are_all_admitted() {
    for count in [1, 10] {
        let limiters = limiters(count);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let ask = |limiter: Limiter| async move { limiter.try_acquire_async(KEY).await.unwrap().is_admitted() };
        let asking: Vec<_> = limiters.iter().cycle().take(100).map(|one| runtime.spawn(ask(one.clone()))).collect();
        let admitted = asking.into_iter().map(|asked| runtime.block_on(asked).unwrap());
        assert_eq!(admitted.map(usize::from).sum::<usize>(), 100, "through {count} stores");
        assert!(!limiters[0].try_acquire(KEY).unwrap().is_admitted());
    }
}

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::advance;

use crate::store::coalesce::{Bounds, Carrier, Coalescer, Gathered, TurnedAway};
use crate::store::io::Runner;
use crate::sync::{Arc, Mutex, lock};

/// Calls are under way until the test lets them come back.
struct Calls {
    made: mpsc::UnboundedSender<(Vec<u32>, oneshot::Sender<Back>)>,
    count: Mutex<u32>,
    /// What was answered, and how many calls had been made before that.
    delivered: Mutex<Vec<(Vec<u32>, u32)>>,
}

#[derive(Debug, PartialEq)]
enum Back {
    Comes,
    Panics,
    /// With answers that cannot be given.
    PanicsOnDelivery,
}

struct Job {
    number: u32,
    size: usize,
    is_abandoned: bool,
    turned_away: TurnedAwayJobs,
}

type TurnedAwayJobs = Arc<Mutex<HashMap<u32, TurnedAway>>>;

impl Gathered for Job {
    fn size(&self) -> usize {
        self.size
    }

    fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    fn turn_away(self, reason: TurnedAway) {
        lock(&self.turned_away).insert(self.number, reason);
    }
}

impl Carrier for Calls {
    type Job = Job;
    /// The numbers of the jobs, if they can be given.
    type Answers = Option<Vec<u32>>;

    async fn carry(self: Arc<Self>, jobs: Vec<Job>) -> Option<Vec<u32>> {
        *lock(&self.count) += 1;
        let (back, came_back) = oneshot::channel();
        let numbers: Vec<u32> = jobs.iter().map(|job| job.number).collect();
        self.made.send((numbers.clone(), back)).unwrap();
        // Without a word, the test is over.
        let back = came_back.await;
        assert_ne!(back, Ok(Back::Panics));
        (back != Ok(Back::PanicsOnDelivery)).then_some(numbers)
    }

    fn deliver(self: Arc<Self>, answers: Option<Vec<u32>>) {
        let answers = answers.unwrap();
        let calls_before = *lock(&self.count);
        lock(&self.delivered).push((answers, calls_before));
    }
}

const BOUNDS: Bounds = Bounds { calls: 2, operations: 10, waiting: 30, patience: Duration::from_millis(500) };

struct Bench {
    coalescer: Coalescer<Calls>,
    calls: mpsc::UnboundedReceiver<(Vec<u32>, oneshot::Sender<Back>)>,
    runner: Runner,
    turned_away: TurnedAwayJobs,
    next: u32,
}

impl Bench {
    fn new(bounds: Bounds) -> Self {
        let (made, calls) = mpsc::unbounded_channel();
        let carrier = Arc::new(Calls { made, count: Mutex::default(), delivered: Mutex::default() });
        Self {
            coalescer: Coalescer::new(carrier, bounds),
            calls,
            runner: Runner::here(),
            turned_away: Arc::default(),
            next: 0,
        }
    }

    fn send(&mut self, jobs: u32) {
        for _ in 0..jobs {
            self.send_of(1, false);
        }
    }

    fn send_of(&mut self, size: usize, is_abandoned: bool) {
        let (number, turned_away) = (self.next, Arc::clone(&self.turned_away));
        self.coalescer.send(Job { number, size, is_abandoned, turned_away }, &self.runner);
        self.next += 1;
    }

    /// The jobs of the call that was made next, and what has it come back.
    fn call(&mut self) -> (Vec<u32>, oneshot::Sender<Back>) {
        self.calls.try_recv().unwrap()
    }

    fn makes_no_call(&mut self) -> bool {
        self.calls.try_recv().is_err()
    }
}

#[tokio::test]
async fn one_that_finds_no_call_under_way_goes_out_at_once_and_a_second_one_beside_it() {
    let mut bench = Bench::new(BOUNDS);
    bench.send(1);
    let (first, _back) = bench.call();
    bench.send(1);
    let (second, _back_too) = bench.call();
    assert_eq!((first, second), (vec![0], vec![1]));
    bench.send(1);
    assert!(bench.makes_no_call(), "as many are under way as may be");
}

#[tokio::test]
async fn what_gathers_goes_out_together_first_come_first_sent_and_no_more_than_a_call_holds() {
    let mut bench = Bench::new(BOUNDS);
    bench.send(2);
    let (back, _other) = (bench.call().1, bench.call().1);
    bench.send(12);
    assert!(bench.makes_no_call());
    back.send(Back::Comes).unwrap();
    let (together, back) = bench.call();
    assert_eq!(together, (2..12).collect::<Vec<_>>());
    back.send(Back::Comes).unwrap();
    assert_eq!(bench.call().0, [12, 13]);
}

#[tokio::test]
async fn beside_a_large_call_a_second_one_waits_until_it_is_half_as_large() {
    let mut bench = Bench::new(BOUNDS);
    bench.send(2);
    let (first, second) = (bench.call().1, bench.call().1);
    bench.send(8);
    first.send(Back::Comes).unwrap();
    let (large, large_back) = bench.call();
    assert_eq!(large.len(), 8);
    second.send(Back::Comes).unwrap();
    bench.send(3);
    assert!(bench.makes_no_call(), "three beside eight");
    bench.send(1);
    let (half, half_back) = bench.call();
    assert_eq!(half.len(), 4);
    half_back.send(Back::Comes).unwrap();
    bench.send(1);
    assert!(bench.makes_no_call(), "one beside eight");
    large_back.send(Back::Comes).unwrap();
    assert_eq!(bench.call().0, [14], "nothing is left behind when the last call is back");
}

#[tokio::test]
async fn the_next_call_is_made_before_the_answers_of_the_last_one_are_given() {
    let mut bench = Bench::new(Bounds { calls: 1, ..BOUNDS });
    bench.send(3);
    bench.call().1.send(Back::Comes).unwrap();
    bench.call().1.send(Back::Comes).unwrap();
    let delivered = lock(&bench.coalescer.carrier().delivered).clone();
    assert_eq!(delivered, [(vec![0], 2), (vec![1, 2], 2)]);
}

#[tokio::test]
async fn a_job_that_is_larger_than_a_call_goes_out_alone() {
    let mut bench = Bench::new(Bounds { calls: 1, ..BOUNDS });
    bench.send(1);
    let back = bench.call().1;
    bench.send_of(25, false);
    bench.send(1);
    back.send(Back::Comes).unwrap();
    let (large, back) = bench.call();
    assert_eq!(large, [1]);
    back.send(Back::Comes).unwrap();
    assert_eq!(bench.call().0, [2]);
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_sent() {
    let mut bench = Bench::new(Bounds { calls: 1, ..BOUNDS });
    bench.send(1);
    let back = bench.call().1;
    bench.send_of(1, true);
    bench.send_of(1, false);
    bench.send_of(1, true);
    back.send(Back::Comes).unwrap();
    let (sent, back) = bench.call();
    assert_eq!(sent, [2]);
    back.send(Back::Comes).unwrap();
    assert!(bench.makes_no_call());
    bench.send(1);
    assert_eq!(bench.call().0, [4], "the place of a call is free again");
}

#[tokio::test]
async fn promise_7_no_more_wait_than_may() {
    let mut bench = Bench::new(Bounds { calls: 1, ..BOUNDS });
    bench.send(1 + 30 + 2);
    let turned_away = lock(&bench.turned_away).clone();
    assert_eq!(turned_away, HashMap::from([(31, TurnedAway::Full), (32, TurnedAway::Full)]));
}

#[tokio::test(start_paused = true)]
async fn promise_8_whose_turn_does_not_come_in_time_is_turned_away_unsent_and_those_under_way_are_not() {
    let mut bench = Bench::new(Bounds { calls: 1, ..BOUNDS });
    bench.send(1);
    let back = bench.call().1;
    bench.send(2);
    yield_now().await;
    advance(Duration::from_millis(300)).await;
    bench.send(1);
    let turned_away = |bench: &Bench| {
        let mut jobs: Vec<_> = lock(&bench.turned_away).keys().copied().collect();
        jobs.sort_unstable();
        jobs
    };
    advance(Duration::from_millis(199)).await;
    yield_now().await;
    assert_eq!(turned_away(&bench), []);
    advance(Duration::from_millis(2)).await;
    yield_now().await;
    assert_eq!(turned_away(&bench), [1, 2]);
    back.send(Back::Comes).unwrap();
    assert_eq!(bench.call().0, [3], "its time is not over");
}

#[tokio::test]
async fn a_carrier_that_panics_loses_its_jobs_and_no_place() {
    let mut bench = Bench::new(Bounds { calls: 1, ..BOUNDS });
    bench.send(1);
    let back = bench.call().1;
    bench.send(1);
    back.send(Back::Panics).unwrap();
    assert!(bench.makes_no_call(), "what waits goes with the next one");
    bench.send(1);
    assert_eq!(bench.call().0, [1, 2]);
}

#[tokio::test]
async fn answers_that_cannot_be_given_take_no_call_with_them() {
    let mut bench = Bench::new(Bounds { calls: 1, ..BOUNDS });
    bench.send(2);
    bench.call().1.send(Back::PanicsOnDelivery).unwrap();
    bench.call().1.send(Back::Comes).unwrap();
    assert_eq!(*lock(&bench.coalescer.carrier().delivered), [(vec![1], 2)]);
    bench.send(1);
    assert_eq!(bench.call().0, [2]);
}

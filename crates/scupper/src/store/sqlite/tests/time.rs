use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation};
use crate::store::host_clock::TestHost;
use crate::store::outcome::{Reply, Verdict};
use crate::store::sqlite::store::SqliteStore;
use crate::store::sqlite::tests::{Bed, submit};

const WALL: u64 = 1_800_000_000_000_000;
const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600 * SECOND;

fn quota(rates: &str) -> Quota {
    Quota::new(Algorithm::default(), rates).unwrap()
}

fn take(store: &SqliteStore, quota: &Quota) -> Verdict {
    match submit(store, &[Operation::acquire("key", quota, 1)]).remove(0).unwrap() {
        Reply::Acquired(verdict) => verdict,
        other => panic!("{other:?}"),
    }
}

fn tick(verdict: Verdict) -> u64 {
    match verdict {
        Verdict::Admitted(admission) => admission.tick.as_micros(),
        other => panic!("not admitted: {other:?}"),
    }
}

fn is_denied(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Denied(_))
}

#[test]
fn promise_6_time_goes_on_with_the_host_however_its_wall_clock_is_set() {
    let bed = Bed::new(TestHost::new(5 * SECOND, WALL));
    let (store, quota) = (bed.open(), quota("2/h"));
    assert_eq!(tick(take(&store, &quota)), WALL);
    bed.host.pass(SECOND);
    assert_eq!(tick(take(&store, &quota)), WALL + SECOND);
    assert!(is_denied(take(&store, &quota)));
    bed.host.pass(HOUR - SECOND);
    assert!(is_denied(take(&store, &quota)), "at the edge of the window");
    bed.host.pass(1);
    assert_eq!(tick(take(&store, &quota)), WALL + HOUR + 1);
}

#[test]
fn promise_6_after_a_reboot_the_wall_clock_says_how_much_time_has_passed_and_never_that_it_went_back() {
    for (wall, passed) in
        [(WALL + 30 * 60 * SECOND, HOUR / 2), (WALL - HOUR, 3 * SECOND), (0, 3 * SECOND), (WALL + 2 * HOUR, 2 * HOUR)]
    {
        let bed = Bed::new(TestHost::new(100 * HOUR, WALL));
        let quota = quota("1/h");
        assert_eq!(tick(take(&bed.open(), &quota)), WALL);
        bed.host.reboot(3 * SECOND, wall);
        let store = bed.open();
        let verdict = take(&store, &quota);
        if passed > HOUR {
            assert_eq!(tick(verdict), WALL + passed);
            continue;
        }
        let Verdict::Denied(denial) = verdict else { panic!("{verdict:?} at {wall}") };
        assert_eq!((denial.now.as_micros(), denial.retry_at.as_micros()), (WALL + passed, WALL + HOUR + 1));
        // All who come in this boot have one time.
        bed.host.pass(7);
        drop(store);
        let Verdict::Denied(later) = take(&bed.open(), &quota) else { panic!("it is full") };
        assert_eq!(later.now.as_micros(), WALL + passed + 7);
    }
}

#[test]
fn promise_6_over_many_reboots_no_window_is_forgotten() {
    let bed = Bed::new(TestHost::new(SECOND, WALL));
    let quota = quota("1/h");
    let mut taken = Vec::new();
    for reboot in 0..40 {
        let store = bed.open();
        bed.host.pass(5 * 60 * SECOND);
        if let Verdict::Admitted(admission) = take(&store, &quota) {
            taken.push(admission.tick.as_micros());
        }
        // A wall clock that is lost at each reboot; what was only denied has seen time pass all the same.
        bed.host.reboot(SECOND, if reboot % 2 == 0 { 0 } else { WALL / 2 });
    }
    assert!(taken.len() >= 2, "time goes on within each boot: {taken:?}");
    assert!(taken.windows(2).all(|pair| pair[1] > pair[0] + HOUR), "{taken:?}");
}

#[test]
fn promise_6_the_wall_clock_that_was_seen_last_bridges_a_reboot() {
    let bed = Bed::new(TestHost::new(SECOND, WALL));
    let quota = quota("1000/h");
    let store = bed.open();
    for _ in 0..30 {
        bed.host.pass(SECOND);
        take(&store, &quota);
    }
    drop(store);
    bed.host.reboot(SECOND, WALL + 40 * SECOND);
    assert_eq!(tick(take(&bed.open(), &quota)), WALL + 40 * SECOND);
}

#[test]
fn promise_6_fixed_windows_begin_with_the_hours_of_the_wall_clock() {
    let bed = Bed::new(TestHost::new(SECOND, WALL));
    let quota = Quota::new(Algorithm::FixedWindow, "1/h").unwrap();
    let store = bed.open();
    take(&store, &quota);
    let Verdict::Denied(denial) = take(&store, &quota) else { panic!("it is full") };
    assert_eq!(denial.retry_at.as_micros() % HOUR, 0);
}

#[test]
fn promise_7_rows_of_idle_buckets_make_room_for_those_that_come() {
    let bed = Bed::new(TestHost::new(SECOND, WALL));
    let (store, quota) = (bed.open(), quota("5/s"));
    for round in 0..20 {
        for place in 0..50 {
            submit(&store, &[Operation::acquire(&format!("key-{round}-{place}"), &quota, 1)]);
        }
        bed.host.pass(2 * SECOND);
    }
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    let rows: i64 = connection.query_row("SELECT count(*) FROM bucket", (), |row| row.get(0)).unwrap();
    assert!(rows <= 150, "{rows} rows of a thousand are left");
}

#[test]
fn promise_7_a_long_log_leaves_with_its_bucket() {
    let bed = Bed::new(TestHost::new(SECOND, WALL));
    let (store, long, short) = (bed.open(), quota("10000/10s"), quota("1/ms"));
    for _ in 0..1_000 {
        submit(&store, &[Operation::acquire("key", &long, 1)]);
        bed.host.pass(1_000);
    }
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    let count = |table| connection.query_row(table, (), |row| row.get::<_, i64>(0)).unwrap();
    let chunks = "SELECT count(*) FROM chunk";
    assert!(count(chunks) >= 28, "{}", count(chunks));
    bed.host.pass(20 * SECOND);
    for place in 0..10 {
        bed.host.pass(10_000);
        submit(&store, &[Operation::acquire(&format!("other-{place}"), &short, 1)]);
    }
    assert_eq!(count(chunks), 0);
    assert!(count("SELECT count(*) FROM bucket") <= 5);
}

#[test]
fn what_left_the_window_of_a_long_log_is_dropped_as_others_come() {
    let bed = Bed::new(TestHost::new(SECOND, WALL));
    let (store, quota) = (bed.open(), quota("100000/200ms"));
    for _ in 0..2_000 {
        submit(&store, &[Operation::acquire("key", &quota, 1)]);
        bed.host.pass(1_000);
    }
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    let chunks: i64 = connection.query_row("SELECT count(*) FROM chunk", (), |row| row.get(0)).unwrap();
    assert!(chunks <= 12, "200 events are in the window, and {chunks} chunks of 32 are kept");
    let peek = Operation::new("key", Action::Peek { quota: &quota });
    match submit(&store, &[peek]).remove(0).unwrap() {
        Reply::Peeked(snapshot) => assert_eq!(snapshot.usage[0].used, 200),
        other => panic!("{other:?}"),
    }
}

//! How much is written, and kept.

use scupper_testbed::{PostgresServer, Session};

use crate::quota::{Algorithm, Quota};
use crate::store::postgres::differential::asked::{Entry, Run};
use crate::store::postgres::differential::server::Server;

const NOW: u64 = 1_790_000_000_000_000;

/// A server of one's own: elsewhere, who looks at what was keeps it from being removed.
fn alone() -> (PostgresServer, Server) {
    let postgres = PostgresServer::start();
    let server = Server::of(Session::connect(&postgres.url()).unwrap(), "limits");
    server.stand_still();
    (postgres, server)
}

fn bytes(server: &Server, of: &str) -> u64 {
    let sql = format!("SELECT sum(pg_relation_size({of})) FROM pg_class WHERE relnamespace = '{{s}}'::regnamespace");
    server.ask(&sql)[0][0].as_deref().unwrap().parse().unwrap()
}

#[test]
fn promise_7_tables_stay_small_however_much_is_written() {
    let (_postgres, server) = alone();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "30/60us, 200/500us").unwrap();
        let runs = ["a", "b"].map(|key| Run { key, quota: &quota, entries: vec![Entry::one(1)] });
        let step =
            |step: u64| runs.iter().for_each(|run| drop(server.answers(NOW + 3 * step, std::slice::from_ref(run))));
        (0..500).for_each(step);
        let before = bytes(&server, "oid");
        (500..2_000).for_each(step);
        let after = bytes(&server, "oid");
        assert!(after <= before + 3 * 8_192, "{before} bytes, and later {after}, under {quota}");
        server.begin();
    }
}

/// It lies apart from what changes.
#[test]
fn promise_7_a_long_key_is_written_once() {
    let (_postgres, server) = alone();
    let key: &'static str = "k\0ey".repeat(2_500).leak();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "30/60us, 200/500us").unwrap();
        let runs = [Run { key, quota: &quota, entries: vec![Entry::one(1)] }];
        server.begin();
        server.ask("VACUUM {s}.bucket");
        let _ = server.answers(NOW, &runs);
        let before = bytes(&server, "nullif(reltoastrelid, 0)");
        assert!(before >= 10_000, "{before}");
        for step in 1..100 {
            assert_eq!(server.answers(NOW + 3 * step, &runs)[0][0][0], 1);
        }
        assert_eq!(bytes(&server, "nullif(reltoastrelid, 0)"), before);
        assert_eq!(server.ask("SELECT key FROM {s}.bucket")[0][0].as_ref().unwrap().len(), 2 + 2 * 10_000);
    }
}

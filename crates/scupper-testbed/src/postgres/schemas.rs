//! Schemas that tests make.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::postgres::session::Session;

/// The name of a schema that no other test uses, in this process or another, now or later, and that is not there yet.
#[must_use]
pub fn new_schema() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let micros = since_1970().as_micros();
    format!("test_{}_{micros}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Removes the schemas whose names were made so long ago, as far as this role may.
pub(super) fn remove_old(session: &Session, age: Duration) {
    let before = since_1970().saturating_sub(age).as_micros();
    let names = session.ask(&format!(
        "SELECT nspname FROM pg_namespace WHERE nspname ~ '^test_[0-9]+_[0-9]{{16}}_[0-9]+$' \
         AND split_part(nspname, '_', 3)::bigint < {before}"
    ));
    for name in names.column() {
        // Others may be at it as well, and one a statement takes few locks.
        let _ = session.try_ask(&format!("SET client_min_messages = error; DROP SCHEMA IF EXISTS {name} CASCADE"));
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::server::PostgresServer;

    #[test]
    fn what_tests_have_left_is_removed_when_it_is_old() {
        let server = PostgresServer::start();
        let session = Session::connect(&server.url()).unwrap();
        let (new, others) = (new_schema(), "test_1_2");
        for schema in ["test_1_1600000000000000_7", &new, others] {
            session.ask(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.one ()"));
        }
        server.ask("CREATE SCHEMA test_2_1600000000000000_8");
        remove_old(&session, Duration::from_mins(1));
        let left = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'test%'";
        let left = session.ask(left).column();
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(!left.contains(&"test_1_1600000000000000_7".to_owned()), "{left:?}");
        remove_old(&session, Duration::ZERO);
        assert_eq!(server.ask("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'test%'").number(), 2);
    }
}

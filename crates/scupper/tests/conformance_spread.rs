//! The stores of a host pass the suite for stores spread over processes: each call is carried out by another one than the last.
#![cfg(all(
    feature = "conformance",
    feature = "serde",
    any(feature = "sqlite", feature = "shared-memory"),
    target_os = "linux"
))]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod support;

use scupper::conformance::Opened;
use scupper::store;
use support::folder::Folder;
use support::spread::{Spread, serve};

const SERVES: &str = "a_process_serves_until_the_conversation_ends";

/// A store of its own, with processes of its own.
fn spread(kind: &str) -> Opened {
    let folder = Folder::new();
    let url = format!("{kind}:{}", folder.path().join("limits").display());
    Opened::new(Spread::over_processes(SERVES, &url, folder.path())).guarded_by(folder)
}

#[test]
fn a_process_serves_until_the_conversation_ends() {
    if serve(|url| store::open(url).unwrap()) {
        return;
    }
    // Its answers end with the conversation, and it with them: `spread` waits for that.
    #[cfg(feature = "sqlite")]
    drop(spread("sqlite"));
    #[cfg(feature = "shared-memory")]
    drop(spread("shm"));
}

#[cfg(feature = "sqlite")]
mod sqlite {
    scupper::conformance_tests!(|| super::spread("sqlite"));
}

#[cfg(feature = "shared-memory")]
mod shared_memory {
    scupper::conformance_tests!(|| super::spread("shm"));
}

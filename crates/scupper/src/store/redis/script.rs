use redis::{Cmd, Script};

use crate::store::redis::encode::Arguments;
use crate::store::redis::job::Job;
use crate::sync::OnceLock;

/// Decides as [`BucketState`](crate::store::BucketState) does, on the server.
pub(super) const TEXT: &str = concat!(
    include_str!("script/numbers.lua"),
    include_str!("script/quick.lua"),
    include_str!("script/spans.lua"),
    include_str!("script/quota.lua"),
    include_str!("script/lanes.lua"),
    include_str!("script/log.lua"),
    include_str!("script/bucket.lua"),
    include_str!("script/form.lua"),
    include_str!("script/operations.lua"),
    include_str!("script/main.lua"),
);

/// The name under which a server knows the script, once it has seen it.
pub(super) fn hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| Script::new(TEXT).get_hash().to_owned())
}

/// Has the server keep the script.
pub(super) fn load() -> Cmd {
    let mut command = redis::cmd("SCRIPT");
    command.arg("LOAD").arg(TEXT);
    command
}

/// A call of the script for these jobs.
pub(super) fn call(jobs: &[Job]) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(hash()).arg(jobs.len());
    for job in jobs {
        command.arg(&job.key);
    }
    Arguments::of(jobs).each(|argument| {
        command.arg(argument);
    });
    command
}

//! What is said of stores wherever one can be named.

/// Ends a paragraph, or goes on.
pub(crate) const STORES_HELP: &str = "\
In Redis or Valkey, that is redis://user:password@host:port/0, where all but the host may be left \
out; rediss:// for TLS; redis+sentinel://host,host/master; redis+cluster://host,host. A password is \
better given by the environment: others can see arguments.";

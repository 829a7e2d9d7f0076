//! What is said of stores wherever one can be named.

/// How stores are named.
pub(crate) const STORES_HELP: &str = "\
A file that processes of this host share, and that outlives a boot: sqlite:path. Memory that they share, gone with the next \
boot: shm:name, or shm:name?size=64MiB&mode=660 for more keys than a few ten thousand, or for other users. Redis or Valkey, \
for many hosts: redis://user:password@host:port/0, where all but the host may be left out; rediss:// for TLS; \
redis+sentinel://host,host/master; redis+cluster://host,host. A Postgres database, likewise: postgres://user:password@host:port/database, and \
?schema=name for another schema than scupper. A password is better given by the environment: others can see \
arguments.";

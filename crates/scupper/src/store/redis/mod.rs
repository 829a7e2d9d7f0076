//! Buckets in Redis or Valkey.

#![cfg_attr(not(test), expect(dead_code, reason = "the store that uses these is still to come"))]

mod secret;

mod percent;

mod endpoint;

mod access;

mod scheme;

mod options;

mod url;

#[cfg(test)]
mod fake;

#[cfg(test)]
mod papers;

mod tls;

mod login;

mod refusal;

mod wire;

mod link;

mod sentinel;

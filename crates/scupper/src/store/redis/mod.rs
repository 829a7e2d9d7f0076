//! Buckets in Redis or Valkey.

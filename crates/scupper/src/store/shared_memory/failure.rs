use crate::error::{Error, ErrorKind};

/// What is written in the mapped file cannot be.
#[cold]
pub(super) fn corrupt(what: &str) -> Error {
    let right = "delete the file once no process has it open, and it is made anew";
    Error::new(ErrorKind::Corrupt, format!("the shared memory is damaged: {what}; {right}"))
}

/// No block is free that is large enough, and none could be made free.
#[cold]
pub(super) fn no_room(words: u64, size: u64) -> Error {
    let bytes = words.saturating_mul(8);
    Error::new(
        ErrorKind::Capacity,
        format!(
            "{bytes} bytes of shared memory are needed and not free; its {size} bytes are full of buckets that owe something: \
             make a larger one, like shm:name?size={}MiB",
            (size.max(bytes).saturating_mul(2) >> 20).max(1)
        ),
    )
}

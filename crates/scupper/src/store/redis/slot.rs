use crc::{CRC_16_XMODEM, Crc};

/// How many slots a cluster has.
pub(super) const SLOTS: u16 = 16_384;

/// The slot of a key in a cluster: a checksum of the key, or of what stands in its first braces if that is not empty.
/// (The Redis Cluster specification, "Key distribution model".)
pub(super) fn slot_of(key: &str) -> u16 {
    const CHECKSUM: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    CHECKSUM.checksum(tag.filter(|tag| !tag.is_empty()).unwrap_or(key).as_bytes()) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `CLUSTER KEYSLOT` says.
    #[test]
    fn keys_lie_in_the_slots_that_servers_say() {
        for (key, slot) in [
            ("", 0),
            ("123456789", 12_739),
            ("foo", 12_182),
            ("{foo}bar", 12_182),
            ("x{foo}{bar}", 12_182),
            ("{}foo", slot_of("{}foo")),
        ] {
            assert_eq!(slot_of(key), slot, "{key:?}");
        }
        assert_ne!(slot_of("{}foo"), slot_of("foo"));
        assert_ne!(slot_of("{foo"), slot_of("foo"));
    }
}

use std::error::Error as StdError;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use bytes::{BufMut as _, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// What a row is found by: the first half of the SHA-256 of a key, as keys may be long and have anything in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(u128);

impl Id {
    /// Not after any other.
    pub(super) const FIRST: Self = Self(0);

    /// Whichever.
    pub(super) fn any() -> Self {
        let half = || u128::from(RandomState::new().hash_one(()));
        Self(half() << 64 | half())
    }

    pub(super) fn of(key: &str) -> Self {
        let digest = Sha256::digest(key);
        Self(digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte)))
    }

    /// The one right behind it, if there is any.
    pub(super) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// What [`Display`](fmt::Display) has shown.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(text, 16).ok().filter(|_| is_plain).map(Self)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl ToSql for Id {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.put_u128(self.0);
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(u128::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_first_half_of_the_digest_that_psql_shows_as_well() {
        let id = Id::of("abc");
        assert_eq!(id.to_string(), "ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(Id::parse(&id.to_string()), Some(id));
        assert!(Id::FIRST < id && id.next() > Some(id));
        assert_eq!(Id::parse(&"f".repeat(32)).unwrap().next(), None);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "ba78", "+a7816bf8f01cfea414140de5dae2223", "ba7816bf8f01cfea414140de5dae22233", "é"] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }
}

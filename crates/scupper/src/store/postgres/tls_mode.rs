use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// As `sslmode` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TlsMode {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl FromStr for TlsMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(Error::new(
                ErrorKind::InvalidConfig,
                "the option sslmode in the Postgres URL is none that there is: disable, prefer, require, verify-ca and verify-full",
            )),
        }
    }
}

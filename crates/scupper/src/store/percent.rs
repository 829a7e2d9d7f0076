//! Percent-encoding, as URLs have it.

#[cfg(feature = "redis")]
use std::fmt::{self, Write as _};

use crate::error::{Error, ErrorKind, Result};

/// What the text stands for. Errors name this part of the URL, and never quote it: it may be a password.
pub(crate) fn decode(text: &str, part: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let Some((value, after)) = hex_pair(after) else {
            let message =
                format!("the {part} has a '%' without two hexadecimal digits behind it; a '%' itself is written %25");
            return Err(Error::new(ErrorKind::InvalidConfig, message));
        };
        bytes.push(value);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| {
        let message = format!("the {part} is no UTF-8 once its '%' are decoded; encode its UTF-8 bytes");
        Error::new(ErrorKind::InvalidConfig, message)
    })
}

fn hex_pair(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], after) = text.split_first_chunk()?;
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    Some((digit(*high)? << 4 | digit(*low)?, after))
}

/// Shows text so that it can stand anywhere in a URL, but for these characters, which stay as they are.
#[cfg(feature = "redis")]
pub(crate) struct Encoded<'a>(pub(crate) &'a str, pub(crate) &'static [u8]);

#[cfg(feature = "redis")]
impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0.as_bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || self.1.contains(&byte) {
                f.write_char(char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_strictly() {
        for (text, decoded) in [("", ""), ("plain+text", "plain+text"), ("%2f%2F", "//"), ("%C3%A9", "é"), ("é", "é")]
        {
            assert_eq!(decode(text, "user in the URL").unwrap(), decoded);
        }
        for wrong in ["%", "a%2", "%zz", "%+1", "%é0"] {
            let error = decode(wrong, "user in the URL").unwrap_err();
            assert!(error.message().starts_with("the user in the URL has a '%' without two"), "{error}");
        }
        let error = decode("%ff", "user in the URL").unwrap_err();
        assert!(error.message().starts_with("the user in the URL is no UTF-8"), "{error}");
    }

    #[cfg(feature = "redis")]
    #[test]
    fn encoded_text_decodes_to_itself() {
        for text in ["", "a b:c/d?e#f@g%h&i=j+k", "é\n\0", "-._~"] {
            let encoded = Encoded(text, b"").to_string();
            assert!(!encoded.contains([':', '/', '?', '#', '@', '&', '=', ' ']), "{encoded}");
            assert_eq!(decode(&encoded, "user").unwrap(), text);
            assert_eq!(decode(&Encoded(text, b":/").to_string(), "user").unwrap(), text);
        }
    }
}

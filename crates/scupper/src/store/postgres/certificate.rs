use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// What stands for a server's certificate when a password is bound to the connection (RFC 5929, `tls-server-end-point`): its
/// digest, by the function that it was signed with, or SHA-256 in place of an older one.
///
/// There is none for a signature that is made in another way.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate_parts, _) = element(certificate)?;
    let (_, _, behind_body) = element(certificate_parts)?;
    let (_, algorithm, _) = element(behind_body)?;
    let (OBJECT_IDENTIFIER, name, _) = element(algorithm)? else { return None };
    match name {
        MD5_RSA | SHA1_RSA | SHA256_RSA | ECDSA_SHA1 | ECDSA_SHA256 => Some(Sha256::digest(certificate).to_vec()),
        SHA384_RSA | ECDSA_SHA384 => Some(Sha384::digest(certificate).to_vec()),
        SHA512_RSA | ECDSA_SHA512 => Some(Sha512::digest(certificate).to_vec()),
        _ => None,
    }
}

const OBJECT_IDENTIFIER: u8 = 6;

const MD5_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
const SHA1_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
const SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const SHA384_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
const SHA512_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];

/// The first element in DER: its tag, its content, and what comes behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, behind) = rest.split_at_checked(length)?;
    Some((tag, content, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate that was signed in this way, and is none otherwise.
    fn signed_by(name: &[u8]) -> Vec<u8> {
        let element = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let body = element(0x30, &[2, 1, 7]);
        let algorithm = element(0x30, &element(OBJECT_IDENTIFIER, name));
        element(0x30, &[body, algorithm, element(3, &[0, 1])].concat())
    }

    #[test]
    fn the_digest_is_by_the_function_of_the_signature() {
        for (name, length) in [(SHA1_RSA, 32), (ECDSA_SHA256, 32), (SHA384_RSA, 48), (ECDSA_SHA512, 64)] {
            assert_eq!(end_point(&signed_by(name)).unwrap().len(), length);
        }
        assert_eq!(end_point(&signed_by(&[0x2b, 0x65, 0x70])), None, "Ed25519 has no function of its own");
    }

    #[test]
    fn what_is_cut_off_has_none() {
        let whole = signed_by(SHA256_RSA);
        for length in 0..whole.len() {
            assert_eq!(end_point(&whole[..length]), None);
        }
        assert_eq!(end_point(&[0x30, 0xff]), None);
    }
}

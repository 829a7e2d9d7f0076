use crate::error::{Error, ErrorKind, Result};
use crate::store::percent;
use crate::store::redis::access::{ClientFiles, TlsFiles};
use crate::store::redis::scheme::{Layout, Scheme};

/// What a Redis URL says behind its `?`.
pub(super) struct Options(Vec<(&'static str, String)>);

const SENTINEL_PASSWORD: &str = "sentinel_password";

const KNOWN: [(&str, Companion); 6] = [
    ("prefix", Companion::Anything),
    ("ca", Companion::Tls),
    ("cert", Companion::Tls),
    ("key", Companion::Tls),
    ("sentinel_user", Companion::Sentinel),
    (SENTINEL_PASSWORD, Companion::Sentinel),
];

/// What an option goes with.
#[derive(Clone, Copy)]
enum Companion {
    Anything,
    Tls,
    Sentinel,
}

impl Companion {
    fn is_there(self, scheme: Scheme) -> bool {
        match self {
            Self::Anything => true,
            Self::Tls => scheme.has_tls,
            Self::Sentinel => scheme.layout == Layout::Sentinel,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Anything => "any scheme",
            Self::Tls => "TLS; write rediss in place of redis",
            Self::Sentinel => "redis+sentinel:// alone; leave it out",
        }
    }
}

impl Options {
    pub(super) fn parse(query: &str, scheme: Scheme) -> Result<Self> {
        let mut options = Self(Vec::new());
        for (index, option) in query.split('&').enumerate().filter(|(_, option)| !option.is_empty()) {
            let Some((name, value)) = option.split_once('=') else {
                return Err(invalid(format!(
                    "option {} in the Redis URL has no value; options are written name=value, with '&' between them",
                    index + 1
                )));
            };
            let Some((name, companion)) = KNOWN.into_iter().find(|(known, _)| *known == name) else {
                return Err(options.unknown(index, name, scheme));
            };
            if !companion.is_there(scheme) {
                return Err(invalid(format!("the option {name} in the Redis URL goes with {}", companion.wanted())));
            }
            if options.0.iter().any(|(known, _)| *known == name) {
                return Err(invalid(format!("the option {name} stands twice in the Redis URL; leave one out")));
            }
            let value = percent::decode(value, &format!("option {name} in the Redis URL"))?;
            options.0.push((name, value));
        }
        Ok(options)
    }

    fn unknown(&self, index: usize, name: &str, scheme: Scheme) -> Error {
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        // Behind a password it may be the rest of that password, where somebody left an '&' in it as it is.
        let is_public = is_name && !self.0.iter().any(|(known, _)| *known == SENTINEL_PASSWORD);
        let option = if is_public { format!("`{name}`") } else { (index + 1).to_string() };
        let known = KNOWN.into_iter().filter(|(_, companion)| companion.is_there(scheme));
        let known: Vec<_> = known.map(|(name, _)| name).collect();
        let known = known.join(", ");
        invalid(format!("option {option} in the Redis URL is not known; with {scheme}:// there is: {known}"))
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.swap_remove(place).1)
    }

    pub(super) fn take_tls_files(&mut self) -> Result<TlsFiles> {
        let mut file = |name| match self.take(name) {
            Some(path) if path.is_empty() => {
                Err(invalid(format!("the option {name} in the Redis URL is empty; name a PEM file, or leave it out")))
            }
            path => Ok(path),
        };
        let authority = file("ca")?.map(Into::into);
        let client = match (file("cert")?, file("key")?) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(ClientFiles { certificate: certificate.into(), key: key.into() }),
            (Some(_), None) => return Err(invalid(ALONE_CERT)),
            (None, Some(_)) => return Err(invalid(ALONE_KEY)),
        };
        Ok(TlsFiles { authority, client })
    }
}

const ALONE_CERT: &str =
    "the option cert in the Redis URL goes with the option key, the PEM file of the certificate's private key";
const ALONE_KEY: &str =
    "the option key in the Redis URL goes with the option cert, the PEM file of the key's certificate";

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

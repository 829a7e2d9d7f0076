use crate::error::Result;
use crate::store::host_clock::Anchor;
use crate::store::shared_memory::arena::Arena;
use crate::store::shared_memory::failure::corrupt;
use crate::store::shared_memory::geometry::{Geometry, at};
use crate::store::shared_memory::words::Words;

/// What the file begins with, where it is one of ours.
const MAGIC: u64 = u64::from_be_bytes(*b"scupper\n");
/// How the words are laid out; another version is an error, never a guess.
const LAYOUT: u64 = 1;

/// What never changes in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) geometry: Geometry,
    /// Keys are hashed with it, so that a stranger cannot aim them at one chain.
    pub(super) secret: [u64; 2],
}

impl Header {
    /// Writes an empty store into words that are all 0.
    pub(super) fn format<W: Words + ?Sized>(words: &W, secret: [u64; 2], anchor: Anchor) {
        let geometry = Geometry::of(words.len());
        for (place, word) in [(at::MAGIC, MAGIC), (at::LAYOUT, LAYOUT), (at::WORDS, geometry.words)] {
            words.store(place, word);
        }
        for (place, word) in (at::SECRET..).zip(secret).chain((at::ANCHOR..).zip(anchor.to_numbers())) {
            words.store(place, word);
        }
        Arena::format(words, geometry);
    }

    /// The header of a file that is there.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the file is none of ours, of another version or another length.
    pub(super) fn read<W: Words + ?Sized>(words: &W) -> Result<Self> {
        if words.load(at::MAGIC) != MAGIC {
            return Err(corrupt("the file does not begin like a store"));
        }
        let layout = words.load(at::LAYOUT);
        if layout != LAYOUT {
            return Err(corrupt(&format!("its layout has the version {layout}, this library knows {LAYOUT}")));
        }
        let (is, was) = (words.len(), words.load(at::WORDS));
        if is != was || is < Geometry::SMALLEST_BYTES / 8 {
            return Err(corrupt(&format!("it was made with {was} words, and the file has {is}")));
        }
        let secret = [words.load(at::SECRET), words.load(at::SECRET + 1)];
        Ok(Self { geometry: Geometry::of(is), secret })
    }
}

//! Where servers that speak S3 deviate from its API reference.

/// A deviation that a server in use shows. A client of S3 need not know of it, and must not be misled by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quirk {
    /// Listings say that their names are encoded (`EncodingType`), and give them as they are.
    NamesAsTheyAre,
    /// Listings begin with the first name, whatever they are to start after.
    StartAfterIgnored,
    /// Listings have no `ETag`.
    NoListedETag,
    /// A range is answered with 200; `Content-Range` and the body are right.
    RangeWithStatus200,
    /// A range that counts from the end is answered with as many bytes of the beginning.
    SuffixFromTheStart,
    /// The start of an upload is answered with an `InitiateMultipartUpload`, without `Result` at the end.
    OtherUploadRoot,
    /// Content under a name that ends in `/` is refused with 400.
    SlashRefused,
    /// Content under a name that ends in `/` is dropped: the object is empty, and no condition is kept.
    SlashEmptied,
    /// Nothing can be written under a name that ends in `/`: 500.
    SlashFails,
}

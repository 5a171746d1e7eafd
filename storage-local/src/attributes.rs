//! Attributes, stored in an extended attribute of the object's file so that they commit with it (rule W15).

use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
use rustix::io::Errno;
use storage_core::{Attributes, Error, ErrorKind, Result};

use crate::errors::failed;

/// The extended attribute; without the `user.` in front only root could set it.
const NAME: &str = "user.storage.attributes";

/// The largest value that any common file system takes.
const VALUE_MAX: usize = 64 * 1024;

/// Whether the file system keeps attributes, by asking its root directory; nothing is written.
pub(crate) fn are_kept(root: BorrowedFd<'_>) -> bool {
    let mut none = [MaybeUninit::<u8>::uninit(); 16];
    !matches!(fgetxattr(root, NAME, &mut none), Err(Errno::OPNOTSUPP))
}

/// Stores attributes with a file. `Unsupported` where the file system has no extended attributes.
pub(crate) fn store(file: BorrowedFd<'_>, attributes: &Attributes) -> Result<()> {
    if attributes.is_empty() {
        return Ok(());
    }
    match fsetxattr(file, NAME, &encode(attributes), XattrFlags::empty()) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP) => Err(Error::unsupported("the file system keeps no attributes with a file")
            .with_help("mount it with user_xattr, or put the root on another file system")),
        // ext4 keeps all attributes of a file in one block, and reports a full block as a full disk.
        Err(Errno::NOSPC | Errno::RANGE | Errno::TOOBIG) if encode(attributes).len() > 2048 => {
            Err(Error::invalid_input("the attributes are more than the file system keeps with a file"))
        }
        Err(errno) => Err(failed("cannot store the attributes", errno)),
    }
}

/// Reads the attributes of a file; none where none were stored.
pub(crate) fn load(file: BorrowedFd<'_>) -> Result<Attributes> {
    let mut small = [MaybeUninit::<u8>::uninit(); 512];
    match fgetxattr(file, NAME, &mut small) {
        Ok((value, _)) => decode(value),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(Attributes::default()),
        Err(Errno::RANGE) => {
            let mut large = vec![0; VALUE_MAX];
            let length =
                fgetxattr(file, NAME, &mut large[..]).map_err(|errno| failed("cannot read the attributes", errno))?;
            decode(&large[..length])
        }
        Err(errno) => Err(failed("cannot read the attributes", errno)),
    }
}

/// Names and values one after another, each behind its length in two bytes; standard attributes under their HTTP names,
/// which no user metadata can have.
fn encode(attributes: &Attributes) -> Vec<u8> {
    let mut value = Vec::new();
    let mut push = |text: &str| {
        // The handle has checked that all of them together stay far below 64 KiB.
        value.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        value.extend_from_slice(text.as_bytes());
    };
    for (name, text) in attributes.standard() {
        if let Some(text) = text {
            push(name);
            push(text);
        }
    }
    for (name, text) in &attributes.user {
        push(name);
        push(text);
    }
    value
}

fn decode(mut value: &[u8]) -> Result<Attributes> {
    let damaged = || Error::new(ErrorKind::Corrupted, "the attributes stored with the file cannot be read");
    let mut next = || -> Result<Option<String>> {
        if value.is_empty() {
            return Ok(None);
        }
        let (length, rest) = value.split_first_chunk::<2>().ok_or_else(damaged)?;
        let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length))).ok_or_else(damaged)?;
        value = rest;
        String::from_utf8(text.to_vec()).map(Some).map_err(|_| damaged())
    };
    let mut attributes = Attributes::default();
    while let Some(name) = next()? {
        let text = next()?.ok_or_else(damaged)?;
        match name.as_str() {
            "Content-Type" => attributes.content_type = Some(text),
            "Cache-Control" => attributes.cache_control = Some(text),
            "Content-Disposition" => attributes.content_disposition = Some(text),
            "Content-Encoding" => attributes.content_encoding = Some(text),
            "Content-Language" => attributes.content_language = Some(text),
            _ => {
                attributes.user.insert(name, text);
            }
        }
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m06_attributes_come_back_as_stored() {
        let attributes = Attributes::new().content_type("text/plain").user("a", "").user("b.c-d_e", "é\n\0 x");
        assert_eq!(decode(&encode(&attributes)).unwrap(), attributes);
        assert_eq!(decode(&[]).unwrap(), Attributes::default());
    }

    #[test]
    fn damaged_attributes_are_corrupted() {
        for damaged in [&[1][..], &[1, 0], &[1, 0, b'a'], &[1, 0, 0xff, 0, 0]] {
            assert_eq!(decode(damaged).unwrap_err().kind(), ErrorKind::Corrupted);
        }
    }
}

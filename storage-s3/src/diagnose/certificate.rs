//! Of a certificate what an operator asks for: whose it is, who signed it, until when (RFC 5280, section 4.1).

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The tags of DER that are met on the way (X.690, section 8).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const OBJECT_ID: u8 = 0x06;

/// The object ids of a name's parts: 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];

/// What a certificate says. Nothing of it is checked here; the handshake has done so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    subject: Option<String>,
    issuer: Option<String>,
    pub(super) end: SystemTime,
}

impl Certificate {
    /// `None` where it is not of this form.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let mut whole = Reader(der).expect(SEQUENCE)?;
        let mut signed = whole.expect(SEQUENCE)?;
        let (tag, _) = signed.next()?;
        if tag == VERSION {
            signed.next()?;
        }
        // The serial number was read; the signature's algorithm follows.
        signed.expect(SEQUENCE)?;
        let issuer = signed.expect(SEQUENCE)?.name();
        let mut validity = signed.expect(SEQUENCE)?;
        validity.next()?;
        let (kind, end) = validity.next()?;
        let subject = signed.expect(SEQUENCE)?.name();
        Some(Self { subject, issuer, end: time(kind, end)? })
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "nobody named".to_owned());
        let end = humantime::format_rfc3339_seconds(self.end);
        write!(f, "of {}, signed by {}, good until {end}", name(&self.subject), name(&self.issuer))
    }
}

/// Reads the elements of DER one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next element: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, first, rest @ ..] = self.0 else { return None };
        let (length, rest) = match *first {
            short @ 0..=0x7f => (usize::from(short), rest),
            long @ 0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The next element, which must have this tag.
    fn expect(&mut self, wanted: u8) -> Option<Reader<'a>> {
        let (tag, content) = self.next()?;
        (tag == wanted).then_some(Reader(content))
    }

    /// A name by its most telling part.
    fn name(mut self) -> Option<String> {
        let mut organisation = None;
        while let Some((_, set)) = self.next() {
            let mut part = Reader(set).expect(SEQUENCE)?;
            let id = part.expect(OBJECT_ID)?.0;
            let (_, text) = part.next()?;
            let text = String::from_utf8_lossy(text).into_owned();
            match id {
                COMMON_NAME => return Some(text),
                ORGANISATION => organisation = Some(text),
                _ => {}
            }
        }
        organisation
    }
}

/// `YYMMDDhhmmssZ` with years from 1950 on, or with all four digits (RFC 5280, section 4.1.2.5).
fn time(kind: u8, text: &[u8]) -> Option<SystemTime> {
    let digits: Vec<u32> =
        text.strip_suffix(b"Z")?.iter().map(|byte| char::from(*byte).to_digit(10)).collect::<Option<_>>()?;
    let number = |digits: &[u32]| digits.iter().fold(0, |number, digit| number * 10 + digit);
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        _ => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year), rest)
        }
    };
    let [month, day, hour, minute, second] =
        <[&[u32]; 5]>::try_from(rest.chunks(2).collect::<Vec<_>>()).ok()?.map(number);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    // The library knows the calendar, and no year before 1970.
    humantime::parse_rfc3339(&text).ok().or_else(|| (year < 1970).then(|| UNIX_EPOCH - Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that subject, issuer and end are read of a certificate that another program made, whichever form its time has,
    /// and that one which is cut anywhere is none.
    #[test]
    fn a_certificate_says_whose_it_is_and_until_when() {
        for (year, ends) in [(2049, "2049-12-31T00:00:00Z"), (2050, "2050-12-31T00:00:00Z")] {
            let mut params = rcgen::CertificateParams::new(vec!["s3.example.com".to_owned()]).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
            params.distinguished_name.push(rcgen::DnType::CommonName, "s3.example.com");
            params.not_after = rcgen::date_time_ymd(year, 12, 31);
            let key = rcgen::KeyPair::generate().unwrap();
            let der = params.self_signed(&key).unwrap().der().to_vec();
            let told = Certificate::parse(&der).unwrap().to_string();
            assert_eq!(told, format!("of s3.example.com, signed by s3.example.com, good until {ends}"));
            for cut in 0..der.len() {
                assert_eq!(Certificate::parse(&der[..cut]), None);
            }
        }
    }
}

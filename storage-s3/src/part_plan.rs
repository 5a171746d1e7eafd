//! How large the parts of an upload are, and how many are under way at once (rule W14).

use storage_core::{Error, ErrorKind, Result};

use crate::options::S3Options;
use crate::service::{Profile, Service};

/// The limits of S3 (user guide, "Amazon S3 multipart upload limits").
const MOST_PARTS: u64 = 10_000;
const LEAST: u64 = 5 << 20;
const LARGEST: u64 = 5 << 30;

/// So many parts have one size before it doubles, where the length of the whole is not known.
const STEP: u64 = 1000;

/// The sizes of the parts of one upload.
///
/// With a declared length all parts have the size of the options, or the least whole MiB with which ten thousand hold that
/// length. Without one every thousand parts the size doubles, so that uploads hold 1,023,000 times the size of the options
/// (about 7.8 TiB with the default of 8 MiB) and no part is larger than needed. Where the service wants parts of one size,
/// it does not grow: then ten thousand times the size of the options is the most (78 GiB).
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartPlan {
    first: u64,
    grows: bool,
    /// In bytes, of the parts under way and the one that is being filled.
    memory: u64,
    at_once: usize,
}

impl PartPlan {
    pub(crate) fn new(options: &S3Options, declared: Option<u64>) -> Result<Self> {
        let (wanted, at_once) = (options.part_size.clamp(LEAST, LARGEST), options.part_concurrency.max(1));
        let memory = wanted.saturating_mul(at_once as u64 + 1);
        let grows = declared.is_none() && !Profile::of(Service::of(options)).equal_parts;
        let needed = declared.unwrap_or_default().div_ceil(MOST_PARTS).next_multiple_of(1 << 20);
        let first = wanted.max(needed);
        if first > LARGEST {
            let most = MOST_PARTS * LARGEST;
            let declared = declared.unwrap_or_default();
            return Err(Error::invalid_input(format!(
                "{declared} bytes were declared, an upload holds {most} at most"
            ))
            .with_help("store it in several objects"));
        }
        Ok(Self { first, grows, memory, at_once })
    }

    /// Parts of one size, however small: an upload of ten thousand is then a matter of kilobytes.
    #[cfg(test)]
    pub(crate) fn of_size(first: u64, at_once: usize) -> Self {
        Self { first, grows: false, memory: first * (at_once as u64 + 1), at_once }
    }

    /// The size of a part in bytes, by its number from 1 on; only the last may be smaller.
    pub(crate) fn size(&self, number: u32) -> u64 {
        let doublings = if self.grows { u64::from(number.saturating_sub(1)) / STEP } else { 0 };
        self.first.saturating_mul(1 << doublings.min(32)).min(LARGEST)
    }

    /// How many parts may be under way beside the one that is being filled, so that all of them together take no more
    /// memory than the options say; one at least.
    pub(crate) fn at_once(&self, number: u32) -> usize {
        let fit = (self.memory / self.size(number)).saturating_sub(1);
        usize::try_from(fit).unwrap_or(self.at_once).clamp(1, self.at_once)
    }

    /// Fails where an upload can have no part of this number.
    pub(crate) fn check(&self, number: u32) -> Result<()> {
        if u64::from(number) <= MOST_PARTS {
            return Ok(());
        }
        let held: u64 = (1..=MOST_PARTS).map(|number| self.size(u32::try_from(number).unwrap_or(u32::MAX))).sum();
        Err(Error::new(ErrorKind::InvalidInput, format!("{MOST_PARTS} parts are full: {held} bytes"))
            .with_help("declare the length of the write, or raise STORAGE_S3_PART_SIZE"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn plan(declared: Option<u64>) -> PartPlan {
        PartPlan::new(&S3Options::new("b"), declared).unwrap()
    }

    #[test]
    fn ten_thousand_parts_hold_every_declared_length() {
        for declared in [0, 1, 8 * MIB, 80_000 * MIB, 80_000 * MIB + 1, 5 << 40, MOST_PARTS * LARGEST] {
            let plan = plan(Some(declared));
            assert!(plan.size(1) >= 8 * MIB && plan.size(1) <= LARGEST, "{declared}");
            assert!(plan.size(1) * MOST_PARTS >= declared, "{declared}");
            assert_eq!(plan.size(1), plan.size(10_000), "{declared}: one size");
        }
        assert_eq!(plan(Some(80_000 * MIB)).size(1), 8 * MIB, "no larger than needed");
        let error = PartPlan::new(&S3Options::new("b"), Some(MOST_PARTS * LARGEST + 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn undeclared_parts_double_every_thousand() {
        let plan = plan(None);
        let sizes = [1, 1000, 1001, 2001, 10_000].map(|number| plan.size(number) / MIB);
        assert_eq!(sizes, [8, 8, 16, 32, 4096]);
        let held: u64 = (1..=10_000).map(|number| plan.size(number)).sum();
        assert_eq!(held, 1_023_000 * 8 * MIB);
        assert!(plan.check(10_000).is_ok());
        assert_eq!(plan.check(10_001).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn memory_is_that_of_the_options_or_of_two_parts() {
        let most = 5 * 8 * MIB;
        for number in 1..=10_000 {
            let plan = plan(None);
            let taken = plan.size(number) * (plan.at_once(number) as u64 + 1);
            assert!(taken <= most.max(2 * plan.size(number)), "part {number}");
        }
        assert_eq!(plan(Some(1)).at_once(1), 4);
        assert_eq!(plan(Some(5 << 40)).at_once(1), 1);
    }

    #[test]
    fn parts_are_equal_where_the_service_wants_it() {
        let mut options = S3Options::new("b");
        options.service = Some(Service::R2);
        let plan = PartPlan::new(&options, None).unwrap();
        assert_eq!(plan.size(10_000), plan.size(1));
    }
}

//! The filter as options, for every command that walks.

use std::time::SystemTime;

use storage_source::Filter;

/// Which objects are taken.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Filter")]
pub(crate) struct FilterArgs {
    /// Take only paths that match this glob, or another include: 'docs/**/*.{md,txt}'
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Leave out paths that match this glob; with '!' in front: unless they match this one
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Take only names with these extensions: pdf,tar.gz
    #[arg(long, value_name = "EXT", value_delimiter = ',')]
    ext: Vec<String>,
    /// Leave out what is smaller: 1, 10k, 4MiB
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    min_size: Option<u64>,
    /// Leave out what is larger
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    max_size: Option<u64>,
    /// Take what was modified since a time, or within an age: 2026-01-31, 2026-01-31T12:00:00Z, 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    newer: Option<SystemTime>,
    /// Take what was modified before a time, or longer ago than an age
    #[arg(long, value_name = "TIME", value_parser = time)]
    older: Option<SystemTime>,
    /// Take so many, the first in order
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Whether '*' and '?' stop at '/'
    #[arg(
        long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = clap::ArgAction::Set
    )]
    literal_separator: bool,
}

impl FilterArgs {
    /// The filter that the arguments make up.
    pub(crate) fn filter(self) -> Filter {
        let mut filter = Filter::new().literal_separator(self.literal_separator);
        (filter.include, filter.exclude, filter.extensions) = (self.include, self.exclude, self.ext);
        (filter.min_size, filter.max_size, filter.limit) = (self.min_size, self.max_size, self.limit);
        (filter.modified_after, filter.modified_before) = (self.newer, self.older);
        filter
    }
}

/// A number of bytes: `500`, `10k`, `1.5MB` (powers of 1000), `4MiB` (powers of 1024).
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size such as 500, 10k, 1.5MB or 4MiB");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let (base, unit) = unit.strip_suffix('i').map_or((1000_f64, unit), |unit| (1024_f64, unit));
    let power = match unit {
        "" if base == 1000_f64 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(wrong()),
    };
    if power == 0 {
        return number.parse().map_err(|_| wrong());
    }
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * base.powi(power);
    // Whole bytes, far from where a float has no room for them.
    if bytes < (1_u64 << 53) as f64 { Ok(bytes.round() as u64) } else { Err(wrong()) }
}

/// A time, a day, or an age counted back from now.
fn time(text: &str) -> Result<SystemTime, String> {
    let day = (text.len() == 10).then(|| format!("{text}T00:00:00Z"));
    if let Ok(time) = humantime::parse_rfc3339(day.as_deref().unwrap_or(text)) {
        return Ok(time);
    }
    let age = humantime::parse_duration(text).ok().and_then(|age| SystemTime::now().checked_sub(age));
    age.ok_or_else(|| format!("{text:?} is neither a time such as 2026-01-31T12:00:00Z nor an age such as 7d"))
}

#[cfg(test)]
mod tests {
    use super::{bytes, time};

    #[test]
    fn sizes_have_units_of_1000_and_of_1024() {
        let cases = [
            ("0", 0),
            ("500", 500),
            ("500B", 500),
            ("10k", 10_000),
            ("1.5MB", 1_500_000),
            ("4MiB", 4 << 20),
            ("1Ki", 1024),
            ("2 GiB", 2 << 30),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "k", "-1", "1x", "1.5", "1e3", "9999999T", "i", "1i"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_absolute_or_ages() {
        assert_eq!(time("2026-01-31"), time("2026-01-31T00:00:00Z"));
        assert!(time("1h").unwrap() > time("2h").unwrap());
        for text in ["", "noon", "2026-13-01", "99999999999999999999y"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}

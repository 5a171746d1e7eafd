//! Notices a service that leads a listing round in a circle.

/// Watches what a service gives to go on with, in the memory of one such value: the one that came after the latest power
/// of two pages. A circle is noticed before it has been gone round three times.
#[derive(Debug)]
pub(crate) struct Round<T> {
    kept: Option<T>,
    pages: u64,
}

impl<T: PartialEq + Clone> Round<T> {
    pub(crate) fn new() -> Self {
        Self { kept: None, pages: 0 }
    }

    /// Whether a page leads back to where the listing has been; called once for each page.
    pub(crate) fn closes(&mut self, next: &T) -> bool {
        if self.kept.as_ref() == Some(next) {
            return true;
        }
        self.pages += 1;
        if self.pages.is_power_of_two() {
            self.kept = Some(next.clone());
        }
        false
    }
}

/// What is wrong with the page that closes a circle.
pub(crate) const CIRCLE: &str = "the pages lead round in a circle: this one is followed by one that came before";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_of_every_length_are_noticed_and_nothing_else() {
        for (lead, length) in (0..20).flat_map(|lead| (1..20).map(move |length| (lead, length))) {
            let mut round = Round::new();
            let pages = (0..lead).chain((0..length).map(|page| 100 + page).cycle());
            let noticed = pages.take(1000).position(|page| round.closes(&page)).unwrap();
            assert!(noticed >= lead + length && noticed <= 2 * lead + 3 * length, "{lead} {length}: {noticed}");
        }
        let mut round = Round::new();
        assert!((0..10_000).all(|page| !round.closes(&page)));
    }
}

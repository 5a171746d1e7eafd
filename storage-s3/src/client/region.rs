//! Following the service to the region where the bucket is ("Making requests using the REST API: Request redirection" in
//! the S3 user guide).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::Uri;

use super::failure::{Cause, ServiceError};
use super::place::{Endpoint, Place};

/// Where requests go now.
pub(crate) struct Whereabouts {
    endpoint: Endpoint,
    place: RwLock<Arc<Place>>,
    /// Whether requests are answered where they go now.
    answered: AtomicBool,
}

impl Whereabouts {
    pub(crate) fn new(endpoint: Endpoint, place: Place) -> Self {
        Self { endpoint, place: RwLock::new(Arc::new(place)), answered: AtomicBool::new(false) }
    }

    /// Notes that a request was answered with a success.
    pub(crate) fn answered(&self) {
        if !self.answered.load(Ordering::Relaxed) {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the region is what a service usually has, and nothing has shown yet that it is the bucket's.
    pub(crate) fn is_guess(&self) -> bool {
        self.endpoint.region().is_none() && !self.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn place(&self) -> Arc<Place> {
        self.place.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where a request that was asked of `place` is to be asked instead; `None` where the answer is no redirect, or leads
    /// nowhere, or to another region than the one that the options name: that is the user's to correct. A region is remembered for all later requests; a host of the moment (307) is not.
    pub(crate) fn follow(
        &self,
        place: &Place,
        path: &str,
        cause: &Cause,
        location: Option<&str>,
    ) -> Option<Arc<Place>> {
        let Cause::Answer(error) = cause else { return None };
        let moved = matches!(error.status, 301 | 307 | 308);
        if !moved && !self.wrong_region(error) {
            return None;
        }
        match error.region.as_deref().filter(|region| *region != place.region) {
            Some(_) if self.endpoint.region().is_some() => None,
            Some(region) => self.remember(region),
            None if moved => temporary(place, path, location?).map(Arc::new),
            None => None,
        }
    }

    /// Whether a refusal names another region, and the options leave it to the driver to find it.
    fn wrong_region(&self, error: &ServiceError) -> bool {
        let named =
            matches!(error.code.as_str(), "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException");
        error.status == 400 && (named || error.code.is_empty()) && self.endpoint.region().is_none()
    }

    fn remember(&self, region: &str) -> Option<Arc<Place>> {
        let place = Arc::new(self.endpoint.place_in(region).ok()?);
        tracing::debug!(region, "the bucket is in another region");
        *self.place.write().unwrap_or_else(PoisonError::into_inner) = place.clone();
        Some(place)
    }
}

/// The host that a redirect names, if it is asked by the same scheme for the same path: the signature is made anew for it.
fn temporary(place: &Place, path: &str, location: &str) -> Option<Place> {
    let location: Uri = location.parse().ok()?;
    let authority = location.authority()?;
    if location.scheme_str() != Some(place.scheme()) || location.path() != path || authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Place {
        https: place.https,
        host,
        port: authority.port_u16().unwrap_or(if place.https { 443 } else { 80 }),
        authority: authority.as_str().parse().ok()?,
        base: place.base.clone(),
        region: place.region.clone(),
    })
}

//! What a host that takes things in needs: [`Inputs`] tells paths, locations and text apart; [`ContentStore`] keeps
//! content under its digest, so that the same bytes are stored once.

mod content;
mod inputs;

pub use content::{Algorithm, ContentStore, Digest, Layout, Stored};
pub use inputs::{Input, Inputs, Reading};

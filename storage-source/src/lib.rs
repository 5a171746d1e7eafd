//! What a host that takes things in needs: [`Inputs`] tells paths, locations and text apart; [`ContentStore`] keeps
//! content under its digest, so that the same bytes are stored once.

mod content;
mod inputs;
mod working_copy;

pub use content::{Algorithm, ContentStore, Digest, Layout, Stored};
pub use inputs::{Given, Input, InputPolicy, Inputs, Item, Items, Origin, Place, Reading};
pub use working_copy::{
    Commit, Holder, Lease, LeaseOptions, Leased, Opened, WorkingCopy, WorkingCopyOptions,
};

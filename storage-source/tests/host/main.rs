//! The services for hosts, on memory, on a directory and on the S3 test server.

mod content;
mod defects;
mod inputs;
mod kills;
mod native;
mod opening;
mod support;
mod tenant;
mod unknown;
mod working_copy;

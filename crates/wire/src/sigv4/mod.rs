//! AWS Signature Version 4: reads a request's signature, verifies it, and signs.
//!
//! A server calls [`Signature::parse`], looks up the secret of its access key, and calls
//! [`Signature::verify`]. Which keys there are and what they may do is not known here.

mod canonical;
mod error;
mod key;
mod moment;
mod parse;
mod sign;
mod verify;

pub use error::AuthError;
pub use parse::Signature;
pub use sign::{Credentials, sign};
pub use verify::Payload;

/// The only algorithm that is spoken.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What stands last in a credential's scope.
const TERMINATOR: &str = "aws4_request";

//! Who calls, once authentication has found out. Plain data: what it may do is decided elsewhere.

/// The authenticated caller of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account_id: String,
    /// The Region that the signature was made for.
    pub region: String,
    /// The caller's own ARN, as GetCallerIdentity answers it.
    pub arn: String,
    /// The caller's unique id, as GetCallerIdentity answers it.
    pub user_id: String,
    /// What kind of caller this is.
    pub principal: Principal,
    /// The id of this one request, which every answer carries.
    pub request_id: String,
}

/// The kinds of callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person or program with the account's own access key.
    Root,
    /// A running build with the credentials that it was given.
    Build {
        /// The build's ARN.
        build_arn: String,
    },
}

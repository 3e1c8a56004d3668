//! Every number that a build is held to, with its unit and where it comes from.

/// Minutes a build may run when its project does not say. AWS: the same.
pub const TIMEOUT_MINUTES_DEFAULT: u32 = 60;

/// The most minutes that a build may run. AWS: `timeoutInMinutes` goes up to it.
pub const TIMEOUT_MINUTES_MAX: u32 = 2_160;

/// Minutes a build may wait for capacity when its project does not say. AWS: the same.
pub const QUEUED_TIMEOUT_MINUTES_DEFAULT: u32 = 480;

/// Minutes in which an idempotency token gives the same build again. AWS: the same.
pub const IDEMPOTENCY_TOKEN_MINUTES: u64 = 5;

/// Entries of one page of a list. AWS: the same, and not to be chosen by the caller.
pub const PAGE_ENTRIES: usize = 100;

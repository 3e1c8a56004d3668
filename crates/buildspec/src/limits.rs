//! How much a buildspec may ask of us: past these it is refused, at once and by name.

/// The most bytes a buildspec's text may have.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// The most values a buildspec may hold, each use of an alias counted in full.
pub const NODES_MAX: usize = 100_000;

/// The most bytes of text a buildspec may hold once its aliases are written out.
pub const EXPANDED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How deep lists and mappings may be nested.
pub const DEPTH_MAX: usize = 64;

/// How many problems of one severity are told; the rest are not.
pub const PROBLEMS_MAX: usize = 100;

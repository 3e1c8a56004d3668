//! The buildspec: text in, a buildspec and every problem with its place out.

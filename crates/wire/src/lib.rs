//! AWS encodings: signatures, JSON 1.1, Query, event streams and the generated shapes.

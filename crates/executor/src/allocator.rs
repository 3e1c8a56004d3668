//! What a service with many threads asks of the C library's allocator. It knows nothing of what the
//! memory is for.
#![cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "a call of the C library; it says why it may")
)]

/// Gives the machine back the pages of which nothing is used any more. Goes through all that is free,
/// and may take some milliseconds.
pub fn give_back_free_memory() {
    // SAFETY: it takes a number and gives pages back that the allocator knows to be free.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

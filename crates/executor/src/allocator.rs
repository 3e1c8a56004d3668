//! What a service with many threads asks of the C library's allocator. It knows nothing of what the
//! memory is for.

/// Has all threads together use so many arenas. Each keeps what was freed in it for its own threads,
/// and there are eight for each processor unless somebody says otherwise. To be called before there
/// are other threads.
pub fn share_arenas(count: usize) {
    #[cfg(target_env = "gnu")]
    {
        let count = libc::c_int::try_from(count.max(1)).unwrap_or(libc::c_int::MAX);
        // SAFETY: it takes two numbers and changes a setting of the allocator.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, count) };
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = count;
}

/// Gives the machine back the pages of which nothing is used any more. Goes through all that is free,
/// and may take some milliseconds.
pub fn give_back_free_memory() {
    // SAFETY: it takes a number and gives pages back that the allocator knows to be free.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

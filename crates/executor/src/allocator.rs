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

#[cfg(test)]
#[cfg(target_env = "gnu")]
mod tests {
    use super::give_back_free_memory;
    use std::{fs, hint::black_box};

    const BLOCKS: usize = 32 << 10;

    fn resident_pages() -> usize {
        let numbers = fs::read_to_string("/proc/self/statm").unwrap();
        numbers.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn what_was_freed_below_what_is_used_goes_back() {
        let mut blocks: Vec<_> = (0..BLOCKS).map(|_| black_box(vec![7_u8; 1 << 10])).collect();
        let last = blocks.pop();
        drop(blocks);
        let before = resident_pages();
        give_back_free_memory();
        // Half of it, at least.
        let least = BLOCKS / 2 * 1_024 / rustix::param::page_size();
        assert!(resident_pages() + least < before);
        drop(last);
    }
}

//! Images: from what a spec names to folders that lie over each other.

mod host;

pub(crate) use host::HostTemplate;

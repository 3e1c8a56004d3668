//! Values that are kept so that nobody reads them from the data folder: the key, which stands
//! outside that folder, and what is sealed under it.

mod key_file;
mod seal;
#[expect(clippy::module_inception, reason = "the vault is what its folder is named after")]
mod vault;

pub use vault::{Vault, VaultError, key_file_beside};

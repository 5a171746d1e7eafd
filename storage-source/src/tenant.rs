//! A root for each tenant.

use storage_core::{Error, Key, Result, Storage};

/// The sub-root of one tenant, `{root}/{id}`: it sees the tenant's own keys and nothing else (rule S07).
///
/// The id is one segment of a key, kept byte for byte. Anything that could name another tenant's keys is refused before
/// any I/O: an empty id, `.`, `..` and control characters are `InvalidKey`, an id with a `/` is `InvalidInput`, since the
/// tenant `a/b` would live inside the tenant `a`.
///
/// ```
/// # use storage_core::{Result, Storage};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let root = Storage::new(storage_memory::Memory::new());
/// storage_source::tenant(&root, "user-42")?.put("notes.md", "mine").await?;
/// assert_eq!(root.text("user-42/notes.md").await?, "mine");
/// assert!(storage_source::tenant(&root, "../user-43").is_err());
/// # Ok(()) }
/// ```
pub fn tenant(root: &Storage, id: &str) -> Result<Storage> {
    let key = Key::new(id)?;
    if id.contains('/') {
        return Err(Error::invalid_input(format!("the tenant {id:?} holds a '/'"))
            .with_help("an id is one segment: write another character for it"));
    }
    root.sub(key.as_str())
}

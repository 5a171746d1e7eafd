//! Roots of tenants.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use storage_core::ErrorKind;
use storage_source::tenant;

use crate::support::roots;

/// Proves on every driver that a tenant sees its own keys only, whatever ids and keys look like, and that no id leads out.
#[tokio::test]
async fn a_tenant_sees_its_own_and_no_id_leads_out() {
    let ids = ["a", "ab", "A", "a.", " a", "a%2Fb", "...", "~", "C:", "a b"];
    for root in roots().await {
        for id in ids {
            tenant(&root.storage, id).unwrap().put("notes", id).await.unwrap();
        }
        for id in ids {
            let own = tenant(&root.storage, id).unwrap();
            assert_eq!(own.text("notes").await.unwrap(), id, "{}", root.name);
            assert_eq!(own.usage("").await.unwrap().objects, 1, "{} {id:?}", root.name);
            assert_eq!(own.get("../ab/notes", Default::default()).await.unwrap_err().kind(), ErrorKind::InvalidKey);
        }
        for id in ["", ".", "..", "../a", "a/../b", "/", "a/b", "a/", "/a", "a\0", "a\n"] {
            let error = tenant(&root.storage, id).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidKey | ErrorKind::InvalidInput), "{id:?}: {error}");
        }
        assert_eq!(root.storage.usage("").await.unwrap().objects, ids.len() as u64);
    }
}

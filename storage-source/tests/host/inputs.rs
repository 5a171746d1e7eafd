//! Inputs: what each text is taken for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use storage_core::{ErrorKind, Location, Registry};
use storage_memory::MemoryDriver;
use storage_source::{Input, Inputs, Reading};

fn registry() -> Registry {
    Registry::new().with(MemoryDriver::new()).unwrap()
}

#[tokio::test]
async fn a_path_that_exists_is_a_path_even_with_spaces() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a note");
    std::fs::write(&file, "x").unwrap();
    let registry = registry();
    let inputs = Inputs::new(&registry);
    for path in [file, directory.path().to_owned()] {
        let input = inputs.resolve(path.to_str().unwrap(), Reading::ByForm).await.unwrap();
        assert_eq!(input, Input::Path(path));
    }
}

#[tokio::test]
async fn a_known_scheme_is_a_location_and_an_unknown_one_an_error_with_the_known() {
    let registry = registry();
    let inputs = Inputs::new(&registry);
    let location = Location::parse("memory://m/a").unwrap();
    assert_eq!(inputs.resolve("MEMORY://m/a", Reading::ByForm).await.unwrap(), Input::Location(location));
    let error = inputs.resolve("gs://b/x", Reading::ByForm).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("memory"), "{error}");
}

#[tokio::test]
async fn a_missing_path_is_an_error_and_never_text() {
    let registry = registry();
    let inputs = Inputs::new(&registry);
    for path in ["missing/file", "report.pdf", "./x"] {
        let error = inputs.resolve(path, Reading::ByForm).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{path}: {error}");
        assert!(error.message().contains(path), "{error}");
    }
    assert_eq!(inputs.resolve("a note", Reading::Path).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn all_else_is_text_and_what_is_forced_to_be() {
    let registry = registry();
    let inputs = Inputs::new(&registry);
    let long = "word ".repeat(2000);
    for text in ["a note", "see a/b for more", "word", &long, "NUL\0inside it"] {
        assert_eq!(inputs.resolve(text, Reading::ByForm).await.unwrap(), Input::Text(text.to_owned()));
    }
    for text in ["report.pdf", "gs://b/x", "/"] {
        assert_eq!(inputs.resolve(text, Reading::Text).await.unwrap(), Input::Text(text.to_owned()));
    }
    assert_eq!(inputs.resolve("", Reading::Text).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn one_wrong_input_refuses_all() {
    let registry = registry();
    let texts = ["a note".to_owned(), "missing.pdf".to_owned()];
    let error = Inputs::new(&registry).resolve_all(&texts, Reading::ByForm).await.unwrap_err();
    assert!(error.message().contains("missing.pdf"), "{error}");
}

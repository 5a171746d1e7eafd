//! What a filter takes, case by case.

use std::error::Error as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use storage_source::{Candidate, Filter, PatternError, Reason, Verdict};

fn verdict(filter: &Filter, candidate: &Candidate<'_>) -> Verdict {
    filter.compile().unwrap().judge(candidate)
}

fn takes(filter: &Filter, path: &str) -> bool {
    verdict(filter, &Candidate::new(path)).is_match()
}

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Each pattern with what it matches in the documented mode and in the compatible one.
#[test]
fn patterns_in_both_modes() {
    let cases = [
        ("*.md", "a.md", true, true),
        ("*.md", "docs/a.md", false, true),
        ("**/*.md", "a.md", true, true),
        ("**/*.md", "docs/deep/a.md", true, true),
        ("docs/*", "docs/a/b", false, true),
        ("docs/**", "docs/a/b", true, true),
        ("docs/**", "docs", false, false),
        ("docs/**", "docs2/a", false, false),
        ("docs/**/a.md", "docs/a.md", true, true),
        ("docs/**/a.md", "docs/x/y/a.md", true, true),
        ("**", ".env", true, true),
        ("*", ".env", true, true),
        ("a?c", "abc", true, true),
        ("a?c", "a/c", false, true),
        ("[a-c].txt", "b.txt", true, true),
        ("[!a-c].txt", "b.txt", false, false),
        ("*.{md,txt}", "a.txt", true, true),
        ("{src,docs}/**", "docs/a", true, true),
        ("{src,docs}/**", "doc/a", false, false),
        ("a{,.bak}", "a", true, false),
        ("A.md", "a.md", false, false),
        ("\\[x\\]/*", "[x]/a", true, true),
        ("{{a,b},c}.x", "b.x", true, true),
    ];
    for (pattern, path, literal, crossing) in cases {
        let filter = Filter::new().include(pattern);
        assert_eq!(takes(&filter, path), literal, "{pattern} on {path}");
        assert_eq!(takes(&filter.literal_separator(false), path), crossing, "{pattern} on {path}, crossing");
    }
}

/// CocoIndex: no include takes everything; `!` rescues wherever it stands; a rescued path must still be included.
#[test]
fn excludes_and_rescues_are_independent_of_their_order() {
    let patterns = ["build/**", "!build/keep/**", "**/*.tmp", "!**/important.tmp"];
    let cases = [
        ("a.txt", true),
        ("build/a", false),
        ("build/keep/a", true),
        ("build/keep/a.tmp", true),
        ("x.tmp", false),
        ("x/important.tmp", true),
        ("build/important.tmp", true),
    ];
    for turn in 0..patterns.len() {
        for literal in [true, false] {
            let mut filter = Filter::new().literal_separator(literal);
            filter.exclude = patterns.iter().cycle().skip(turn).take(patterns.len()).map(ToString::to_string).collect();
            for (path, expected) in cases {
                assert_eq!(takes(&filter, path), expected, "{path} with {:?}", filter.exclude);
            }
            let filter = filter.include("*.txt");
            assert!(!takes(&filter, "build/keep/a"), "a rescue includes nothing");
        }
    }
}

/// CocoIndex's documents: an excluded directory takes everything beneath it along, but for what is rescued; its engine compares
/// whole paths.
#[test]
fn an_excluded_directory_takes_along_what_is_beneath_it() {
    let cases = [
        ("**/.*", ".git/config", false),
        ("**/.*", "a/.cache/x/y.md", false),
        ("**/.*", "a/b.md", true),
        ("**/target", "target/debug/x", false),
        ("**/target", "a/target/x", false),
        ("**/target", "a/target2/x", true),
        ("node_modules", "node_modules/x/y", false),
        ("node_modules", "a/node_modules/x", true),
        ("*.{app,d}", "x.app/y", false),
        ("src/*", "src/a/b", false),
    ];
    for (pattern, path, taken) in cases {
        let filter = Filter::new().exclude(pattern);
        assert_eq!(takes(&filter, path), taken, "{pattern} on {path}");
        assert!(takes(&filter.exclude(format!("!{path}")), path), "{pattern}, {path} rescued");
    }
    let rescued = Filter::new().exclude("**/target").exclude("!target/keep");
    assert!(takes(&rescued, "target/keep") && !takes(&rescued, "target/keep/x"), "a rescue takes back what it matches");
    let engine = Filter::new().exclude("**/target").literal_separator(false);
    assert!(takes(&engine, "target/x") && !takes(&engine, "target"));
}

/// In the compatible mode a pattern is what `globset` makes of it with its own options, on every path.
#[test]
fn the_compatible_mode_is_globset_s() {
    let patterns =
        ["*", "*.rs", "a*", "*/b", "**/x", "a/**", "?", "{a,b}*", "[!a]*", "!x", "a{,.b}", "/a", "a/", "{,x}y"];
    let paths = ["a", "b", "a/b", "x", "a/x", "a.rs", "d/e.rs", "!x", "a.b", "y", "xy", "é", "a/b/x"];
    for pattern in patterns {
        let matcher = Filter::new().literal_separator(false).include(pattern).compile().unwrap();
        let theirs = globset::Glob::new(pattern).unwrap().compile_matcher();
        for path in paths {
            let ours = matcher.judge(&Candidate::new(path)).is_match();
            assert_eq!(ours, theirs.is_match(path), "{pattern} on {path}");
        }
    }
}

/// Coco: extensions with and without dot, in any case, with several dots, on the base name alone.
#[test]
fn extensions_are_ends_of_the_base_name() {
    let filter = Filter::new().extension("pdf").extension(".DocX").extension("tar.gz").extension("ÄX");
    let taken = ["a.pdf", "A.PDF", "d.x/a.docx", "a.tar.gz", "a.b.TAR.GZ", ".pdf", "a.äx"];
    let left = ["a", "pdf", "apdf", "a.pdf/b", "a.pdf.txt", "a.gz", "tar.gz", "x.pdf/.keep"];
    for (paths, expected) in [(&taken[..], true), (&left[..], false)] {
        for path in paths {
            assert_eq!(takes(&filter, path), expected, "{path}");
        }
    }
    assert_eq!(verdict(&filter, &Candidate::new("a")), Verdict::LeftOut(Reason::WrongExtension));
    assert!(takes(&Filter::new(), "a"), "no extensions are all of them");
    assert!(takes(&Filter::new().extension("py").extension(" js"), "a.js"), "as --ext 'py, js' has it");
}

/// Sizes drop what is strictly beyond; times are a half-open range; what is not known leaves nothing out.
#[test]
fn sizes_and_times_have_exact_edges() {
    let filter = Filter::new().min_size(10).max_size(20).modified_after(time(100)).modified_before(time(200));
    let sizes = [(9, Some(Reason::TooSmall)), (10, None), (20, None), (21, Some(Reason::TooLarge))];
    let times = [(99, Some(Reason::TooOld)), (100, None), (199, None), (200, Some(Reason::TooNew))];
    let expected = |reason: Option<Reason>| reason.map_or(Verdict::Matched, Verdict::LeftOut);
    for (size, reason) in sizes {
        assert_eq!(verdict(&filter, &Candidate::new("a").size(size)), expected(reason), "{size} bytes");
    }
    for (seconds, reason) in times {
        let candidate = Candidate::new("a").size(15).modified(time(seconds));
        assert_eq!(verdict(&filter, &candidate), expected(reason), "at {seconds}");
    }
    assert!(takes(&filter, "a"), "an event that tells neither");
    assert!(verdict(&Filter::new().max_size(0), &Candidate::new("a").size(0)).is_match());
}

/// Of several reasons the first in the order of [`Reason`] is told, for keys and for what is none.
#[test]
fn one_reason_is_told() {
    let filter = Filter::new().include("in/**").exclude("**/ex/**").extension("md").max_size(1);
    let cases = [
        ("in/ex/", Reason::Marker),
        ("in//ex", Reason::NotExpressible),
        ("../ex/a", Reason::NotExpressible),
        ("out/ex/a", Reason::ExcludedByPattern),
        ("out/a", Reason::NotIncluded),
        ("in/a", Reason::WrongExtension),
        ("in/a.md", Reason::TooLarge),
    ];
    for (path, reason) in cases {
        assert_eq!(verdict(&filter, &Candidate::new(path).size(9)), Verdict::LeftOut(reason), "{path}");
    }
    assert_eq!(serde_json::to_string(&Reason::NotExpressible).unwrap(), "\"not_expressible\"");
}

/// An error points at the character that is wrong, and says what would be right.
#[test]
fn errors_point_into_the_pattern() {
    let cases = [
        ("src/[a-", 5, "not closed"),
        ("é[z-a]", 3, "z-a runs backwards"),
        ("a}b", 2, "opens"),
        ("x/{a,{b}", 3, "not closed"),
        ("[{]/{a", 5, "not closed"),
        ("\\{a}", 4, "opens"),
        ("abc\\", 4, "backslash"),
        ("/src/**", 1, "begins with '/'"),
        ("src/", 4, "ends in '/'"),
        ("", 1, "empty"),
        ("a/[bé]", 5, "several"),
        ("!a", 1, "rescues"),
        ("./a", 1, "segment \".\""),
        ("a/../b", 3, "segment \"..\""),
        ("é/.", 3, "segment \".\""),
        ("..", 1, "segment \"..\""),
        ("a//b", 3, "empty segment"),
        ("z-a/[z-a]", 6, "backwards"),
    ];
    for (pattern, position, what) in cases {
        let error = Filter::new().include(pattern).compile().unwrap_err();
        let source = error.source().and_then(|source| source.downcast_ref::<PatternError>()).unwrap();
        assert_eq!((source.field, source.pattern.as_str(), source.position), ("include", pattern, position), "{error}");
        assert!(error.to_string().contains(what) && error.help().is_some(), "{error}");
    }
    let error = Filter::new().exclude("a").exclude("!x/[").compile().unwrap_err();
    assert!(error.to_string().contains("exclude pattern \"!x/[\" is wrong at character 4"), "{error}");
}

#[test]
fn what_can_take_nothing_is_refused() {
    let cases = [
        (Filter::new().min_size(2).max_size(1), "min_size 2 is above max_size 1"),
        (Filter::new().modified_after(time(5)).modified_before(time(5)), "modified_after"),
        (Filter::new().extension("."), "\".\""),
        (Filter::new().extension("*.pdf"), "\"*.pdf\""),
        (Filter::new().extension("a/b"), "\"a/b\""),
    ];
    for (filter, what) in cases {
        let error = filter.compile().unwrap_err();
        assert!(error.to_string().contains(what) && error.status() == 400, "{error}");
    }
}

/// A filter goes through JSON and comes back; an unknown field and a wrong time are refused by name.
#[test]
fn a_filter_is_data() {
    let filter = Filter::new()
        .include("a/**")
        .exclude("!b")
        .extension("md")
        .min_size(1)
        .max_size(2)
        .modified_after(time(1_700_000_000))
        .modified_before(time(1_800_000_000) + Duration::from_millis(5))
        .limit(7)
        .literal_separator(false);
    let json = serde_json::to_string(&filter).unwrap();
    assert!(json.contains("\"modified_after\":\"2023-11-14T22:13:20Z\""), "{json}");
    assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter);
    assert_eq!(serde_json::to_string(&Filter::new()).unwrap(), "{\"literal_separator\":true}");
    assert_eq!(serde_json::from_str::<Filter>("{}").unwrap(), Filter::new());
    for (json, what) in [("{\"includes\": []}", "includes"), ("{\"modified_after\": \"noon\"}", "noon")] {
        assert!(serde_json::from_str::<Filter>(json).unwrap_err().to_string().contains(what), "{json}");
    }
}

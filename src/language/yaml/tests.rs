use super::*;
use crate::core::source::{FileId, SourceMap};

fn read(text: &str) -> Node {
    let sources = SourceMap::default();
    let file = sources.add("t.yml", text);
    parse(&sources, file).unwrap_or_else(|found| panic!("{text:?}: {}", found[0].render(&sources)))
}

fn refused(text: &str) -> String {
    let sources = SourceMap::default();
    let file = sources.add("t.yml", text);
    parse(&sources, file).expect_err(text).iter().map(|found| found.render(&sources)).collect()
}

#[test]
fn plain_scalars_are_what_pyyaml_makes_of_them() {
    use Kind::{Bool, Float, Int, Null};
    let text = |text: &str| Kind::String(text.to_owned());
    let table = [
        ("yes", Bool(true)),
        ("On", Bool(true)),
        ("NO", Bool(false)),
        ("off", Bool(false)),
        ("True", Bool(true)),
        ("y", text("y")),
        ("n", text("n")),
        ("yES", text("yES")),
        ("~", Null),
        ("Null", Null),
        ("nULL", text("nULL")),
        ("0644", Int(420)),
        ("0o644", text("0o644")),
        ("1_000", Int(1000)),
        ("12:30", Int(750)),
        ("1:00:00", Int(3600)),
        ("12:60", text("12:60")),
        ("-1:30", Int(-90)),
        ("0:30", text("0:30")),
        ("1e3", text("1e3")),
        ("1.5e+3", Float(1500.0)),
        ("1.5e3", text("1.5e3")),
        ("08", text("08")),
        ("09.5", Float(9.5)),
        ("0x1F", Int(31)),
        ("0b101", Int(5)),
        ("+12", Int(12)),
        ("-0", Int(0)),
        ("00", Int(0)),
        ("0_7", Int(7)),
        ("1.", Float(1.0)),
        (".5", Float(0.5)),
        ("-.5", text("-.5")),
        ("1_0.2_5", Float(10.25)),
        ("1:30.5", Float(90.5)),
        (".inf", Float(f64::INFINITY)),
        ("-.INF", Float(f64::NEG_INFINITY)),
        ("+.nan", text("+.nan")),
        ("2024-01-02", text("2024-01-02")),
        ("2024-01-02 03:04:05", text("2024-01-02 03:04:05")),
        ("1.2.3", text("1.2.3")),
        ("192.168.0.1", text("192.168.0.1")),
        ("0x", text("0x")),
        ("123abc", text("123abc")),
        ("a:b", text("a:b")),
        ("9223372036854775807", Int(i64::MAX)),
        ("'0644'", text("0644")),
        ("\"yes\"", text("yes")),
        ("!!str 0644", text("0644")),
        ("!!int \"12\"", Int(12)),
        ("!!float 3", Float(3.0)),
        ("! 12", Int(12)),
        ("!unsafe '{{ x }}'", Kind::Unsafe("{{ x }}".to_owned())),
    ];
    for (source, wanted) in table {
        assert_eq!(read(&format!("k: {source}\n")).get("k").map(|node| node.kind.clone()), Some(wanted), "{source}");
    }
    assert!(matches!(read("k: .nan").get("k").unwrap().kind, Float(value) if value.is_nan()));
}

#[test]
fn an_empty_file_is_null_and_a_document_may_be_marked() {
    for text in ["", "\n\n", "# nothing\n", "---\n", "\u{feff}"] {
        assert_eq!(read(text).kind, Kind::Null, "{text:?}");
    }
    assert_eq!(read("---\na: 1\n...\n").to_value(), serde_json::json!({"a": 1}));
    assert_eq!(read("a: |\n  x").to_value(), serde_json::json!({"a": "x"}));
}

#[test]
fn spans_point_at_keys_and_values() {
    let root = read("a: 1\nlist:\n  - 'x y'\n  - {k: ä, l: w}\n");
    let Kind::Map(pairs) = &root.kind else { panic!() };
    let place = |span: crate::core::source::Span| (span.line, span.column, span.end_line, span.end_column);
    assert_eq!(place(pairs[0].0.span), (1, 1, 1, 2));
    assert_eq!(place(pairs[0].1.span), (1, 4, 1, 5));
    let Kind::Seq(items) = &pairs[1].1.kind else { panic!() };
    assert_eq!(place(items[0].span), (3, 5, 3, 10));
    assert_eq!(place(items[1].span), (4, 5, 4, 17));
    assert_eq!(place(items[1].get("l").unwrap().span), (4, 15, 4, 16));
    assert_eq!(place(root.span).0, 1);
}

#[test]
fn merge_keys_follow_pyyaml() {
    let text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  z: 9\n  <<: [*a, *b]\nd: {<<: *a, x: 7}\n";
    let value = read(text).to_value();
    assert_eq!(value["c"], serde_json::json!({"y": 2, "z": 9, "x": 1}));
    assert_eq!(value["d"], serde_json::json!({"x": 7, "y": 2}));
    assert!(refused("a: {<<: 3}").contains("`<<` merges mappings"));
    assert_eq!(read("'<<': 1").to_value(), serde_json::json!({"<<": 1}));
}

#[test]
fn duplicate_keys_are_shown_with_both_places() {
    let shown = refused("a: 1\nb: 2\na: 3\nb: 4\n");
    assert!(
        shown.contains("the key `a` is there twice") && shown.contains("t.yml:3:1") && shown.contains("t.yml:1:1"),
        "{shown}"
    );
    assert!(shown.contains("the key `b`"), "all of them at once: {shown}");
    assert_eq!(read("1: a\n'1': b\n").to_value().as_object().map(serde_json::Map::len), Some(1));
}

#[test]
fn an_alias_bomb_is_refused_quickly() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        text = format!("{text}a{level}: &a{level} [{inner}]\n");
    }
    let started = std::time::Instant::now();
    assert!(refused(&text).contains("more than 1000000 nodes"));
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn nesting_and_self_reference_are_refused() {
    assert!(refused(&"[".repeat(5000)).contains("nest") || !refused(&"[".repeat(5000)).is_empty());
    assert!(refused(&format!("{}{}", "[".repeat(220), "]".repeat(220))).contains("levels of nesting"));
    assert!(refused("a: &a [*a]").contains("contain itself"));
    assert!(refused("a: *nowhere").contains("t.yml:1"));
}

#[test]
fn the_usual_mistakes_get_their_hint() {
    let unquoted = "must be quoted";
    for text in ["a: {{ x }}\n", "a: {{ x }}/b\n", "- {{ x }}\n", "a:\n  b: {{ x }} y\n", "a: {{ x.y | default(3) }}"] {
        assert!(refused(text).contains(unquoted), "{text:?}: {}", refused(text));
    }
    let tab = refused("a:\n\tb: 1\n");
    assert!(tab.contains("a tab is used") && tab.contains("t.yml:2:1"), "{tab}");
    assert!(refused("a: b: c\n").contains("put it in quotes"));
    assert!(refused("a: 1\n---\nb: 2\n").contains("second document"));
    assert!(refused("a: !lookup x\n").contains("the tag `!lookup`"));
    assert!(refused("a: =\n").contains("YAML 1.1"));
    assert!(refused("a: 99999999999999999999\n").contains("64 bits"));
    assert!(refused("? [1, 2]\n: x\n").contains("cannot be a key"));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let sources = SourceMap::default();
    let (file, found) = parse_bytes(&sources, "b.yml", b"a: 1\nb: \xff\n");
    assert_eq!(file, FileId(0));
    let found = found.unwrap_err();
    assert_eq!((found[0].span.line, found[0].span.column), (2, 4));
    assert!(found[0].message.contains("UTF-8"));
    assert!(parse_bytes(&sources, "c.yml", b"\x7fELF\x00\xff").1.unwrap_err()[0].message.contains("binary"));
    assert!(parse_bytes(&sources, "d.yml", b"a: \x00").1.unwrap_err()[0].message.contains("binary"));
    assert!(parse_bytes(&sources, "e.yml", b"a: \x07").1.unwrap_err()[0].message.contains("U+0007"));
    assert_eq!(parse_bytes(&sources, "f.yml", "ü: é".as_bytes()).1.unwrap().to_value(), serde_json::json!({"ü": "é"}));
}

#[test]
fn unsafe_reaches_into_collections() {
    let node = read("a: !unsafe [x, {y: z}]\nv: !vault |\n  $ANSIBLE_VAULT;1.1\n  00\n");
    let Kind::Seq(items) = &node.get("a").unwrap().kind else { panic!() };
    assert_eq!(items[0].kind, Kind::Unsafe("x".into()));
    assert!(matches!(node.get("v").unwrap().kind, Kind::Vault(_)));
}

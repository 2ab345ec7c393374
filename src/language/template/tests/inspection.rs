//! What check learns of a template without evaluating it.

use super::*;

fn names(text: &str, kind: Kind) -> Vec<String> {
    let found = inspect(text, kind).unwrap();
    found.variables.iter().map(|v| format!("{}{}", v.name, if v.guarded { "?" } else { "" })).collect()
}

#[test]
fn free_variables_are_found_and_guards_seen() {
    let table = [
        ("a.b + c['d'][0] | int", "a c"),
        ("x is defined and x.y", "x? x?"),
        ("x.y.z | default(w)", "x? w"),
        ("(a | default([])) + b", "a? b"),
        ("groups['all'] | map('extract', hostvars, ['ip']) | list", "groups hostvars"),
        ("lookup('file', name) ~ now() ~ omit", "name"),
        ("d.items()", "d"),
        ("l[k:m]", "l k m"),
    ];
    for (text, wanted) in table {
        assert_eq!(names(text, Kind::Expression).join(" "), wanted, "{text}");
    }
    let text = "{% for h in hosts if h.up %}{{ h.ip }}{{ loop.index }}{{ port }}{% endfor %}{% set z = y %}{{ z }}";
    assert_eq!(names(text, Kind::Text), ["hosts", "port", "y"]);
    let text = "{% macro m(a, b=w) %}{{ a }}{{ c }}{{ caller() }}{% endmacro %}{{ m(1) }}";
    assert_eq!(names(text, Kind::Text), ["w", "c"]);
    assert_eq!(names("{% set ns = namespace(x=1) %}{% set ns.x = v %}{{ ns.x }}", Kind::Text), ["v"]);
}

#[test]
fn ranges_are_those_of_the_text_as_written() {
    let text = r"ä {{ s | regex_replace('\d', '\\1') ~ nope.x }}";
    let found = inspect(text, Kind::Text).unwrap();
    let shown: Vec<_> = found.variables.iter().map(|v| (&text[v.range.clone()], v.path.clone())).collect();
    assert_eq!(shown, [("s", vec![]), ("nope", vec!["x".to_owned()])]);
}

#[test]
fn unknown_names_get_a_suggestion() {
    let found =
        inspect("{{ a | defualt(1) | to_jsn }}{{ a is definde }}{{ lokup('x') }}{{ lookup('fiel', 'x') }}", Kind::Text)
            .unwrap();
    let shown: Vec<_> = found.unknown.iter().map(|u| (u.sort, u.name.as_str(), u.suggestion.as_deref())).collect();
    assert_eq!(
        shown,
        [
            (Sort::Filter, "defualt", Some("default")),
            (Sort::Filter, "to_jsn", Some("to_json")),
            (Sort::Test, "definde", Some("defined")),
            (Sort::Function, "lokup", Some("lookup")),
            (Sort::Lookup, "fiel", Some("file")),
        ]
    );
    assert_eq!(found.lookups, ["fiel"]);
    let text = "{{ a | bad(1) }}{{ a is worse }}";
    let unknown = inspect(text, Kind::Text).unwrap().unknown;
    let shown: Vec<_> = unknown.iter().map(|unknown| &text[unknown.range.clone()]).collect();
    assert_eq!(shown, ["bad", "worse"]);
    assert!(Sort::Filter.known().contains(&"combine"));
}

#[test]
fn what_cannot_work_is_refused() {
    assert_eq!(inspect("{% import 'x' as y %}{{ y.m() }}", Kind::Text).unwrap().refused.len(), 1);
    let error = inspect("a {{ b | }}", Kind::Text).unwrap_err();
    assert!(error.message.contains("Syntax error in template") && error.range.is_some());
    assert!(inspect("a ==", Kind::Expression).is_err());
    assert!(inspect("{{ a }}", Kind::Expression).is_err());
}

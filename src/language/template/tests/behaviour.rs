//! What no expression by itself shows: whole values, hosts, data, doors, limits.

use serde_json::json;

use super::*;

#[test]
fn a_value_is_rendered_through_and_through_and_omit_leaves() {
    let templar = templar(json!({"n": 3, "list": [1, 2], "gone": "{{ omit }}"}));
    let written = json!({"a": "{{ n }}", "b": ["{{ list }}", "x{{ n }}", {"c": "{{ omit }}", "{{ n }}": 1}, "{{ gone }}"], "d": 4, "e": "{{ missing | default(omit) }}"});
    assert_eq!(templar.value(&written).unwrap(), json!({"a": 3, "b": [[1, 2], "x3", {"{{ n }}": 1}], "d": 4}));
    assert_eq!(templar.value(&json!("{{ omit }}")).unwrap(), json!(OMIT));
    assert_eq!(templar.text("{{ [1, omit, 2] }}").unwrap(), json!([1, 2]));
    assert_eq!(templar.string("{{ n }}").unwrap(), "3");
    assert_eq!(templar.string("{{ none }}").unwrap(), "");
    assert_eq!(templar.string("{{ list }}").unwrap(), "[1, 2]");
    assert_eq!(templar.expression("n + 1").unwrap(), json!(4));
}

#[test]
fn data_is_never_a_template() {
    let world = World {
        vars: json!({"copy": "{{ out.stdout }}!"}).as_object().unwrap().clone(),
        data: json!({"out": {"stdout": "{{ 1 + 1 }}"}}).as_object().unwrap().clone(),
        ..World::default()
    };
    let templar = Templar::new(Arc::new(world), Arc::new(Counting::default()));
    assert_eq!(templar.text("{{ out.stdout }}").unwrap(), json!("{{ 1 + 1 }}"));
    assert_eq!(templar.text("{{ out }}").unwrap(), json!({"stdout": "{{ 1 + 1 }}"}));
    assert_eq!(templar.text("{{ copy }}").unwrap(), json!("{{ 1 + 1 }}!"));
    assert_eq!(templar.text("{{ '{{' ~ ' 1 }}' }}").unwrap(), json!("{{ 1 }}"), "a result is not rendered again");
}

#[test]
fn output_of_a_host_cannot_become_a_condition() {
    let world = World {
        vars: json!({"cond": "1 == 1", "conds": ["n == 2"], "n": 2, "late": "{{ out }}"}).as_object().unwrap().clone(),
        data: json!({"out": "1 == 1"}).as_object().unwrap().clone(),
        ..World::default()
    };
    let templar = Templar::new(Arc::new(world), Arc::new(Counting::default()));
    assert_eq!(templar.condition(&json!("{{ cond }}")), Ok(true));
    assert_eq!(templar.condition(&json!("{{ conds[0] }}")), Ok(true));
    for text in ["{{ out }}", "{{ late }}", "{{ n }} == {{ n }}"] {
        assert!(templar.condition(&json!(text)).unwrap_err().message.contains("untrusted"), "{text}");
    }
}

#[test]
fn hostvars_are_seen_as_each_host_sees_them() {
    let hosts = json!({
        "a": {"ip": "10.0.0.1", "url": "http://{{ ip }}/", "loop": "{{ hostvars['b'].loop }}"},
        "b": {"ip": "10.0.0.2", "url": "http://{{ ip }}/", "peer": "{{ hostvars.a.url }}", "loop": "{{ hostvars['a'].loop }}"},
    });
    let hosts = hosts.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_object().unwrap().clone())).collect();
    let world =
        World { vars: json!({"ip": "here", "name": "ip"}).as_object().unwrap().clone(), hosts, ..World::default() };
    let templar = Templar::new(Arc::new(world), Arc::new(Counting::default()));
    let text = |text: &str| templar.text(text).map_err(|error| error.message);
    assert_eq!(
        text("{{ hostvars['a'].url }} {{ hostvars.b['url'] }} {{ ip }}"),
        Ok(json!("http://10.0.0.1/ http://10.0.0.2/ here"))
    );
    assert_eq!(text("{{ hostvars['b'].peer }}"), Ok(json!("http://10.0.0.1/")));
    assert_eq!(
        text("{% for h in hostvars %}{{ h }}={{ hostvars[h][name] }};{% endfor %}"),
        Ok(json!("a=10.0.0.1;b=10.0.0.2;"))
    );
    assert_eq!(text("{{ ['a', 'b'] | map('extract', hostvars, 'ip') | list }}"), Ok(json!(["10.0.0.1", "10.0.0.2"])));
    assert_eq!(
        text("{{ hostvars.a.nope | default('d') }} {{ hostvars.zz is defined }} {{ 'a' in hostvars }}"),
        Ok(json!("d False True"))
    );
    assert_eq!(text("{{ hostvars['a'].get('ip') }} {{ hostvars | length }}"), Ok(json!("10.0.0.1 2")));
    assert_eq!(text("{{ vars['ip'] }} {{ vars[name] }} {{ vars.nope is defined }}"), Ok(json!("here here False")));
    assert_eq!(text("{{ lookup('vars', 'i' ~ 'p') }} {{ lookup('vars', 'no', default='x') }}"), Ok(json!("here x")));
    assert!(text("{{ hostvars.a.loop }}").unwrap_err().contains("recursive loop detected in template"));
}

#[test]
fn only_what_is_reached_is_rendered() {
    let templar = templar(json!({
        "cfg": {"base": "/srv", "bad": "{{ nope }}", "path": "{{ cfg.base }}/x", "all": ["{{ cfg.path }}", "{{ nope }}"]},
        "key": "path",
    }));
    assert_eq!(templar.text("{{ cfg.path }}").unwrap(), json!("/srv/x"));
    assert_eq!(templar.text("{{ cfg[key] }} {{ cfg.all[0] }}").unwrap(), json!("/srv/x /srv/x"));
    assert_eq!(templar.text("{{ cfg.keys() | join(',') }}").unwrap(), json!("base,bad,path,all"));
    assert!(templar.text("{{ cfg }}").unwrap_err().undefined);
}

#[test]
fn lookups_go_through_the_door() {
    let doors = Arc::new(Counting::default());
    let vars = json!({"dir": "d", "secret": "{{ lookup('items', ['x']) }}"}).as_object().unwrap().clone();
    let templar = Templar::new(Arc::new(World { vars, ..World::default() }), doors.clone());
    let text = |text: &str| templar.text(text).map_err(|error| error.message);
    assert_eq!(text("{{ lookup('items', ['a', 'b']) }}"), Ok(json!("a,b")));
    assert_eq!(text("{{ query('items', ['a', 'b']) }}"), Ok(json!(["a", "b"])));
    assert_eq!(text("{{ lookup('items', ['a', 1]) }}"), Ok(json!(["a", 1])));
    assert_eq!(text("{{ lookup('ansible.builtin.items', 'a', wantlist=true) }}"), Ok(json!(["a"])));
    assert_eq!(text("{{ q('items', '{{ dir }}/x') }}"), Ok(json!(["d/x"])), "constants in terms are still rendered");
    assert_eq!(text("{{ lookup('file', 'x', errors='ignore') }}"), Ok(json!(null)));
    assert!(text("{{ lookup('file', 'x') }}").unwrap_err().contains("there is no such thing"));
    assert!(text("{{ lookup('file', missing) | default('z') }}") == Ok(json!("z")));
    let before = doors.asked.lock().unwrap().len();
    assert_eq!(text("{{ secret }}{{ secret }}"), Ok(json!("xx")));
    assert_eq!(text("{{ secret }}"), Ok(json!("x")));
    assert_eq!(doors.asked.lock().unwrap().len(), before + 1, "a variable is rendered once per templar");
}

#[test]
fn time_and_chance_come_through_the_door() {
    let templar = templar(json!({}));
    let text = |text: &str| templar.text(text).map_err(|error| error.message);
    assert_eq!(text("{{ now(utc=true, fmt='%Y-%m-%d %H:%M:%S') }}"), Ok(json!("2023-11-14 22:13:20")));
    assert_eq!(text("{{ now().year }}"), Ok(json!(2023)));
    assert_eq!(text("{{ '%s' | strftime }}"), Ok(json!("1700000000")));
    let picked = text("{{ [1, 2, 3] | shuffle }}").unwrap();
    assert_eq!(picked.as_array().unwrap().len(), 3);
    assert!(text("{{ 'x' | password_hash(rounds=1000) }}").unwrap().as_str().unwrap().starts_with("$6$rounds=1000$"));
}

#[test]
fn passwords_hash_as_crypt_does() {
    let templar = templar(json!({}));
    // As `openssl passwd` has it.
    let hashed = templar.text("{{ 'Hello world!' | password_hash('sha512', 'saltstring', rounds=5000) }}").unwrap();
    assert_eq!(
        hashed,
        json!("$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1")
    );
    let hashed = templar.text("{{ 'Hello world!' | password_hash('sha256', 'saltstring', rounds=5000) }}").unwrap();
    assert_eq!(hashed, json!("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"));
}

#[test]
fn nothing_runs_without_end() {
    let templar = templar(json!({"a": "{{ b }}", "b": "{{ a }}", "deep": "{{ cfg.x }}", "cfg": {"x": "{{ deep }}"}}));
    let message = |text: &str| templar.text(text).unwrap_err().message;
    assert!(message("{{ a }}").contains("recursive loop"));
    assert!(message("{{ deep }}").contains("recursive loop"));
    assert!(
        message("{% for i in range(5000000) %}{% for j in range(5000000) %}{% endfor %}{% endfor %}")
            .contains("too long")
    );
    assert!(message("{{ range(10 ** 12) | list }}").contains("range"));
    assert!(message("{{ 'x' * 10 ** 12 }}").contains("too long"));
    assert!(message("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").contains("without end"));
    assert!(message("{% set l = [] %}{% set m = [l] %}{% set _ = l.append(m) %}{{ l }}").contains("itself"));
    assert!(message(&format!("{{{{ {}1{} }}}}", "(".repeat(500), ")".repeat(500))).contains("Syntax error"));
}

#[test]
fn long_chains_of_variables_fit_the_stack() {
    let mut vars = Map::new();
    vars.insert("v0".to_owned(), json!("end"));
    for number in 1..200 {
        let inner = format!("v{} | default('x')", number - 1);
        let wrapped = format!("{}{inner}{}", "((".repeat(8), "))".repeat(8));
        vars.insert(format!("v{number}"), json!({"k": [format!("{{{{ {wrapped} }}}}")]}));
    }
    let templar = templar(Value::Object(vars));
    let shown = templar.string("{{ v40 }}").unwrap();
    assert!(shown.contains("end"), "{shown}");
    assert!(templar.text("{{ v199 }}").unwrap_err().message.contains("recursive loop"));
}

#[test]
fn failures_point_into_the_text() {
    let templar = templar(json!({"s": "x"}));
    let at = |text: &'static str| templar.text(text).unwrap_err().range.map(|range| &text[range]);
    assert_eq!(at("ä {{ s }} {{ missing.a }} z"), Some("missing.a"));
    assert_eq!(at("{{ s | regex_replace('\\d\\w', '') ~ (1 / 0) }}"), Some("1 / 0"));
    assert_eq!(at("{{ s | nofilter }}"), Some("nofilter"));
    assert_eq!(at("{% if nope %}x{% endif %}"), Some("nope"));
}

#[test]
fn backslashes_stay_in_expressions_of_playbooks_only() {
    let templar = templar(json!({}));
    assert_eq!(templar.text(r"{{ 'a\nb' }}").unwrap(), json!(r"a\nb"));
    assert_eq!(templar.text(r"{{ 'it\'s' }}|{{ 'c:\\x' }}").unwrap(), json!(r"it\'s|c:\\x"));
    assert_eq!(templar.text(r"{% set x = 'a\nb' %}{{ x }}").unwrap(), json!("a\nb"));
    assert_eq!(templar.file(r"{{ 'a\nb' }}", &FileOptions::default()).unwrap(), "a\nb");
    assert!(templar.condition(&json!(r"'a\tb' is search('\t')")).unwrap());
}

#[test]
fn template_files_have_options() {
    let templar = templar(json!({"n": 1}));
    let windows = FileOptions { newline_sequence: "\r\n".to_owned(), ..FileOptions::default() };
    assert_eq!(templar.file("a {{ n }}\nb\r\n", &windows).unwrap(), "a 1\r\nb\r\n");
    let plain = FileOptions { trim_blocks: false, ..FileOptions::default() };
    assert_eq!(templar.file("{% if n %}\nx\n{% endif %}\n", &plain).unwrap(), "\nx\n");
    let strip = FileOptions { lstrip_blocks: true, ..FileOptions::default() };
    assert_eq!(templar.file("  {% if n %}\n  x\n  {% endif %}\n", &strip).unwrap(), "  x\n");
    let other = FileOptions { variable: ("<<".to_owned(), ">>".to_owned()), ..FileOptions::default() };
    assert_eq!(templar.file("<< n >> {{ n }}", &other).unwrap(), "1 {{ n }}");
    let including = FileOptions {
        includes: Some(Arc::new(|name| (name == "p.j2").then(|| "part {{ n }}{{ x }}".to_owned()))),
        ..FileOptions::default()
    };
    assert_eq!(templar.file("{% set x = 2 %}[{% include 'p.j2' %}]", &including).unwrap(), "[part 12]");
    assert!(templar.file("{% include 'q.j2' %}", &including).unwrap_err().message.contains("q.j2"));
    assert_eq!(templar.file("{% include 'q.j2' ignore missing %}x", &including).unwrap(), "x");
    assert!(templar.file("{% import 'q.j2' as q %}", &including).unwrap_err().message.contains("not supported"));
    assert!(templar.file("#jinja2: nope: 1\nx", &including).unwrap_err().message.contains("nope"));
}

#[test]
fn filters_of_collections_answer() {
    let templar = templar(json!({"users": [{"n": "a", "ips": ["1", "2"]}, {"n": "b", "ips": []}]}));
    let table = [
        ("users | json_query('[?n==`a`].ips[]')", json!(["1", "2"])),
        ("users | community.general.json_query('[*].n')", json!(["a", "b"])),
        ("['1.10', '1.9'] | community.general.version_sort", json!(["1.9", "1.10"])),
        ("'192.168.1.5/24' | ansible.utils.ipaddr('network')", json!("192.168.1.0")),
        ("'192.168.1.5/24' | ipaddr('address')", json!("192.168.1.5")),
        ("'192.168.1.5/24' | ipaddr('netmask')", json!("255.255.255.0")),
        ("'192.168.1.0/24' | ipaddr('prefix')", json!(24)),
        ("'192.168.1.0/24' | ipaddr(10)", json!("192.168.1.10/24")),
        ("'192.168.1.0/24' | ipaddr('-1')", json!("192.168.1.255/24")),
        ("'192.168.1.0/24' | ipaddr('size')", json!(256)),
        ("'10.0.0.1' | ipaddr", json!("10.0.0.1")),
        ("'nope' | ipaddr", json!(false)),
        ("['10.0.0.1', 'x', 'fe80::1'] | ipv4", json!(["10.0.0.1"])),
        ("'::1' | ipwrap", json!("[::1]")),
        ("'10.0.0.0/8' | ipsubnet(16, 3)", json!("10.3.0.0/16")),
        ("{'a': 1} | combine({'b': 2}, {'a': 3})", json!({"a": 3, "b": 2})),
    ];
    for (expression, wanted) in table {
        assert_eq!(templar.expression(expression).map_err(|error| error.message), Ok(wanted), "{expression}");
    }
}

//! Bad input: refused before anything is launched, with the place and what to do.

use crate::ended::Ended;
use crate::scene::Scene;

/// Checks and runs a playbook that must be refused; nothing may have been made.
fn refused(content: impl AsRef<[u8]>) -> Ended {
    let scene = Scene::new();
    scene.file("p.yml", content);
    let checked = scene.dayfly(&["check", "p.yml", "--local"]).exits(3);
    scene.dayfly(&["run", "p.yml", "--local"]).exits(3);
    assert!(scene.runs().is_empty(), "a run was made");
    scene.nothing_left();
    checked
}

fn native(plays: &str) -> String {
    format!("name: p\ncluster:\n  ttl: 10m\n  groups:\n    web: {{count: 1}}\nplays:\n{plays}")
}

#[test]
fn malformed_yaml() {
    refused("name: p\nplays:\n  - hosts: [web\n    tasks: []\n").tells("p.yml:").tells("^");
    refused("a: b: c\n").tells("p.yml:1:");
    refused("\tname: tab\n").tells("p.yml:1:");
    refused("").tells("p.yml");
    refused("just words\n").tells("p.yml:1:");
}

#[test]
fn binary() {
    refused(b"\x00\x01\x02\xff\xfe\x80binary").tells("p.yml");
    refused(b"name: caf\xe9\n").tells("UTF-8");
}

#[test]
fn huge() {
    let mut text = native("  - hosts: web\n    tasks:\n");
    while text.len() < 40_000_000 {
        text.push_str("      - debug: {msg: a text that is repeated until the file is far too large for a playbook}\n");
    }
    refused(text).tells("p.yml");
}

#[test]
fn deeply_nested() {
    refused(format!("name: {}{}\n", "[".repeat(50_000), "]".repeat(50_000))).tells("p.yml");
    refused(format!("name:\n{}", (0..5_000).map(|depth| format!("{}- \n", " ".repeat(depth))).collect::<String>()))
        .tells("p.yml");
}

#[test]
fn an_alias_bomb() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let before = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
    }
    refused(text).tells("p.yml:");
}

#[test]
fn duplicate_keys_name_both_places() {
    refused("name: p\nname: q\nplays: []\n").tells("p.yml:2:1").tells("p.yml:1:1").tells("name");
}

#[test]
fn unknown_words_with_a_suggestion() {
    refused(native("  - hosts: web\n    taks: []\n")).tells("p.yml:8:5").tells("tasks");
    refused(native("  - hosts: web\n    tasks:\n      - comand: echo x\n")).tells("p.yml:9:9").tells("command");
    refused(native("  - hosts: web\n    tasks:\n      - copy: {sorce: a, dest: b}\n")).tells("p.yml:9:16").tells("src");
    refused(native("  - hosts: wbe\n    tasks: []\n")).tells("p.yml:7:12").tells("web");
    refused(native("  - hosts: web\n    tasks:\n      - command: echo\n        notify: restat\n    handlers:\n      - name: restart\n        command: echo\n")).tells("restart");
    refused(native("  - hosts: web\n    tasks:\n      - debug: {msg: \"{{ 1 | defualt(2) }}\"}\n")).tells("default");
    refused(native("  - hosts: web\n    needs: [Befor]\n    tasks: []\n")).tells("Befor");
    refused("name: p\ncluster:\n  ttl: 10m\n  groups:\n    web: {cuont: 1}\nplays: []\n")
        .tells("p.yml:5:11")
        .tells("count");
}

#[test]
fn all_problems_at_once() {
    refused(native("  - hosts: web\n    tasks:\n      - comand: echo x\n      - shell: echo\n        whne: true\n      - debug: {msg: \"{{ 1 + }}\"}\n"))
        .tells("p.yml:9:")
        .tells("p.yml:11:")
        .tells("p.yml:12:");
}

#[test]
fn what_cannot_be() {
    refused("name: p\ncluster:\n  ttl: 10m\n  groups:\n    web: {count: -1}\nplays: []\n").tells("p.yml:5:");
    refused("name: p\ncluster:\n  ttl: 10m\n  groups:\n    web: {count: 2, min_count: 3}\nplays: []\n")
        .tells("min_count");
    refused("name: p\ncluster:\n  ttl: soon\n  groups:\n    web: {count: 1}\nplays: []\n").tells("ttl");
    refused(native("  - name: A\n    hosts: web\n    needs: [B]\n    tasks: []\n  - name: B\n    hosts: web\n    needs: [A]\n    tasks: []\n"))
        .tells("A")
        .tells("B");
    refused(native("  - hosts: web\n    tasks:\n      - debug: {msg: \"{{ nobody_defines_this }}\"}\n"))
        .tells("nobody_defines_this");
    refused(native("  - hosts: web\n    tasks:\n      - command: echo\n        retries: many\n")).tells("retries");
    refused(native("  - hosts: web\n    roles: [common]\n")).tells("roles");
}

#[test]
fn missing_files() {
    let scene = Scene::new();
    scene.dayfly(&["check", "none.yml"]).exits(5).remarks("none.yml");
    refused(native("  - hosts: web\n    tasks:\n      - include_tasks: none.yml\n")).tells("none.yml");
    refused(native("  - hosts: web\n    tasks:\n      - copy: {src: none.txt, dest: x}\n")).tells("none.txt");
    refused(native("  - hosts: web\n    vars_files: [none.yml]\n    tasks: []\n")).tells("none.yml");
}

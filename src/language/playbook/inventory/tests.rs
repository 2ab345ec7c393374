use std::path::Path;

use serde_json::json;

use crate::core::source::{Files, SourceMap};

use super::*;

struct One(&'static str);

impl Files for One {
    fn read(&self, _: &Path) -> std::io::Result<Vec<u8>> {
        Ok(self.0.as_bytes().to_vec())
    }
    fn exists(&self, _: &Path) -> bool {
        false
    }
}

fn read(name: &str, text: &'static str) -> (Inventory, Vec<String>) {
    let (inventory, problems) = load_inventory(&One(text), &SourceMap::default(), Path::new(name));
    let problems = problems.iter().map(|problem| format!("{}: {}", problem.span.line, problem.message)).collect();
    (inventory, problems)
}

fn names(inventory: &Inventory, group: &str) -> String {
    inventory.group_hosts(group).iter().map(|host| host.as_str().to_owned()).collect::<Vec<_>>().join(" ")
}

const INI: &str = "
h0
[web]
web[01:03] port=80
db1 a=1 b='x y' # why
[db]
db1
db2:2222 x=\"a b\" y=\"{'a': 1}\" z=0644
[prod:children]
db
web
[prod:vars]
q = True
s = \"x y\"
t = x y # c
[solo]
zz ansible_connection=local
";

#[test]
fn the_ini_form_is_read_as_ansible_reads_it() {
    let (inventory, problems) = read("hosts.ini", INI);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(names(&inventory, "web"), "web01 web02 web03 db1");
    assert_eq!(names(&inventory, "prod"), "db1 db2 web01 web02 web03");
    assert_eq!(names(&inventory, "ungrouped"), "h0");
    assert_eq!(names(&inventory, "all"), "h0 zz db1 db2 web01 web02 web03");
    let value = |host: &str, name: &str| inventory.vars_of(host).get(name).map(|var| var.value.clone());
    assert_eq!(value("db1", "a"), Some(json!(1)));
    assert_eq!(value("db1", "b"), Some(json!("x y")));
    assert_eq!(value("db2", "ansible_port"), Some(json!(2222)));
    assert_eq!(value("db2", "y"), Some(json!({"a": 1})));
    assert_eq!(value("db2", "z"), Some(json!("0644")));
    assert_eq!(value("db2", "q"), Some(json!(true)));
    assert_eq!(value("db2", "s"), Some(json!("x y")));
    assert_eq!(value("db2", "t"), Some(json!("x y # c")));
    let groups: Vec<String> = inventory.groups_of("db1").iter().map(ToString::to_string).collect();
    assert_eq!(groups, ["db", "prod", "web"]);
}

#[test]
fn the_yaml_form_is_read_as_ansible_reads_it() {
    let (inventory, problems) = read(
        "hosts.yml",
        "
all:
  hosts:
    a: {x: host}
  vars: {x: all, y: all, z: all}
  children:
    outer:
      vars: {x: outer, y: outer, z: outer}
      children:
        inner:
          hosts: {'a': , 'b[1:2]': {ansible_user: me}}
          vars: {x: inner, y: inner}
",
    );
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(names(&inventory, "outer"), "a b1 b2");
    let value = |name: &str| inventory.vars_of("a").get(name).map(|var| var.value.clone());
    assert_eq!((value("x"), value("y"), value("z")), (Some(json!("host")), Some(json!("inner")), Some(json!("outer"))));
    assert_eq!(names(&inventory, "ungrouped"), "");
}

#[test]
fn a_list_of_hosts_is_an_inventory() {
    let (inventory, problems) = read("a,b:22,", "");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(names(&inventory, "all"), "a b");
}

#[test]
fn what_is_wrong_is_found_line_by_line() {
    let (_, problems) = read(
        "hosts",
        "[web\nhost x\n[a:children]\nb\n[c:vars]\nd\n[e:things]\n[f]\ng[1:\ni ansible_connection=winrm\nj ansible_port=x\nk 'l\n",
    );
    assert_eq!(
        problems,
        [
            "1: a section is written [group], [group:children] or [group:vars]",
            "2: expected key=value host variable assignment, got: x",
            "6: expected key=value, got: d",
            "7: section [e:things] has unknown type: things",
            "9: `g[1:` is not a host: `` is not a port",
            "10: the connection `winrm` is not supported",
            "11: `x` is not a port",
            "12: this host cannot be read: a quote is not closed",
            "4: the group `b` is not defined",
            "5: the group `c` has variables but is not defined",
        ]
    );
    let (_, problems) = read("hosts.yml", "a: {children: {b: {children: {a: }}}, host: {}}\n");
    assert_eq!(
        problems,
        ["1: the groups `a` and `b` would contain each other", "1: `host` is not a key of the group `a`"]
    );
}

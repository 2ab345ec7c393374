use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::core::records::{Market, OnLoss};
use crate::core::source::{Files, SourceMap};

use super::*;

/// Files in memory.
struct Memory(BTreeMap<PathBuf, String>);

impl Files for Memory {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.0.get(path).map(|text| text.clone().into_bytes()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }
}

fn memory(files: &[(&str, &str)]) -> Memory {
    Memory(files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect())
}

fn read(files: &[(&str, &str)]) -> (Option<Playbook>, Vec<String>) {
    let sources = SourceMap::default();
    let loaded = load(&memory(files), &sources, Path::new("p.yml"));
    let problems = loaded
        .problems
        .iter()
        .map(|problem| {
            format!(
                "{}: {} | {}",
                sources.place(problem.span),
                problem.message,
                problem.help.clone().unwrap_or_default()
            )
        })
        .collect();
    (loaded.playbook, problems)
}

fn fine(files: &[(&str, &str)]) -> Playbook {
    let (playbook, problems) = read(files);
    assert_eq!(problems, Vec::<String>::new());
    playbook.unwrap()
}

#[test]
fn a_native_playbook_is_read_with_its_cluster() {
    let playbook = fine(&[(
        "p.yml",
        r#"
name: nightly-train
cluster:
  region: eu-west-1
  ttl: 3h
  master: {instance_type: t3.small, subnets: [subnet-0aaa1111], iam_instance_profile: dayfly-master}
  groups:
    prep: {count: 1, instance_type: c7i.large, subnets: [subnet-0aaa1111]}
    train:
      count: 4
      min_count: 3
      instance_type: [g6.xlarge, g5.xlarge]
      market: spot-then-on-demand
      ami: "ssm:/aws/service/x"
      security_groups: [sg-0ccc3333]
      volume: {size: 100GiB}
      ssh: {user: ec2-user}
      on_loss: fail
      vars: {a: "{{ b }}"}
vars: {epochs: 10}
plays:
  - name: Prepare
    hosts: prep
    tasks:
      - name: Split
        shell: python3 split.py --parts {{ groups["train"] | length }}
      - fetch: {src: parts/, dest: parts/}
  - name: Train
    hosts: train
    needs: [Prepare]
    tasks:
      - shell: python3 train.py
        timeout: 2h
        retries: 2
results:
  - {from: train, paths: ["model/*.pt", metrics.json]}
"#,
    )]);
    let cluster = playbook.cluster.unwrap().value;
    assert_eq!(cluster.ttl_ms, 10_800_000);
    let train = &cluster.groups["train"];
    assert_eq!(
        (train.count, train.min_count, train.market, train.on_loss),
        (4, 3, Market::SpotThenOnDemand, OnLoss::Fail)
    );
    assert_eq!(train.instance_types, ["g6.xlarge", "g5.xlarge"]);
    assert_eq!(train.volume.as_ref().unwrap().size_gib, 100);
    assert_eq!(playbook.plays[0].needs, None);
    assert_eq!(playbook.plays[1].needs, Some(vec![0]));
    assert_eq!(playbook.results[0].value.paths, ["model/*.pt", "metrics.json"]);
    let Item::Task(split) = &playbook.plays[0].tasks[0] else { panic!("a task") };
    assert_eq!(split.action.name, "shell");
    assert!(split.action.free.as_ref().unwrap().value.contains("groups[\"train\"]"));
}

#[test]
fn every_form_of_a_module_is_understood() {
    let playbook = fine(&[(
        "p.yml",
        r"
- hosts: [a, b]
  tasks:
    - ansible.builtin.command: echo hi chdir=/tmp
      args: {creates: /x, chdir: /weaker}
    - copy: src=a dest='b c'
    - action: debug msg=hello
    - action: {module: debug, var: x}
    - debug: '{{ all_args }}'
    - ping:
    - meta: flush_handlers
    - command: {argv: [ls, -l]}
",
    )]);
    let tasks: Vec<&Action> = playbook.plays[0]
        .tasks
        .iter()
        .map(|item| match item {
            Item::Task(task) => &task.action,
            Item::Block(_) => panic!("no block here"),
        })
        .collect();
    assert_eq!(playbook.plays[0].hosts.value, "a,b");
    assert_eq!(playbook.plays[0].name.value, "a,b");
    let args = |index: usize| -> Vec<(String, String)> {
        tasks[index].args.iter().map(|(name, node)| (name.value.clone(), node.to_value().to_string())).collect()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(tasks[0].free.as_ref().unwrap().value, "echo hi");
    assert_eq!(args(0), [pair("chdir", "\"/tmp\""), pair("creates", "\"/x\"")]);
    assert_eq!(args(1), [pair("src", "\"a\""), pair("dest", "\"b c\"")]);
    assert_eq!((tasks[2].name.as_str(), args(2)), ("debug", vec![pair("msg", "\"hello\"")]));
    assert_eq!(args(3), [pair("var", "\"x\"")]);
    assert_eq!(tasks[4].template.as_ref().unwrap().value, "{{ all_args }}");
    assert_eq!(tasks[6].free.as_ref().unwrap().value, "flush_handlers");
    assert_eq!(args(7), [pair("argv", "[\"ls\",\"-l\"]")]);
}

#[test]
fn an_import_becomes_a_block_and_files_are_found_beside_the_one_that_names_them() {
    let playbook = fine(&[
        ("p.yml", "- hosts: a\n  tasks:\n    - import_tasks: sub/a.yml\n      when: x\n      tags: [one]\n"),
        ("sub/a.yml", "- import_tasks: b.yml\n- import_tasks: c.yml\n"),
        ("sub/b.yml", "- ping:\n"),
        ("c.yml", "- ping:\n- ping:\n"),
    ]);
    let Item::Block(outer) = &playbook.plays[0].tasks[0] else { panic!("a block") };
    assert_eq!((outer.directives.when.len(), outer.directives.tags[0].value.as_str()), (1, "one"));
    let sizes: Vec<usize> = outer
        .block
        .iter()
        .map(|item| match item {
            Item::Block(block) => block.block.len(),
            Item::Task(_) => 0,
        })
        .collect();
    assert_eq!(sizes, [1, 2]);
}

#[test]
fn all_problems_are_found_at_once() {
    let (_, problems) = read(&[(
        "p.yml",
        r"
- hosts: a
  tasksd: []
  roles: [x]
  serial: many
  tasks:
    - copi: {src: a}
    - apt: name=x
    - command: a
      shell: b
    - debug: msg=x
      wen: true
      register: 1x
      retries: -1
    - name: nothing
    - with_nested: [a]
      ping:
    - rescue: []
    - import_tasks: none.yml
    - include_tasks: x.yml
      become: true
",
    )]);
    let expected = [
        "p.yml:3:3: `tasksd` is not a keyword of a play | did you mean `tasks`?",
        "p.yml:4:3: the keyword `roles` is not supported yet | list the tasks in the play, or import them with import_tasks",
        "p.yml:5:11: `serial` must be a number of hosts or a percentage such as 30%, not the text `many` | ",
        "p.yml:7:7: unknown module `copi` | did you mean `copy`?",
        "p.yml:8:7: the module `apt` is not supported yet | do it with command or shell",
        "p.yml:10:7: a task has one module, not both `command` and `shell` | make two tasks of it; look at the indentation too",
        "p.yml:13:17: `1x` cannot be the name of a variable (register) | use letters, digits and underscores, not beginning with a digit, and no word of Python",
        "p.yml:14:16: `retries` must be a whole number, 0 or more, not `-1` | ",
        "p.yml:12:7: `wen` is not a keyword of a task | did you mean `when`?",
        "p.yml:15:7: this task has no module | add a module such as command, copy or debug",
        "p.yml:16:7: the keyword `with_nested` is not supported yet | use loop with the product filter",
        "p.yml:18:7: `rescue` and `always` belong to a `block`, which is missing | put the tasks under block",
        "p.yml:19:21: cannot read none.yml: there is no such file | ",
        "p.yml:21:7: `become` is not a keyword of include_tasks | put it under apply of include_tasks, or use import_tasks",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn files_that_import_each_other_end() {
    let (_, problems) = read(&[
        ("p.yml", "- hosts: a\n  tasks:\n    - import_tasks: a.yml\n"),
        ("a.yml", "- import_tasks: b.yml\n"),
        ("b.yml", "- import_tasks: a.yml\n"),
    ]);
    assert_eq!(problems, ["b.yml:1:17: a.yml imports itself | use include_tasks with a condition that ends it"]);
}

#[test]
fn what_a_cluster_cannot_be_is_said_for_each_key() {
    let (_, problems) = read(&[(
        "p.yml",
        r"
cluster:
  ttl: 3
  regin: x
  groups:
    all: {count: 1}
    a: {count: 2, min_count: 3, market: cheap, volume: {size: 100G}, subnets: [x], ssh: {port: 0}}
    a-1: {count: '{{ n }}'}
plays:
  - {hosts: a, needs: [Before]}
notify: []
",
    )]);
    assert_eq!(
        problems,
        [
            "p.yml:3:8: `ttl` must be a duration with a unit such as 90m, 3h, 1d, not `3` | ",
            "p.yml:4:3: `regin` is not a key of cluster | did you mean `region`?",
            "p.yml:6:5: `all` cannot be the name of a group | rename it",
            "p.yml:7:41: `market` must be one of on-demand, spot, spot-then-on-demand, not the text `cheap` | ",
            "p.yml:7:63: `size` must be a size such as 100GiB, from 1GiB to 64TiB, not the text `100G` | ",
            "p.yml:7:80: `x` is not an id for `subnets` | it begins with subnet-, and letters and digits follow",
            "p.yml:7:96: `port` must be a port from 1 to 65535, not `0` | ",
            "p.yml:7:30: the group `a` has min_count 3, but count is only 2 | make min_count at most as large as count",
            "p.yml:8:18: a cluster takes no templates: it is read before there are variables | write the value itself, or keep several files for --cluster",
            "p.yml:8:5: the group `a-1` has the name of a worker of the group `a` | rename the group",
            "p.yml:10:24: no play is named `Before` | name a play of this playbook as its `name` says",
            "p.yml:11:1: `notify` of a playbook is not supported yet | leave it out",
        ]
    );
}

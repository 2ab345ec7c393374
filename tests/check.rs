//! One input file is one case: what check says about it is a snapshot. `err_*.yml` must be refused, `warn_*.yml` only
//! warned of, `ok_*.yml` pass in silence. Comments in the first lines say what else is given: `# inventory: FILE`,
//! `# cluster: FILE`, `# extra: NAME NAME`, `# limit: PATTERN`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dayfly::core::source::{Diagnostic, Files, Severity, SourceMap};
use dayfly::language::check::{CheckInput, check, sort_problems};
use dayfly::language::playbook::{load, load_cluster, load_inventory};

/// The files of the cases, or one made for the moment.
struct Inputs {
    folder: PathBuf,
    made: Option<Vec<u8>>,
}

impl Files for Inputs {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        match &self.made {
            Some(bytes) => Ok(bytes.clone()),
            None => std::fs::read(self.folder.join(path)),
        }
    }
    fn exists(&self, path: &Path) -> bool {
        self.folder.join(path).exists()
    }
}

fn inputs(made: Option<Vec<u8>>) -> Inputs {
    Inputs { folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs"), made }
}

/// What the first lines of a case say.
fn given(text: &str, what: &str) -> Option<String> {
    let prefix = format!("# {what}: ");
    text.lines().take(3).find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
}

/// Everything that is wrong with a playbook, as `dayfly check` finds it.
fn problems(files: &Inputs, name: &str, head: &str) -> (Vec<Diagnostic>, SourceMap) {
    let sources = SourceMap::default();
    let loaded = load(files, &sources, Path::new(name));
    let mut problems = loaded.problems;
    let inventory = given(head, "inventory").map(|path| load_inventory(files, &sources, Path::new(&path)));
    let cluster = given(head, "cluster").map(|path| load_cluster(files, &sources, Path::new(&path)));
    if let Some((_, more)) = &inventory {
        problems.extend(more.iter().cloned());
    }
    if let Some((_, more)) = &cluster {
        problems.extend(more.iter().cloned());
    }
    let extra_vars: BTreeSet<String> =
        given(head, "extra").map(|names| names.split(' ').map(str::to_owned).collect()).unwrap_or_default();
    let limit = given(head, "limit");
    if let Some(playbook) = &loaded.playbook {
        let own = playbook.cluster.as_ref().map(|cluster| &cluster.value);
        let other = cluster.as_ref().and_then(|(cluster, _)| cluster.as_ref().map(|cluster| &cluster.value));
        problems.extend(check(CheckInput {
            playbook,
            cluster: if inventory.is_some() { None } else { other.or(own) },
            inventory: inventory.as_ref().map(|(inventory, _)| inventory),
            extra_vars: &extra_vars,
            limit: limit.as_deref(),
            files,
            sources: &sources,
            folder: Path::new(""),
        }));
    }
    sort_problems(&sources, &mut problems);
    (problems, sources)
}

fn rendered(problems: &[Diagnostic], sources: &SourceMap) -> String {
    problems.iter().fold(String::new(), |mut text, problem| {
        let _ = writeln!(text, "{}", problem.render(sources));
        text
    })
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn every_input_is_judged_as_its_snapshot_says() {
    let files = inputs(None);
    let mut names: Vec<String> = std::fs::read_dir(&files.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "yml") && name.contains('_'))
        .collect();
    names.sort();
    assert!(names.iter().filter(|name| name.starts_with("err_")).count() >= 40, "cases are missing");
    let mut wrong = Vec::new();
    for name in &names {
        let head = String::from_utf8_lossy(&files.read(Path::new(name)).unwrap()).into_owned();
        let (problems, sources) = problems(&files, name, &head);
        let text = rendered(&problems, &sources);
        let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
        let as_named = match name.split('_').next() {
            Some("err") => errors,
            Some("warn") => !errors && !problems.is_empty(),
            Some("ok") => problems.is_empty(),
            _ => false,
        };
        if !as_named {
            wrong.push(format!("{name}:\n{text}"));
        } else if !name.starts_with("ok_") {
            snapshot(name.trim_end_matches(".yml"), &text);
        }
    }
    assert!(wrong.is_empty(), "not judged as named:\n{}", wrong.join("\n"));
}

#[test]
fn a_problem_says_where_and_what_to_do() {
    let files = inputs(None);
    for entry in std::fs::read_dir(&files.folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("err_") {
            continue;
        }
        let head = String::from_utf8_lossy(&files.read(Path::new(&name)).unwrap()).into_owned();
        let (problems, sources) = problems(&files, &name, &head);
        for problem in problems {
            assert!(!problem.label.is_empty(), "{name}: no label:\n{}", problem.render(&sources));
            assert!(!problem.message.ends_with('.'), "{name}: a full stop:\n{}", problem.render(&sources));
        }
    }
}

fn judged(bytes: Vec<u8>) -> String {
    let files = inputs(Some(bytes));
    let (problems, sources) = problems(&files, "made.yml", "");
    assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
    rendered(&problems, &sources)
}

#[test]
fn hostile_files_are_refused_in_little_time_and_few_words() {
    let huge = format!("- hosts: all\n  tasks:\n{}", "    - ping:\n".repeat(800_000));
    let deep = format!("- hosts: {}all{}\n", "[".repeat(50_000), "]".repeat(50_000));
    let nested = (0..200).fold("- hosts: localhost\n  tasks:\n".to_owned(), |mut text, depth| {
        let _ = writeln!(text, "{}- block:", " ".repeat(4 + depth * 2));
        text
    });
    let wide = format!("- hosts: localhost\n  tasks:\n    - debug: {{msg: \"{}\"}}\n", "{{ ".repeat(50_000));
    let parens = format!("- hosts: localhost\n  tasks:\n    - debug: {{msg: \"{{{{ {}1 }}}}\"}}\n", "(".repeat(50_000));
    for (name, bytes) in [
        ("made_huge", huge.into_bytes()),
        ("made_deep", deep.into_bytes()),
        ("made_nested_blocks", nested.into_bytes()),
        ("made_binary", vec![0x7f, b'E', b'L', b'F', 0, 1, 2, 3]),
        ("made_latin1", b"- hosts: caf\xe9\n".to_vec()),
        ("made_open_braces", wide.into_bytes()),
        ("made_open_parentheses", parens.into_bytes()),
        ("made_empty", Vec::new()),
    ] {
        let text = judged(bytes);
        assert!(text.len() < 4_000, "{name}: {} bytes of complaint", text.len());
        snapshot(name, &text);
    }
}

/// The texts that the mutations begin from.
fn seeds() -> Vec<String> {
    let files = inputs(None);
    ["ok_native.yml", "ok_inventory.yml", "err_cluster.yml", "err_jinja.yml", "err_needs.yml", "err_undefined.yml"]
        .iter()
        .map(|name| String::from_utf8(files.read(Path::new(name)).expect("the input")).expect("text"))
        .collect()
}

proptest::proptest! {
    /// Whatever somebody writes, check answers and its answer can be shown.
    #[test]
    fn no_text_makes_check_fall_over(
        seed in 0usize..6,
        cuts in proptest::collection::vec((0usize..2_000, 0usize..6, "[ -~\n{}%|é\u{1F600}]{0,4}"), 1..6),
    ) {
        let mut text: Vec<char> = seeds()[seed].chars().collect();
        for (at, length, insert) in cuts {
            let at = at % text.len().max(1);
            let end = (at + length).min(text.len());
            text.splice(at..end, insert.chars());
        }
        let files = inputs(Some(text.iter().collect::<String>().into_bytes()));
        let (problems, sources) = problems(&files, "made.yml", "");
        rendered(&problems, &sources);
    }
}

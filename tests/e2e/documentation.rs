//! The examples of the documentation: a fenced block marked `yaml run` is run to a good end, `yaml check` passes check, and
//! `yaml refused: WORDS` is refused with these words.

use std::path::Path;

use crate::scene::Scene;

struct Example {
    place: String,
    mark: String,
    text: String,
}

fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    for name in ["README.md", "docs/playbook.md", "docs/operations.md", "docs/aws.md"] {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("the page");
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let Some(mark) = line.strip_prefix("```yaml ") else { continue };
            let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            let text = body.map(|line| format!("{line}\n")).collect();
            found.push(Example { place: format!("{name}:{}", index + 1), mark: mark.to_owned(), text });
        }
    }
    found
}

/// Files that examples may name.
fn with_files() -> Scene {
    let scene = Scene::new();
    scene.file("files/motd", "welcome\n");
    scene.file("templates/page.j2", "{% for name in names %}\n{{ loop.index }} {{ name }}\n{% endfor %}\n");
    scene.file("tasks/more.yml", "- debug: {msg: \"{{ what | default('more') }}\"}\n");
    scene.file("vars/common.yml", "colour: blue\n");
    scene.file("scripts/tell.sh", "#!/bin/sh\necho \"told $1\"\n");
    scene
}

/// Runs the examples of one kind whose number in their page leaves this rest, so that the kinds run side by side.
fn all(part: usize, of: usize, kind: &str, examine: impl Fn(&Scene, &Example) -> Result<(), String>) {
    let mut problems = Vec::new();
    let mut count = 0;
    for (index, example) in
        examples().into_iter().filter(|example| example.mark.split(':').next() == Some(kind)).enumerate()
    {
        if index % of != part {
            continue;
        }
        count += 1;
        let scene = with_files();
        scene.file("example.yml", &example.text);
        if let Err(problem) = examine(&scene, &example) {
            problems.push(format!("{} ({})\n{problem}", example.place, example.mark));
        }
        scene.nothing_left();
    }
    assert!(count > 0, "there are no examples marked {kind}");
    assert!(problems.is_empty(), "{} of {count} examples are wrong\n\n{}", problems.len(), problems.join("\n\n"));
}

fn runs(scene: &Scene, _: &Example) -> Result<(), String> {
    let ended = scene.dayfly(&["run", "example.yml", "--local"]);
    if ended.code == 0 { Ok(()) } else { Err(ended.whole()) }
}

#[test]
fn examples_run_1() {
    all(0, 2, "run", runs);
}

#[test]
fn examples_run_2() {
    all(1, 2, "run", runs);
}

#[test]
fn examples_pass_check() {
    all(0, 1, "check", |scene, _| {
        let ended = scene.dayfly(&["check", "example.yml"]);
        if ended.code == 0 { Ok(()) } else { Err(ended.whole()) }
    });
}

#[test]
fn examples_are_refused() {
    all(0, 1, "refused", |scene, example| {
        let words = example.mark.split_once(':').map_or("", |(_, words)| words.trim());
        let ended = scene.dayfly(&["check", "example.yml"]);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        if ended.code == 3 && said.contains(words) { Ok(()) } else { Err(ended.whole()) }
    });
}

/// Every module and keyword of the language has an example here.
#[test]
fn every_module_has_an_example() {
    let text: String = examples().into_iter().map(|example| example.text).collect();
    let modules = "debug set_fact assert fail include_vars include_tasks import_tasks meta pause command shell raw script copy \
                   file template fetch stat slurp find lineinfile ping setup";
    let keywords = "args register loop with_items with_dict with_sequence loop_control until retries delay changed_when \
                    failed_when ignore_errors notify listen block rescue always become become_user environment vars \
                    delegate_to run_once no_log tags timeout check_mode vars_files pre_tasks post_tasks handlers \
                    gather_facts serial any_errors_fatal ignore_unreachable needs when connection results cluster ttl \
                    groups count min_count start on_loss";
    let missing: Vec<&str> = modules
        .split_whitespace()
        .chain(keywords.split_whitespace())
        .filter(|word| !text.contains(&format!("{word}:")))
        .collect();
    assert!(missing.is_empty(), "no example of {missing:?} in the documentation");
}

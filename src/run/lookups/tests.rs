use serde_json::json;

use super::*;
use crate::core::values::Var;
use crate::language::template::Doors;

struct Empty;
impl Scope for Empty {
    fn get(&self, name: &str) -> Option<Var> {
        (name == "who").then(|| Var::written(json!("{{ 'wo' ~ 'rld' }}")))
    }
    fn names(&self) -> Vec<String> {
        vec!["who".into(), "other".into()]
    }
    fn host(&self, _: &str) -> Option<Arc<dyn Scope>> {
        None
    }
    fn hosts(&self) -> Vec<String> {
        Vec::new()
    }
}
struct Shut;
impl Doors for Shut {
    fn lookup(&self, _: &str, _: &[Value], _: &Map<String, Value>, _: &Arc<dyn Scope>) -> Result<Vec<Value>, String> {
        Err("shut".into())
    }
    fn path_is(&self, _: &str, _: &str, _: Option<&str>) -> Result<bool, String> {
        Err("shut".into())
    }
    fn now_ms(&self) -> Result<i64, String> {
        Ok(0)
    }
    fn random(&self) -> Result<u64, String> {
        Ok(0)
    }
}

struct Room {
    folder: tempfile::TempDir,
    lookups: Lookups,
}

fn room() -> Room {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    for (name, text) in [
        ("files/a.txt", "from files\n\n"),
        ("b.txt", "  from root  \n"),
        ("templates/hi.j2", "{% include 'part.j2' %} {{ who }}{{ extra | default('') }}\n"),
        ("templates/part.j2", "hello"),
        ("files/x.csv", "k,1,\"a, b\"\nm,2,c\n"),
        ("files/x.ini", "[global]\nk = g\n[s]\nk: v\n"),
    ] {
        std::fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
        std::fs::write(path.join(name), text).unwrap();
    }
    let env = EnvAccess::Only(BTreeMap::from([("SEEN".to_owned(), "yes".to_owned())]));
    Room { folder, lookups: Lookups { playbook_dir: path.clone(), workspace: path, env } }
}

impl Room {
    fn ask(&self, name: &str, terms: Value, options: Value) -> Result<Vec<Value>, String> {
        let scope: Arc<dyn Scope> = Arc::new(Empty);
        let counter = std::cell::Cell::new(1u64);
        let random = || {
            counter.set(counter.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
            Ok(counter.get())
        };
        self.lookups.run(&Question {
            name,
            terms: terms.as_array().unwrap(),
            options: options.as_object().unwrap(),
            scope: &scope,
            templar: &|scope| Templar::new(scope, Arc::new(Shut)),
            random: &random,
        })
    }
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }
}

#[test]
fn files_are_found_and_stripped_as_ansible_does() {
    let room = room();
    assert_eq!(
        room.ask("file", json!(["a.txt", "b.txt"]), json!({})),
        Ok(vec![json!("from files"), json!("  from root")])
    );
    assert_eq!(
        room.ask("file", json!(["b.txt"]), json!({"rstrip": false, "lstrip": true})),
        Ok(vec![json!("from root  \n")])
    );
    assert!(room.ask("file", json!(["none.txt"]), json!({})).unwrap_err().contains("none.txt"));
    assert_eq!(room.ask("fileglob", json!(["*.t?t"]), json!({})), Ok(vec![json!(room.path("files/a.txt"))]));
    assert_eq!(room.ask("fileglob", json!(["[!a]*.txt"]), json!({})), Ok(vec![json!(room.path("b.txt"))]));
    assert_eq!(room.ask("first_found", json!([["no", "b.txt"]]), json!({})), Ok(vec![json!(room.path("b.txt"))]));
    let both = json!([{"files": ["q", "a.txt"], "paths": ["zz", "files"]}]);
    assert_eq!(room.ask("first_found", both, json!({})), Ok(vec![json!(room.path("files/a.txt"))]));
    assert!(room.ask("first_found", json!(["no"]), json!({})).is_err());
    assert_eq!(room.ask("first_found", json!(["no"]), json!({"skip": true})), Ok(vec![]));
}

#[test]
fn templates_render_in_the_scope_that_asks() {
    let room = room();
    assert_eq!(room.ask("template", json!(["hi.j2"]), json!({})), Ok(vec![json!("hello world\n")]));
    let vars = json!({"template_vars": {"extra": "{{ 1 }}"}});
    assert_eq!(room.ask("template", json!(["hi.j2"]), vars), Ok(vec![json!("hello world{{ 1 }}\n")]));
}

#[test]
fn the_environment_shows_only_what_was_given() {
    let room = room();
    assert_eq!(room.ask("env", json!(["SEEN", "HOME"]), json!({})), Ok(vec![json!("yes"), json!("")]));
    assert_eq!(room.ask("env", json!(["NO"]), json!({"default": 3})), Ok(vec![json!(3)]));
}

#[test]
fn commands_run_in_the_folder_of_the_playbook() {
    let room = room();
    assert_eq!(room.ask("pipe", json!(["cat b.txt"]), json!({})), Ok(vec![json!("  from root")]));
    assert_eq!(room.ask("lines", json!(["printf 'a\\nb\\n'"]), json!({})), Ok(vec![json!("a"), json!("b")]));
    assert!(room.ask("pipe", json!(["exit 3"]), json!({})).unwrap_err().contains("returned 3"));
}

#[test]
fn a_password_is_made_once_and_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let room = room();
    let first = room.ask("password", json!(["creds/db length=12 chars=ascii_lowercase,digits"]), json!({})).unwrap();
    let text = first[0].as_str().unwrap();
    assert!(text.len() == 12 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{text}");
    assert_eq!(room.ask("password", json!(["creds/db"]), json!({})), Ok(first.clone()));
    let mode = std::fs::metadata(room.path("creds/db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let seeded = json!({"seed": "host1", "length": 8, "chars": ["ascii_letters", "digits"]});
    let made = room.ask("password", json!(["/dev/null"]), seeded.clone()).unwrap();
    assert_eq!(room.ask("password", json!(["/dev/null"]), seeded), Ok(made));
    let hashed = room.ask("password", json!(["creds/h encrypt=sha512_crypt"]), json!({"rounds": 1}));
    assert!(hashed.unwrap()[0].as_str().unwrap().starts_with("$6$"));
}

#[test]
fn hosts_that_ask_at_once_get_the_same_password() {
    let room = room();
    for index in 0..20 {
        // Each would make up another one.
        let ask = |length: usize| {
            let room = &room;
            move || room.ask("password", json!([format!("creds/{index} length={length}")]), json!({}))
        };
        let asked = std::thread::scope(|scope| {
            let hosts: Vec<_> = (8..12).map(|length| scope.spawn(ask(length))).collect();
            hosts.into_iter().map(|host| host.join().unwrap().unwrap()).collect::<Vec<_>>()
        });
        assert!(asked.windows(2).all(|pair| pair[0] == pair[1]), "{asked:?}");
    }
}

#[test]
fn sequences_have_a_long_and_a_short_form() {
    let room = room();
    let table = [
        ("start=1 end=5 stride=2", json!(["1", "3", "5"])),
        ("start=4 end=6 format=x%02d.y", json!(["x04.y", "x05.y", "x06.y"])),
        ("count=3", json!(["1", "2", "3"])),
        ("start=0 count=3 stride=5", json!(["0", "5", "10"])),
        ("start=3 end=1 stride=-1", json!(["3", "2", "1"])),
        ("3", json!(["1", "2", "3"])),
        ("5-8", json!(["5", "6", "7", "8"])),
        ("2-10/4", json!(["2", "6", "10"])),
        ("2:host%02d", json!(["host01", "host02"])),
        ("start=0x0f end=0x11 format=%x", json!(["f", "10", "11"])),
        ("count=0", json!([])),
    ];
    for (term, wanted) in table {
        assert_eq!(room.ask("sequence", json!([term]), json!({})).map(Value::Array), Ok(wanted), "{term}");
    }
    for term in ["end=1 start=3", "start=1", "count=1 end=2", "foo=1 end=2", "end=99999999"] {
        assert!(room.ask("sequence", json!([term]), json!({})).is_err(), "{term}");
    }
}

#[test]
fn terms_are_rearranged() {
    let room = room();
    let table = [
        ("items", json!([[1, [2]], 3]), json!([1, [2], 3])),
        ("list", json!([[1], 2]), json!([[1], 2])),
        ("flattened", json!([[1, [2, [3]]]]), json!([1, 2, 3])),
        ("indexed_items", json!([["a", "b"]]), json!([[0, "a"], [1, "b"]])),
        ("dict", json!([{"a": 1}]), json!([{"key": "a", "value": 1}])),
        ("nested", json!([["a", "b"], [1, 2]]), json!([["a", 1], ["a", 2], ["b", 1], ["b", 2]])),
        ("together", json!([["a", "b"], [1]]), json!([["a", 1], ["b", null]])),
        (
            "subelements",
            json!([[{"n": 1, "g": [2, 3]}], "g"]),
            json!([[{"n": 1, "g": [2, 3]}, 2], [{"n": 1, "g": [2, 3]}, 3]]),
        ),
        ("varnames", json!(["^w"]), json!(["who"])),
        ("csvfile", json!(["k file=x.csv delimiter=, col=2"]), json!(["a, b"])),
        ("ini", json!(["k section=s file=x.ini"]), json!(["v"])),
        ("ini", json!(["k file=x.ini"]), json!(["g"])),
    ];
    for (name, terms, wanted) in table {
        assert_eq!(room.ask(name, terms, json!({})).map(Value::Array), Ok(wanted), "{name}");
    }
    assert!(room.ask("nothing", json!([]), json!({})).is_err());
}

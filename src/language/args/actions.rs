//! What runs on the master alone.

use super::table::ArgType::{Bool, Dict, Float, Int, Items, List, Path, Raw, Str};
use super::table::{Arg, Free, ModuleSpec, Where};

/// An action with nothing special about it.
const PLAIN: ModuleSpec = ModuleSpec {
    name: "",
    runs: Where::Master,
    free: Free::Pairs,
    args: &[],
    exclusive: &[],
    one_of: &[],
    open: false,
    once: false,
};

/// Every action.
pub(super) static ACTIONS: &[ModuleSpec] = &[
    ModuleSpec {
        name: "debug",
        args: &[
            Arg::new("msg", Raw).default("\"Hello world!\""),
            Arg::new("var", Str),
            Arg::new("verbosity", Int).default("0"),
        ],
        exclusive: &[&["msg", "var"]],
        ..PLAIN
    },
    ModuleSpec { name: "set_fact", args: &[Arg::new("cacheable", Bool).default("false")], open: true, ..PLAIN },
    ModuleSpec {
        name: "assert",
        args: &[
            Arg::new("that", Items).of(Raw).required(),
            Arg::new("fail_msg", Raw).aliases(&["msg"]).default("\"Assertion failed\""),
            Arg::new("success_msg", Raw).default("\"All assertions passed\""),
            Arg::new("quiet", Bool).default("false"),
        ],
        ..PLAIN
    },
    ModuleSpec { name: "fail", args: &[Arg::new("msg", Raw).default("\"Failed as requested from task\"")], ..PLAIN },
    ModuleSpec {
        name: "include_vars",
        free: Free::Argument("file"),
        args: &[
            Arg::new("file", Path).aliases(&["_raw_params"]),
            Arg::new("dir", Path),
            Arg::new("name", Str),
            Arg::new("depth", Int).default("0"),
            Arg::new("files_matching", Str),
            Arg::new("ignore_files", List).of(Str),
            Arg::new("extensions", List).of(Str).default("[\"json\",\"yaml\",\"yml\"]"),
            Arg::new("ignore_unknown_extensions", Bool).default("false"),
            Arg::new("hash_behaviour", Str).choices(&["replace", "merge"]),
        ],
        exclusive: &[&["file", "dir"]],
        one_of: &[&["file", "dir"]],
        ..PLAIN
    },
    ModuleSpec {
        name: "include_tasks",
        free: Free::Argument("file"),
        args: &[Arg::new("file", Str).aliases(&["_raw_params"]).required(), Arg::new("apply", Dict)],
        ..PLAIN
    },
    ModuleSpec {
        name: "import_tasks",
        free: Free::Argument("file"),
        args: &[Arg::new("file", Str).aliases(&["_raw_params"]).required()],
        ..PLAIN
    },
    ModuleSpec {
        name: "meta",
        free: Free::Argument("free_form"),
        args: &[Arg::new("free_form", Str).aliases(&["_raw_params"]).required().choices(&[
            "flush_handlers",
            "end_play",
            "end_host",
            "clear_facts",
            "noop",
        ])],
        ..PLAIN
    },
    ModuleSpec {
        name: "pause",
        args: &[
            // Whole numbers are meant; Ansible cuts what stands behind the point.
            Arg::new("minutes", Float),
            Arg::new("seconds", Float),
            Arg::new("prompt", Str),
            Arg::new("echo", Bool).default("true"),
        ],
        exclusive: &[&["minutes", "seconds"]],
        ..PLAIN
    },
];

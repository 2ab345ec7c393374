//! Modules that run a program of the author's choice. They are never started twice by themselves.

use super::table::ArgType::{Bool, List, Path, Str};
use super::table::{Arg, Free, ModuleSpec, Where};

const PROGRAM: ModuleSpec = ModuleSpec {
    name: "",
    runs: Where::Worker,
    free: Free::Command,
    args: &[],
    exclusive: &[],
    one_of: &[],
    open: false,
    once: true,
};

const CHDIR: Arg = Arg::new("chdir", Path);
const CREATES: Arg = Arg::new("creates", Path);
const REMOVES: Arg = Arg::new("removes", Path);
const STDIN: Arg = Arg::new("stdin", Str);
const STDIN_NEWLINE: Arg = Arg::new("stdin_add_newline", Bool).default("true");

/// Every such module. The free text is `cmd`, which Ansible calls `_raw_params` inside.
pub(super) static PROGRAMS: &[ModuleSpec] = &[
    ModuleSpec {
        name: "command",
        args: &[
            Arg::new("cmd", Str).aliases(&["_raw_params", "free_form"]),
            Arg::new("argv", List).of(Str),
            CHDIR,
            CREATES,
            REMOVES,
            STDIN,
            STDIN_NEWLINE,
            Arg::new("strip_empty_ends", Bool).default("true"),
            Arg::new("expand_argument_vars", Bool).default("true"),
            Arg::new("executable", Str).refused("command starts no shell; use the shell module"),
        ],
        exclusive: &[&["cmd", "argv"]],
        one_of: &[&["cmd", "argv"]],
        ..PROGRAM
    },
    ModuleSpec {
        name: "shell",
        args: &[
            Arg::new("cmd", Str).aliases(&["_raw_params", "free_form"]),
            CHDIR,
            CREATES,
            REMOVES,
            STDIN,
            STDIN_NEWLINE,
            Arg::new("strip_empty_ends", Bool).default("true"),
            Arg::new("executable", Path),
        ],
        one_of: &[&["cmd"]],
        ..PROGRAM
    },
    ModuleSpec {
        name: "raw",
        args: &[Arg::new("cmd", Str).aliases(&["_raw_params", "free_form"]), Arg::new("executable", Str)],
        one_of: &[&["cmd"]],
        ..PROGRAM
    },
    ModuleSpec {
        name: "script",
        runs: Where::Both,
        args: &[
            Arg::new("cmd", Str).aliases(&["_raw_params", "free_form"]),
            Arg::new("chdir", Str),
            Arg::new("creates", Str),
            Arg::new("removes", Str),
            Arg::new("executable", Str),
            Arg::new("decrypt", Bool).refused("encrypted files are not supported yet"),
        ],
        one_of: &[&["cmd"]],
        ..PROGRAM
    },
];

//! Modules that change or carry files.

use super::table::ArgType::{Bool, Mode, Path, Raw, Str};
use super::table::{Arg, Free, ModuleSpec, Where};

const FILES: ModuleSpec = ModuleSpec {
    name: "",
    runs: Where::Both,
    free: Free::Pairs,
    args: &[],
    exclusive: &[],
    one_of: &[],
    open: false,
    once: false,
};

const SELINUX: &str = "SELinux contexts are not set; leave it out";
const OWNER: Arg = Arg::new("owner", Str);
const GROUP: Arg = Arg::new("group", Str);
const MODE: Arg = Arg::new("mode", Mode);
const BACKUP: Arg = Arg::new("backup", Bool).default("false");
const VALIDATE: Arg = Arg::new("validate", Str);
const ATTRIBUTES: Arg = Arg::new("attributes", Str)
    .aliases(&["attr"])
    .refused("attributes of the file system are not set; use a command task with chattr");
const UNSAFE_WRITES: Arg =
    Arg::new("unsafe_writes", Bool).refused("files are always replaced as a whole; leave it out");
const SELEVEL: Arg = Arg::new("selevel", Str).refused(SELINUX);
const SEROLE: Arg = Arg::new("serole", Str).refused(SELINUX);
const SETYPE: Arg = Arg::new("setype", Str).refused(SELINUX);
const SEUSER: Arg = Arg::new("seuser", Str).refused(SELINUX);

/// Every such module.
pub(super) static FILE_MODULES: &[ModuleSpec] = &[
    ModuleSpec {
        name: "copy",
        args: &[
            Arg::new("src", Path),
            Arg::new("content", Raw),
            Arg::new("dest", Path).required(),
            Arg::new("remote_src", Bool).default("false"),
            Arg::new("force", Bool).default("true"),
            Arg::new("follow", Bool).default("false"),
            Arg::new("local_follow", Bool).default("true"),
            Arg::new("directory_mode", Mode),
            Arg::new("checksum", Str),
            BACKUP,
            VALIDATE,
            OWNER,
            GROUP,
            MODE,
            Arg::new("decrypt", Bool).refused("encrypted files are not supported yet"),
            ATTRIBUTES,
            UNSAFE_WRITES,
            SELEVEL,
            SEROLE,
            SETYPE,
            SEUSER,
        ],
        exclusive: &[&["src", "content"]],
        one_of: &[&["src", "content"]],
        ..FILES
    },
    ModuleSpec {
        name: "file",
        runs: Where::Worker,
        args: &[
            Arg::new("path", Path).aliases(&["dest", "name"]).required(),
            Arg::new("state", Str).choices(&["absent", "directory", "file", "hard", "link", "touch"]),
            Arg::new("src", Path),
            Arg::new("recurse", Bool).default("false"),
            Arg::new("force", Bool).default("false"),
            Arg::new("follow", Bool).default("true"),
            Arg::new("modification_time", Str),
            Arg::new("modification_time_format", Str).default("\"%Y%m%d%H%M.%S\""),
            Arg::new("access_time", Str),
            Arg::new("access_time_format", Str).default("\"%Y%m%d%H%M.%S\""),
            OWNER,
            GROUP,
            MODE,
            ATTRIBUTES,
            UNSAFE_WRITES,
            SELEVEL,
            SEROLE,
            SETYPE,
            SEUSER,
        ],
        ..FILES
    },
    ModuleSpec {
        name: "template",
        args: &[
            Arg::new("src", Path).required(),
            Arg::new("dest", Path).required(),
            Arg::new("force", Bool).default("true"),
            Arg::new("follow", Bool).default("false"),
            Arg::new("newline_sequence", Str).default("\"\\n\"").choices(&["\n", "\r", "\r\n", "\\n", "\\r", "\\r\\n"]),
            Arg::new("trim_blocks", Bool).default("true"),
            Arg::new("lstrip_blocks", Bool).default("false"),
            Arg::new("variable_start_string", Str).default("\"{{\""),
            Arg::new("variable_end_string", Str).default("\"}}\""),
            Arg::new("block_start_string", Str).default("\"{%\""),
            Arg::new("block_end_string", Str).default("\"%}\""),
            Arg::new("comment_start_string", Str),
            Arg::new("comment_end_string", Str),
            BACKUP,
            VALIDATE,
            OWNER,
            GROUP,
            MODE,
            Arg::new("output_encoding", Str).refused("files are written as UTF-8"),
            ATTRIBUTES,
            UNSAFE_WRITES,
            SELEVEL,
            SEROLE,
            SETYPE,
            SEUSER,
        ],
        ..FILES
    },
    ModuleSpec {
        name: "fetch",
        args: &[
            Arg::new("src", Str).required(),
            Arg::new("dest", Str).required(),
            Arg::new("flat", Bool).default("false"),
            Arg::new("fail_on_missing", Bool).default("true"),
            Arg::new("validate_checksum", Bool).default("true"),
        ],
        ..FILES
    },
    ModuleSpec {
        name: "lineinfile",
        runs: Where::Worker,
        args: &[
            Arg::new("path", Path).aliases(&["dest", "destfile", "name"]).required(),
            Arg::new("state", Str).default("\"present\"").choices(&["absent", "present"]),
            Arg::new("regexp", Str).aliases(&["regex"]),
            Arg::new("search_string", Str),
            Arg::new("line", Str).aliases(&["value"]),
            Arg::new("insertafter", Str),
            Arg::new("insertbefore", Str),
            Arg::new("backrefs", Bool).default("false"),
            Arg::new("create", Bool).default("false"),
            Arg::new("firstmatch", Bool).default("false"),
            BACKUP,
            VALIDATE,
            OWNER,
            GROUP,
            MODE,
            ATTRIBUTES,
            UNSAFE_WRITES,
            SELEVEL,
            SEROLE,
            SETYPE,
            SEUSER,
        ],
        exclusive: &[&["insertbefore", "insertafter"], &["regexp", "search_string"], &["backrefs", "search_string"]],
        ..FILES
    },
];

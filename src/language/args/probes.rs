//! Modules that only look.

use super::table::ArgType::{Bool, Int, List, Path, Raw, Str};
use super::table::{Arg, Free, ModuleSpec, Where};

const PROBE: ModuleSpec = ModuleSpec {
    name: "",
    runs: Where::Worker,
    free: Free::Pairs,
    args: &[],
    exclusive: &[],
    one_of: &[],
    open: false,
    once: false,
};

const ALGORITHM: Arg = Arg::new("checksum_algorithm", Str)
    .aliases(&["checksum", "checksum_algo"])
    .default("\"sha1\"")
    .choices(&["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]);

/// Every such module.
pub(super) static PROBES: &[ModuleSpec] = &[
    ModuleSpec {
        name: "stat",
        args: &[
            Arg::new("path", Path).aliases(&["dest", "name"]).required(),
            Arg::new("follow", Bool).default("false"),
            Arg::new("get_checksum", Bool).default("true"),
            Arg::new("get_mime", Bool).aliases(&["mime", "mime_type", "mime-type"]).default("true"),
            Arg::new("get_attributes", Bool).aliases(&["attr", "attributes"]).default("true"),
            ALGORITHM,
        ],
        ..PROBE
    },
    ModuleSpec { name: "slurp", args: &[Arg::new("src", Path).aliases(&["path"]).required()], ..PROBE },
    ModuleSpec {
        name: "find",
        args: &[
            Arg::new("paths", List).of(Path).aliases(&["name", "path"]).required(),
            Arg::new("patterns", List).of(Str).aliases(&["pattern"]).default("[]"),
            Arg::new("excludes", List).of(Str).aliases(&["exclude"]),
            Arg::new("contains", Str),
            Arg::new("read_whole_file", Bool).default("false"),
            Arg::new("file_type", Str).default("\"file\"").choices(&["any", "directory", "file", "link"]),
            Arg::new("age", Str),
            Arg::new("age_stamp", Str).default("\"mtime\"").choices(&["atime", "ctime", "mtime"]),
            Arg::new("size", Str),
            Arg::new("recurse", Bool).default("false"),
            Arg::new("hidden", Bool).default("false"),
            Arg::new("follow", Bool).default("false"),
            Arg::new("get_checksum", Bool).default("false"),
            ALGORITHM,
            Arg::new("use_regex", Bool).default("false"),
            Arg::new("depth", Int),
            Arg::new("mode", Raw),
            Arg::new("exact_mode", Bool).default("true"),
            Arg::new("limit", Int),
            Arg::new("encoding", Str).refused("file contents are searched as UTF-8"),
        ],
        ..PROBE
    },
    ModuleSpec { name: "ping", args: &[Arg::new("data", Str).default("\"pong\"")], ..PROBE },
    ModuleSpec {
        name: "setup",
        args: &[
            Arg::new("gather_subset", List).of(Str).default("[\"all\"]"),
            Arg::new("filter", List).of(Str).default("[]"),
            Arg::new("gather_timeout", Int).default("10"),
            Arg::new("fact_path", Path).refused("facts of the host's own scripts are not gathered yet"),
        ],
        ..PROBE
    },
];

//! `copy`, `template` and `script`: content is made or found here, named by its hash, and applied by the worker.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Call, FileToPut, Finder, flag, text};
use crate::core::ids::sha256_hex;
use crate::language::args::text_of;
use crate::language::template::FileOptions;

/// `copy`
pub(super) fn copy(mut call: Call<'_>) -> Result<Answer, String> {
    if flag(&call.args, "remote_src") {
        return Ok(Answer::Step { args: call.args, files: Vec::new() });
    }
    if let Some(content) = call.args.remove("content") {
        let content = match content {
            data @ (Value::Array(_) | Value::Object(_)) => python_json(&data),
            plain => text_of(&plain),
        };
        let file = stage(&call, content.as_bytes())?;
        call.args.insert("_source_name".to_owned(), json!("content"));
        call.args.insert("_content".to_owned(), json!(true));
        return Ok(Answer::Step { args: call.args, files: vec![file] });
    }
    let src = text(&call.args, "src").ok_or("src (or content) is required")?.to_owned();
    let found = call.finder.find("files", &src)?;
    call.args.insert("_source_name".to_owned(), json!(src));
    call.args.remove("src");
    if !found.is_dir() {
        return Ok(Answer::Step { files: vec![file_of(&found, String::new())?], args: call.args });
    }
    // A folder named with a slash gives its content, without one itself.
    let prefix = match (src.ends_with('/'), found.file_name()) {
        (false, Some(name)) => PathBuf::from(name),
        _ => PathBuf::new(),
    };
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    if !prefix.as_os_str().is_empty() {
        folders.push(json!(prefix.to_string_lossy()));
    }
    walk(&found, &prefix, &mut files, &mut folders)?;
    call.args.insert("_from_directory".to_owned(), json!(true));
    call.args.insert("_directories".to_owned(), Value::Array(folders));
    Ok(Answer::Step { args: call.args, files })
}

fn walk(folder: &Path, relative: &Path, files: &mut Vec<FileToPut>, folders: &mut Vec<Value>) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut entries: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let below = relative.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            folders.push(json!(below.to_string_lossy()));
            walk(&path, &below, files, folders)?;
        } else {
            files.push(file_of(&path, below.to_string_lossy().into_owned())?);
        }
    }
    Ok(())
}

/// `template`
pub(super) fn template(mut call: Call<'_>) -> Result<Answer, String> {
    let src = text(&call.args, "src").ok_or("src is required")?.to_owned();
    let found = call.finder.find("templates", &src)?;
    let source = std::fs::read(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    let source = String::from_utf8(source).map_err(|_| format!("{} is not UTF-8 text", found.display()))?;
    let options = file_options(&call, &found);
    let rendered = call.templar.file(&source, &options).map_err(|error| {
        let line =
            error.range.as_ref().map_or(0, |range| source[..range.start.min(source.len())].lines().count().max(1));
        let place = if line > 0 { format!("{}:{line}", found.display()) } else { found.display().to_string() };
        format!("{place}: {error}")
    })?;
    let mut file = stage(&call, rendered.as_bytes())?;
    file.mode = permission_bits(&found)?;
    for name in TEMPLATE_ONLY {
        call.args.remove(*name);
    }
    call.args.remove("src");
    call.args.insert("_source_name".to_owned(), json!(src));
    Ok(Answer::Step { args: call.args, files: vec![file] })
}

/// How the template is read, as the arguments say; its includes are looked for beside it, then where it was.
fn file_options(call: &Call<'_>, found: &Path) -> FileOptions {
    let mut options = FileOptions::default();
    let given = |name: &str, into: &mut String| {
        if let Some(text) = text(&call.args, name) {
            text.clone_into(into);
        }
    };
    given("block_start_string", &mut options.block.0);
    given("block_end_string", &mut options.block.1);
    given("variable_start_string", &mut options.variable.0);
    given("variable_end_string", &mut options.variable.1);
    given("comment_start_string", &mut options.comment.0);
    given("comment_end_string", &mut options.comment.1);
    if let Some(sequence) = text(&call.args, "newline_sequence") {
        // YAML authors write the escape as often as the character.
        options.newline_sequence = sequence.replace("\\r", "\r").replace("\\n", "\n");
    }
    options.trim_blocks = !call.args.contains_key("trim_blocks") || flag(&call.args, "trim_blocks");
    options.lstrip_blocks = flag(&call.args, "lstrip_blocks");
    let finder = Finder::new(found.parent().map(Path::to_owned).into_iter().chain(call.finder.roots().to_vec()));
    options.includes = Some(Arc::new(move |name| {
        finder.find("templates", name).ok().and_then(|path| std::fs::read_to_string(path).ok())
    }));
    options
}

/// Arguments of `template` that the worker has no use for.
const TEMPLATE_ONLY: &[&str] = &[
    "newline_sequence",
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "trim_blocks",
    "lstrip_blocks",
    "output_encoding",
];

/// `script`: the first word is a file of the playbook, the rest its arguments.
pub(super) fn script(mut call: Call<'_>) -> Result<Answer, String> {
    let line = text(&call.args, "cmd").ok_or("the script to run is required")?.to_owned();
    let words = crate::language::args::split_words(&line)?;
    let first = words.first().ok_or("the script to run is required")?;
    let name = crate::language::args::unquote(first);
    let found = call.finder.find("files", name)?;
    let rest = line.trim_start().strip_prefix(first.as_str()).unwrap_or_default().trim_start().to_owned();
    call.args.insert("cmd".to_owned(), json!(rest));
    Ok(Answer::Step { args: call.args, files: vec![file_of(&found, String::new())?] })
}

fn file_of(path: &Path, relative: String) -> Result<FileToPut, String> {
    let mut file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut hash = <sha2::Sha256 as sha2::Digest>::new();
    std::io::copy(&mut file, &mut hash).map_err(|error| format!("{}: {error}", path.display()))?;
    let sha256 = crate::core::ids::hex(&sha2::Digest::finalize(hash));
    Ok(FileToPut { path: path.to_owned(), sha256, relative, mode: permission_bits(path)? })
}

fn permission_bits(path: &Path) -> Result<u32, String> {
    let metadata = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(metadata.permissions().mode() & 0o7777)
}

/// Content that was made here, as a file named by its hash.
fn stage(call: &Call<'_>, content: &[u8]) -> Result<FileToPut, String> {
    let sha256 = sha256_hex(content);
    let path = call.scratch.join(&sha256);
    if !path.exists() {
        let partial = tempfile::NamedTempFile::new_in(&call.scratch);
        partial
            .and_then(|mut file| std::io::Write::write_all(&mut file, content).map(|()| file))
            .and_then(|file| file.persist(&path).map_err(|error| error.error))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(FileToPut { path, sha256, relative: String::new(), mode: 0o644 })
}

/// `content:` that is a list or a mapping becomes JSON as Python's `json.dumps` writes it, in ASCII.
fn python_json(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(python_json).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{}: {}", ascii(key), python_json(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => ascii(text),
        other => other.to_string(),
    }
}

fn ascii(text: &str) -> String {
    let mut out = String::new();
    for character in json!(text).to_string().chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            out.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

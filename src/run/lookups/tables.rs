//! `csvfile` and `ini`.

use serde_json::Value;

use crate::run::lookups::{Lookups, Question, text_of, words_and_pairs};

/// Options from the term win over those by name.
struct Options<'a> {
    question: &'a Question<'a>,
    pairs: Vec<(String, String)>,
}

impl Options<'_> {
    fn get(&self, name: &str, default: &str) -> String {
        let written = self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        written.or_else(|| self.question.option(name)).unwrap_or_else(|| default.to_owned())
    }
}

fn content(lookups: &Lookups, name: &str) -> Result<String, String> {
    let path = lookups.find("files", name).ok_or_else(|| format!("the file {name} was not found"))?;
    std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The cell of the row whose first cell is the key.
pub(super) fn csvfile(lookups: &Lookups, question: &Question<'_>) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for term in question.terms {
        let (key, pairs) = words_and_pairs(&text_of(term));
        let options = Options { question, pairs };
        let delimiter = match options.get("delimiter", "TAB").as_str() {
            "TAB" | "\\t" | "t" => '\t',
            other => other.chars().next().unwrap_or('\t'),
        };
        let column: usize = options.get("col", "1").parse().map_err(|_| "col must be a number".to_owned())?;
        let key_column: usize = options.get("keycol", "0").parse().map_err(|_| "keycol must be a number".to_owned())?;
        let text = content(lookups, &options.get("file", "ansible.csv"))?;
        let row = text.lines().map(|line| cells(line, delimiter)).find(|row| row.get(key_column) == Some(&key));
        match row.and_then(|row| row.get(column).cloned()) {
            Some(cell) => found.push(Value::String(cell)),
            None => found.extend(question.options.get("default").cloned()),
        }
    }
    Ok(found)
}

fn cells(line: &str, delimiter: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(c) = letters.next() {
        let Some(cell) = cells.last_mut() else { break };
        match c {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            c if c == delimiter && !quoted => cells.push(String::new()),
            c => cell.push(c),
        }
    }
    cells
}

/// The value of a key in a section, or in a file of properties.
pub(super) fn ini(lookups: &Lookups, question: &Question<'_>) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for term in question.terms {
        let (key, pairs) = words_and_pairs(&text_of(term));
        let options = Options { question, pairs };
        let text = content(lookups, &options.get("file", "ansible.ini"))?;
        let section =
            if options.get("type", "ini") == "properties" { None } else { Some(options.get("section", "global")) };
        match value(&text, section.as_deref(), &key) {
            Some(value) => found.push(Value::String(value)),
            None => {
                found.push(question.options.get("default").cloned().unwrap_or_else(|| Value::String(String::new())));
            }
        }
    }
    Ok(found)
}

fn value(text: &str, section: Option<&str>, key: &str) -> Option<String> {
    let mut inside = section.is_none();
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = section.is_none_or(|section| section == name);
        } else if inside
            && let Some((name, value)) = line.split_once(['=', ':'])
            && name.trim().eq_ignore_ascii_case(key)
        {
            found = Some(value.trim().to_owned());
        }
    }
    found
}

//! Lines of a file and the one line that should be among them; no I/O.

use super::failure::Failure;
use super::python_regex::{Pattern, expand, from_latin1, latin1};

/// Which lines are meant.
#[derive(Debug)]
pub enum Target {
    /// Lines in which a pattern is found.
    Regexp(Pattern),
    /// Lines that contain a text.
    Text(Vec<u8>),
    /// Lines that are equal to the wanted one.
    WholeLine,
}

/// Where a new line goes.
#[derive(Debug)]
pub enum Where {
    /// Before everything.
    Start,
    /// After everything.
    End,
    /// After a line in which the pattern is found, else at the end.
    After(Pattern),
    /// Before a line in which the pattern is found, else at the end.
    Before(Pattern),
}

impl Where {
    /// Reads `insertafter` and `insertbefore`: words where Ansible knows them, else patterns.
    pub fn read(after: Option<&str>, before: Option<&str>) -> Result<Self, Failure> {
        Ok(match (after, before) {
            (None, None) | (Some("EOF"), _) => Self::End,
            (Some("BOF"), _) | (None, Some("BOF")) => Self::Start,
            (Some(pattern), _) => Self::After(Pattern::for_bytes(pattern)?),
            (None, Some(pattern)) => Self::Before(Pattern::for_bytes(pattern)?),
        })
    }
}

/// The wanted line.
#[derive(Debug)]
pub struct Edit {
    /// Lines that it replaces.
    pub target: Target,
    /// Its text, without a newline.
    pub line: Vec<u8>,
    /// Where it goes if it replaces none.
    pub place: Where,
    /// Whether `\1` in it is filled from the pattern.
    pub backrefs: bool,
    /// The first line that fits, not the last.
    pub first_match: bool,
}

/// A file's lines, each with its newline.
#[derive(Debug, PartialEq, Eq)]
pub struct Lines(Vec<Vec<u8>>);

impl Lines {
    /// Splits content.
    pub fn read(content: &[u8]) -> Self {
        Self(content.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    }
    /// The content again.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.concat()
    }
    /// Takes out the lines that are meant; returns how many.
    pub fn remove(&mut self, target: &Target, line: &[u8]) -> usize {
        let before = self.0.len();
        self.0.retain(|current| match target {
            Target::Regexp(pattern) => pattern.search(&latin1(current)).is_none(),
            Target::Text(text) => !contains(current, text),
            Target::WholeLine => stripped(current) != line,
        });
        before - self.0.len()
    }
    /// Makes the wanted line be there; returns what was done, in Ansible's words, empty where nothing was.
    pub fn make_present(&mut self, edit: &Edit) -> Result<&'static str, Failure> {
        let mut at = None;
        let mut new_line = edit.line.clone();
        for (number, current) in self.0.iter().enumerate() {
            let is_found = match &edit.target {
                Target::Regexp(pattern) => {
                    let text = latin1(current);
                    let found = pattern.search(&text);
                    if let Some(found) = &found
                        && edit.backrefs
                    {
                        new_line = from_latin1(&expand(found, &latin1(&edit.line))?);
                    }
                    found.is_some()
                }
                Target::Text(text) => contains(current, text),
                Target::WholeLine => false,
            };
            if is_found {
                at = Some(number);
                if edit.first_match {
                    break;
                }
            }
        }
        let mut anchor = None;
        if at.is_none() {
            for (number, current) in self.0.iter().enumerate() {
                if stripped(current) == edit.line {
                    at = Some(number);
                    continue;
                }
                let next = match &edit.place {
                    Where::After(pattern) => pattern.search(&latin1(current)).map(|_| number + 1),
                    Where::Before(pattern) => pattern.search(&latin1(current)).map(|_| number),
                    Where::Start | Where::End => None,
                };
                if next.is_some() {
                    anchor = next;
                    if edit.first_match {
                        break;
                    }
                }
            }
        }
        if let Some(at) = at {
            if !new_line.ends_with(b"\n") {
                new_line.push(b'\n');
            }
            if self.0[at] == new_line {
                return Ok("");
            }
            self.0[at] = new_line;
            return Ok("line replaced");
        }
        if edit.backrefs {
            return Ok("");
        }
        let mut line = edit.line.clone();
        line.push(b'\n');
        match (&edit.place, anchor) {
            (Where::Start, _) => self.0.insert(0, line),
            (Where::After(_), Some(at)) => {
                let neighbour = if at == self.0.len() { at - 1 } else { at };
                if stripped(&self.0[neighbour]) == edit.line {
                    return Ok("");
                }
                if at == self.0.len() {
                    self.end_last_line();
                }
                self.0.insert(at, line);
            }
            (Where::Before(_), Some(at)) => self.0.insert(at, line),
            _ => {
                self.end_last_line();
                self.0.push(line);
            }
        }
        Ok("line added")
    }
    fn end_last_line(&mut self) {
        if let Some(last) = self.0.last_mut()
            && !last.ends_with(b"\n")
            && !last.ends_with(b"\r")
        {
            last.push(b'\n');
        }
    }
}

fn stripped(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    &line[..end]
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    text.is_empty() || line.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(content: &str, target: Target, line: &str, place: Where) -> (String, &'static str) {
        edit_with(content, target, line, place, false, false)
    }

    fn edit_with(
        content: &str,
        target: Target,
        line: &str,
        place: Where,
        backrefs: bool,
        first_match: bool,
    ) -> (String, &'static str) {
        let mut lines = Lines::read(content.as_bytes());
        let edit = Edit { target, line: line.as_bytes().to_vec(), place, backrefs, first_match };
        let told = lines.make_present(&edit).unwrap();
        (String::from_utf8(lines.into_bytes()).unwrap(), told)
    }

    fn regexp(pattern: &str) -> Target {
        Target::Regexp(Pattern::for_bytes(pattern).unwrap())
    }

    fn after(pattern: &str) -> Where {
        Where::read(Some(pattern), None).unwrap()
    }

    fn before(pattern: &str) -> Where {
        Where::read(None, Some(pattern)).unwrap()
    }

    #[test]
    fn replaces_the_last_match_or_the_first() {
        let replaced = edit("a1\na2\n", regexp("^a"), "b", Where::End);
        assert_eq!(replaced, ("a1\nb\n".into(), "line replaced"));
        let replaced = edit_with("a1\na2\n", regexp("^a"), "b", Where::End, false, true);
        assert_eq!(replaced, ("b\na2\n".into(), "line replaced"));
        assert_eq!(edit("x\nb\n", regexp("^b$"), "b", Where::End).1, "");
        assert_eq!(edit("x y\n", Target::Text(b"x y".to_vec()), "z", Where::End).0, "z\n");
    }

    #[test]
    fn adds_where_it_is_told() {
        assert_eq!(edit("a", Target::WholeLine, "b", Where::End), ("a\nb\n".into(), "line added"));
        assert_eq!(edit("a\n", Target::WholeLine, "b", Where::Start).0, "b\na\n");
        assert_eq!(edit("a\nc\n", Target::WholeLine, "b", after("^a")).0, "a\nb\nc\n");
        assert_eq!(edit("a", Target::WholeLine, "b", after("^a")).0, "a\nb\n");
        assert_eq!(edit("a\nc\n", Target::WholeLine, "b", before("^c")).0, "a\nb\nc\n");
        assert_eq!(edit("a\nc\n", Target::WholeLine, "b", before("^x")).0, "a\nc\nb\n");
        assert_eq!(edit("a\na\nc\n", Target::WholeLine, "b", after("^a")).0, "a\na\nb\nc\n");
        assert_eq!(edit_with("a\na\nc\n", Target::WholeLine, "b", after("^a"), false, true).0, "a\nb\na\nc\n");
        assert_eq!(edit("a\nb\n", Target::WholeLine, "b", after("^a")).1, "");
        assert_eq!(edit("", Target::WholeLine, "b", Where::End).0, "b\n");
    }

    #[test]
    fn backrefs_fill_or_leave_alone() {
        let filled = edit_with("key=1\n", regexp(r"^(\w+)=(\d)"), r"\1=\g<2>0", Where::End, true, false);
        assert_eq!(filled, ("key=10\n".into(), "line replaced"));
        assert_eq!(edit_with("x\n", regexp("^key"), "b", Where::End, true, false), ("x\n".into(), ""));
    }

    #[test]
    fn removes_and_keeps_strange_bytes() {
        let mut lines = Lines::read(b"a\xff\nb\r\nc");
        assert_eq!(lines.remove(&Target::WholeLine, b"b"), 1);
        assert_eq!(lines.remove(&regexp("^c"), b""), 1);
        assert_eq!(lines.into_bytes(), b"a\xff\n");
    }
}

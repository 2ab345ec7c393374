//! Layout of text: `indent`, `truncate`, `wordwrap`, `center`, `comment`.

use crate::language::template::error::{Outcome, fail};
use crate::language::template::filters::{Args, Filter, filter};
use crate::language::template::machine::Machine;
use crate::language::template::python::format::{Spec, pad};
use crate::language::template::python::text::split_lines;
use crate::language::template::val::Val;

pub(super) const TABLE: &[Filter] = &[
    filter("indent", &["value", "width", "first", "blank"], indent),
    filter("truncate", &["value", "length", "killwords", "end", "leeway"], truncate),
    filter("wordwrap", &["value", "width", "break_long_words", "wrapstring", "break_on_hyphens"], wordwrap),
    filter("center", &["value", "width"], |_, args| {
        let spec = Spec { width: args.size(1, 80)?, ..Spec::default() };
        Ok(Val::text(pad(&args.value().to_string(), &spec, '^')))
    }),
    filter("comment", &["value", "style", "**"], comment),
];

fn indent(_: &Machine, args: &Args) -> Outcome<Val> {
    let unit = match args.get(1) {
        Some(Val::Str(unit)) => unit.to_string(),
        _ => " ".repeat(args.size(1, 4)?),
    };
    let (first, blank) = (args.flag(2, false)?, args.flag(3, false)?);
    let text = args.value().to_string() + "\n";
    let lines = split_lines(&text, false);
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        if (at > 0 && (blank || !line.is_empty())) || (at == 0 && first) {
            out.push_str(&unit);
        }
        out.push_str(line);
    }
    Ok(Val::text(out))
}

fn truncate(_: &Machine, args: &Args) -> Outcome<Val> {
    let text = args.value().to_string();
    let (length, end, leeway) = (args.size(1, 255)?, args.text(3, "..."), args.size(4, 5)?);
    let tail = end.chars().count();
    if length < tail {
        fail!("expected length >= {tail}, got {length}");
    }
    if text.chars().count() <= length + leeway {
        return Ok(Val::text(text));
    }
    let cut: String = text.chars().take(length - tail).collect();
    let kept =
        if args.flag(2, false)? { cut.as_str() } else { cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept) };
    Ok(Val::text(format!("{kept}{end}")))
}

fn wordwrap(_: &Machine, args: &Args) -> Outcome<Val> {
    let (width, long, newline) = (args.size(1, 79)?.max(1), args.flag(2, true)?, args.some_text(3));
    let newline = newline.unwrap_or_else(|| "\n".to_owned());
    let text = args.value().to_string();
    let mut out = Vec::new();
    for line in split_lines(&text, false) {
        let mut current = String::new();
        for word in line.split(' ') {
            let needed = word.chars().count() + usize::from(!current.is_empty());
            if current.chars().count() + needed > width && !current.is_empty() {
                out.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
            while long && current.chars().count() > width {
                out.push(current.chars().take(width).collect());
                current = current.chars().skip(width).collect();
            }
        }
        out.push(current);
    }
    Ok(Val::text(out.join(&newline)))
}

fn comment(_: &Machine, args: &Args) -> Outcome<Val> {
    let style = args.text(1, "plain");
    let (beginning, decoration, end) = match style.as_str() {
        "plain" => ("", "# ", ""),
        "erlang" => ("", "% ", ""),
        "c" => ("", "// ", ""),
        "cblock" => ("/*", " * ", " */"),
        "xml" => ("<!--", " - ", "-->"),
        other => fail!("Invalid style '{other}'. Available styles: plain, erlang, c, cblock, xml"),
    };
    let part = |name: &str, usual: &str| args.named(name).map_or_else(|| usual.to_owned(), ToString::to_string);
    let count = |name: &str| {
        let count = args.named(name).map_or(Some(1), Val::as_int);
        count.map_or(1, |count| count.clamp(0, 1000) as usize)
    };
    let decoration = part("decoration", decoration);
    let around = decoration.trim_end().to_owned();
    let newline = part("newline", "\n");
    let (beginning, end) = (part("beginning", beginning), part("end", end));
    let (prefix, postfix) = (part("prefix", &around), part("postfix", &around));
    let mut out = String::new();
    if !beginning.is_empty() {
        out.push_str(&beginning);
        out.push_str(&newline);
    }
    if !prefix.is_empty() {
        let line = if prefix == newline { newline.clone() } else { format!("{prefix}{newline}") };
        out.push_str(&line.repeat(count("prefix_count")));
    }
    let body = args.value().to_string().replace(&newline, &format!("{newline}{decoration}"));
    let body = format!("{decoration}{body}");
    out.push_str(&body.replace(&format!("{decoration}{newline}"), &format!("{around}{newline}")));
    out.push_str(&format!("{newline}{postfix}").repeat(count("postfix_count")));
    if !end.is_empty() {
        out.push_str(&newline);
        out.push_str(&end);
    }
    Ok(Val::text(out))
}

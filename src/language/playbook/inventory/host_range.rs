//! Host names with ranges: `web[01:10]`, `db-[a:f].example.com`, `host:2222`.

/// The most names that one pattern may make.
const MAX_NAMES: usize = 100_000;

/// The names of a pattern and its port.
pub(super) fn expand(pattern: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (host, port) = with_port(pattern)?;
    if host.is_empty() || host.starts_with('-') || host.chars().any(char::is_whitespace) {
        return Err("it has no usable name".to_owned());
    }
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((vec![host.to_owned()], port));
    }
    let mut names = vec![host.to_owned()];
    while let Some(first) = names.first().filter(|name| name.contains('[')).cloned() {
        let mut more = Vec::new();
        debug_assert!(!first.is_empty());
        for name in &names {
            let (head, rest) = name.split_once('[').ok_or("a bracket is missing")?;
            let (range, tail) = rest.split_once(']').ok_or("a bracket is not closed")?;
            for item in sequence(range)? {
                more.push(format!("{head}{item}{tail}"));
                if more.len() > MAX_NAMES {
                    return Err(format!("it makes more than {MAX_NAMES} hosts"));
                }
            }
        }
        names = more;
    }
    if let Some(wrong) = names.iter().find(|name| name.contains([']', '=', '/', '"', '\''])) {
        return Err(format!("`{wrong}` has a character that no host name has"));
    }
    Ok((names, port))
}

/// Takes `:22` off, which stands outside brackets, and the brackets off an IPv6 address with a port.
fn with_port(pattern: &str) -> Result<(&str, Option<u16>), String> {
    if pattern.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((pattern, None));
    }
    let Some((host, port)) = pattern.rsplit_once(':').filter(|(_, port)| !port.contains(']')) else {
        let inner = pattern.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = inner.filter(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
        return Ok((address.unwrap_or(pattern), None));
    };
    let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| format!("`{port}` is not a port"))?;
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = inner.filter(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
    Ok((address.unwrap_or(host), Some(port)))
}

fn sequence(range: &str) -> Result<Vec<String>, String> {
    let bounds: Vec<&str> = range.split(':').collect();
    let (begin, end, step) = match bounds[..] {
        [begin, end] => (begin, end, 1),
        [begin, end, step] => {
            (begin, end, step.parse::<usize>().ok().filter(|step| *step > 0).ok_or("the step must be a number")?)
        }
        _ => return Err("host range must be begin:end or begin:end:step".to_owned()),
    };
    if end.is_empty() {
        return Err("host range must specify end value".to_owned());
    }
    let begin = if begin.is_empty() { "0" } else { begin };
    let letter = |text: &str| {
        let mut letters = ('a'..='z').chain('A'..='Z');
        (text.chars().count() == 1).then(|| letters.position(|letter| text.starts_with(letter))).flatten()
    };
    if let (Some(from), Some(to)) = (letter(begin), letter(end)) {
        if from > to {
            return Err("host range must have begin <= end".to_owned());
        }
        let letters: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
        return Ok(letters[from..=to].iter().step_by(step).map(char::to_string).collect());
    }
    let width = if begin.starts_with('0') && begin.len() > 1 { begin.len() } else { 0 };
    if width > 0 && width != end.len() {
        return Err("host range must specify equal-length begin and end formats".to_owned());
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is no number and no letter"));
    let (from, to) = (number(begin)?, number(end)?);
    if to.saturating_sub(from) / step as u64 > MAX_NAMES as u64 {
        return Err(format!("it makes more than {MAX_NAMES} hosts"));
    }
    let names: Vec<String> = (from..=to).step_by(step).map(|number| format!("{number:0width$}")).collect();
    if names.is_empty() { Err("host range must have begin <= end".to_owned()) } else { Ok(names) }
}

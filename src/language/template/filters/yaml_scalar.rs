//! Which quotes a YAML scalar needs.

/// Characters that YAML shows as they are.
pub(super) fn printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{1_0000}'..='\u{10_ffff}')
        && c != '\u{feff}'
}

/// What a text allows, as libyaml's `yaml_emitter_analyze_scalar` finds.
pub(super) struct Analysis {
    /// It has line breaks.
    pub multiline: bool,
    /// It may stand plain inside brackets.
    pub flow_plain: bool,
    /// It may stand plain outside of brackets.
    pub block_plain: bool,
    /// It may stand in single quotes.
    pub single: bool,
}

impl Analysis {
    /// Looks at a text.
    pub fn of(text: &str) -> Self {
        let letters: Vec<char> = text.chars().collect();
        let (mut flow_bad, mut block_bad, mut special, mut multiline) = (false, false, false, false);
        let (mut edge_space, mut edge_break, mut break_space, mut space_break) = (false, false, false, false);
        if text.starts_with("---") || text.starts_with("...") {
            (flow_bad, block_bad) = (true, true);
        }
        let blank = |c: Option<&char>| {
            c.is_none_or(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}'))
        };
        for (at, c) in letters.iter().enumerate() {
            let next_blank = blank(letters.get(at + 1));
            let before_blank = at == 0 || blank(letters.get(at - 1));
            if at == 0 {
                match c {
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                        (flow_bad, block_bad) = (true, true);
                    }
                    '?' | ':' => {
                        flow_bad = true;
                        block_bad |= next_blank;
                    }
                    '-' if next_blank => (flow_bad, block_bad) = (true, true),
                    _ => {}
                }
            } else {
                match c {
                    ',' | '?' | '[' | ']' | '{' | '}' => flow_bad = true,
                    ':' => {
                        flow_bad = true;
                        block_bad |= next_blank;
                    }
                    '#' if before_blank => (flow_bad, block_bad) = (true, true),
                    _ => {}
                }
            }
            let line_break = matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
            special |= !printable(*c) || *c == '\u{feff}';
            multiline |= line_break;
            if *c == ' ' {
                edge_space |= at == 0 || at + 1 == letters.len();
                break_space |= at > 0 && letters[at - 1] == '\n';
            } else if line_break {
                edge_break |= at == 0 || at + 1 == letters.len();
                space_break |= at > 0 && letters[at - 1] == ' ';
            }
        }
        let plain = !(edge_space || edge_break || break_space || space_break || special || multiline);
        Self {
            multiline,
            flow_plain: plain && !flow_bad,
            block_plain: plain && !block_bad,
            single: !(space_break || special || break_space),
        }
    }
}

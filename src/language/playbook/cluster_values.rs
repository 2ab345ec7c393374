//! The values of a cluster that EC2 reads: ids, names and tags, refused here where EC2 would refuse them much later.

use std::collections::BTreeMap;

use crate::core::records::{SshSpec, VolumeSpec};
use crate::core::source::Diagnostic;
use crate::language::yaml::{Kind, Node};

use super::ami::AmiName;
use super::keywords::is_template;
use super::reader::Reader;
use super::units::parse_gib;

/// EC2 allows 50 tags on a thing (EC2 User Guide, tags); the rest is for those of the run.
const MOST_TAGS: usize = 40;
const LONGEST_TAG_KEY: usize = 127;
const LONGEST_TAG_VALUE: usize = 256;

impl Reader<'_> {
    /// `tags`: of everything that the run makes.
    pub(super) fn tags(&mut self, node: &Node) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        for (name, key, value) in self.mapping(node, "tags") {
            let lower = name.to_ascii_lowercase();
            let why = if name.is_empty() || name.chars().count() > LONGEST_TAG_KEY {
                Some(format!("a key has 1 to {LONGEST_TAG_KEY} characters"))
            } else if lower.starts_with("aws:") {
                Some("AWS keeps `aws:` for itself".to_owned())
            } else if lower.starts_with("dayfly:") {
                Some("the tags of the run itself begin so".to_owned())
            } else if name.chars().any(char::is_control) {
                Some("a key is one line of text".to_owned())
            } else {
                None
            };
            if let Some(why) = why {
                self.report(
                    Diagnostic::error(key.span, format!("{name:?} cannot be the key of a tag"))
                        .label(why)
                        .help("rename it"),
                );
                continue;
            }
            let Some(text) = self.text(value, &format!("the tag {name}")) else { continue };
            if is_template(&text.value) {
                self.no_template(value);
            } else if text.value.chars().count() > LONGEST_TAG_VALUE || text.value.chars().any(char::is_control) {
                self.wrong(value, &format!("the tag {name}"), "one line of at most 256 characters");
            } else {
                tags.insert(name.to_owned(), text.value);
            }
        }
        if tags.len() > MOST_TAGS {
            self.report(
                Diagnostic::error(node.span, format!("there are {} tags, and at most {MOST_TAGS} fit", tags.len()))
                    .label("too many")
                    .help("EC2 takes 50 on each thing, and some are the run's own"),
            );
        }
        tags
    }

    /// Ids of AWS, which begin with a known word.
    pub(super) fn ids(&mut self, node: &Node, keyword: &str, prefix: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for item in Self::one_or_many(node) {
            let Some(id) = self.id(&item, keyword, prefix) else { continue };
            if ids.contains(&id) {
                let twice = Diagnostic::error(item.span, format!("`{id}` stands twice in `{keyword}`"));
                self.report(twice.label("again").help("remove one of them"));
            } else {
                ids.push(id);
            }
        }
        ids
    }

    /// One such id.
    pub(super) fn id(&mut self, node: &Node, keyword: &str, prefix: &str) -> Option<String> {
        let id = self.plain(node, keyword)?;
        let rest = id.strip_prefix(prefix).unwrap_or_default();
        let fine = (1..=32).contains(&rest.len()) && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !fine {
            self.report(
                Diagnostic::error(node.span, format!("`{}` is not an id for `{keyword}`", id.escape_debug()))
                    .label("not such an id")
                    .help(format!("it begins with {prefix}, and letters and digits follow")),
            );
        }
        fine.then_some(id)
    }

    /// Names of AWS, one or many.
    pub(super) fn names(&mut self, node: &Node, keyword: &str, signs: &str, longest: usize) -> Vec<String> {
        let items = Self::one_or_many(node);
        items.iter().filter_map(|item| self.name(item, keyword, signs, longest)).collect()
    }

    /// A name of AWS: letters, digits and some signs.
    pub(super) fn name(&mut self, node: &Node, keyword: &str, signs: &str, longest: usize) -> Option<String> {
        let name = self.plain(node, keyword)?;
        let fine = name.len() <= longest && name.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c));
        if !fine {
            self.report(
                Diagnostic::error(node.span, format!("`{}` is no name for `{keyword}`", name.escape_debug()))
                    .label("not such a name")
                    .help(format!("it has letters, digits and the signs `{}`, at most {longest} in all", signs.trim())),
            );
        }
        fine.then_some(name)
    }

    /// `ami`.
    pub(super) fn ami(&mut self, node: &Node) -> Option<String> {
        let name = self.plain(node, "ami")?;
        if AmiName::parse(&name).is_none() {
            self.report(
                Diagnostic::error(node.span, format!("`{}` is not the name of an image", name.escape_debug()))
                    .label("not an image")
                    .help(AmiName::FORMS),
            );
            return None;
        }
        Some(name)
    }

    /// A switch: a cluster is read before there are variables.
    pub(super) fn switch(&mut self, node: &Node, keyword: &str) -> bool {
        match &node.kind {
            Kind::Bool(value) => return *value,
            Kind::String(text) if is_template(text) => self.no_template(node),
            _ => self.wrong(node, keyword, "true or false"),
        }
        false
    }

    pub(super) fn volume(&mut self, node: &Node) -> Option<VolumeSpec> {
        let mut volume = None;
        for (name, key, value) in self.mapping(node, "volume") {
            match name {
                "size" => match value.as_str().and_then(parse_gib) {
                    Some(size_gib @ 1..=65_536) => volume = Some(VolumeSpec { size_gib }),
                    _ => self.wrong(value, name, "a size such as 100GiB, from 1GiB to 64TiB"),
                },
                _ => self.unknown_key(name, key, "volume", ["size"]),
            }
        }
        volume
    }

    pub(super) fn ssh(&mut self, node: &Node) -> SshSpec {
        let mut ssh = SshSpec::default();
        for (name, key, value) in self.mapping(node, "ssh") {
            match (name, &value.kind) {
                ("user", _) => ssh.user = self.name(value, name, "_.-", 32).filter(|user| !user.starts_with('-')),
                ("port", Kind::Int(port @ 1..=65_535)) => ssh.port = u16::try_from(*port).ok(),
                ("port", _) => self.wrong(value, name, "a port from 1 to 65535"),
                ("proxy_jump", _) => ssh.proxy_jump = self.one_line(value, name),
                ("proxy_command", _) => ssh.proxy_command = self.one_line(value, name),
                _ => self.unknown_key(name, key, "ssh", ["user", "port", "proxy_jump", "proxy_command"]),
            }
        }
        if ssh.proxy_jump.is_some() && ssh.proxy_command.is_some() {
            self.report(
                Diagnostic::error(node.span, "`ssh` has both `proxy_jump` and `proxy_command`")
                    .label("two ways")
                    .help("keep one of them"),
            );
        }
        ssh
    }

    /// What goes into a configuration of ssh: a second line would say something else.
    fn one_line(&mut self, node: &Node, keyword: &str) -> Option<String> {
        let text = self.plain(node, keyword)?;
        if text.chars().any(char::is_control) {
            self.wrong(node, keyword, "one line of text");
            return None;
        }
        Some(text)
    }
}

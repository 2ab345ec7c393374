//! `--tags` and `--skip-tags`, with Ansible's special words `all`, `tagged`, `untagged`, `always` and `never`.

/// Which tasks run, by their tags.
#[derive(Clone, Debug, Default)]
pub struct TagFilter {
    only: Vec<String>,
    skip: Vec<String>,
}

impl TagFilter {
    /// A filter; empty `only` means `all`.
    pub fn new(only: &[String], skip: &[String]) -> Self {
        Self { only: split(only), skip: split(skip) }
    }

    /// Whether a task with these tags runs (ansible-core, `playbook/taggable.py`, `evaluate_tags`).
    pub fn admits(&self, tags: &[String]) -> bool {
        let tags = split(tags);
        let has = |name: &str| tags.iter().any(|tag| tag == name);
        let untagged = tags.is_empty();
        let shares = |list: &[String]| list.iter().any(|wanted| has(wanted));
        let names = |list: &[String], word: &str| list.iter().any(|wanted| wanted == word);

        let wanted = if self.only.is_empty() || names(&self.only, "all") {
            !has("never") || shares(&self.only)
        } else {
            has("always")
                || shares(&self.only)
                || (names(&self.only, "tagged") && !untagged && !has("never"))
                || (names(&self.only, "untagged") && untagged)
        };
        if !wanted {
            return false;
        }
        let skipped = if names(&self.skip, "all") {
            !has("always") || names(&self.skip, "always")
        } else {
            shares(&self.skip)
                || (names(&self.skip, "tagged") && !untagged)
                || (names(&self.skip, "untagged") && untagged)
        };
        !skipped
    }
}

fn split(tags: &[String]) -> Vec<String> {
    tags.iter().flat_map(|tag| tag.split(',')).map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(only: &str, skip: &str, tags: &str) -> bool {
        TagFilter::new(&[only.to_owned()], &[skip.to_owned()]).admits(&[tags.to_owned()])
    }

    #[test]
    fn words_mean_what_they_mean_in_ansible() {
        assert!(admits("", "", ""));
        assert!(admits("", "", "a"));
        assert!(!admits("", "", "never"));
        assert!(!admits("", "", "a,never"));
        assert!(admits("a", "", "a,never"));
        assert!(!admits("a", "", "b"));
        assert!(!admits("a", "", ""));
        assert!(admits("a", "", "always"));
        assert!(admits("tagged", "", "x"));
        assert!(!admits("tagged", "", ""));
        assert!(admits("untagged", "", ""));
        assert!(!admits("untagged", "", "x"));
        assert!(!admits("", "a", "a,b"));
        assert!(!admits("", "always", "always"));
        assert!(admits("", "all", "always"));
        assert!(!admits("", "all", "x"));
        assert!(!admits("", "tagged", "x"));
        assert!(!admits("", "untagged", ""));
    }
}

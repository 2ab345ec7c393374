//! How a playbook names an image of EC2.

/// The name of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmiName {
    /// `ami-0123456789abcdef0`
    Id(String),
    /// `ssm:/aws/service/…`: the parameter that holds its id.
    Parameter(String),
    /// `OWNER/NAME`: the newest of an owner whose name fits.
    Named {
        /// An account's number, or `self`, `amazon`, `aws-marketplace`.
        owner: String,
        /// Its name, where `*` and `?` stand for any letters and any letter.
        pattern: String,
    },
}

impl AmiName {
    /// What to write, for people.
    pub const FORMS: &str = "write an id (ami-0123456789abcdef0), a parameter (ssm:/aws/service/…), or an owner and a name \
                             (amazon/al2023-ami-2023.*-x86_64, 099720109477/ubuntu/images/*, self/mine-*)";

    /// Reads such a name; none where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("ssm:") {
            let fine = name.len() <= 1011
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "/_.-:".contains(c));
            return fine.then(|| Self::Parameter(name.to_owned()));
        }
        if let Some(hex) = text.strip_prefix("ami-") {
            let fine = matches!(hex.len(), 8 | 17) && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
            return fine.then(|| Self::Id(text.to_owned()));
        }
        let (owner, pattern) = text.split_once('/')?;
        let is_account = owner.len() == 12 && owner.chars().all(|c| c.is_ascii_digit());
        let is_owner = is_account || matches!(owner, "self" | "amazon" | "aws-marketplace");
        let fine = is_owner && (1..=128).contains(&pattern.len()) && pattern.chars().all(|c| (' '..='~').contains(&c));
        fine.then(|| Self::Named { owner: owner.to_owned(), pattern: pattern.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_in_three_ways() {
        assert_eq!(AmiName::parse("ami-0123456789abcdef0"), Some(AmiName::Id("ami-0123456789abcdef0".to_owned())));
        assert_eq!(AmiName::parse("ssm:/a/b:3"), Some(AmiName::Parameter("/a/b:3".to_owned())));
        let named =
            |owner: &str, pattern: &str| Some(AmiName::Named { owner: owner.to_owned(), pattern: pattern.to_owned() });
        assert_eq!(AmiName::parse("099720109477/ubuntu/images/*"), named("099720109477", "ubuntu/images/*"));
        assert_eq!(AmiName::parse("self/mine"), named("self", "mine"));
        for wrong in [
            "",
            "ubuntu",
            "ami-1",
            "ami-0123456789ABCDEF0",
            "ssm:",
            "ssm:/a b",
            "nobody/x",
            "12/x",
            "self/",
            "self/a\nb",
        ] {
            assert_eq!(AmiName::parse(wrong), None, "{wrong:?}");
        }
    }
}

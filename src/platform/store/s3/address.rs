//! `s3://bucket/prefix`, and the keys below it.

use std::net::Ipv4Addr;

use crate::platform::store::StoreError;
use crate::platform::store::layout::check_key;

/// S3 takes keys of this many bytes of UTF-8 (S3 User Guide, naming objects).
const LONGEST_KEY: usize = 1024;
/// Room that is left for the keys of a run below a prefix.
const LONGEST_PREFIX: usize = 512;

/// A bucket and a prefix in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The bucket's name.
    pub bucket: String,
    /// Empty, or path segments that each end with `/`.
    prefix: String,
}

impl Address {
    /// Reads what a person wrote; the error says what is wrong with it.
    pub fn parse(location: &str) -> Result<Self, String> {
        let rest = location.strip_prefix("s3://").ok_or("it must begin with s3://")?;
        if rest.starts_with("arn:") {
            return Err(
                "an ARN cannot be a store: give s3://bucket/prefix (an access point has an alias, which can)".into()
            );
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        check_bucket(bucket)?;
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if prefix.is_empty() {
            return Ok(Self { bucket: bucket.to_owned(), prefix: String::new() });
        }
        if check_key(prefix).is_err() || has_control(prefix) {
            return Err(format!(
                "the prefix {prefix:?} is not made of plain names: leave out empty names, \".\", \"..\" and control characters"
            ));
        }
        if prefix.len() > LONGEST_PREFIX {
            return Err(format!("the prefix has {} bytes; at most {LONGEST_PREFIX} leave room for keys", prefix.len()));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: format!("{prefix}/") })
    }

    /// The same, as a person writes it.
    pub fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    /// The key in the bucket of an object of the store.
    pub fn object(&self, operation: &'static str, key: &str) -> Result<String, StoreError> {
        check_key(key)?;
        let full = format!("{}{key}", self.prefix);
        if full.len() > LONGEST_KEY {
            let shown: String = key.chars().take(80).collect();
            let why = format!("the key has {} bytes with the store's prefix; S3 takes {LONGEST_KEY}", full.len());
            return Err(StoreError::Failed { operation, key: format!("{shown}…"), why, retry: false });
        }
        Ok(full)
    }

    /// The text with which the keys of a listing begin.
    pub fn listing(&self, prefix: &str) -> Result<String, StoreError> {
        let inner = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.is_empty() && check_key(inner).is_err() {
            return Err(StoreError::BadKey(prefix.to_owned()));
        }
        Ok(format!("{}{prefix}", self.prefix))
    }

    /// The store's key of an object in the bucket; none for what cannot be the store's (the empty objects by which
    /// browsers show folders, for one).
    pub fn relative<'a>(&self, full: &'a str) -> Option<&'a str> {
        let key = full.strip_prefix(&self.prefix)?;
        check_key(key).is_ok().then_some(key)
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// The rules for names of general purpose buckets (S3 User Guide, bucket naming rules).
fn check_bucket(name: &str) -> Result<(), String> {
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let edges = |text: &str| text.bytes().next().is_some_and(plain) && text.bytes().next_back().is_some_and(plain);
    let wrong = if name.is_empty() {
        "the bucket's name is missing: write s3://bucket/prefix"
    } else if !(3..=63).contains(&name.len()) {
        "a bucket's name has 3 to 63 characters"
    } else if !name.bytes().all(|letter| plain(letter) || letter == b'.' || letter == b'-') {
        "a bucket's name is made of lower-case letters, digits, dots and hyphens"
    } else if !name.split('.').all(|part| !part.is_empty()) || !edges(name) {
        "a bucket's name begins and ends with a letter or digit, and has no two dots side by side"
    } else if name.parse::<Ipv4Addr>().is_ok() {
        "a bucket's name is no IP address"
    } else if name.ends_with("--x-s3") {
        "a directory bucket cannot be a store, since it lists without order: give a general purpose bucket"
    } else {
        return Ok(());
    };
    Err(if name.is_empty() { wrong.to_owned() } else { format!("{name:?} is not a bucket: {wrong}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_and_said_the_same_way() {
        for (written, said) in [
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/", "s3://bucket"),
            ("s3://my.bucket-1/a/b/", "s3://my.bucket-1/a/b"),
            ("s3://bucket/a b/ü+%2F", "s3://bucket/a b/ü+%2F"),
        ] {
            assert_eq!(Address::parse(written).unwrap().location(), said);
        }
        assert_eq!(Address::parse("s3://bucket/a/").unwrap().object("get", "b/c").unwrap(), "a/b/c");
        assert_eq!(Address::parse("s3://bucket").unwrap().object("get", "b").unwrap(), "b");
    }

    #[test]
    fn each_bad_location_is_told_what_is_wrong() {
        for (written, part) in [
            ("s3://", "missing"),
            ("s3:///x", "missing"),
            ("s3://ab", "3 to 63"),
            ("s3://Bucket/x", "lower-case"),
            ("s3://my_bucket", "lower-case"),
            ("s3://-bucket", "begins and ends"),
            ("s3://bu..cket", "two dots"),
            ("s3://10.0.0.1/x", "IP address"),
            ("s3://b--use1-az4--x-s3", "directory bucket"),
            ("s3://arn:aws:s3:eu-west-1:1:accesspoint/x", "ARN"),
            ("s3://bucket//x", "plain names"),
            ("s3://bucket/a/../b", "plain names"),
            ("s3://bucket/a\nb", "plain names"),
            ("gs://bucket", "s3://"),
        ] {
            let error = Address::parse(written).unwrap_err();
            assert!(error.contains(part), "{written}: {error}");
        }
        assert!(Address::parse(&format!("s3://bucket/{}", "x".repeat(600))).unwrap_err().contains("600 bytes"));
    }

    #[test]
    fn keys_that_s3_or_the_store_cannot_hold_are_refused() {
        let address = Address::parse("s3://bucket/p").unwrap();
        for key in ["", "/a", "a/../b", "a//b", "a\0"] {
            assert!(matches!(address.object("put", key), Err(StoreError::BadKey(_))), "{key:?}");
        }
        // A worker names its files as it likes; S3 takes any character (S3 User Guide, object key names).
        for key in ["a\nb", "a\u{7f}", "a+b%2F c"] {
            assert!(address.object("put", key).is_ok(), "{key:?}");
        }
        assert!(address.object("put", &"é".repeat(511)).is_ok());
        let error = address.object("put", &"é".repeat(512)).unwrap_err().to_string();
        assert!(error.contains("1026 bytes"), "{error}");
        assert_eq!(address.relative("p/a/b"), Some("a/b"));
        for foreign in ["p/", "p/a/", "q/a", "p"] {
            assert_eq!(address.relative(foreign), None, "{foreign}");
        }
    }
}

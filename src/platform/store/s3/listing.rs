//! Listings of any length: objects, and multipart uploads that nobody finished.

use aws_sdk_s3::types::EncodingType;

use super::bucket::Bucket;
use super::failure::Trouble;
use crate::platform::store::Listed;

/// The objects whose keys begin with a text, in order of their keys' bytes, behind a key if given.
pub async fn list(bucket: &Bucket, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, Trouble> {
    let mut found = Vec::new();
    let mut more: Option<String> = None;
    loop {
        let page = bucket
            .client
            .list_objects_v2()
            .bucket(&bucket.address.bucket)
            .prefix(prefix)
            // Else one object with a control character in its key, by whomever, makes the answer unreadable.
            .encoding_type(EncodingType::Url)
            .set_start_after(after.map(str::to_owned))
            .set_continuation_token(more)
            .send()
            .await
            .map_err(|error| bucket.target.trouble(&error, "s3:ListBucket").of_bucket(&bucket.target))?;
        for object in page.contents() {
            let full = decoded(object.key().unwrap_or_default(), page.encoding_type());
            let Some(key) = bucket.address.relative(&full) else { continue };
            found.push(Listed {
                key: key.to_owned(),
                size: object.size().unwrap_or_default().try_into().unwrap_or(0),
                modified_ms: object.last_modified().and_then(|time| time.to_millis().ok()).unwrap_or_default(),
            });
        }
        // A page may be short, or empty, and not be the last.
        more = match page.next_continuation_token() {
            Some(token) if page.is_truncated() == Some(true) => Some(token.to_owned()),
            _ => return Ok(found),
        };
    }
}

/// Ends the multipart uploads whose keys begin with a text, and says how many.
pub async fn abort_uploads(bucket: &Bucket, prefix: &str) -> Result<usize, Trouble> {
    let mut ended = 0;
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let page = bucket
            .client
            .list_multipart_uploads()
            .bucket(&bucket.address.bucket)
            .prefix(prefix)
            .encoding_type(EncodingType::Url)
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker)
            .send()
            .await
            .map_err(|error| {
                bucket.target.trouble(&error, "s3:ListBucketMultipartUploads").of_bucket(&bucket.target)
            })?;
        for upload in page.uploads() {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
            match abort(bucket, &decoded(key, page.encoding_type()), id).await {
                Ok(()) => ended += 1,
                Err(Trouble::NoSuchUpload | Trouble::NoSuchKey) => {}
                Err(other) => return Err(other),
            }
        }
        if page.is_truncated() != Some(true) {
            return Ok(ended);
        }
        key_marker = page.next_key_marker().map(|key| decoded(key, page.encoding_type()));
        id_marker = page.next_upload_id_marker().map(str::to_owned);
    }
}

/// Ends one upload; its parts go with it.
pub async fn abort(bucket: &Bucket, full: &str, id: &str) -> Result<(), Trouble> {
    let request = bucket.client.abort_multipart_upload().bucket(&bucket.address.bucket).key(full).upload_id(id);
    let done = request.send().await;
    done.map(drop).map_err(|error| bucket.target.trouble(&error, "s3:AbortMultipartUpload"))
}

/// A key as it is, from the form encoding of listings, which not every service knows.
fn decoded(text: &str, encoding: Option<&EncodingType>) -> String {
    if encoding.is_none() {
        return text.to_owned();
    }
    let text = text.replace('+', " ");
    urlencoding::decode(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_listings_are_decoded() {
        let url = Some(&EncodingType::Url);
        assert_eq!(decoded("a+b%2Bc%2520/%C3%A9", url), "a b+c%20/é");
        assert_eq!(decoded("100%", url), "100%");
        assert_eq!(decoded("a+b%2B", None), "a+b%2B");
    }
}

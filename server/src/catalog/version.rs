//! The version of an object, written into the one place that DataFusion's caches compare.
//!
//! In: what a store says of an object. Out: the same with the ETag folded into `last_modified`.
//! DataFusion keeps footers and statistics by path, and takes them for valid while size and time
//! of change are the same. An object overwritten with one of the same size in the same second
//! would be read with the old footer. Its ETag differs, so a hash of it takes the place of the
//! fraction of the second.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};
use object_store::ObjectMeta;

/// `meta` with its ETag folded into its time; unchanged if the store gives no ETag.
pub fn stamped(mut meta: ObjectMeta) -> ObjectMeta {
    if let Some(tag) = &meta.e_tag {
        meta.last_modified = stamp(meta.last_modified, tag);
    }
    meta
}

/// The second of `time` with a fraction that is a hash of `tag`.
fn stamp(time: DateTime<Utc>, tag: &str) -> DateTime<Utc> {
    // Listings and responses of one store differ in the quotes, and weak tags in the mark.
    let tag = tag.trim_start_matches("W/").trim_matches('"');
    let mut hasher = DefaultHasher::new();
    tag.hash(&mut hasher);
    let nanos = u32::try_from(hasher.finish() % 1_000_000_000).unwrap_or_default();
    DateTime::from_timestamp(time.timestamp(), nanos).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(tag: Option<&str>, nanos: u32) -> ObjectMeta {
        ObjectMeta {
            location: "s3/b/x".into(),
            last_modified: DateTime::from_timestamp(1_700_000_000, nanos).unwrap(),
            size: 7,
            e_tag: tag.map(str::to_owned),
            version: None,
        }
    }

    #[test]
    fn another_tag_is_another_time_in_the_same_second() {
        let (one, other) = (stamped(meta(Some("\"a\""), 0)), stamped(meta(Some("\"b\""), 0)));
        assert_ne!(one.last_modified, other.last_modified);
        assert_eq!(one.last_modified.timestamp(), other.last_modified.timestamp());
    }

    #[test]
    fn listing_and_response_agree() {
        let listed = stamped(meta(Some("a"), 123_000_000));
        let answered = stamped(meta(Some("W/\"a\""), 0));
        assert_eq!(listed.last_modified, answered.last_modified);
    }

    #[test]
    fn without_a_tag_the_time_stays() {
        assert_eq!(stamped(meta(None, 5)), meta(None, 5));
    }
}

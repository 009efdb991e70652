//! Panics as errors. In: work on a thread of its own. Out: what came of it, so that whoever waits for the thread is told.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;

/// What `work` returns, or an internal error with the words of its panic; `place` says where that was.
pub(super) fn caught<T, E: From<Error>>(place: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = words(&*panic);
        Err(Error::internal(format!("a panic in {place}: {words}")).into())
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_says_is_passed_on() {
        let told =
            |work: fn() -> Result<u8, Error>| caught("a test", work).map_err(|error| error.to_string());
        assert_eq!(told(|| Ok(7)), Ok(7));
        for (work, words) in [
            (
                (|| panic!("seven")) as fn() -> Result<u8, Error>,
                "a panic in a test: seven",
            ),
            (|| panic!("{} and {}", 7, 8), "a panic in a test: 7 and 8"),
            (|| std::panic::panic_any(7), "a panic in a test: it said nothing"),
            (|| Err(Error::internal("refused")), "refused"),
        ] {
            let found = told(work).expect_err("it fails");
            assert!(found.contains(words), "{found}");
        }
    }
}

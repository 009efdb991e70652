//! Named ranges for NVIDIA's profilers. Comes in: a kernel's or a step's name. Goes out: a range in the profiler's
//! time line where its library can be loaded, nothing where not.

use std::ffi::{CString, c_char, c_int};
use std::sync::OnceLock;

use libloading::Library;

struct Library3 {
    push: unsafe extern "C" fn(*const c_char) -> c_int,
    pop: unsafe extern "C" fn() -> c_int,
    _library: Library,
}

fn library() -> Option<&'static Library3> {
    static LIBRARY: OnceLock<Option<Library3>> = OnceLock::new();
    LIBRARY
        .get_or_init(|| {
            ["libnvToolsExt.so.1", "libnvToolsExt.so"]
                .iter()
                .find_map(|name| load(name))
        })
        .as_ref()
}

fn load(name: &str) -> Option<Library3> {
    // SAFETY: the library's constructors do nothing but set up its own state; the symbols have these signatures in
    // every version of NVTX.
    unsafe {
        let library = Library::new(name).ok()?;
        let push = *library
            .get::<unsafe extern "C" fn(*const c_char) -> c_int>(b"nvtxRangePushA\0")
            .ok()?;
        let pop = *library
            .get::<unsafe extern "C" fn() -> c_int>(b"nvtxRangePop\0")
            .ok()?;
        Some(Library3 {
            push,
            pop,
            _library: library,
        })
    }
}

/// A range that is open until dropped, on the thread that opened it.
#[derive(Debug)]
#[must_use = "the range ends when this is dropped"]
pub struct Range {
    open: bool,
    _on_this_thread: std::marker::PhantomData<*const ()>,
}

/// Opens a range named `name`.
pub fn range(name: &str) -> Range {
    let open = library().is_some_and(|library| {
        CString::new(name).is_ok_and(|name| {
            // SAFETY: the name is a C string; the library copies it.
            unsafe { (library.push)(name.as_ptr()) >= 0 }
        })
    });
    Range {
        open,
        _on_this_thread: std::marker::PhantomData,
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        if let (true, Some(library)) = (self.open, library()) {
            // SAFETY: pops the range that this thread pushed.
            unsafe { (library.pop)() };
        }
    }
}

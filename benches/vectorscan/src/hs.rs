//! As much of Vectorscan as the comparison takes.
//!
//! The only unsafe code of this package: calls into the C library, each with what its documentation asks for
//! (<https://intel.github.io/hyperscan/dev-reference/api_files.html>).
#![allow(unsafe_code, reason = "a C library has no other interface")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr;

const CASELESS: c_uint = 1;
const SOM_LEFTMOST: c_uint = 256;
const BLOCK: c_uint = 1;

#[repr(C)]
struct CompileError {
    message: *const c_char,
    expression: c_int,
}

#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

type OnMatch = unsafe extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;

unsafe extern "C" {
    fn hs_compile_multi(
        expressions: *const *const c_char,
        flags: *const c_uint,
        ids: *const c_uint,
        elements: c_uint,
        mode: c_uint,
        platform: *const c_void,
        db: *mut *mut Opaque,
        error: *mut *mut CompileError,
    ) -> c_int;
    fn hs_free_compile_error(error: *mut CompileError) -> c_int;
    fn hs_free_database(db: *mut Opaque) -> c_int;
    fn hs_alloc_scratch(db: *const Opaque, scratch: *mut *mut Opaque) -> c_int;
    fn hs_free_scratch(scratch: *mut Opaque) -> c_int;
    fn hs_scan(
        db: *const Opaque,
        data: *const c_char,
        length: c_uint,
        flags: c_uint,
        scratch: *mut Opaque,
        on_match: OnMatch,
        context: *mut c_void,
    ) -> c_int;
    fn hs_version() -> *const c_char;
}

/// A pattern and its number.
pub(crate) struct Pattern {
    pub(crate) text: String,
    pub(crate) caseless: bool,
    pub(crate) id: u32,
}

/// Patterns compiled together, and the scratch space to scan with.
pub(crate) struct Database {
    db: *mut Opaque,
    scratch: *mut Opaque,
}

impl Database {
    /// Compiles patterns, with the starts of matches or only their ends.
    pub(crate) fn new(patterns: &[Pattern], starts: bool) -> Result<Self, String> {
        let texts: Vec<CString> = patterns
            .iter()
            .map(|pattern| CString::new(pattern.text.as_str()))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let expressions: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let flag = |pattern: &Pattern| {
            (if pattern.caseless { CASELESS } else { 0 }) | if starts { SOM_LEFTMOST } else { 0 }
        };
        let flags: Vec<c_uint> = patterns.iter().map(flag).collect();
        let ids: Vec<c_uint> = patterns.iter().map(|pattern| pattern.id).collect();
        let count = c_uint::try_from(patterns.len()).map_err(|error| error.to_string())?;
        let (mut db, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: three lists as long as is said, of strings that end with a zero and live until the call returns.
        let code = unsafe {
            hs_compile_multi(
                expressions.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                count,
                BLOCK,
                ptr::null(),
                &mut db,
                &mut error,
            )
        };
        if code != 0 {
            // SAFETY: a failed compilation sets the error, which is read before it is freed.
            return Err(unsafe {
                let reason = CStr::from_ptr((*error).message).to_string_lossy().into_owned();
                hs_free_compile_error(error);
                reason
            });
        }
        let mut scratch = ptr::null_mut();
        // SAFETY: the database was compiled a moment ago.
        match unsafe { hs_alloc_scratch(db, &mut scratch) } {
            0 => Ok(Self { db, scratch }),
            code => Err(format!("no scratch space: {code}")),
        }
    }

    /// Calls `found` with the number, the start (if it was asked for) and the end of every match.
    pub(crate) fn scan(&mut self, text: &[u8], mut found: impl FnMut(u32, usize, usize)) {
        unsafe extern "C" fn on_match<F: FnMut(u32, usize, usize)>(
            id: c_uint,
            from: c_ulonglong,
            to: c_ulonglong,
            _flags: c_uint,
            context: *mut c_void,
        ) -> c_int {
            // SAFETY: the context is the closure below, which nothing else uses during the scan.
            let found = unsafe { &mut *context.cast::<F>() };
            found(id, from as usize, to as usize);
            0
        }
        fn callback<F: FnMut(u32, usize, usize)>(_: &F) -> OnMatch {
            on_match::<F>
        }
        let callback = callback(&found);
        let length = c_uint::try_from(text.len()).expect("texts are short");
        // SAFETY: the text is as long as is said, and the scratch space is this database's and used by one at a time.
        let code = unsafe {
            let context = (&raw mut found).cast();
            hs_scan(self.db, text.as_ptr().cast(), length, 0, self.scratch, callback, context)
        };
        assert_eq!(code, 0, "Vectorscan fails");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: both were made by the library and are freed once.
        unsafe {
            hs_free_scratch(self.scratch);
            hs_free_database(self.db);
        }
    }
}

/// The library's version.
pub(crate) fn version() -> String {
    // SAFETY: a string that ends with a zero and is never freed.
    unsafe { CStr::from_ptr(hs_version()) }.to_string_lossy().into_owned()
}

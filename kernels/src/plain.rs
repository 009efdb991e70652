//! Values that are nothing but their bytes: what may be copied to a device or passed to a kernel. Knows no buffers.

/// A type that any bit pattern is a value of, without padding, pointers to the host or destructors.
///
/// # Safety
/// Every bit pattern of `size_of::<Self>()` bytes must be a valid value, and no byte may be padding.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

macro_rules! plain {
    ($($type:ty),*) => {
        $(
            // SAFETY: a number has no padding and every bit pattern is a value.
            unsafe impl Plain for $type {}
        )*
    };
}
plain!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64
);

// SAFETY: an array adds no padding to its elements.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// The bytes of `values`.
pub fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: `Plain` has no padding, so every byte is initialised; u8 has no alignment.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of `values`, to be written.
pub fn bytes_of_mut<T: Plain>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as for `bytes_of`; any bytes written are valid values of `Plain`.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

/// Copies `bytes` into values; trailing bytes that do not fill a value are left out.
pub fn values_from_bytes<T: Plain>(bytes: &[u8]) -> Vec<T> {
    let count = bytes.len().checked_div(size_of::<T>()).unwrap_or(0);
    let mut values: Vec<T> = Vec::with_capacity(count);
    // SAFETY: there is room for `count` values and there are as many bytes; any bytes are values of `Plain`.
    unsafe {
        bytes
            .as_ptr()
            .copy_to_nonoverlapping(values.as_mut_ptr().cast::<u8>(), count * size_of::<T>());
        values.set_len(count);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_way_through_bytes() {
        let values = [i128::MIN, -1, 7];
        assert_eq!(values_from_bytes::<i128>(bytes_of(&values)), values);
        assert_eq!(
            values_from_bytes::<u32>(&[1, 0, 0, 0, 2, 0, 0]),
            [1],
            "what fills no value is left out"
        );
        assert!(values_from_bytes::<u64>(&[]).is_empty());
    }
}

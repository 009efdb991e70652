//! What a launch takes: its shape, and its arguments as the driver wants them, a pointer to each. Knows no streams.

use crate::buffer::{Buffer, View};
use crate::plain::{Plain, bytes_of};

/// Blocks, threads a block, and bytes of dynamic shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Blocks in x, y and z.
    pub blocks: [u32; 3],
    /// Threads of a block in x, y and z.
    pub threads: [u32; 3],
    /// Dynamic shared memory of a block.
    pub shared_bytes: u32,
}

impl Grid {
    /// `blocks` blocks of `threads` threads along x.
    pub fn new(blocks: u32, threads: u32) -> Self {
        Self {
            blocks: [blocks, 1, 1],
            threads: [threads, 1, 1],
            shared_bytes: 0,
        }
    }

    /// Enough blocks of `threads` for `items`, `items_per_block` each; at least one.
    ///
    /// # Panics
    /// If `items_per_block` is 0 or the grid would need more than 2^31 - 1 blocks.
    pub fn covering(items: usize, items_per_block: usize, threads: u32) -> Self {
        let blocks = items.div_ceil(items_per_block).max(1);
        assert!(
            blocks <= i32::MAX as usize,
            "{items} items in blocks of {items_per_block} exceed a grid"
        );
        Self::new(blocks as u32, threads)
    }

    /// The same with dynamic shared memory.
    pub fn with_shared_bytes(mut self, shared_bytes: u32) -> Self {
        self.shared_bytes = shared_bytes;
        self
    }

    /// Threads of one block.
    pub fn threads_per_block(&self) -> u64 {
        self.threads.iter().map(|&n| u64::from(n)).product()
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.blocks.contains(&0) || self.threads.contains(&0)
    }
}

/// Arguments of one launch, in the kernel's order.
#[derive(Debug, Default)]
pub struct Args<'a> {
    packed: PackedArgs,
    pub(crate) buffers: Vec<&'a Buffer>,
}

impl<'a> Args<'a> {
    /// No arguments yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A plain value: number or struct of numbers with the C layout that the kernel declares.
    pub fn value<T: Plain>(mut self, value: T) -> Self {
        self.packed.push(bytes_of(&[value]));
        self
    }

    /// Device memory: the kernel receives the address of its first byte.
    pub fn view(mut self, view: View<'a>) -> Self {
        self.packed.push(&view.address().to_ne_bytes());
        self.buffers.push(view.buffer());
        self
    }

    /// A whole buffer.
    pub fn buffer(self, buffer: &'a Buffer) -> Self {
        self.view(buffer.view())
    }

    /// A view, or a null pointer.
    pub fn optional_view(self, view: Option<View<'a>>) -> Self {
        match view {
            Some(view) => self.view(view),
            None => self.value(0u64),
        }
    }

    /// Memory that the kernel reaches through addresses inside other arguments: ordered like an argument, not passed.
    pub fn also_uses(mut self, buffer: &'a Buffer) -> Self {
        self.buffers.push(buffer);
        self
    }

    pub(crate) fn packed(&self) -> &PackedArgs {
        &self.packed
    }
}

/// Argument values, each at an offset that suits any type.
#[derive(Debug, Default, Clone)]
pub(crate) struct PackedArgs {
    words: Vec<u128>,
    /// Index of the first word, and the size in bytes.
    places: Vec<(usize, usize)>,
}

impl PackedArgs {
    fn push(&mut self, bytes: &[u8]) {
        self.places.push((self.words.len(), bytes.len()));
        for piece in bytes.chunks(16) {
            let mut word = [0u8; 16];
            word[..piece.len()].copy_from_slice(piece);
            self.words.push(u128::from_ne_bytes(word));
        }
    }

    /// Sizes in bytes, in order.
    pub(crate) fn sizes(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.places.iter().map(|&(_, bytes)| bytes)
    }

    /// A pointer to each value, as `cuLaunchKernel` takes them. Valid while `self` is.
    pub(crate) fn pointers(&self) -> Vec<*mut std::ffi::c_void> {
        self.places
            .iter()
            .map(|&(word, _)| self.words[word..].as_ptr().cast_mut().cast())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_values_are_aligned_and_whole() {
        let args = Args::new().value(7u8).value([1u64, 2, 3]).value(-5i128);
        let pointers = args.packed().pointers();
        assert_eq!(args.packed().sizes().collect::<Vec<_>>(), [1, 24, 16]);
        assert!(pointers.iter().all(|p| p.addr() % 16 == 0));
        // SAFETY: the pointers lead to values of these types, packed above.
        unsafe {
            assert_eq!(pointers[0].cast::<u8>().read(), 7);
            assert_eq!(pointers[1].cast::<[u64; 3]>().read(), [1, 2, 3]);
            assert_eq!(pointers[2].cast::<i128>().read(), -5);
        }
    }

    #[test]
    fn a_covering_grid_rounds_up() {
        assert_eq!(Grid::covering(0, 256, 128).blocks, [1, 1, 1]);
        assert_eq!(Grid::covering(256, 256, 128).blocks, [1, 1, 1]);
        assert_eq!(Grid::covering(257, 256, 128).blocks, [2, 1, 1]);
    }
}

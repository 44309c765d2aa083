//! Which ids an index file surely does not hold: a blocked Bloom filter, ten bits an id.
//!
//! A key sets six bits in one block of 64 bytes, so that asking touches one line of memory; about one in
//! a hundred ids that are not there pass. A filter that is not kept in memory is asked on disk.

use crate::fault::Fault;
use crate::table::{Extent, PAYLOAD, Page, PageWriter, le_u64};

const WORDS: usize = 8;
const BLOCK_BYTES: usize = WORDS * 8;
const BLOCKS_A_PAGE: usize = PAYLOAD / BLOCK_BYTES;
const BITS_AN_ID: u64 = 10;

type Block = [u64; WORDS];

/// See the module.
#[derive(Debug)]
pub struct Filter {
    extent: Extent,
    blocks: Vec<Block>,
}

/// How many blocks a filter of so many ids has.
fn blocks_for(ids: u64) -> Option<u64> {
    Some(ids.checked_mul(BITS_AN_ID)?.div_ceil(BLOCK_BYTES as u64 * 8))
}

/// Whether a filter of so many ids can lie there.
pub fn fits(extent: Extent, ids: u64) -> bool {
    let pages = extent.rows.div_ceil(BLOCKS_A_PAGE as u64);
    blocks_for(ids) == Some(extent.rows) && pages == u64::from(extent.pages)
}

/// The block of a hash, and the bits in it.
fn place(hash: u64, blocks: u64) -> (u64, impl Iterator<Item = u32>) {
    let block = u64::try_from((u128::from(hash) * u128::from(blocks)) >> 64).unwrap_or(0);
    // The lowest three bits are no part of the hash: an index keeps the field there.
    let mut rest = (hash >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bits = (0..6).map(move |_| {
        rest = rest.rotate_left(9);
        u32::try_from(rest & 511).unwrap_or(0)
    });
    (block, bits)
}

fn holds(block: &Block, mut bits: impl Iterator<Item = u32>) -> bool {
    bits.all(|bit| block[bit as usize / 64] >> (bit % 64) & 1 == 1)
}

impl Filter {
    /// An empty one for so many ids.
    pub fn for_ids(ids: u64) -> Filter {
        let blocks = blocks_for(ids).and_then(|blocks| usize::try_from(blocks).ok()).unwrap_or(0);
        Filter { extent: Extent::default(), blocks: vec![[0; WORDS]; blocks] }
    }
    /// Takes in a hash.
    pub fn insert(&mut self, hash: u64) {
        let (block, bits) = place(hash & !7, self.blocks.len() as u64);
        let block = usize::try_from(block).ok().and_then(|block| self.blocks.get_mut(block));
        let Some(block) = block else { return }; // one for no ids
        for bit in bits {
            block[bit as usize / 64] |= 1 << (bit % 64);
        }
    }
    /// How many blocks.
    pub fn blocks(&self) -> u64 {
        self.blocks.len() as u64
    }
    /// Writes it.
    pub fn write(&self, pages: &mut PageWriter<'_>) -> Result<(), Fault> {
        let mut payload = Vec::with_capacity(PAYLOAD);
        for page in self.blocks.chunks(BLOCKS_A_PAGE) {
            payload.clear();
            payload.extend(page.iter().flatten().flat_map(|word| word.to_le_bytes()));
            pages.page(&payload)?;
        }
        Ok(())
    }
    /// Says where it was written.
    pub fn place(&mut self, extent: Extent) {
        self.extent = extent;
    }
    /// Reads it back; or leaves it where it is, to be asked there.
    pub fn open(
        extent: Extent,
        in_memory: bool,
        mut page: impl FnMut(u32) -> Result<Page, Fault>,
    ) -> Result<Filter, Fault> {
        let mut blocks = Vec::new();
        if !in_memory {
            return Ok(Filter { extent, blocks });
        }
        for number in extent.page..extent.page + extent.pages {
            let bytes = page(number)?;
            for block in bytes[..BLOCKS_A_PAGE * BLOCK_BYTES].chunks_exact(BLOCK_BYTES) {
                if blocks.len() as u64 == extent.rows {
                    break;
                }
                blocks.push(std::array::from_fn(|i| le_u64(block, i * 8)));
            }
        }
        Ok(Filter { extent, blocks })
    }
    /// Bytes of memory it takes, or would take.
    pub fn bytes(&self) -> u64 {
        self.extent.rows.saturating_mul(BLOCK_BYTES as u64)
    }
    /// Whether it is in memory.
    pub fn in_memory(&self) -> bool {
        !self.blocks.is_empty()
    }
    /// Whether the hash may have been taken in.
    pub fn may_hold(&self, hash: u64, page: impl FnOnce(u32) -> Result<Page, Fault>) -> Result<bool, Fault> {
        if self.extent.rows == 0 {
            return Ok(false);
        }
        let (number, bits) = place(hash & !7, self.extent.rows);
        let number = usize::try_from(number).unwrap_or(0);
        if let Some(block) = self.blocks.get(number) {
            return Ok(holds(block, bits));
        }
        let (nth, within) = (number / BLOCKS_A_PAGE, number % BLOCKS_A_PAGE * BLOCK_BYTES);
        let bytes = page(self.extent.page + u32::try_from(nth).unwrap_or(0))?;
        Ok(holds(&std::array::from_fn(|i| le_u64(&bytes, within + i * 8)), bits))
    }
}

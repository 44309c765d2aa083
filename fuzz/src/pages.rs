//! Files of pages, as inputs hold them: page after page without the zeros at its end and without its checksum,
//! so that an input is short and a mutated page still reads. Knows the layout of pages and of an index's header on
//! purpose, from `docs/reference/ledger.md` and not from the code under test.

use crate::Repair;

/// Bytes of a page.
pub const PAGE: usize = 4096;
const PAYLOAD: usize = PAGE - 4;

/// The file that an input stands for: its bytes as they are, its bytes with the checksum of each page made
/// right, or the pages that [`pack`] packed.
pub fn unpack(input: &[u8], repair: Repair) -> Vec<u8> {
    let mut out = input.to_vec();
    match repair {
        Repair::None => return out,
        Repair::Checksums => {}
        Repair::Chain => {
            out.clear();
            let mut rest = input;
            while let Some((length, after)) = rest.split_first_chunk() {
                let length = usize::from(u16::from_le_bytes(*length)).min(after.len()).min(PAYLOAD);
                let end = out.len() + PAGE;
                out.extend_from_slice(&after[..length]);
                out.resize(end, 0);
                rest = &after[length..];
            }
        }
    }
    for page in out.chunks_exact_mut(PAGE) {
        seal_page(page);
    }
    out
}

/// Makes the checksum of a page right.
pub fn seal_page(page: &mut [u8]) {
    let crc = crc32c::crc32c(&page[..PAYLOAD]);
    page[PAYLOAD..].copy_from_slice(&crc.to_le_bytes());
}

/// The input for a file.
pub fn pack(file: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for page in file.chunks_exact(PAGE) {
        let length = page[..PAYLOAD].iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        out.extend_from_slice(&u16::try_from(length).expect("a page is short").to_le_bytes());
        out.extend_from_slice(&page[..length]);
    }
    out
}

/// The integer at `at`, zero behind the end.
pub fn le_u32(b: &[u8], at: usize) -> u32 {
    b.get(at..at + 4).map_or(0, |b| u32::from_le_bytes(b.try_into().expect("four bytes")))
}
/// The integer at `at`, zero behind the end.
pub fn le_u64(b: &[u8], at: usize) -> u64 {
    b.get(at..at + 8).map_or(0, |b| u64::from_le_bytes(b.try_into().expect("eight bytes")))
}

/// Puts into an index's table of blocks the checksums that the blocks of its first segment have, so that reads
/// of a mutated segment get past them.
pub fn seal_blocks(index: &mut [u8], segment: &[u8]) {
    const BLOCKS: usize = 256 + 16 * 4;
    const ROW: usize = 12;
    let (first, count) = (le_u32(index, BLOCKS) as usize, le_u32(index, BLOCKS + 4) as usize);
    for page in index.chunks_exact_mut(PAGE).skip(first).take(count) {
        for row in page[..PAYLOAD].chunks_exact_mut(ROW) {
            let from = usize::try_from(le_u64(row, 0)).unwrap_or(usize::MAX).saturating_mul(PAGE);
            if let Some(block) = segment.get(from..).filter(|block| !block.is_empty()) {
                let crc = crc32c::crc32c(&block[..block.len().min(PAGE)]);
                row[8..].copy_from_slice(&crc.to_le_bytes());
            }
        }
        seal_page(page);
    }
}

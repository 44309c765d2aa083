//! A whole small ledger as one input: its files one after another, each with its kind, its numbers and its length.

use ledger::{index, journal, snapshot};

use crate::disk::Memory;
use crate::pages::{le_u32, pack, unpack};
use crate::{Repair, mend_from};

const JOURNAL: u8 = 0;
const INDEX: u8 = 1;
const SNAPSHOT: u8 = 2;
/// Kind, two numbers (an index has two, the others one), and the length in two bytes.
const HEAD: usize = 5;

/// The disk that an input stands for. The first byte says how much is made right.
pub fn unpack_disk(input: &[u8]) -> Memory {
    let disk = Memory::default();
    let Some((first, mut rest)) = input.split_first() else { return disk };
    let repair = Repair::by(*first);
    let mut journal_end = None;
    while let Some((&[kind, low, high, a, b], after)) = rest.split_first_chunk::<HEAD>() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(after.len());
        let (content, after) = after.split_at(length);
        rest = after;
        let name = match kind % 3 {
            INDEX => index::file_name(a.into(), b.into()),
            SNAPSHOT => snapshot::file_name(a.into()),
            _ => journal::file_name(a.into()),
        };
        let mut bytes = content.to_vec();
        if kind % 3 == JOURNAL {
            journal_end = mend_from(&mut bytes, repair, journal_end);
        } else {
            bytes = unpack(content, repair);
        }
        disk.put(&name, bytes);
    }
    disk
}

/// The input for a disk.
pub fn pack_disk(disk: &Memory, repair: u8) -> Vec<u8> {
    let mut out = vec![repair];
    let mut put = |kind, a: u32, b: u32, content: &[u8]| {
        let small = |n: u32| u8::try_from(n).expect("a small ledger has few segments");
        let [low, high] = u16::try_from(content.len()).expect("small files").to_le_bytes();
        out.extend_from_slice(&[kind, low, high, small(a), small(b)]);
        out.extend_from_slice(content);
    };
    for (name, bytes) in disk.files() {
        if let Some((first, last)) = index::covers(&name) {
            put(INDEX, first, last, &packed(&bytes, repair));
        } else if let Some(segment) = snapshot::segment(&name) {
            put(SNAPSHOT, segment, 0, &packed(&bytes, repair));
        } else if name.starts_with("journal-") {
            let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| (last / 16 + 1) * 16);
            put(JOURNAL, le_u32(&bytes, 16), 0, &bytes[..end]);
        }
    }
    out
}

fn packed(bytes: &[u8], repair: u8) -> Vec<u8> {
    if Repair::by(repair) == Repair::Chain { pack(bytes) } else { bytes.to_vec() }
}
